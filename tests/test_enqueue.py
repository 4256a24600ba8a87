"""Enqueueing with the function at hand: checked calls, options, many at once, results of the right type."""

from __future__ import annotations

import logging
import pickle
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from worker_toys import Ctx, counts, lines

from arqlite import ArqRedis, Job, call, func
from arqlite.engine import RedisEngine
from arqlite.errors import ConfigurationError, InvalidArguments, JobExecutionFailed
from arqlite.jobs import JobStatus
from arqlite.telemetry import JobEnqueued, attach, detach


@dataclass
class Parcel:
    id: UUID
    weight: Decimal
    sent: datetime


PARCEL = Parcel(UUID(int=3), Decimal("1.20"), datetime(2026, 1, 2, 3, tzinfo=UTC))


async def add(ctx: Ctx, a: int, b: int = 0) -> int:
    return a + b


async def weigh(ctx: Ctx, parcel: Parcel, *, more: Decimal = Decimal(0)) -> Decimal:
    assert isinstance(parcel, Parcel)
    return parcel.weight + more


async def echo(ctx: Ctx, value: Any) -> Any:
    return value


async def post(ctx: Ctx, parcel: Parcel) -> Parcel:
    return parcel


async def lie(ctx: Ctx) -> int:
    return "no int"  # type: ignore[return-value]


def note(names: list[str]) -> Any:
    async def noting(ctx: Ctx, name: str) -> None:
        names.append(name)

    return func(noting, name="noting")


async def test_job_of_a_function(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A job is made of the function itself, and runs under its name."""
    job = await arq_redis.enqueue(add, 1, b=2)
    worker = make_worker([add])

    assert await worker.run_check() == 1

    assert isinstance(job, Job)
    assert not job.conflict
    assert await job.result() == 3


async def test_arguments_and_result_keep_their_types(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A dataclass with a UUID, a Decimal and a datetime goes there and back; so does the result."""
    job = await arq_redis.enqueue(post, PARCEL)
    weighed = await arq_redis.enqueue(weigh, PARCEL, more=Decimal("0.30"))

    await make_worker([post, weigh]).run_check()

    assert await job.result() == PARCEL
    assert await weighed.result() == Decimal("1.50")
    ended = await weighed.result_info()
    assert ended is not None
    assert ended.result == Decimal("1.50")


async def test_plain_function_gets_its_types(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A function that runs in a thread is given what its annotations say, as a coroutine function is."""

    def add_a_day(ctx: Ctx, at: datetime) -> datetime:
        return at + timedelta(days=1)

    function = func(add_a_day, name="add_a_day")
    job = await arq_redis.enqueue(function, PARCEL.sent)

    await make_worker([function]).run_check()

    assert await job.result() == PARCEL.sent + timedelta(days=1)


async def test_bad_call_is_refused_in_the_caller(arq_redis: ArqRedis) -> None:
    """A call that the function cannot take raises where it is made, and enqueues nothing."""
    with pytest.raises(InvalidArguments, match=r"add\(\): a: Input should be a valid integer"):
        await arq_redis.enqueue(add, "x")  # type: ignore[call-overload]
    with pytest.raises(InvalidArguments, match=r"_defer_by is an option of enqueue_job; say pool\.options"):
        await arq_redis.enqueue(add, 1, _defer_by=5)  # type: ignore[call-arg]
    with pytest.raises(InvalidArguments, match="missing a required argument"):
        await arq_redis.enqueue_many([call(add, 1), ("add", (2,)), (add,)])

    assert await arq_redis.queued_jobs() == []


async def test_argument_of_a_name_arrives_fitted_or_as_it_came(
    arq_redis: ArqRedis, make_worker: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A job enqueued by name is fitted at the worker; what does not fit arrives as it came, told once."""
    caplog.set_level(logging.WARNING)
    seen: list[Any] = []

    async def look(ctx: Ctx, at: datetime) -> None:
        seen.append(at)

    for value in ("2026-01-02T00:00:00Z", "soon", "later"):
        await arq_redis.enqueue_job("look", value)

    await make_worker([func(look, name="look")]).run_check()

    assert seen == [datetime(2026, 1, 2, tzinfo=UTC), "soon", "later"]
    [line] = [line for line in lines(caplog) if "does not fit" in line]
    assert "an argument of look does not fit its annotation and arrives as it came: at: " in line


@pytest.mark.parametrize(
    ("args", "kwargs", "text"),
    [
        (("x",), {}, "a: Input should be a valid integer"),
        ((), {}, "missing a required argument: 'a'"),
        ((1,), {"c": 2}, "got an unexpected keyword argument 'c'"),
    ],
)
@pytest.mark.parametrize("strict", ["worker", "function"])
async def test_strict_worker_refuses_what_does_not_fit(
    arq_redis: ArqRedis,
    make_worker: Any,
    caplog: pytest.LogCaptureFixture,
    args: Any,
    kwargs: Any,
    text: str,
    strict: str,
) -> None:
    """Where arguments are strict, a job that does not fit fails with the reason, without having run."""
    job = await arq_redis.enqueue("add", *args, **kwargs)
    good = await arq_redis.enqueue(add, 1)
    function = func(add, strict_arguments=True if strict == "function" else None)
    worker = make_worker([function], strict_arguments=strict == "worker")

    await worker.main()

    with pytest.raises(InvalidArguments, match=text):
        await job.result()
    assert await good.result() == 1
    assert counts(worker) == (1, 1, 0)
    assert any(f"! {job.job_id}:add failed, InvalidArguments: add(): " in line for line in lines(caplog))


async def test_function_may_be_less_strict_than_its_worker(arq_redis: ArqRedis, make_worker: Any) -> None:
    """`func(..., strict_arguments=False)` overrides the worker."""
    job = await arq_redis.enqueue("echo", "x")

    async def loose(ctx: Ctx, value: int) -> Any:
        return value

    function = func(loose, name="echo", strict_arguments=False)
    await make_worker([function], strict_arguments=True).run_check()

    assert await job.result() == "x"


async def test_own_serializer_brings_its_own_types(arq_redis: ArqRedis, make_worker: Any) -> None:
    """With pickle values arrive as they were sent, whatever the annotation says."""
    arq_redis.job_serializer, arq_redis.job_deserializer = pickle.dumps, pickle.loads
    seen: list[Any] = []

    async def look(ctx: Ctx, value: float) -> None:
        seen.append(value)

    await arq_redis.enqueue_job("look", "5")

    await make_worker([func(look, name="look")]).run_check()

    assert seen == ["5"]


async def test_result_that_its_annotation_does_not_say(
    arq_redis: ArqRedis, make_worker: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A function that gives what its annotation does not say: the value comes as it is, and a line tells."""
    job = await arq_redis.enqueue(lie)
    await make_worker([lie]).run_check()

    assert await job.result() == "no int"  # type: ignore[comparison-overlap]
    assert any("gave what its annotation does not say" in line for line in lines(caplog, "arqlite.jobs"))


async def test_failed_job_raises_as_ever(arq_redis: ArqRedis, make_worker: Any) -> None:
    """The annotation of the result says nothing of failures."""

    async def boom(ctx: Ctx) -> int:
        raise ValueError("no")

    job = await arq_redis.enqueue(func(boom, name="boom"))
    await make_worker([func(boom, name="boom")]).main()

    with pytest.raises(ValueError, match="no"):
        await job.result()


async def test_delay_and_moment(arq_redis: ArqRedis) -> None:
    """`delay` counts from now, `at` is a moment; both jobs wait."""
    at = datetime.now(UTC) + timedelta(hours=1)
    before = int(time.time() * 1000)

    delayed = await arq_redis.options(delay=60).enqueue(add, 1)
    planned = await arq_redis.options(at=at).enqueue(add, 1)

    assert await delayed.status() is await planned.status() is JobStatus.deferred
    first, second = await arq_redis.queued_jobs()
    assert first.score is not None
    assert 60_000 <= first.score - before <= 70_000
    assert second.score == round(at.timestamp() * 1000)


async def test_queue(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A job goes where its options say, and its handle looks there."""
    job = await arq_redis.options(queue="mail").enqueue(add, 1)

    await make_worker([add], queue_name="mail").run_check()

    assert await job.result() == 1
    assert await arq_redis.queued_jobs(queue_name="mail") == []


async def test_priority(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Lower numbers run first; among equals the older job does."""
    ran: list[str] = []
    function = note(ran)
    for name, priority in (("late", 9), ("plain", 0), ("middle", 5), ("middle too", 5), ("plain too", 0)):
        await arq_redis.options(priority=priority).enqueue(function, name)

    await make_worker([function], max_jobs=1).run_check()

    assert ran == ["plain", "plain too", "middle", "middle too", "late"]


async def test_id_in_use_is_a_conflict(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A second job of one id is not enqueued; its handle says so, and is that of the first."""
    once = arq_redis.options(job_id="once")

    first, second = await once.enqueue(add, 1), await once.enqueue(add, 2)

    assert (first.conflict, second.conflict) == (False, True)
    assert await make_worker([add]).run_check() == 1
    assert await second.result() == 1


async def test_expired_job_does_not_run(arq_redis: ArqRedis, make_worker: Any, eventually: Any) -> None:
    """A job that was not started before it expired fails, in words."""
    expires_at = time.time() + 0.01
    job = await arq_redis.options(expires=0.001).enqueue(add, 1)
    await eventually(lambda: time.time() > expires_at)

    await make_worker([add]).main()

    with pytest.raises(JobExecutionFailed, match="job expired"):
        await job.result()


async def test_first_try(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A job may begin with a later try."""

    async def which(ctx: Ctx) -> int:
        return int(ctx["job_try"])

    function = func(which, name="which")
    job = await arq_redis.options(first_try=3).enqueue(function)

    await make_worker([function]).run_check()

    assert await job.result() == 3


async def test_options_add_up(arq_redis: ArqRedis) -> None:
    """Options may be said one after the other; the later ones win."""
    mail = arq_redis.options(queue="mail", delay=60)

    job = await mail.options(job_id="x", at=datetime.now(UTC) + timedelta(days=1)).enqueue(add, 1)

    [queued] = await arq_redis.queued_jobs(queue_name="mail")
    assert queued.job_id == job.job_id == "x"
    assert queued.score is not None
    assert queued.score > (time.time() + 3600) * 1000


async def test_many_calls_with_options_of_their_own(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Calls, tuples and generators go together; a call's own options win; the order is kept."""
    wanted: Iterator[Any] = iter(
        [call(add, 1, 2), ("add", (3,), {"b": 4}), call(add, 5).options(queue="other"), (add, [6])]
    )

    jobs = await arq_redis.enqueue_many(wanted)

    assert await make_worker([add]).run_check() == 3
    assert await make_worker([add], queue_name="other").run_check() == 1
    assert [await job.result() for job in jobs] == [3, 7, 5, 6]


async def test_many_with_ids_in_use(arq_redis: ArqRedis) -> None:
    """Of many, those whose id is in use are conflicts and the others are not, also within one call."""
    await arq_redis.options(job_id="b").enqueue(add, 1)
    wanted = [call(add, n).options(job_id=job_id) for n, job_id in enumerate("abca")]

    jobs = await arq_redis.enqueue_many(wanted)

    assert [job.conflict for job in jobs] == [False, True, False, True]
    assert len(await arq_redis.queued_jobs()) == 3


async def test_options_of_many(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Options of the pool hold for all calls that do not say otherwise."""
    ran: list[str] = []
    function = note(ran)
    await arq_redis.options(priority=5).enqueue_many(
        [call(function, "second"), call(function, "first").options(priority=1)]
    )

    await make_worker([function], max_jobs=1).run_check()

    assert ran == ["first", "second"]


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("add", "a call is what arqlite.call makes"),
        ((), "a call is what arqlite.call makes"),
        (("add", 5), "args must be a tuple or a list, got 5"),
        (("add", (), 5), "kwargs must be a dict, got 5"),
        ((5,), "a job is made of a function"),
    ],
)
async def test_calls_that_are_none_are_refused(arq_redis: ArqRedis, given: Any, text: str) -> None:
    """What is no call is refused in words, and nothing is enqueued."""
    with pytest.raises(ConfigurationError, match=text):
        await arq_redis.enqueue_many([("add", (1,)), given])

    assert await arq_redis.queued_jobs() == []


@pytest.mark.real
async def test_twenty_thousand_at_once(real_url: str) -> None:
    """20,000 calls are enqueued whole; the chunks are the engine's business."""
    from arqlite import RedisSettings, create_pool

    pool = await create_pool(RedisSettings.from_dsn(real_url))

    jobs = await pool.enqueue_many([call(add, n) for n in range(20_000)])

    assert len({job.job_id for job in jobs}) == 20_000
    assert (await RedisEngine(pool, "arq:queue").size()).ready == 20_000
    await pool.aclose()


async def test_failure_between_chunks_tells_what_is_stored(
    arq_redis: ArqRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When Redis fails at the third chunk, the error's note says that the first two are stored."""
    whole = RedisEngine.enqueue
    chunks: list[int] = []

    async def failing(self: RedisEngine, jobs: Any) -> set[int]:
        if len(chunks) == 2:
            raise RedisConnectionError("gone")
        chunks.append(len(jobs))
        return await whole(self, jobs)

    monkeypatch.setattr(RedisEngine, "enqueue", failing)

    with pytest.raises(RedisConnectionError) as caught:
        await arq_redis.enqueue_many([("add", (n,)) for n in range(1300)])

    assert caught.value.__notes__ == ["1000 of 1300 jobs are stored; of the next 300, either all or none"]
    assert chunks == [500, 500]


async def test_each_enqueued_job_is_an_event(arq_redis: ArqRedis) -> None:
    """Each job that was accepted is told to telemetry; conflicts are not."""
    told: list[JobEnqueued] = []
    attach("test", [JobEnqueued], told.append)
    try:
        await arq_redis.options(job_id="x").enqueue(add, 1)
        await arq_redis.options(job_id="x").enqueue(add, 1)
        await arq_redis.enqueue_many([call(add, 1).options(job_id="y"), call(add, 1).options(job_id="x")])
    finally:
        detach("test")

    assert [event.job_id for event in told] == ["x", "y"]


async def test_slips_in_options_are_told_once(
    arq_redis: ArqRedis, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An argument that looks like an option goes to the function, as in arq, and the log says so once."""
    monkeypatch.setattr("arqlite.enqueuing._told", set())

    for _ in range(2):
        job = await arq_redis.enqueue_job("f", 7, _priority=3, _private=1)
    assert job is not None
    info = await job.info()

    assert info is not None
    assert info.kwargs == {"_priority": 3, "_private": 1}
    assert caplog.messages == [
        "enqueue_job has no option _priority, so it is an argument of f;"
        " say pool.options(priority=...).enqueue(...)"
    ]
