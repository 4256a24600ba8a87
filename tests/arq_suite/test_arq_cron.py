"""Cron jobs: their definition, the next time of one, and running them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from arq import ArqRedis, cron
from arq.connections import RedisSettings
from arq.cron import CronJob, Options, next_cron
from arq.jobs import Job, JobStatus
from arq.utils import get_tz
from arq_toys import Ctx, add, at_work, until

EVERY_SECOND = set(range(60))


class Bell:
    """A cron job that writes down its calls."""

    def __init__(self) -> None:
        self.calls: list[Ctx] = []

    async def ring(self, ctx: Ctx) -> str:
        self.calls.append(ctx)
        return "rang"

    async def fail(self, ctx: Ctx) -> None:
        self.calls.append(ctx)
        raise ValueError("cracked")


@pytest.mark.parametrize(
    ("previous", "options", "wanted"),
    [
        ("2032-01-01 00:00:00", {}, "2032-01-01 00:01:00.123456"),
        ("2032-01-01 00:00:00", {"second": None}, "2032-01-01 00:00:01.123456"),
        ("2032-01-01 00:00:00", {"second": 20}, "2032-01-01 00:00:20.123456"),
        ("2032-01-01 00:00:00", {"second": 20, "microsecond": 0}, "2032-01-01 00:00:20"),
        ("2032-01-01 00:00:30", {"second": {10, 40}}, "2032-01-01 00:00:40.123456"),
        ("2032-01-01 00:00:45", {"second": [10, 40]}, "2032-01-01 00:01:10.123456"),
        ("2032-01-01 00:00:45", {"second": (10, 40), "microsecond": 7}, "2032-01-01 00:01:10.000007"),
        ("2032-01-01 00:00:00", {"minute": 5}, "2032-01-01 00:05:00.123456"),
        ("2032-01-01 00:06:00", {"minute": 5}, "2032-01-01 01:05:00.123456"),
        ("2032-01-01 12:00:00", {"hour": {9, 17}, "minute": 30}, "2032-01-01 17:30:00.123456"),
        ("2032-01-01 18:00:00", {"hour": {9, 17}, "minute": 30}, "2032-01-02 09:30:00.123456"),
        ("2032-01-15 10:00:00", {"day": 1, "hour": 0, "minute": 0}, "2032-02-01 00:00:00.123456"),
        (
            "2032-01-15 10:00:00",
            {"month": 2, "day": 29, "hour": 1, "minute": 1},
            "2032-02-29 01:01:00.123456",
        ),
        (
            "2033-01-15 10:00:00",
            {"month": 2, "day": 29, "hour": 1, "minute": 1},
            "2036-02-29 01:01:00.123456",
        ),
        ("2032-12-31 23:59:59", {"month": 1, "day": 1, "hour": 0, "minute": 0}, "2033-01-01 00:00:00.123456"),
        ("2032-01-01 00:00:00", {"weekday": 0, "hour": 6, "minute": 0}, "2032-01-05 06:00:00.123456"),
        ("2032-01-01 00:00:00", {"weekday": "mon", "hour": 6, "minute": 0}, "2032-01-05 06:00:00.123456"),
        ("2032-01-01 00:00:00", {"weekday": "Thurs", "hour": 6, "minute": 0}, "2032-01-01 06:00:00.123456"),
        ("2032-01-01 00:00:00", {"weekday": {5, 6}, "hour": 6, "minute": 0}, "2032-01-03 06:00:00.123456"),
        ("2032-01-01 00:00:00", {"weekday": "fri", "day": 13, "minute": 0}, "2032-02-13 00:00:00.123456"),
    ],
)
def test_next_time(previous: str, options: dict[str, Any], wanted: str) -> None:
    """The first time that matches all fields, in the zone of the time before it."""
    for zone in (None, UTC, timezone(timedelta(hours=-5))):
        at = next_cron(datetime.fromisoformat(previous).replace(tzinfo=zone), **options)

        assert at == datetime.fromisoformat(wanted).replace(tzinfo=zone)
        assert at.tzinfo is zone


def test_next_time_is_a_second_later_at_least() -> None:
    """A time in the same second is too near."""
    previous = datetime(2032, 1, 1, 0, 0, 10, 200_000, tzinfo=UTC)

    assert next_cron(previous, second=11, microsecond=300_000) == previous.replace(
        second=11, microsecond=300_000
    )
    assert next_cron(previous, second=10, microsecond=300_000).minute == 1


def test_day_that_is_none() -> None:
    """A name that is no day's is a `ValueError`."""
    with pytest.raises(ValueError, match=r"monday|not in tuple"):
        next_cron(datetime(2032, 1, 1, tzinfo=UTC), weekday="monday")  # type: ignore[arg-type]


def test_definition() -> None:
    """A cron job has the fields it was given; its name is the function's, its result is not kept."""
    job = cron(add, hour=5, minute={1, 2}, weekday="mon")

    assert isinstance(job, CronJob)
    assert (job.name, job.coroutine, job.next_run) == ("cron:add", add, None)
    assert (job.month, job.day, job.weekday, job.hour) == (None, None, "mon", 5)
    assert (job.minute, job.second, job.microsecond) == ({1, 2}, 0, 123_456)
    assert (job.run_at_startup, job.unique, job.job_id) == (False, True, None)
    assert (job.timeout_s, job.keep_result_s, job.keep_result_forever, job.max_tries) == (None, 0, False, 1)


def test_definition_with_options() -> None:
    """Spans are seconds or timedeltas."""
    job = cron(
        add,
        name="mine",
        run_at_startup=True,
        unique=False,
        job_id="one",
        timeout=timedelta(minutes=2),
        keep_result=30,
        keep_result_forever=True,
        max_tries=4,
    )

    assert (job.name, job.run_at_startup, job.unique, job.job_id) == ("mine", True, False, "one")
    assert (job.timeout_s, job.keep_result_s, job.keep_result_forever, job.max_tries) == (120, 30, True, 4)


def test_definition_by_path() -> None:
    """A function may be named by its path."""
    job = cron("arq_toys.add")

    assert (job.name, job.coroutine) == ("cron:arq_toys.add", add)
    assert cron("arq_toys.add", name="mine").name == "mine"


def test_definition_of_something_else() -> None:
    """What cannot be called is no cron job."""
    with pytest.raises(RuntimeError, match=r"is not a"):
        cron(123)  # type: ignore[arg-type]


def test_repr() -> None:
    """A cron job shows its fields."""
    shown = repr(cron(add, hour=5, job_id="one"))

    assert shown.startswith("<CronJob name=cron:add coroutine=<function add at ")
    assert " month=None day=None weekday=None hour=5 minute=None second=0 microsecond=123456 " in shown
    assert " run_at_startup=False unique=True job_id=one timeout_s=None keep_result_s=0 " in shown
    assert " keep_result_forever=False max_tries=1 next_run=None" in shown


def test_calculate_next() -> None:
    """A cron job works out its own next time."""
    job = cron(add, second=30)

    job.calculate_next(datetime(2032, 1, 1, 0, 0, 10, tzinfo=UTC))

    assert job.next_run == datetime(2032, 1, 1, 0, 0, 30, 123_456, tzinfo=UTC)


def test_options() -> None:
    """`Options` holds the fields of a time."""
    options = Options(month=1, day=2, weekday="mon", hour=None, minute=4, second=5, microsecond=6)

    assert (options.month, options.weekday, options.microsecond) == (1, "mon", 6)


async def test_cron_job_runs_at_its_time(
    arq_redis: ArqRedis, redis_settings: RedisSettings, make_worker: Any
) -> None:
    """A cron job runs at its time, once over all workers; its result is not kept, its id tells the time."""
    bell = Bell()
    job = cron(bell.ring, second=EVERY_SECOND, name="cron:bell", microsecond=0)
    jobs = [job, cron(add, hour=1, minute=1)]
    workers = [make_worker(cron_jobs=jobs, redis_settings=redis_settings) for _ in range(2)]

    async with at_work(workers[0]), at_work(workers[1]):
        await until(lambda: bell.calls, within=4)

    ids = [ctx["job_id"] for ctx in bell.calls]
    assert len(set(ids)) == len(ids)
    name, ms = ids[0].rsplit(":", 1)
    assert name == "cron:bell"
    assert int(ms) % 1000 == 0
    planned = datetime.fromtimestamp(int(ms) / 1000, UTC)
    assert abs(datetime.now(UTC) - planned) < timedelta(seconds=3)
    assert bell.calls[0]["job_try"] == 1
    assert await Job(ids[0], arq_redis).status() != JobStatus.complete


async def test_hour_is_that_of_the_zone(make_worker: Any) -> None:
    """The fields are read in the worker's zone."""
    bell, other = Bell(), Bell()
    zone = timezone(timedelta(hours=5))
    now = datetime.now(zone)
    hours = {now.hour, (now.hour + 1) % 24}
    elsewhere = {(now.hour + 12) % 24, (now.hour + 13) % 24}
    worker = make_worker(
        cron_jobs=[
            cron(bell.ring, hour=hours, minute=None, second=EVERY_SECOND, name="here"),
            cron(other.ring, hour=elsewhere, minute=None, second=EVERY_SECOND, name="elsewhere"),
        ],
        timezone=zone,
    )

    async with at_work(worker):
        await until(lambda: bell.calls, within=4)

    assert other.calls == []


async def test_zone_of_the_environment_is_not_that_of_cron(
    make_worker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`ARQ_TIMEZONE` is for the times of jobs alone."""
    monkeypatch.setenv("ARQ_TIMEZONE", "Asia/Tokyo")
    get_tz.cache_clear()
    bell = Bell()
    now = datetime.now().astimezone()
    hours = {now.hour, (now.hour + 1) % 24}
    worker = make_worker(cron_jobs=[cron(bell.ring, hour=hours, minute=None, second=EVERY_SECOND)])

    assert datetime.now(worker.timezone).utcoffset() == now.utcoffset()
    async with at_work(worker):
        await until(lambda: bell.calls, within=4)
    monkeypatch.undo()
    get_tz.cache_clear()


async def test_run_at_startup(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A cron job may run when a worker starts; a result may be kept."""
    bell = Bell()
    far = (datetime.now(UTC) + timedelta(days=180)).month
    jobs = [
        cron(bell.ring, month=far, name="cron:bell", run_at_startup=True, keep_result=60),
        cron(bell.ring, month=far, name="cron:later"),
    ]

    assert await make_worker(cron_jobs=jobs).run_check() == 1

    [result] = await arq_redis.all_job_results()
    assert (result.function, result.result) == ("cron:bell", "rang")
    assert result.job_id is not None
    assert result.job_id.startswith("cron:bell:")


async def test_fixed_id_is_a_singleton(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Cron jobs with one id do not run beside each other."""
    bell = Bell()
    far = (datetime.now(UTC) + timedelta(days=180)).month
    jobs = [
        cron(bell.ring, month=far, name=name, run_at_startup=True, keep_result=60, job_id="one")
        for name in ("cron:a", "cron:b")
    ]

    await make_worker(cron_jobs=jobs).run_check()

    assert [ctx["job_id"] for ctx in bell.calls] == ["one"]


async def test_not_unique(make_worker: Any) -> None:
    """A cron job that is not unique has ids that tell nothing."""
    bell = Bell()
    far = (datetime.now(UTC) + timedelta(days=180)).month
    job = cron(bell.ring, month=far, name="cron:bell", run_at_startup=True, unique=False)

    await make_worker(cron_jobs=[job]).run_check()

    assert len(bell.calls) == 1
    assert not bell.calls[0]["job_id"].startswith("cron:")


async def test_cron_job_has_one_try(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A cron job that fails is over; the worker goes on."""
    bell = Bell()
    far = (datetime.now(UTC) + timedelta(days=180)).month
    worker = make_worker(add, cron_jobs=[cron(bell.fail, month=far, run_at_startup=True)])
    job = await arq_redis.enqueue_job("add", 1, 1)

    await worker.async_run()

    assert (worker.jobs_complete, worker.jobs_failed, len(bell.calls)) == (1, 1, 1)
    assert job is not None
    assert await job.result() == 2


async def test_cron_job_has_its_timeout(make_worker: Any) -> None:
    """Its own timeout counts."""

    async def slow(ctx: Ctx) -> None:
        await asyncio.Event().wait()

    far = (datetime.now(UTC) + timedelta(days=180)).month
    worker = make_worker(cron_jobs=[cron(slow, month=far, run_at_startup=True, timeout=0.05)])

    await worker.async_run()

    assert worker.jobs_failed == 1


async def test_cron_job_may_be_enqueued(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A cron job is a function of its own that can be enqueued by its name."""
    bell = Bell()
    far = (datetime.now(UTC) + timedelta(days=180)).month
    worker = make_worker(cron_jobs=[cron(bell.ring, month=far, name="cron:bell")])
    await arq_redis.enqueue_job("cron:bell")

    assert list(worker.functions) == ["cron:bell"]
    assert await worker.run_check() == 1
    assert len(bell.calls) == 1
