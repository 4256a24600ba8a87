"""The worker, seen from outside: which jobs run, when, and what is kept of them."""

from __future__ import annotations

import asyncio
import json
import logging
import pickle
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from worker_toys import Ctx, Gate, at_work, counts, end_of, enqueue, lines, traces

from arqlite import ArqRedis, Worker, current_job, func
from arqlite.errors import FailedJobs, JobExecutionFailed, ResultNotFound, SerializationError
from arqlite.jobs import Job, JobStatus


async def add(ctx: Ctx, a: int, b: int = 2) -> int:
    return a + b


async def boom(ctx: Ctx, text: str = "boom") -> None:
    raise TypeError(text)


async def ok(ctx: Ctx) -> None: ...


async def test_job_runs_and_its_result_is_kept(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A job runs once and its result can be read."""
    job = await enqueue(arq_redis, "add", 1, b=5)

    assert await make_worker([add]).run_check() == 1

    assert await job.result() == 6


async def test_failed_job_raises_its_exception(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A plain exception ends the job at once, and is raised at the reader."""
    job = await enqueue(arq_redis, "boom", "text")
    worker = make_worker([boom])

    with pytest.raises(FailedJobs, match=r"1 job failed TypeError\('text'\)") as caught:
        await worker.run_check()

    assert caught.value.count == 1
    assert [result.function for result in caught.value.job_results] == ["boom"]
    assert counts(worker) == (0, 1, 0)
    with pytest.raises(TypeError, match="text"):
        await job.result()


async def test_several_failed_jobs_are_listed(arq_redis: ArqRedis, make_worker: Any) -> None:
    """`run_check` names all that failed."""
    await enqueue(arq_redis, "boom")
    await enqueue(arq_redis, "boom")

    with pytest.raises(FailedJobs) as caught:
        await make_worker([boom]).run_check()

    assert str(caught.value).startswith("2 jobs failed:\n")
    assert len(caught.value.job_results) == 2


async def test_ctx_of_a_job(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A job gets the worker's state, copied, with what is known of itself; the pool is in it."""
    seen: list[Ctx] = []

    async def look(ctx: Ctx) -> None:
        seen.append(ctx)
        ctx["mine"] = True

    worker = make_worker([func(look, name="look")], ctx={"shared": "state"})
    job = await enqueue(arq_redis, "look")
    await enqueue(arq_redis, "look")
    await worker.run_check()

    first, second = seen
    assert first["shared"] == "state"
    assert first["redis"] is arq_redis
    assert (first["job_id"], first["job_try"]) == (job.job_id, 1)
    assert isinstance(first["score"], int)
    assert abs(first["enqueue_time"] - datetime.now(UTC)) < timedelta(seconds=10)
    assert first is not second
    assert "mine" not in worker.ctx


async def test_current_job_deep_inside(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Code deep inside a job knows which job it runs for; jobs at the same time do not see each other."""
    both = asyncio.Barrier(2)
    seen: dict[str, Any] = {}

    async def deep(name: str) -> None:
        await both.wait()
        job = current_job()
        assert job is not None
        seen[name] = (job.job_id, job.function, job.queue_name, job.job_try)

    async def look(ctx: Ctx, name: str) -> None:
        await asyncio.create_task(deep(name))

    for name in ("a", "b"):
        await enqueue(arq_redis, "look", name, _job_id=f"id-{name}")
    await make_worker([func(look, name="look")]).run_check()

    assert seen == {name: (f"id-{name}", "look", "arq:queue", 1) for name in ("a", "b")}
    assert current_job() is None


async def test_no_more_jobs_at_once_than_slots(arq_redis: ArqRedis, make_worker: Any) -> None:
    """At most `max_jobs` jobs run at once, and all slots are used."""
    now, most = 0, 0

    async def count(ctx: Ctx) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.002)
        now -= 1

    for _ in range(25):
        await enqueue(arq_redis, "count")

    assert await make_worker([func(count, name="count")], max_jobs=4).run_check() == 25
    assert most == 4


async def test_idle_worker_starts_a_job_at_once(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A worker that waits is woken by a new job; it does not poll (arq's first start took 250 ms)."""
    worker = make_worker([add], poll_delay=3600)
    async with at_work(worker):
        assert await (await enqueue(arq_redis, "add", 1)).result(timeout=5) == 3
        before = time.perf_counter()
        assert await (await enqueue(arq_redis, "add", 2)).result(timeout=5) == 4

        assert time.perf_counter() - before < 2


# -- when a job runs


@pytest.mark.parametrize(
    "when",
    [
        lambda: {"_defer_by": 0.15},
        lambda: {"_defer_by": timedelta(seconds=0.15)},
        lambda: {"_defer_until": datetime.now() + timedelta(seconds=0.15)},  # noqa: DTZ005 (naive is local time)
        lambda: {"_defer_until": datetime.now(UTC) + timedelta(seconds=0.15)},
    ],
    ids=["seconds", "timedelta", "naive", "aware"],
)
async def test_deferred_job_waits(arq_redis: ArqRedis, make_worker: Any, when: Any) -> None:
    """A deferred job runs when it is due and not before; a burst waits for it."""
    before = time.time()
    job = await enqueue(arq_redis, "add", 1, **when())
    assert await job.status() is JobStatus.deferred

    assert await make_worker([add]).run_check() == 1

    result = await end_of(job)
    assert result.start_time.timestamp() >= before + 0.145


async def test_moment_in_the_past_runs_at_once(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A job for a moment that has passed runs at once."""
    await enqueue(arq_redis, "add", 1, _defer_until=datetime(2021, 1, 1, tzinfo=UTC))

    assert await make_worker([add]).run_check() == 1


async def test_negative_delay_runs_first(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A negative delay puts a job in front, also one of weeks (in arq a day was too much)."""
    order: list[str] = []

    async def note(ctx: Ctx, name: str) -> None:
        order.append(name)

    await enqueue(arq_redis, "note", "usual")
    await enqueue(arq_redis, "note", "soon", _defer_by=-10)
    await enqueue(arq_redis, "note", "first", _defer_by=timedelta(weeks=-3))
    await make_worker([func(note, name="note")], max_jobs=1).run_check()

    assert order == ["first", "soon", "usual"]


async def test_expired_job_is_not_started(
    arq_redis: ArqRedis, make_worker: Any, caplog: pytest.LogCaptureFixture, eventually: Any
) -> None:
    """A job that waited longer than `_expires` fails with arq's words, its function and arguments known."""
    job = await enqueue(arq_redis, "add", 1, _expires=0.001)
    fresh = await enqueue(arq_redis, "add", 1, _expires=timedelta(minutes=5))
    enqueued = time.time()
    await eventually(lambda: time.time() > enqueued + 0.01)
    worker = make_worker([add])

    await worker.async_run()

    assert counts(worker) == (1, 1, 0)
    assert await fresh.result() == 3
    result = await end_of(job)
    assert result.result == JobExecutionFailed("job expired")
    assert (result.function, result.args) == ("add", (1,))
    assert f"job {job.job_id} expired" in lines(caplog)


async def test_job_without_expiry_never_expires(
    arq_redis: ArqRedis, make_worker: Any, eventually: Any
) -> None:
    """By default a job may wait for ever; with `expires_extra_ms` set it expires so long after it was due."""
    arq_redis.expires_extra_ms = 1
    short = await enqueue(arq_redis, "add", 1)
    arq_redis.expires_extra_ms = 86_400_000
    usual = await enqueue(arq_redis, "add", 1)
    enqueued = time.time()
    await eventually(lambda: time.time() > enqueued + 0.01)

    await make_worker([add]).async_run()

    assert await usual.result() == 3
    with pytest.raises(JobExecutionFailed, match="job expired"):
        await short.result()


# -- what is kept


@pytest.mark.parametrize("options", [{"keep_result": 0}, {"functions": [func(add, keep_result=0)]}])
async def test_result_not_kept(arq_redis: ArqRedis, make_worker: Any, options: dict[str, Any]) -> None:
    """With `keep_result=0`, of worker or function, nothing is left of a job, and its id is free at once."""
    job = await enqueue(arq_redis, "add", 1, _job_id="a")
    worker = make_worker(**{"functions": [add], **options})

    assert await worker.run_check() == 1

    with pytest.raises(ResultNotFound):
        await job.result(timeout=1)
    assert await job.status() is JobStatus.not_found
    assert await traces(arq_redis) - {"wake"} == set()
    assert await arq_redis.enqueue_job("add", 1, _job_id="a") is not None


@pytest.mark.parametrize(
    "options", [{"keep_result_forever": True}, {"functions": [func(add, keep_result_forever=True)]}]
)
async def test_result_kept_forever(arq_redis: ArqRedis, make_worker: Any, options: dict[str, Any]) -> None:
    """With `keep_result_forever` a result has no end, also that of a job that ran out of tries."""
    job = await enqueue(arq_redis, "add", 1)
    exhausted = await enqueue(arq_redis, "add", 1, _job_try=9)
    worker = make_worker(**{"functions": [add], **options})

    await worker.async_run()

    assert counts(worker) == (1, 1, 0)
    for one in (job, exhausted):
        record: Any = await arq_redis.hget("aq:{arq:queue}:jobs", one.job_id)
        assert record[:14] == b"R9999999999999"


async def test_result_not_kept_forever_is_kept_as_long_as_the_worker_says(
    arq_redis: ArqRedis, make_worker: Any
) -> None:
    """A function that says only that its result is not kept for ever has the worker's `keep_result`."""
    job = await enqueue(arq_redis, "add", 1, 2)

    await make_worker(
        [func(add, keep_result_forever=False)], keep_result_forever=True, keep_result=60
    ).run_check()

    assert await job.result() == 3
    assert "done:60000" in await traces(arq_redis)


async def test_result_expires(arq_redis: ArqRedis, make_worker: Any, eventually: Any) -> None:
    """A result is gone after its time, of the function before that of the worker."""
    job = await enqueue(arq_redis, "add", 1)
    await make_worker([func(add, keep_result=0.05)], keep_result=3600).run_check()
    assert await job.result() == 3

    async def is_gone() -> bool:
        return await job.status() is JobStatus.not_found

    await eventually(is_gone)


async def test_id_is_used_once(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A job id is refused while its job waits, runs, or has a result that is kept."""
    gate = Gate()
    worker = make_worker([func(gate, name="gate")])
    job = await enqueue(arq_redis, "gate", _job_id="a")
    assert await arq_redis.enqueue_job("gate", _job_id="a") is None

    async with at_work(worker):
        await gate.started.wait()
        assert await arq_redis.enqueue_job("gate", _job_id="a") is None
        gate.open.set()
        await job.result(timeout=5)
        assert await arq_redis.enqueue_job("gate", _job_id="a") is None

        assert await job.delete()
        assert await arq_redis.enqueue_job("gate", _job_id="a") is not None


async def test_one_of_many_callers_is_told_yes(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Of many callers who enqueue one id at once, one is told yes."""
    jobs = await asyncio.gather(*[arq_redis.enqueue_job("add", 1, _job_id="a") for _ in range(20)])

    assert len([job for job in jobs if job is not None]) == 1
    assert await make_worker([add]).run_check() == 1


async def test_result_that_is_no_data(
    arq_redis: ArqRedis, make_worker: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A result that cannot be written fails its job in words; the worker goes on."""

    async def odd(ctx: Ctx) -> Any:
        return object()

    job = await enqueue(arq_redis, "odd", _job_id="o")
    after = await enqueue(arq_redis, "add", 1)
    worker = make_worker([func(odd, name="odd"), add], max_jobs=1)

    await worker.async_run()

    assert counts(worker) == (1, 1, 0)
    assert await after.result() == 3
    with pytest.raises(SerializationError, match=r"^unable to serialize result: object is not plain data"):
        await job.result()
    assert lines(caplog, "arqlite.jobs")[0].startswith("error serializing result of o:odd")


# -- queues and serializers


async def test_queue_of_its_own(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A worker runs the jobs of its queue only; a `Job` knows its queue."""
    mine = await enqueue(arq_redis, "add", 1, _queue_name="mine")
    other = await enqueue(arq_redis, "add", 1)

    assert await make_worker([add], queue_name="mine").run_check() == 1

    assert await mine.result() == 3
    assert (await end_of(mine)).queue_name == "mine"
    assert await other.status() is JobStatus.queued


async def test_default_queue_of_the_pool(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Pool, worker and `Job` without a queue of their own use the pool's default."""
    arq_redis.default_queue_name = "pools"
    job = await enqueue(arq_redis, "add", 1)

    worker = make_worker([add], queue_name=None)
    assert worker.queue_name == "pools"
    assert await worker.run_check() == 1
    assert await Job(job.job_id, arq_redis).result() == 3


class Point:
    """A value that only pickle can write; its `repr` is of no use."""

    def __init__(self, x: int) -> None:
        self.x = x

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Point) and other.x == self.x

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        raise RuntimeError("no words")


async def test_own_serializer(
    arq_redis: ArqRedis, make_worker: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """With pickle on the pool, arguments, results and exceptions may be any objects, even unshowable."""
    caplog.set_level(logging.INFO)
    arq_redis.job_serializer, arq_redis.job_deserializer = pickle.dumps, pickle.loads

    async def move(ctx: Ctx, point: Point) -> Point:
        return Point(point.x + 1)

    async def fail(ctx: Ctx) -> None:
        raise OwnError("reason", Point(3))

    moved = await enqueue(arq_redis, "move", Point(1))
    failed = await enqueue(arq_redis, "fail")
    worker = make_worker([func(move, name="move"), func(fail, name="fail")])

    await worker.async_run()

    assert counts(worker) == (1, 1, 0)
    assert await moved.result() == Point(2)
    with pytest.raises(OwnError) as caught:
        await failed.result()
    assert caught.value.args == ("reason", Point(3))


class OwnError(Exception):
    """An exception of the application's."""

    def __str__(self) -> str:
        return str(self.args[0])


async def test_serializer_may_give_text(arq_redis: ArqRedis, make_worker: Any) -> None:
    """`json.dumps` gives a text, which is as good as its bytes, on the pool and on the worker."""
    arq_redis.job_serializer, arq_redis.job_deserializer = json.dumps, json.loads  # type: ignore[assignment]
    job, bad = await enqueue(arq_redis, "add", 1, 2), await enqueue(arq_redis, "boom")

    async def boom(ctx: Ctx) -> None:
        raise ValueError("no")

    await make_worker([add, func(boom, name="boom")]).main()

    assert await job.result() == 3
    with pytest.raises(ValueError, match="no"):
        await bad.result()


async def test_serializer_that_gives_no_bytes(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A serializer of no use is told so by the caller; on a worker it keeps no job from ending."""
    job = await enqueue(arq_redis, "add", 1, 2)
    worker = make_worker([add], job_serializer=lambda _: 5)

    await worker.main()

    assert counts(worker) == (0, 1, 0)
    assert "serializer must give bytes, it gave int" in str((await end_of(job)).result)
    arq_redis.job_serializer = lambda _: 5  # type: ignore[assignment,return-value]
    with pytest.raises(SerializationError, match="the serializer must give bytes, it gave int"):
        await arq_redis.enqueue_job("add", 1)


async def test_number_that_cannot_be_read_again(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A number too long for readers of JSON is refused where it is written."""

    async def huge(ctx: Ctx) -> int:
        return 10**5000

    job = await enqueue(arq_redis, "huge")
    await make_worker([func(huge, name="huge")]).main()

    with pytest.raises(SerializationError, match="a number of over 4300 digits, which cannot be read again"):
        await job.result()
    with pytest.raises(SerializationError, match="a number of over 4300 digits"):
        await arq_redis.enqueue_job("huge", 10**5000)


@pytest.mark.parametrize("error", [GeneratorExit(), SystemExit(4)])
async def test_exit_is_a_failure_of_its_job(
    arq_redis: ArqRedis, make_worker: Any, error: BaseException
) -> None:
    """`sys.exit()` in a job fails the job; the worker and its other jobs go on."""

    async def leave(ctx: Ctx) -> None:
        raise error

    job, other = await enqueue(arq_redis, "leave"), await enqueue(arq_redis, "add", 1, 2)
    worker = make_worker([func(leave, name="leave"), add])

    await worker.main()

    assert counts(worker) == (1, 1, 0)
    assert await other.result() == 3
    with pytest.raises(JobExecutionFailed, match=type(error).__name__):
        await job.result()


async def test_worker_has_its_own_serializer(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A worker without a pool of that kind is told its serializer by its own options."""
    arq_redis.job_serializer, arq_redis.job_deserializer = pickle.dumps, pickle.loads
    job = await enqueue(arq_redis, "add", 1)
    arq_redis.job_serializer = arq_redis.job_deserializer = None

    await make_worker([add], job_serializer=pickle.dumps, job_deserializer=pickle.loads).run_check()

    assert await Job(job.job_id, arq_redis, _deserializer=pickle.loads).result() == 3


@pytest.mark.parametrize("blob", [b"\xff\x00 no job", b'{"f":"add","et":5,"t":"one"}', b""])
async def test_unreadable_job_fails(
    arq_redis: ArqRedis, make_worker: Any, caplog: pytest.LogCaptureFixture, blob: bytes
) -> None:
    """A job that cannot be read fails, is told, and takes no worker along."""
    bad = await enqueue(arq_redis, "add", 1)
    await arq_redis.hset("aq:{arq:queue}:jobs", bad.job_id, b"Q\x00" + blob)
    good = await enqueue(arq_redis, "add", 1)
    worker = make_worker([add])

    await worker.async_run()

    assert counts(worker) == (1, 1, 0)
    assert await good.result() == 3
    result = await end_of(bad)
    assert (result.function, result.success) == ("<unknown>", False)
    assert f"deserializing job {bad.job_id} failed" in lines(caplog)


# -- functions nobody knows


async def test_unknown_function_is_kept_for_a_worker_that_knows_it(
    arq_redis: ArqRedis, make_worker: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A job whose function this worker does not know is not failed; its burst ends, another one runs it."""
    job = await enqueue(arq_redis, "add", 1)
    known = await enqueue(arq_redis, "ok")
    ignorant = make_worker([ok])

    await asyncio.wait_for(ignorant.async_run(), 10)

    assert counts(ignorant) == (1, 0, 0)
    assert await known.status() is JobStatus.complete
    assert await job.status() in (JobStatus.deferred, JobStatus.queued)
    [line] = [line for line in lines(caplog) if "not found" in line]
    assert line.startswith(f"job {job.job_id}, function 'add' not found")

    assert await make_worker([add]).run_check() == 1
    assert await job.result() == 3
    assert (await end_of(job)).job_try == 1


async def test_unknown_function_fails_in_the_end(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A job whose function nobody knows fails after `unknown_function_ttl`, in arq's words."""
    job = await enqueue(arq_redis, "nobody", 1)
    worker = make_worker([ok], unknown_function_ttl=0)

    await worker.async_run()

    assert counts(worker) == (0, 1, 0)
    with pytest.raises(JobExecutionFailed, match="function 'nobody' not found"):
        await job.result()


# -- bursts


@pytest.mark.parametrize("limit", [0, 1, 3])
async def test_max_burst_jobs(arq_redis: ArqRedis, make_worker: Any, limit: int) -> None:
    """A burst starts no more jobs than it may; the others stay for the next worker."""
    for _ in range(5):
        await enqueue(arq_redis, "ok")

    assert await make_worker([ok], max_burst_jobs=limit).run_check() == limit

    assert await make_worker([ok]).run_check() == 5 - limit


async def test_jobs_claimed_ahead_and_given_back_do_not_count(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A burst counts what it starts: jobs that went back from behind long ones are still to come."""

    async def nap(ctx: Ctx, seconds: float) -> None:
        await asyncio.sleep(seconds)

    for seconds in [0] * 8 + [0.3] * 8:
        await enqueue(arq_redis, "nap", seconds)
    worker = make_worker([func(nap, name="nap")], max_jobs=2, max_burst_jobs=14)

    assert await asyncio.wait_for(worker.run_check(), 20) == 14


async def test_burst_of_nothing_ends(make_worker: Any) -> None:
    """A burst on an empty queue ends at once."""
    assert await asyncio.wait_for(make_worker([ok]).run_check(), 5) == 0


async def test_main_may_be_called_again(arq_redis: ArqRedis, make_worker: Any) -> None:
    """One worker may run several bursts; its counters go on."""
    worker = make_worker([add])
    for total in (1, 2, 3):
        await enqueue(arq_redis, "add", total)
        await worker.main()
        assert worker.jobs_complete == total

    assert repr(worker) == "<Worker j_complete=3 j_failed=0 j_retried=0 j_ongoing=0>"


async def test_pool_and_worker_may_be_closed_twice(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Closing a worker closes its pool; both may be closed again."""
    worker = make_worker([ok])
    await worker.run_check()

    for _ in range(2):
        await worker.close()
        await arq_redis.aclose(close_connection_pool=True)


async def test_thirty_workers_fill_all_their_slots(
    arq_redis: ArqRedis, make_worker: Any, eventually: Any
) -> None:
    """Thirty workers of ten slots run three hundred jobs at once (arq stops at a hundred)."""
    running = 0
    all_at_once = asyncio.Event()

    async def wait(ctx: Ctx) -> None:
        nonlocal running
        running += 1
        if running == 300:
            all_at_once.set()
        await all_at_once.wait()

    await arq_redis.enqueue_many([("wait",)] * 300)
    workers: list[Worker] = [make_worker([func(wait, name="wait")]) for _ in range(30)]

    async with asyncio.timeout(25):
        done = await asyncio.gather(*[worker.run_check() for worker in workers])

    assert done == [10] * 30


async def test_odd_exceptions_end_their_jobs(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Whatever a job raises, it ends as failed, its slot is free again, and the worker lives."""

    class Mute(Exception):
        def __str__(self) -> str:
            raise ZeroDivisionError

        __repr__ = __str__

    class Loud(Exception):
        def extra(self) -> dict[str, Any]:
            raise ZeroDivisionError

    class Odd(BaseException):
        pass

    async def fail(ctx: Ctx, which: str) -> None:
        raise {
            "mute": Mute("x"), "loud": Loud("x"), "odd": Odd("x"), "surrogate": ValueError("\udcff"),
            "huge": ValueError("x" * 1_000_000),
            "args": ValueError(object(), {1: 2}), "stop": StopAsyncIteration(),
            "group": ExceptionGroup("g", [ValueError(1)]),
        }[which]  # fmt: skip

    names = ["mute", "loud", "odd", "surrogate", "huge", "args", "stop", "group"]
    jobs = [await enqueue(arq_redis, "fail", name, _job_id=name) for name in names]
    worker = make_worker([func(fail, name="fail")], max_jobs=2)

    await asyncio.wait_for(worker.async_run(), 10)

    assert counts(worker) == (0, len(names), 0)
    for job in jobs:
        result = await end_of(job)
        assert not result.success
        assert isinstance(result.result, Exception)
