"""Cron: the next time, through any calendar and clock change, and jobs that run at their times."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from worker_toys import Ctx, Gate, at_work, counts, traces

from arqlite import ArqRedis, cron, func
from arqlite.cron import CronJob, next_cron
from arqlite.errors import ConfigurationError

BERLIN = ZoneInfo("Europe/Berlin")


def at(*parts: int) -> datetime:
    """A moment on a clock face, without a zone."""
    return datetime(*parts)  # type: ignore[arg-type]  # noqa: DTZ001


START = at(2024, 2, 28, 12, 30, 30, 500_000)


async def tick(ctx: Ctx) -> None: ...


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A time comes ten times a second, the same for everybody, whatever a cron job says."""

    def next_tenth(job: CronJob, start: datetime) -> datetime:
        tenth = int(start.timestamp() * 10 + 1e-3) + 1
        return datetime.fromtimestamp(tenth / 10, start.tzinfo)

    def calculate_next(job: CronJob, prev_run: datetime) -> None:
        job.next_run = next_tenth(job, prev_run)

    monkeypatch.setattr(CronJob, "first_from", next_tenth)
    monkeypatch.setattr(CronJob, "calculate_next", calculate_next)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"second": None, "microsecond": 0}, at(2024, 2, 28, 12, 30, 32)),
        ({}, at(2024, 2, 28, 12, 31, 0, 123_456)),
        ({"second": 31, "microsecond": 400_000}, at(2024, 2, 28, 12, 31, 31, 400_000)),
        ({"second": 31, "microsecond": 500_000}, at(2024, 2, 28, 12, 30, 31, 500_000)),
        ({"minute": 5, "microsecond": 0}, at(2024, 2, 28, 13, 5)),
        ({"minute": {0, 15, 45}, "microsecond": 0}, at(2024, 2, 28, 12, 45)),
        ({"minute": [45, 40], "microsecond": 0}, at(2024, 2, 28, 12, 40)),
        ({"hour": 3, "minute": 0, "microsecond": 0}, at(2024, 2, 29, 3, 0)),
        ({"day": 29, "hour": 0, "minute": 0, "microsecond": 0}, at(2024, 2, 29)),
        ({"day": 31, "hour": 0, "minute": 0, "microsecond": 0}, at(2024, 3, 31)),
        ({"month": 2, "day": 29, "hour": 0, "minute": 0, "microsecond": 0}, at(2024, 2, 29)),
        ({"month": 1, "day": 1, "hour": 0, "minute": 0, "microsecond": 0}, at(2025, 1, 1)),
        ({"weekday": "mon", "hour": 9, "minute": 0, "microsecond": 0}, at(2024, 3, 4, 9)),
        ({"weekday": "SUN", "hour": 9, "minute": 0, "microsecond": 0}, at(2024, 3, 3, 9)),
        ({"weekday": (5, 6), "hour": 9, "minute": 0, "microsecond": 0}, at(2024, 3, 2, 9)),
        ({"day": 13, "weekday": "fri", "hour": 0, "minute": 0, "microsecond": 0}, at(2024, 9, 13)),
        (
            {"month": 2, "day": 29, "weekday": "mon", "hour": 0, "minute": 0, "microsecond": 0},
            at(2044, 2, 29),
        ),
    ],
)
def test_next_time(options: dict[str, Any], expected: datetime) -> None:
    """The next time matches every field and is at least a second away."""
    assert next_cron(START, **options) == expected


def test_times_follow_one_another() -> None:
    """Asked again and again, every matching time comes once."""
    times = [START]
    for _ in range(5):
        times.append(next_cron(times[-1], minute={0, 30}, microsecond=0))

    assert [at.strftime("%H:%M") for at in times[1:]] == ["13:00", "13:30", "14:00", "14:30", "15:00"]


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=5, minutes=30)), BERLIN, None])
def test_time_zone_is_kept(zone: Any) -> None:
    """The next time is in the time zone of the last."""
    assert next_cron(START.replace(tzinfo=zone), hour=3, minute=0).tzinfo is zone


def test_summer_time_begins() -> None:
    """A daily job keeps its wall clock through a clock change (arq is off by an hour)."""
    before = datetime(2024, 3, 30, 9, 0, tzinfo=BERLIN)

    after = next_cron(before, hour=9, minute=0, microsecond=0)

    assert (after.day, after.hour) == (31, 9)
    assert after.astimezone(UTC) - before.astimezone(UTC) == timedelta(hours=23)


def test_time_that_is_skipped() -> None:
    """A time that the clock skips is not lost: it runs right when the clock has gone on."""
    after = next_cron(datetime(2024, 3, 30, 12, tzinfo=BERLIN), hour=2, minute=30, microsecond=0)

    assert after.isoformat() == "2024-03-31T03:00:00+02:00"


def test_time_that_comes_twice() -> None:
    """A time that comes twice runs once."""
    first = next_cron(datetime(2024, 10, 26, 12, tzinfo=BERLIN), hour=2, minute=30, microsecond=0)
    second = next_cron(first, hour=2, minute=30, microsecond=0)

    assert first.astimezone(UTC) == datetime(2024, 10, 27, 0, 30, tzinfo=UTC)
    assert second.day == 28


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("month", 13, "month must be 1 to 12, got 13"),
        ("day", 0, "day must be 1 to 31, got 0"),
        ("hour", {1, 24}, "hour must be 0 to 23, got 24"),
        ("minute", 60, "minute must be 0 to 59, got 60"),
        ("second", -1, "second must be 0 to 59, got -1"),
        ("microsecond", 1_000_000, "microsecond must be 0 to 999999"),
        ("weekday", 7, "weekday must be 0 to 6"),
        ("weekday", "monday", "or one of mon, tues, wed, thurs, fri, sat, sun, got 'monday'"),
        ("hour", "noon", "hour must be 0 to 23, got 'noon'"),
        ("minute", [], "minute must name at least one value"),
        ("minute", 1.5, "minute must be 0 to 59, got 1.5"),
        ("minute", True, "minute must be 0 to 59, got True"),
        ("microsecond", None, "microsecond must be 0 to 999999, got None"),
        ("name", "a\nb", "name must have 1 to 480 characters, all printable, got 'a\\nb'"),
        ("name", "", "name must have 1 to 480 characters, all printable, got ''"),
        ("name", "n" * 481, "name must have 1 to 480 characters"),
        ("job_id", 5, "job_id must be a text, got 5"),
        ("job_id", "", "job_id must have 1 to 512 characters"),
        ("crontab", "61 * * * *", "crontab '61 * * * *' cannot be read: minute must be 0 to 59, got '61'"),
        ("crontab", "0 0 31 2 *", "crontab '0 0 31 2 *' names a date that never comes"),
        ("timezone", "Mars/Olympus", "name of a zone such as 'Europe/Prague', got 'Mars/Olympus'"),
        ("timezone", 5, "timezone must be a tzinfo or the name of a zone such as 'Europe/Prague', got 5"),
    ],
)
def test_bad_option_is_refused_at_definition(field: str, value: Any, text: str) -> None:
    """An option that cannot work is refused where the cron job is written, by its name."""
    with pytest.raises(ConfigurationError) as caught:
        cron(tick, **{field: value})

    assert text in str(caught.value)


def test_date_that_never_comes() -> None:
    """The 30th of February is refused at definition (in arq it ends the worker later)."""
    with pytest.raises(ConfigurationError, match="no date has month=2, day=30"):
        cron(tick, month=2, day=30)


def test_definition() -> None:
    """A cron job is named after its function, has arq's defaults and shows itself."""
    job = cron(tick, hour=3)

    assert isinstance(job, CronJob)
    assert (job.name, job.coroutine, job.hour, job.second, job.microsecond) == (
        "cron:tick",
        tick,
        3,
        0,
        123_456,
    )
    assert (job.unique, job.run_at_startup, job.max_tries, job.keep_result_s) == (True, False, 1, 0)
    assert job.next_run is None
    assert repr(job) == (
        f"<CronJob name=cron:tick coroutine={tick} month=None day=None weekday=None hour=3 minute=None "
        "second=0 microsecond=123456 run_at_startup=False unique=True job_id=None timeout_s=None "
        "keep_result_s=0 keep_result_forever=False max_tries=1 next_run=None>"
    )
    assert cron("asyncio.sleep").name == "cron:asyncio.sleep"
    assert cron(tick, name="mine", timeout=timedelta(minutes=1)).timeout_s == 60
    job.calculate_next(START)
    assert job.next_run == at(2024, 2, 29, 3, 0, 0, 123_456)


def test_crontab_string() -> None:
    """A crontab string stands for the fields, and is shown."""
    job = cron(tick, crontab="*/5 9-17 * * mon-fri", microsecond=0)

    job.calculate_next(START)
    assert job.next_run == at(2024, 2, 28, 12, 35)
    job.calculate_next(at(2024, 3, 1, 17, 55))
    assert job.next_run == at(2024, 3, 4, 9)
    assert repr(job).endswith("next_run=2024-03-04 09:00:00 crontab=*/5 9-17 * * mon-fri>")


@pytest.mark.parametrize("fields", [{"hour": 3}, {"second": 30}, {"month": 1, "weekday": "mon"}])
def test_either_crontab_or_fields(fields: dict[str, Any]) -> None:
    """Fields beside a crontab string are refused by their names, whatever they say."""
    with pytest.raises(ConfigurationError) as caught:
        cron(tick, crontab="0 3 * * *", **fields)

    given = ", ".join(f"{name}={value!r}" for name, value in fields.items())
    assert str(caught.value) == (
        f"a cron job has either a crontab string or fields, got crontab='0 3 * * *' and {given}"
    )


@pytest.mark.parametrize("when", [{"hour": 9, "minute": 0}, {"crontab": "0 9 * * *"}])
@pytest.mark.parametrize("zone", ["Europe/Berlin", BERLIN])
def test_time_zone_of_its_own(when: dict[str, Any], zone: Any) -> None:
    """A cron job's own zone, given by name or not, counts before that of the time it is asked from."""
    job = cron(tick, timezone=zone, microsecond=0, **when)

    job.calculate_next(datetime(2024, 7, 1, 12, tzinfo=UTC))

    assert job.timezone is BERLIN
    assert job.next_run == datetime(2024, 7, 2, 9, tzinfo=BERLIN)


def test_next_runs_are_seconds_apart_in_real_time() -> None:
    """Asked from the hour that comes twice, the next time is not sought in the other pass."""
    job = cron(tick, minute=30, timezone=BERLIN, microsecond=0)
    times = []
    moment = datetime(2024, 10, 26, 23, 50, tzinfo=UTC)
    for _ in range(3):
        job.calculate_next(moment)
        assert job.next_run is not None
        moment = job.next_run
        times.append(moment.astimezone(UTC).hour)

    assert times == [0, 1, 2]


def test_reboot_is_startup_only() -> None:
    """`@reboot` runs at startup and has no next time."""
    job = cron(tick, crontab="@reboot")

    job.calculate_next(START)

    assert job.run_at_startup
    assert job.next_run is None
    assert job.last_between(START, START) is None


def test_missed_times_of_one_worker_are_unknown() -> None:
    """`run_missed` needs what only `unique` keeps."""
    with pytest.raises(ConfigurationError, match="run_missed needs unique=True"):
        cron(tick, hour=3, unique=False, run_missed=True)


def test_schedules_are_told_apart() -> None:
    """Jobs of one function at other times, or in another zone, have other schedules, however written."""
    jobs = [
        cron(tick, minute=0),
        cron(tick, minute=30),
        cron(tick, minute=0, timezone="Europe/Berlin"),
        cron(tick, crontab="@daily"),
        cron(tick, crontab="@reboot"),
    ]

    assert len({job.schedule for job in jobs}) == len(jobs)
    assert cron(tick, minute=[0]).schedule == cron(tick, minute={0}).schedule == jobs[0].schedule


def test_schedule_is_the_same_in_every_process() -> None:
    """A zone without a name does not bring its address into the schedule."""

    class Odd(tzinfo):
        def utcoffset(self, dt: datetime | None) -> timedelta:
            return timedelta(hours=1)

    one, two = cron(tick, timezone=Odd(), crontab="@reboot"), cron(tick, timezone=Odd(), crontab="@reboot")

    assert one.schedule == two.schedule


def test_only_functions() -> None:
    """What is no function is refused with arq's text."""
    with pytest.raises(RuntimeError, match="is not a coroutine function"):
        cron(3)  # type: ignore[arg-type]


@pytest.mark.usefixtures("quick")
async def test_cron_job_runs_at_its_time(arq_redis: ArqRedis, make_worker: Any, eventually: Any) -> None:
    """A cron job runs when its time comes, and again; over two workers once per time, leaving nothing."""
    ticks: list[tuple[str, int]] = []
    planned: list[str] = []

    async def every_second(ctx: Ctx) -> None:
        ticks.append((ctx["job_id"], ctx["job_try"]))
        planned.append(f"cron:s:{ctx['score']}")

    job = [cron(every_second, name="cron:s", second=None, microsecond=0)]
    one, two = make_worker(cron_jobs=job), make_worker(cron_jobs=job)
    async with at_work(one), at_work(two):
        await eventually(lambda: len(ticks) >= 5)

    assert len({job_id for job_id, _ in ticks}) == len(ticks)
    assert planned == [job_id for job_id, _ in ticks]
    assert all(job_id.startswith("cron:s:") and job_id.endswith("00") for job_id, _ in ticks)
    assert {job_try for _, job_try in ticks} == {1}
    assert one.jobs_complete + two.jobs_complete == len(ticks)
    assert await traces(arq_redis) - {"wake"} == {"cron", "crons"}


NEVER_SOON = {"month": 2, "day": 29, "weekday": 0, "run_at_startup": True}


@pytest.mark.parametrize("when", [NEVER_SOON, {"crontab": "@reboot"}])
@pytest.mark.parametrize("unique", [True, False])
async def test_run_at_startup(make_worker: Any, when: dict[str, Any], unique: bool) -> None:
    """A cron job may run whenever a worker starts, as in arq; a burst runs it, too."""
    ran: list[str] = []

    async def now(ctx: Ctx) -> None:
        ran.append(ctx["job_id"])

    for _ in range(2):
        await make_worker(cron_jobs=[cron(now, name="cron:now", unique=unique, **when)]).async_run()

    assert len(ran) == 2
    assert (set(ran) == {"cron:now:startup"}) is unique


async def test_startup_runs_do_not_pile_up(make_worker: Any, eventually: Any) -> None:
    """While one startup run is under way, workers that start add no other."""
    gate = Gate()
    job = cron(gate.__call__, name="cron:slow", **NEVER_SOON)
    first, second = make_worker(cron_jobs=[job]), make_worker(cron_jobs=[job])
    async with at_work(first):
        await gate.started.wait()
        async with at_work(second):
            await eventually(lambda: second._crew and second._crew.producer.session)
            gate.open.set()
            await eventually(lambda: first.jobs_complete + second.jobs_complete)

    assert len(gate.calls) == 1


async def test_kept_result_of_a_startup_run_counts_for_the_fleet(make_worker: Any) -> None:
    """With a result that is kept, workers that start meanwhile share one run at startup."""
    ran: list[str] = []

    async def warm(ctx: Ctx) -> None:
        ran.append(ctx["job_id"])

    for _ in range(3):
        await make_worker(cron_jobs=[cron(warm, name="cron:warm", keep_result=60, **NEVER_SOON)]).async_run()

    assert ran == ["cron:warm:startup"]


@pytest.mark.parametrize(
    ("options", "worker", "keeps"),
    [
        ({}, {}, 0),
        ({"keep_result": timedelta(minutes=1)}, {}, 60),
        ({"keep_result": None}, {"keep_result": 120}, 120),
        ({"keep_result_forever": True}, {}, -1),
        ({"keep_result": None, "keep_result_forever": None}, {"keep_result_forever": True}, -1),
    ],
)
async def test_results(
    make_worker: Any, arq_redis: ArqRedis, options: dict[str, Any], worker: dict[str, Any], keeps: int
) -> None:
    """A cron job keeps no result unless told to, and as long as the worker's others if told None."""

    async def count(ctx: Ctx) -> int:
        return 5

    await make_worker(cron_jobs=[cron(count, name="c", **NEVER_SOON, **options)], **worker).async_run()

    results = await arq_redis.all_job_results()
    assert [result.result for result in results] == ([5] if keeps else [])
    kept = await traces(arq_redis) & {f"done:{keeps * 1000}"}
    assert bool(kept) is (keeps > 0)


@pytest.mark.parametrize(("own", "workers"), [(0.05, 300), (None, 0.05)])
async def test_timeout(make_worker: Any, own: float | None, workers: float) -> None:
    """A cron job's timeout is its own, or without one the worker's."""

    async def hang(ctx: Ctx) -> None:
        await asyncio.Event().wait()

    worker = make_worker(cron_jobs=[cron(hang, timeout=own, **NEVER_SOON)], job_timeout=workers)
    await worker.async_run()

    assert counts(worker) == (0, 1, 0)


@pytest.mark.parametrize(("own", "workers"), [(float("inf"), 0.01), (None, None)])
async def test_no_timeout(
    make_worker: Any, own: float | None, workers: float | None, eventually: Any
) -> None:
    """A cron job has no timeout at all if it, or without one of its own the worker, says so."""
    gate = Gate()
    worker = make_worker(
        cron_jobs=[cron(gate.__call__, name="cron:g", timeout=own, **NEVER_SOON)], job_timeout=workers
    )
    async with at_work(worker):
        await gate.started.wait()
        [run] = worker._crew.producer.active
        assert run.timeout_s in (None, float("inf"))
        gate.open.set()
        await eventually(lambda: worker.jobs_complete)


@pytest.mark.usefixtures("quick")
async def test_fixed_id_is_a_singleton(arq_redis: ArqRedis, make_worker: Any, eventually: Any) -> None:
    """A cron job with an id of its own does not run again while it still runs."""
    opened = asyncio.Event()
    started: list[str] = []

    async def slow(ctx: Ctx) -> None:
        started.append(ctx["job_id"])
        await opened.wait()

    jobs = [cron(slow, second=None, microsecond=0, job_id="only", run_at_startup=True)]
    async with at_work(make_worker(cron_jobs=jobs)):
        await eventually(lambda: started)
        first = await arq_redis.hvals("aq:{arq:queue}:cron")

        async def ticked() -> bool:
            return await arq_redis.hvals("aq:{arq:queue}:cron") != first

        await eventually(ticked)
        assert started == ["only"]
        opened.set()
        await eventually(lambda: len(started) > 1)


@pytest.mark.usefixtures("quick")
async def test_failed_cron_job_does_not_stop_the_others(make_worker: Any, eventually: Any) -> None:
    """A cron job that fails counts as failed, is not retried, and comes again at its next time."""

    async def bad(ctx: Ctx) -> None:
        raise ValueError("bad")

    worker = make_worker(cron_jobs=[cron(bad, second=None, microsecond=0, run_at_startup=True)])
    async with at_work(worker):
        await eventually(lambda: worker.jobs_failed >= 2)

    assert counts(worker)[0] == 0


async def test_cron_and_functions_share_a_worker(
    arq_redis: ArqRedis, make_worker: Any, eventually: Any
) -> None:
    """A function may be run by name and by the clock; both have their own limits."""
    seen: list[str] = []

    async def both(ctx: Ctx) -> None:
        seen.append(ctx["job_id"])

    worker = make_worker(
        [func(both, name="both")], cron_jobs=[cron(both, name="cron:both", run_at_startup=True, hour=3)]
    )
    await arq_redis.enqueue_job("both", _job_id="by-name")
    async with at_work(worker):
        await eventually(lambda: len(seen) == 2)

    assert "by-name" in seen
    assert any(job_id.startswith("cron:both:") for job_id in seen)


@pytest.mark.parametrize("limit", [{"timeout": -1}, {"keep_result": float("inf")}, {"max_tries": 0}])
def test_limits_that_cannot_work_are_refused(limit: dict[str, Any]) -> None:
    """A cron job's limits are checked as those of a function are."""
    with pytest.raises(ConfigurationError, match=f"^{next(iter(limit))} must be "):
        cron(tick, **limit)
