"""Cron: the next time, through any calendar and clock change, and jobs that run at their times."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from worker_toys import Ctx, at_work, counts, traces

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

    def next_tenth(previous_dt: datetime, **_: Any) -> datetime:
        tenth = int(previous_dt.timestamp() * 10 + 1e-3) + 1
        return datetime.fromtimestamp(tenth / 10, previous_dt.tzinfo)

    monkeypatch.setattr(sys.modules["arqlite.cron"], "next_cron", next_tenth)


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
    """A time that the clock skips is not lost: it runs when the clock has gone on."""
    after = next_cron(datetime(2024, 3, 30, 12, tzinfo=BERLIN), hour=2, minute=30, microsecond=0)

    assert after.astimezone(UTC) == datetime(2024, 3, 31, 1, 30, tzinfo=UTC)


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
    ],
)
def test_bad_field_is_refused_at_definition(field: str, value: Any, text: str) -> None:
    """A field out of its range is refused where the cron job is written, by its name."""
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
    assert repr(job).startswith("<CronJob name=cron:tick coroutine=")
    assert cron("asyncio.sleep").name == "cron:asyncio.sleep"
    assert cron(tick, name="mine", timeout=timedelta(minutes=1)).timeout_s == 60
    job.calculate_next(START)
    assert job.next_run == at(2024, 2, 29, 3, 0, 0, 123_456)


def test_only_coroutine_functions() -> None:
    """A plain function is refused with arq's text."""
    with pytest.raises(RuntimeError, match="is not a coroutine function"):
        cron(print)


@pytest.mark.usefixtures("quick")
async def test_cron_job_runs_at_its_time(arq_redis: ArqRedis, make_worker: Any, eventually: Any) -> None:
    """A cron job runs when its time comes, and again; over two workers once per time, leaving nothing."""
    ticks: list[tuple[str, int]] = []

    async def every_second(ctx: Ctx) -> None:
        ticks.append((ctx["job_id"], ctx["job_try"]))

    job = [cron(every_second, name="cron:s", second=None, microsecond=0)]
    one, two = make_worker(cron_jobs=job), make_worker(cron_jobs=job)
    async with at_work(one), at_work(two):
        await eventually(lambda: len(ticks) >= 5)

    assert len({job_id for job_id, _ in ticks}) == len(ticks)
    assert all(job_id.startswith("cron:s:") and job_id.endswith("00") for job_id, _ in ticks)
    assert {job_try for _, job_try in ticks} == {1}
    assert one.jobs_complete + two.jobs_complete == len(ticks)
    assert await traces(arq_redis) - {"wake"} == {"cron"}


async def test_run_at_startup(make_worker: Any, eventually: Any) -> None:
    """A cron job may run when a worker starts, whatever its time."""
    ran = asyncio.Event()

    async def now(ctx: Ctx) -> None:
        ran.set()

    async with at_work(
        make_worker(cron_jobs=[cron(now, month=1, day=1, hour=0, minute=0, run_at_startup=True)])
    ):
        await asyncio.wait_for(ran.wait(), 5)


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
        first = await arq_redis.hget("aq:{arq:queue}:cron", jobs[0].name)

        async def ticked() -> bool:
            return await arq_redis.hget("aq:{arq:queue}:cron", jobs[0].name) != first

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
