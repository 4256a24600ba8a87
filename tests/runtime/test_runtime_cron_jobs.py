"""The jobs that cron enqueues: what they carry, which missed times run, who fires what runs at the start."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import fakeredis
import pytest
import pytest_asyncio
from cron_toys import CronFleet
from redis.exceptions import ConnectionError as RedisConnectionError
from worker_toys import lines

from arqlite import ArqRedis, Inspector, Unique, cron
from arqlite.cron import CronJob
from arqlite.engine import RedisEngine
from arqlite.errors import ConfigurationError
from arqlite.model.codec import Codec
from arqlite.model.tasks import Task
from arqlite.runtime.scheduler import Scheduler


async def tick(ctx: dict[Any, Any], day: str = "") -> None: ...


@pytest_asyncio.fixture
async def fleet(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[CronFleet]:
    """A queue on a server whose clock is the test's."""
    pool = ArqRedis(fakeredis.FakeAsyncRedis(server=fakeredis.FakeServer()).connection_pool)
    engine = RedisEngine(pool, "q")
    fleet = CronFleet(engine)
    monkeypatch.setattr("arqlite.runtime.scheduler._LONGEST_NAP_S", 86400.0)  # nothing is set behind our back
    clock = SimpleNamespace(time=lambda: fleet.seconds)
    monkeypatch.setattr("fakeredis.commands_mixins.server_mixin.time", clock)
    yield fleet
    await engine.close()
    await pool.aclose(close_connection_pool=True)


def at(*minutes: int, name: str | None = None, **options: Any) -> CronJob:
    return cron(tick, name=name, minute=list(minutes), microsecond=0, **options)


def inspector(fleet: CronFleet) -> Inspector:
    return Inspector(fleet.engine.client)


# -- what the jobs carry


async def test_jobs_tell_where_they_come_from(fleet: CronFleet) -> None:
    """Each job carries that it is of cron, the text of its schedule as given, its name and its zone."""
    jobs = [
        cron(tick, name="a", crontab="0 2  * * *", timezone="Europe/Copenhagen", microsecond=0),
        cron(tick, name="b", hour=1, minute=0, microsecond=0),
        cron(tick, name="c", crontab="@hourly", microsecond=0),
    ]
    scheduler = await fleet.start(jobs)

    await fleet.run_until("2024-01-01 01:10", scheduler)

    carried = {job_id.partition(":")[0]: job["m"] for job_id, job in (await fleet.jobs()).items()}
    assert carried == {
        "a": {"cron": True, "cron_expr": "0 2  * * *", "cron_name": "a", "cron_tz": "Europe/Copenhagen"},
        "b": {"cron": True, "cron_expr": "hour=1 minute=0 second=0", "cron_name": "b", "cron_tz": "UTC"},
        "c": {"cron": True, "cron_expr": "@hourly", "cron_name": "c", "cron_tz": "UTC"},
    }


async def test_meta_of_the_user_stays(fleet: CronFleet) -> None:
    """What the user's meta says stays beside that of cron, and where both say something."""
    scheduler = await fleet.start([at(0, name="a", meta={"team": "x", "cron_tz": "mine"})])

    await fleet.run_until("2024-01-01 01:10", scheduler)

    [job] = (await fleet.jobs()).values()
    assert job["m"] == {
        "team": "x", "cron": True, "cron_expr": "minute=0 second=0", "cron_name": "a", "cron_tz": "mine",
    }  # fmt: skip


async def test_jobs_have_arguments_and_options(fleet: CronFleet) -> None:
    """Arguments, priority and tags are those of the cron job; first comes what is urgent."""
    jobs = [
        at(0, name="late", args=("mon",), tags=["B", "a"], priority=9),
        at(0, name="soon", kwargs={"day": "tue"}),
    ]
    scheduler = await fleet.start(jobs)

    await fleet.run_until("2024-01-01 01:10", scheduler)

    soon, late = (await fleet.jobs()).values()
    assert (soon["f"], soon["k"], soon.get("p")) == ("soon", {"day": "tue"}, None)
    assert (late["f"], late["a"], late["p"], sorted(late["g"])) == ("late", ["mon"], 9, ["a", "b"])


async def test_jobs_of_a_task_have_its_name(fleet: CronFleet) -> None:
    """A task's jobs from cron are as those that anybody enqueues: its name, priority, tags and attempts."""
    task = Task("tick", tick, None, None, None, None, priority=2, tags=("t",))
    scheduler = await fleet.start([cron(task, minute=0, microsecond=0, max_attempts=4)])

    await fleet.run_until("2024-01-01 01:10", scheduler)

    [(job_id, job)] = (await fleet.jobs()).items()
    assert job_id.startswith("cron:tick:")
    assert (job["f"], job["p"], job["g"], job["ma"]) == ("tick", 2, ["t"], 4)


async def test_entries_with_other_arguments_both_run(fleet: CronFleet) -> None:
    """Two entries for each minute with other arguments run both, one for the 31 December does not."""
    jobs = [
        cron(tick, crontab="* * * * *", args=("a",), microsecond=0),
        cron(tick, crontab="* * * * *", args=("b",), microsecond=0),
        cron(tick, crontab="59 23 31 12 0", args=("c",), microsecond=0),
    ]
    scheduler = await fleet.start(jobs)

    await fleet.run_until("2024-01-01 00:01:30", scheduler)

    assert sorted(job["a"] for job in (await fleet.jobs()).values()) == [["a"], ["b"]]


async def test_equal_entries_are_one(fleet: CronFleet) -> None:
    """The same cron job twice in a list runs once per time."""
    scheduler = await fleet.start([at(0, args=("a",)), at(0, args=("a",))])

    await fleet.run_until("2024-01-01 01:10", scheduler)

    assert await fleet.times() == ["01. 01:00:00"]


async def test_zone_of_its_own_comes_before_the_workers(fleet: CronFleet) -> None:
    """An entry for the hour that Chicago has now runs, and one for that hour of UTC does not."""
    fleet.set("2024-01-01 17:30")
    zone = cron(tick, timezone="America/Chicago").timezone
    jobs = [
        cron(tick, name="chicago", crontab="45 11 * * *", microsecond=0),
        cron(tick, name="utc-hour", crontab="45 17 * * *", microsecond=0),
        cron(tick, name="own", crontab="45 17 * * *", timezone="UTC", microsecond=0),
    ]
    scheduler = await fleet.start(jobs, zone)

    await fleet.run_until("2024-01-01 18:00", scheduler)

    assert sorted(job["f"] for job in (await fleet.jobs()).values()) == ["chicago", "own"]


@pytest.mark.parametrize(
    "unique", [Unique(period=Unique.forever, states="incomplete"), {"period": 7200, "fields": ["args"]}]
)
async def test_unique_jobs_do_not_pile_up(fleet: CronFleet, unique: Any) -> None:
    """While an equal job waits, no second one is enqueued, by its time or by hand; its times pass."""
    scheduler = await fleet.start([at(0, name="t", args=("mon",), unique=unique)])
    await fleet.run_until("2024-01-01 02:10", scheduler)
    control = inspector(fleet)

    job = await control.run_cron("t", "q")

    [waiting] = await fleet.jobs()
    assert waiting.endswith(":1704070800000")
    assert (job.job_id, job.conflict) == (waiting, True)
    [view] = await control.crons("q")
    assert str(view.last_at) == "2024-01-01 02:00:00+00:00"


async def test_rule_of_a_task_holds_for_cron(fleet: CronFleet) -> None:
    """A task that is unique is so in cron, and beside what others enqueue."""
    task = Task("tick", tick, None, None, None, None, unique=Unique(period=3600))
    scheduler = await fleet.start([cron(task, minute=0, microsecond=0)])
    pool: Any = fleet.engine.client
    by_hand = await pool.options(queue="q").enqueue(task)

    await fleet.run_until("2024-01-01 01:10", scheduler)

    assert list(await fleet.jobs()) == [by_hand.job_id]


# -- missed times


@pytest.mark.parametrize(
    ("missed", "expected"),
    [
        ("skip", []),
        ("once", ["02. 03:00:00"]),
        ("all", ["01. 02:00:00", "01. 03:00:00", "02. 02:00:00", "02. 03:00:00"]),
    ],
)
async def test_times_while_no_worker_ran(fleet: CronFleet, missed: Any, expected: list[str]) -> None:
    """They are skipped, made up for by one run, or all run, in their order and once over all workers."""
    jobs = [cron(tick, name="t", hour={2, 3}, minute=0, microsecond=0, missed=missed)]
    fleet.set("2023-12-31 02:30")
    await fleet.run_until("2023-12-31 03:10", await fleet.start(jobs))
    assert await fleet.times() == ["31. 03:00:00"]

    fleet.set("2024-01-02 15:00")
    workers = [await fleet.start(jobs) for _ in range(3)]
    for worker in workers:
        await worker.fire_due()

    assert await fleet.times() == expected
    await fleet.run_until("2024-01-03 02:10", *workers)
    assert await fleet.times() == ["03. 02:00:00"]


async def test_flood_of_missed_times_is_bounded(fleet: CronFleet, caplog: pytest.LogCaptureFixture) -> None:
    """Of more than a thousand missed times the newest thousand run, and the log says so once."""
    jobs = [cron(tick, name="t", minute=None, microsecond=0, missed="all")]
    await fleet.run_until("2024-01-01 00:01:10", await fleet.start(jobs))
    await fleet.jobs()

    fleet.set("2024-01-09 00:00:30")
    worker = await fleet.start(jobs)
    await worker.fire_due()

    times = await fleet.times()
    assert (len(times), times[0], times[-1]) == (1000, "08. 07:21:00", "09. 00:00:00")
    assert lines(caplog) == [
        "cron job t missed more than 1000 times since 2024-01-01T00:01:00+00:00; it makes up for the last "
        "1000"
    ]


async def test_every_time_of_a_long_pause_runs_if_told_so(fleet: CronFleet) -> None:
    """A worker that stood still fires all times that it missed where each of them counts."""
    scheduler = await fleet.start([cron(tick, name="t", minute=[0, 30], microsecond=0, missed="all")])

    fleet.set("2024-01-01 02:10")
    await scheduler.fire_due()

    assert await fleet.times() == ["01. 00:30:00", "01. 01:00:00", "01. 01:30:00", "01. 02:00:00"]


async def test_time_is_fired_once_though_the_clock_goes_back(fleet: CronFleet) -> None:
    """A minute that comes again by the server's clock brings no second job."""
    scheduler = await fleet.start([at(0, name="t")])
    await fleet.run_until("2024-01-01 01:00:10", scheduler)
    assert len(await fleet.jobs()) == 1

    fleet.set("2024-01-01 00:59:50")
    fresh = await fleet.start([at(0, name="t")])
    await fleet.run_until("2024-01-01 01:00:30", scheduler, fresh)

    assert await fleet.jobs() == {}


# -- at the start of all workers


async def test_reboot_is_fired_by_the_leader_once(fleet: CronFleet) -> None:
    """Of workers that start together the leader fires `@reboot`, and not again at its next tick."""
    job = cron(tick, name="warm", crontab="@reboot")
    leads, follows = await fleet.start([job]), await fleet.start([job], is_leader=lambda: False)
    assert list(await fleet.jobs()) == ["warm:startup"]

    await leads.fire_due()
    await follows.fire_due()

    assert await fleet.jobs() == {}


async def test_reboot_is_fired_by_who_becomes_the_leader(fleet: CronFleet) -> None:
    """A worker that leads later fires `@reboot` then, once in its life."""
    leads = False
    job = cron(tick, name="warm", crontab="@reboot")
    scheduler = await fleet.start([job], is_leader=lambda: leads)
    assert await fleet.jobs() == {}

    for now_leads in (True, False, True):
        leads = now_leads
        await scheduler.fire_due()

    assert list(await fleet.jobs()) == ["warm:startup"]


async def test_run_at_startup_is_for_each_worker(fleet: CronFleet) -> None:
    """What runs whenever a worker starts, as in arq, needs no leader."""
    await fleet.start([at(0, name="t", run_at_startup=True)], is_leader=lambda: False)

    assert list(await fleet.jobs()) == ["t:startup"]


# -- control


async def test_paused_cron_job_lets_its_times_pass(fleet: CronFleet) -> None:
    """While it is paused its times pass without a job, on every worker and through restarts."""
    jobs = [at(0, name="t", missed="all", run_at_startup=True), at(0, name="other")]
    scheduler = await fleet.start(jobs)
    await fleet.jobs()
    control = inspector(fleet)

    assert await control.pause_cron("t", "q")
    assert not await control.pause_cron("t", "q")
    await fleet.run_until("2024-01-01 02:10", scheduler)
    restarted = await fleet.start(jobs)
    await fleet.run_until("2024-01-01 03:10", scheduler, restarted)
    assert {job["f"] for job in (await fleet.jobs()).values()} == {"other"}

    assert await control.resume_cron("t", "q")
    assert not await control.resume_cron("t", "q")
    await fleet.run_until("2024-01-01 04:10", scheduler, restarted)
    assert await fleet.times() == ["01. 04:00:00", "01. 04:00:00"]


@pytest.mark.parametrize("missed", ["all", "once"])
async def test_times_of_a_pause_are_not_made_up_for_after_it(fleet: CronFleet, missed: Any) -> None:
    """What passed in a pause runs never, though no worker ran from its beginning until after its end; what
    was missed before and after it is made up for.
    """
    job = at(0, name="t", missed=missed)
    await fleet.run_until("2024-01-01 02:10", await fleet.start([job]))
    await fleet.jobs()
    for since, until in (("04:10", "06:10"), ("07:10", "08:10")):
        fleet.set(f"2024-01-01 {since}")
        await fleet.engine.switch_cron("t", pauses=True)
        fleet.set(f"2024-01-01 {until}")
        await fleet.engine.switch_cron("t", pauses=False)

    fleet.set("2024-01-01 08:20")
    await fleet.run_until("2024-01-01 09:10", await fleet.start([at(0, name="t", missed=missed)]))

    made_up_for = ["01. 03:00:00", "01. 04:00:00", "01. 07:00:00"] if missed == "all" else []
    assert await fleet.times() == [*made_up_for, "01. 09:00:00"]


@pytest.mark.parametrize("unique", [True, False])
async def test_worker_that_slept_makes_up_for_no_pause(fleet: CronFleet, unique: bool) -> None:
    """A worker whose machine slept from before a pause until after it fires nothing of it."""
    scheduler = await fleet.start([at(0, name="t", unique=unique)])
    await fleet.engine.switch_cron("t", pauses=True)
    fleet.set("2024-01-01 06:10")
    await fleet.engine.switch_cron("t", pauses=False)

    await scheduler.fire_due()
    assert await fleet.jobs() == {}

    await fleet.run_until("2024-01-01 07:10", scheduler)
    assert len(await fleet.jobs()) == 1


async def test_pause_of_a_clock_that_was_wrong_is_void(fleet: CronFleet) -> None:
    """A pause that ended years ahead, by a clock that has been set right since, swallows nothing."""
    await fleet.engine.switch_cron("t", pauses=True)
    fleet.set("2034-01-01 00:10")
    await fleet.engine.switch_cron("t", pauses=False)
    fleet.set("2024-01-01 01:10")

    await fleet.run_until("2024-01-01 02:10", await fleet.start([at(0, name="t")]))

    assert await fleet.times() == ["01. 02:00:00"]


async def test_pause_holds_for_each_worker_of_its_own(fleet: CronFleet) -> None:
    """A cron job that every worker runs by itself is paused on each of them."""
    jobs = [at(0, name="t", unique=False)]
    workers = [await fleet.start(jobs) for _ in range(2)]
    await inspector(fleet).pause_cron("t", "q")

    await fleet.run_until("2024-01-01 01:10", *workers)

    assert await fleet.jobs() == {}


async def test_cron_jobs_are_listed_without_their_settings(fleet: CronFleet) -> None:
    """Name, schedule, zone, function, policy, last and next time come from what the workers told."""
    jobs = [
        at(0, name="b", missed="all"),
        cron(tick, name="a", crontab="30 9 * * mon", timezone="Europe/Berlin"),
        cron(tick, name="c", crontab="@reboot"),
    ]
    await fleet.run_until("2024-01-01 01:10", await fleet.start(jobs))
    await inspector(fleet).pause_cron("c", "q")

    a, b, c = await inspector(fleet).crons("q")

    assert (a.name, a.schedule, a.timezone) == ("a", "30 9 * * mon", "Europe/Berlin")
    assert (a.function, a.missed, a.last_at) == ("a", "skip", None)
    assert str(a.next_at) == "2024-01-01 09:30:00.123456+01:00"
    assert (b.schedule, b.timezone, b.missed) == ("minute=0 second=0", "UTC", "all")
    assert (str(b.last_at), str(b.next_at)) == ("2024-01-01 01:00:00+00:00", "2024-01-01 02:00:00+00:00")
    assert [view.is_paused for view in (a, b, c)] == [False, False, True]
    assert c.next_at is None


async def test_run_now(fleet: CronFleet) -> None:
    """A cron job runs when somebody says so, with its arguments and options; its times stay."""
    scheduler = await fleet.start([at(0, name="t", args=("mon",), priority=4, tags=["x"])])
    control = inspector(fleet)
    await control.pause_cron("t", "q")

    job = await control.run_cron("t", "q")

    [(job_id, envelope)] = (await fleet.jobs()).items()
    assert job_id == job.job_id
    assert (envelope["f"], envelope["a"], envelope["p"], envelope["g"]) == ("t", ["mon"], 4, ["x"])
    assert envelope["m"]["cron_name"] == "t"
    await control.resume_cron("t", "q")
    await fleet.run_until("2024-01-01 01:10", scheduler)
    assert await fleet.times() == ["01. 01:00:00"]


async def test_unknown_names_are_refused_with_those_that_are_there(fleet: CronFleet) -> None:
    """A slip in a name is told, with the names that there are."""
    await fleet.start([at(0, name="t")])

    for verb in (inspector(fleet).run_cron, inspector(fleet).pause_cron):
        with pytest.raises(ConfigurationError, match="no worker has a cron job named 'tt'; there are t"):
            await verb("tt", "q")


async def test_cron_jobs_of_old_deploys_are_forgotten(fleet: CronFleet) -> None:
    """What no worker tells of any more is gone after some hours; while nobody runs at all it stays."""
    await fleet.start([at(0, name="old"), at(0, name="kept")])
    fleet.set("2024-01-09 00:00")
    assert [view.name for view in await inspector(fleet).crons("q")] == ["kept", "old"]

    await fleet.start([at(0, name="kept")])

    assert [view.name for view in await inspector(fleet).crons("q")] == ["kept"]


async def test_workers_tell_again(fleet: CronFleet) -> None:
    """A worker that runs for long is not forgotten, though another deploy's tells of other jobs."""
    old, new = await fleet.start([at(0, name="old")]), await fleet.start([at(0, name="new")])

    await fleet.run_until("2024-01-01 12:10", old, new)

    assert [view.name for view in await inspector(fleet).crons("q")] == ["new", "old"]


async def test_server_that_lost_its_data_is_told_again(fleet: CronFleet) -> None:
    """When the lead changes, as it does on an emptied server, the cron jobs are told anew."""
    scheduler = await fleet.start([at(0, name="t")])
    await fleet.engine.client.flushall()

    scheduler.look()
    await scheduler.fire_due()

    assert [view.name for view in await inspector(fleet).crons("q")] == ["t"]


# -- trouble


async def test_scheduler_survives_trouble_with_redis(
    fleet: CronFleet, caplog: pytest.LogCaptureFixture, eventually: Any
) -> None:
    """Trouble with Redis at a tick ends no scheduler: it is told, and the tick is fired when it is over."""
    caplog.set_level("INFO")
    failures = 2

    class Shaky(RedisEngine):
        async def fire(self, *args: Any, **kwargs: Any) -> Any:
            nonlocal failures
            if failures:
                failures -= 1
                raise RedisConnectionError("away")
            return await super().fire(*args, **kwargs)

    engine = Shaky(fleet.engine.client, "q")
    scheduler = Scheduler(engine, Codec(), [at(0, name="t")], None, lambda: fleet.seconds)
    await scheduler.start()
    fleet.set("2024-01-01 01:00:00.010")

    await asyncio.wait_for(scheduler.fire_due(), 5)

    assert await fleet.times() == ["01. 01:00:00"]
    assert any("Redis is out of reach" in line for line in lines(caplog))
    await scheduler.stop()
