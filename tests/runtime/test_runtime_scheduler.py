"""Firing cron jobs: once per time, by the server's clock, through outages, pauses and clock changes."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from datetime import UTC, datetime, tzinfo
from types import SimpleNamespace
from typing import Any, cast
from zoneinfo import ZoneInfo

import fakeredis
import pytest
import pytest_asyncio
from redis.exceptions import ConnectionError as RedisConnectionError
from worker_toys import lines

from arqlite import ArqRedis, cron
from arqlite.cron import CronJob
from arqlite.engine import Engine, Fired, RedisEngine, Ticks
from arqlite.model.codec import Codec
from arqlite.runtime.scheduler import Scheduler

BERLIN = ZoneInfo("Europe/Berlin")


async def tick(ctx: dict[Any, Any]) -> None: ...


class Fleet:
    """Schedulers on one queue, in a time that the test moves; nothing in it sleeps."""

    def __init__(self, engine: RedisEngine) -> None:
        self.engine = engine
        self.set("2024-01-01 00:00:00.500")

    async def start(
        self, jobs: Sequence[CronJob], zone: tzinfo | None = UTC, codec: Codec | None = None
    ) -> Scheduler:
        scheduler = Scheduler(self.engine, codec or Codec(), jobs, zone, lambda: self.seconds)
        await scheduler.begin()
        return scheduler

    def set(self, text: str) -> None:
        """Move to a time of UTC."""
        self.seconds = datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()

    async def run_until(self, text: str, *schedulers: Scheduler) -> None:
        """Let time pass, each scheduler firing when it would wake."""
        end = datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
        while self.seconds < end:
            self.seconds = min(self.seconds + min(one.nap_s() for one in schedulers) + 0.001, end)
            for scheduler in schedulers:
                await scheduler.fire_due()

    async def fired(self) -> list[str]:
        """Take the jobs that were enqueued since the last look, each as its time in UTC."""
        keys = self.engine.keys
        client: Any = self.engine.client
        ids = [job_id.decode() for job_id in await client.zrange(keys.ready, 0, -1)]
        await client.delete(keys.ready, keys.jobs)
        return [_time_of(job_id) for job_id in ids]


def _time_of(job_id: str) -> str:
    _, _, ms = job_id.rpartition(":")
    return datetime.fromtimestamp(int(ms) / 1000, UTC).strftime("%d. %H:%M:%S") if ms.isdigit() else job_id


@pytest_asyncio.fixture
async def fleet(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Fleet]:
    """A queue on a server whose clock is the test's."""
    pool = ArqRedis(fakeredis.FakeAsyncRedis(server=fakeredis.FakeServer()).connection_pool)
    engine = RedisEngine(pool, "q")
    fleet = Fleet(engine)
    clock = SimpleNamespace(time=lambda: fleet.seconds)
    monkeypatch.setattr("arqlite.runtime.scheduler._LONGEST_NAP_S", 86400.0)  # nothing is set behind our back
    monkeypatch.setattr("fakeredis.commands_mixins.server_mixin.time", clock)
    yield fleet
    await engine.close()
    await pool.aclose(close_connection_pool=True)


def at(*minutes: int, name: str = "t", **options: Any) -> CronJob:
    return cron(tick, name=name, minute=list(minutes), microsecond=0, **options)


# -- schedules of one name


async def test_two_schedules_of_one_name(fleet: Fleet) -> None:
    """Two cron jobs of one function both run at their times, whichever comes first in the list."""
    scheduler = await fleet.start([at(30), at(0)])

    await fleet.run_until("2024-01-01 02:10", scheduler)

    assert await fleet.fired() == ["01. 00:30:00", "01. 01:00:00", "01. 01:30:00", "01. 02:00:00"]


async def test_missed_schedules_of_one_name_run_in_the_order_of_time(fleet: Fleet) -> None:
    """After a pause a schedule's later time does not make another one's earlier time a thing of the past."""
    jobs = [
        cron(tick, name="t", second=30, microsecond=0),
        cron(tick, name="t", second=10, microsecond=0),
    ]
    scheduler = await fleet.start(jobs)

    fleet.set("2024-01-01 00:00:35")
    await scheduler.fire_due()

    assert await fleet.fired() == ["01. 00:00:10", "01. 00:00:30"]


async def test_worker_that_knows_one_schedule_of_a_name_takes_no_tick_of_another(fleet: Fleet) -> None:
    """In a rolling deploy a late worker's schedule is not of the past because another one's ran."""
    old, new = await fleet.start([at(0)]), await fleet.start([at(30)])

    await fleet.run_until("2024-01-01 00:50", new)
    assert await fleet.fired() == ["01. 00:30:00"]
    fleet.set("2024-01-01 01:30:00.010")
    await new.fire_due()
    await old.fire_due()

    assert sorted(await fleet.fired()) == ["01. 01:00:00", "01. 01:30:00"]


async def test_interleaved_schedules_on_many_workers(fleet: Fleet) -> None:
    """Seconds of two schedules, workers of which some are late: each time runs once, meeting ones too."""
    jobs = [
        cron(tick, name="t", second=list(range(0, 60, 2)), microsecond=0),
        cron(tick, name="t", second=list(range(0, 60, 3)), microsecond=0),
    ]
    prompt, late, other = [await fleet.start(jobs[::step]) for step in (1, -1, 1)]
    fired: list[str] = []

    for second in range(1, 21):
        fleet.set(f"2024-01-01 00:00:{second:02}.500")
        await prompt.fire_due()
        fired += await fleet.fired()
        if second % 5 == 0:
            await late.fire_due()
            await other.fire_due()

    assert fired == [
        f"01. 00:00:{second:02}" for second in range(1, 21) if second % 2 == 0 or second % 3 == 0
    ]
    assert await fleet.fired() == []


async def test_schedule_changed_in_a_deploy(fleet: Fleet) -> None:
    """A new schedule begins with its first time to come, and nothing of the old one runs again."""
    old = await fleet.start([at(0)])
    await fleet.run_until("2024-01-01 01:10", old)
    assert await fleet.fired() == ["01. 01:00:00"]

    new = await fleet.start([at(5, 15)])
    await fleet.run_until("2024-01-01 02:10", old, new)

    assert await fleet.fired() == ["01. 01:15:00", "01. 02:00:00", "01. 02:05:00"]


async def test_entries_of_one_name_that_are_not_alike_are_told(
    fleet: Fleet, caplog: pytest.LogCaptureFixture
) -> None:
    """Cron jobs of one name that differ are told, since of those that come at one time one is dropped."""
    jobs = [at(0, name="t", meta={"for": mark}, priority=place) for place, mark in enumerate("ab")]
    await fleet.start([*jobs, at(0, name="u", unique=False), at(0, name="u", unique=False, tags=["x"])])

    assert lines(caplog) == [
        "cron jobs named t differ in priority, meta: where two of them come at one time only one is enqueued;"
        " give each a name"
    ]


async def test_limits_of_one_name_are_the_last_ones(fleet: Fleet, caplog: pytest.LogCaptureFixture) -> None:
    """Cron jobs of one name with different limits, of which only the last's hold, are told."""
    caplog.set_level(logging.INFO)

    await fleet.start([at(0, timeout=5), at(30, timeout=60), at(0, name="other")])

    assert lines(caplog) == [
        "cron jobs named t have different limits, and the last one's hold for all of them; give each a name"
    ]


# -- many workers


async def test_once_over_many_workers(fleet: Fleet) -> None:
    """Each time runs once, however many workers are there."""
    workers = [await fleet.start([at(0), at(0, name="u", job_id=None)]) for _ in range(5)]

    await fleet.run_until("2024-01-01 01:10", *workers)

    assert await fleet.fired() == ["01. 01:00:00", "01. 01:00:00"]


async def test_once_per_worker(fleet: Fleet) -> None:
    """Without `unique` each worker runs it once, also when they share the objects of their settings."""
    jobs = [at(0, unique=False)]
    workers = [await fleet.start(jobs) for _ in range(3)]

    await fleet.run_until("2024-01-01 01:10", *workers)

    assert len(set(await fleet.fired())) == 3


# -- what was missed


async def test_short_pause_is_made_up_for(fleet: Fleet) -> None:
    """What passed while the loop stood still for less than a minute runs time by time."""
    scheduler = await fleet.start([cron(tick, name="t", second=range(0, 60, 10), microsecond=0)])

    fleet.set("2024-01-01 00:00:45")
    await scheduler.fire_due()

    assert await fleet.fired() == [f"01. 00:00:{second}" for second in (10, 20, 30, 40)]


async def test_long_pause_costs_one_run(fleet: Fleet, caplog: pytest.LogCaptureFixture) -> None:
    """Of the many times that a sleeping machine missed the last one runs, and the log says so."""
    scheduler = await fleet.start([cron(tick, name="t", second=None, microsecond=0)])

    fleet.set("2024-01-08 07:30:00.500")
    await scheduler.fire_due()

    assert await fleet.fired() == ["08. 07:30:00"]
    assert lines(caplog) == [
        "this worker could not fire cron job t since 2024-01-01T00:00:01+00:00; of the times it missed "
        "it fires the last"
    ]
    await fleet.run_until("2024-01-08 07:30:02", scheduler)
    assert await fleet.fired() == ["08. 07:30:01", "08. 07:30:02"]


async def test_late_time_is_not_lost(fleet: Fleet, caplog: pytest.LogCaptureFixture) -> None:
    """A nightly job whose one time fell into an outage runs when that is over."""
    scheduler = await fleet.start([at(0)])

    fleet.set("2024-01-01 01:40")
    await scheduler.fire_due()

    assert await fleet.fired() == ["01. 01:00:00"]
    assert lines(caplog) == []


@pytest.mark.parametrize(("run_missed", "expected"), [(False, []), (True, ["03. 12:00:00"])])
async def test_times_while_no_worker_ran(fleet: Fleet, run_missed: bool, expected: list[str]) -> None:
    """They are skipped as in arq, or made up for by one run if the job asks for it, over all workers."""
    jobs = [cron(tick, name="t", hour=12, minute=0, microsecond=0, run_missed=run_missed)]
    await fleet.run_until("2024-01-01 13:00", await fleet.start(jobs))
    assert await fleet.fired() == ["01. 12:00:00"]

    fleet.set("2024-01-03 15:00")
    workers = [await fleet.start(jobs) for _ in range(2)]
    await fleet.run_until("2024-01-03 16:00", *workers)

    assert await fleet.fired() == expected
    await fleet.run_until("2024-01-04 13:00", *workers)
    assert await fleet.fired() == ["04. 12:00:00"]


async def test_new_job_has_missed_nothing(fleet: Fleet) -> None:
    """A cron job that never ran is not run at its first start for a time before that."""
    scheduler = await fleet.start([at(0, run_missed=True)])

    await fleet.run_until("2024-01-01 01:10", scheduler)

    assert await fleet.fired() == ["01. 01:00:00"]


# -- the server's clock


async def test_clock_set_back_a_little(fleet: Fleet) -> None:
    """What ran before the server's clock went back does not run again."""
    scheduler = await fleet.start([at(0, 30)])
    await fleet.run_until("2024-01-01 02:10", scheduler)
    await fleet.fired()

    fleet.set("2024-01-01 00:50")
    another = await fleet.start([at(0, 30)])
    await fleet.run_until("2024-01-01 02:40", scheduler, another)

    assert await fleet.fired() == ["01. 02:30:00"]


async def test_clock_set_back_a_long_way(fleet: Fleet, caplog: pytest.LogCaptureFixture) -> None:
    """When the server's clock was far ahead, cron does not stand still until it is there again."""
    fleet.set("2034-01-01 00:00")
    scheduler = await fleet.start([at(0, 30)])
    await fleet.run_until("2034-01-01 01:10", scheduler)
    await fleet.fired()

    fleet.set("2024-01-01 00:50")
    await scheduler.fire_due()  # it wakes twice a minute
    await fleet.run_until("2024-01-01 02:10", scheduler)

    assert await fleet.fired() == ["01. 01:00:00", "01. 01:30:00", "01. 02:00:00"]
    assert lines(caplog) == [
        "Redis's clock was set back to 2024-01-01T00:50:00+00:00; cron jobs are planned anew"
    ]


async def test_never_before_its_time(fleet: Fleet) -> None:
    """A tick that the server takes for one to come is tried again at its time, and not lost."""

    class Ahead(RedisEngine):
        async def ticks(self, schedules: Sequence[str]) -> Ticks:
            now_ms, last = await super().ticks(schedules)
            return Ticks(now_ms + 250, last)

    engine = Ahead(fleet.engine.client, "q")
    scheduler = Scheduler(engine, Codec(), [at(0)], UTC, lambda: fleet.seconds)
    await scheduler.begin()
    fleet.set("2024-01-01 00:59:59.900")
    await scheduler.fire_due()
    assert await fleet.fired() == []

    fleet.set("2024-01-01 01:00:00.001")
    await scheduler.fire_due()

    assert await fleet.fired() == ["01. 01:00:00"]


# -- clock changes


@pytest.fixture
def system_in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The system's zone is Berlin's for a while."""
    before = os.environ.get("TZ")
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    assert os.environ.get("TZ") == before
    time.tzset()


@pytest.fixture(params=["worker", "system", "own"])
def berlin(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Berlin as the worker's zone, as the system's, and as the job's own in a worker elsewhere."""
    if request.param == "system":
        request.getfixturevalue("system_in_berlin")
    return {
        "worker": {"zone": BERLIN},
        "system": {"zone": None},
        "own": {"zone": ZoneInfo("America/New_York"), "own": "Europe/Berlin"},
    }[request.param]


def berlin_job(berlin: dict[str, Any], **when: Any) -> CronJob:
    return cron(tick, name="t", microsecond=0, timezone=berlin.get("own"), **when)


async def test_worker_that_runs_through_a_clock_change(fleet: Fleet, berlin: dict[str, Any]) -> None:
    """A job for 9 runs at 9 by the clock on the wall, before and after the change (in arq an hour off)."""
    fleet.set("2024-03-29 12:00")
    scheduler = await fleet.start([berlin_job(berlin, hour=9, minute=0)], berlin["zone"])

    await fleet.run_until("2024-04-01 12:00", scheduler)

    assert await fleet.fired() == ["30. 08:00:00", "31. 07:00:00", "01. 07:00:00"]


@pytest.mark.parametrize("when", [{"hour": 2, "minute": 30}, {"crontab": "30 2 * * *"}])
async def test_named_hours_run_once_a_day(fleet: Fleet, berlin: dict[str, Any], when: dict[str, Any]) -> None:
    """A job for 2:30 runs at 3:00 when there is no 2:30, and once when there are two."""
    fleet.set("2024-03-30 12:00")
    scheduler = await fleet.start([berlin_job(berlin, **when)], berlin["zone"])
    await fleet.run_until("2024-04-01 12:00", scheduler)
    assert await fleet.fired() == ["31. 01:00:00", "01. 00:30:00"]

    fleet.set("2024-10-26 12:00")
    scheduler = await fleet.start([berlin_job(berlin, **when)], berlin["zone"])
    await fleet.run_until("2024-10-28 12:00", scheduler)

    assert await fleet.fired() == ["27. 00:30:00", "28. 01:30:00"]


@pytest.mark.parametrize("when", [{"minute": 30}, {"crontab": "30 * * * *"}])
@pytest.mark.parametrize("day", ["2024-03-31", "2024-10-27"])
async def test_any_hour_goes_by_real_time(
    fleet: Fleet, berlin: dict[str, Any], when: dict[str, Any], day: str
) -> None:
    """An hourly job runs every real hour, whatever the clock does."""
    fleet.set(f"{day} 00:00")
    scheduler = await fleet.start([berlin_job(berlin, **when)], berlin["zone"])

    await fleet.run_until(f"{day} 03:59", scheduler)

    assert await fleet.fired() == [f"{day[-2:]}. 0{hour}:30:00" for hour in range(4)]


# -- trouble


async def test_job_that_cannot_be_written(fleet: Fleet, caplog: pytest.LogCaptureFixture) -> None:
    """A serializer that fails for one cron job does not stop the others, nor that one for ever."""
    broken = True

    def serialize(job: dict[str, Any]) -> bytes:
        if broken and job["f"] == "bad":
            raise TypeError("not today")
        return repr(job).encode()

    scheduler = await fleet.start(
        [at(0, name="bad", run_at_startup=True), at(0, name="good", run_at_startup=True)],
        codec=Codec(serialize),
    )
    await fleet.run_until("2024-01-01 01:10", scheduler)
    assert await fleet.fired() == ["good:startup", "01. 01:00:00"]
    assert lines(caplog) == ["cron job bad could not be enqueued"] * 2

    broken = False
    await fleet.run_until("2024-01-01 02:10", scheduler)

    assert len(await fleet.fired()) == 2


class ShakyEngine:
    """Fails at some of the attempts to enqueue, by their numbers; keeps the ids of all."""

    def __init__(self, *failures: int) -> None:
        self.failures = failures
        self.attempts: list[str] = []
        self.fired: list[str] = []

    async def fire(
        self, schedules: Sequence[str], tick_ms: int, job_id: str, record: bytes, lock: Any, name: str
    ) -> Fired:
        self.attempts.append(job_id)
        if len(self.attempts) in self.failures:
            raise RedisConnectionError("away")
        self.fired.append(job_id)
        return Fired(True, tick_ms)

    async def publish_crons(self, known: dict[str, bytes], keep_ms: int) -> None: ...

    async def ticks(self, schedules: Sequence[str]) -> Ticks:
        return Ticks(time.time_ns() // 1_000_000, [0] * len(schedules))


async def test_outage_fires_no_startup_job_twice(eventually: Callable[..., Any]) -> None:
    """What was fired before an outage is not fired again after it; an attempt that failed keeps its id."""
    engine = ShakyEngine(2, 3)
    names = ("first", "second", "third")
    jobs = [cron(tick, name=name, hour=0, minute=0, run_at_startup=True, unique=False) for name in names]
    jobs.append(cron(tick, name="once", hour=0, minute=0, run_at_startup=True))
    scheduler = Scheduler(cast("Engine", engine), Codec(), jobs, UTC)
    await scheduler.start()

    assert len(engine.fired) == 4, "what runs at startup is there when the scheduler has started"
    await scheduler.stop()

    assert len(engine.attempts) == 6
    assert engine.attempts[1] == engine.attempts[2] == engine.attempts[3]
    assert len(set(engine.fired)) == len(engine.fired) == 4
    assert engine.fired[-1] == "once:startup"
