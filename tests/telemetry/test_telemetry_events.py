"""The events of a job's life: one per thing that happened, whatever happened."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from signal import Signals
from typing import Any

import pytest
from worker_toys import Ctx, Gate, at_work, enqueue

from arqlite import ArqRedis, Cancel, Discard, Retry, Snooze, func, task
from arqlite.errors import JobExecutionFailed
from arqlite.telemetry import (
    JobEnqueued,
    JobException,
    JobStarted,
    JobStopped,
    WorkerStarted,
    WorkerStopped,
    attach,
    attached,
    detach,
)


@pytest.fixture
def events() -> Iterator[list[Any]]:
    """Everything that happens during the test, in order."""
    seen: list[Any] = []
    attach("test", [JobEnqueued, JobStarted, JobStopped, WorkerStarted, WorkerStopped], seen.append)
    yield seen
    detach("test")


def stops(events: list[Any]) -> list[JobStopped]:
    return [event for event in events if isinstance(event, JobStopped)]


async def ok(ctx: Ctx, value: Any = None) -> Any:
    return value


async def test_life_of_a_job_in_order(arq_redis: ArqRedis, make_worker: Any, events: list[Any]) -> None:
    """A worker starts, a job starts and stops, the worker stops; all name queue, job and worker."""
    job = await enqueue(arq_redis, "ok", 7)
    await make_worker([ok]).run_check()

    assert [type(event) for event in events] == [
        JobEnqueued,
        WorkerStarted,
        JobStarted,
        JobStopped,
        WorkerStopped,
    ]
    _, began, started, stopped, left = events
    assert (began.queue, began.functions) == ("arq:queue", ("ok",))
    assert began.worker == started.worker == stopped.worker == left.worker
    assert {(e.queue, e.job_id, e.function, e.attempt) for e in (started, stopped)} == {
        ("arq:queue", job.job_id, "ok", 1)
    }
    assert (stopped.state, stopped.result, stopped.error) == ("completed", 7, None)
    assert stopped.at_ms - started.at_ms == stopped.duration_ms >= 0
    assert (left.complete, left.failed, left.retried) == (1, 0, 0)


async def test_failed_job(arq_redis: ArqRedis, make_worker: Any, events: list[Any]) -> None:
    """A job that failed stops as discarded, with its error."""
    boom = TypeError("boom")

    async def fail(ctx: Ctx) -> None:
        raise boom

    await enqueue(arq_redis, "fail")
    await make_worker([func(fail, name="fail")]).async_run()

    [stopped] = stops(events)
    assert (stopped.state, stopped.result, stopped.error) == ("discarded", None, boom)


async def test_job_that_runs_again(arq_redis: ArqRedis, make_worker: Any, events: list[Any]) -> None:
    """Each run has its own start and stop, counted."""

    async def again(ctx: Ctx) -> None:
        if ctx["job_try"] == 1:
            raise Retry

    await enqueue(arq_redis, "again")
    await make_worker([func(again, name="again")]).run_check()

    assert [(stop.attempt, stop.state) for stop in stops(events)] == [(1, "retryable"), (2, "completed")]


async def test_job_that_never_ran(arq_redis: ArqRedis, make_worker: Any, events: list[Any]) -> None:
    """A job that ends without a run stops without a start, with the reason."""
    await enqueue(arq_redis, "ok", _job_try=9)
    await make_worker([ok]).async_run()

    [stopped] = stops(events)
    assert (stopped.state, stopped.duration_ms) == ("discarded", 0)
    assert stopped.error == JobExecutionFailed("max 5 retries exceeded")
    assert not any(isinstance(event, JobStarted) for event in events)


async def test_result_that_cannot_be_written(
    arq_redis: ArqRedis, make_worker: Any, events: list[Any]
) -> None:
    """A job whose result cannot be written has failed, for listeners, too."""

    async def odd(ctx: Ctx) -> Any:
        return object()

    await enqueue(arq_redis, "odd")
    await make_worker([func(odd, name="odd")]).async_run()

    [stopped] = stops(events)
    assert stopped.state == "discarded"
    assert "unable to serialize result" in str(stopped.error)


@pytest.mark.parametrize(
    ("how", "state", "error"),
    [
        ("abort", "cancelled", asyncio.CancelledError),
        ("timeout", "discarded", TimeoutError),
        ("shutdown", "available", type(None)),
    ],
)
async def test_interrupted_job(
    arq_redis: ArqRedis, make_worker: Any, events: list[Any], how: str, state: str, error: type
) -> None:
    """A job that was interrupted stops as what becomes of it: cancelled, discarded, or available again."""
    gate = Gate()
    job = await enqueue(arq_redis, "gate")
    limit = 0.05 if how == "timeout" else None
    worker = make_worker([func(gate, name="gate", timeout=limit)], allow_abort_jobs=True)
    async with at_work(worker) as task:
        await gate.started.wait()
        if how == "abort":
            await job.abort(timeout=5)
        elif how == "timeout":
            with pytest.raises(TimeoutError):
                await job.result(timeout=5)
        else:
            worker.handle_sig(Signals.SIGTERM)
            await asyncio.wait([task], timeout=5)

    [stopped] = stops(events)
    assert (stopped.state, type(stopped.error)) == (state, error)


async def test_failure_is_one_exception_and_one_stop(
    arq_redis: ArqRedis, make_worker: Any, events: list[Any]
) -> None:
    """A job that raised is told once as an exception, just before its one stop; others are not."""
    boom = TypeError("boom")

    async def fail(ctx: Ctx, value: int) -> None:
        raise boom

    attach("exceptions", JobException, events.append)
    job = await enqueue(arq_redis, "fail", 7)
    await enqueue(arq_redis, "ok")
    await make_worker([func(fail, name="fail"), ok]).async_run()
    detach("exceptions")

    told = [event for event in events if getattr(event, "job_id", None) == job.job_id]
    assert [type(event) for event in told] == [JobEnqueued, JobStarted, JobException, JobStopped]
    exception = told[2]
    assert (exception.error, exception.is_last, exception.state) == (boom, True, "discarded")
    assert (list(exception.args), exception.kwargs, exception.counted_attempt) == ([7], {}, 1)
    assert exception.stack.endswith("TypeError: boom")
    assert sum(type(event) is JobException for event in events) == 1


async def test_job_that_asks_to_run_again_has_not_failed(
    arq_redis: ArqRedis, make_worker: Any, events: list[Any]
) -> None:
    """A `Retry` is a decision; what fails is the job that asks once too often."""

    async def again(ctx: Ctx) -> None:
        raise Retry

    attach("exceptions", JobException, events.append)
    await enqueue(arq_redis, "again")
    await make_worker([func(again, name="again", max_tries=2)]).async_run()
    detach("exceptions")

    told = [event for event in events if isinstance(event, JobException | JobStopped)]
    assert [(type(event).__name__, event.state) for event in told] == [
        ("JobStopped", "retryable"),
        ("JobStopped", "retryable"),
        ("JobException", "discarded"),
        ("JobStopped", "discarded"),
    ]


async def test_handler_that_raises_breaks_no_job(
    arq_redis: ArqRedis, make_worker: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A handler of starts and stops that raises is logged, and the job completes."""

    def broken(event: Any) -> None:
        raise RuntimeError("no")

    attach("broken", "job.*", broken)
    job = await enqueue(arq_redis, "ok", 7)
    await make_worker([ok]).run_check()
    detach("broken")

    assert await job.result() == 7
    assert "telemetry handler broken failed on JobStarted" in caplog.messages
    assert "telemetry handler broken failed on JobStopped" in caplog.messages


async def test_times_of_a_job(arq_redis: ArqRedis, make_worker: Any, events: list[Any]) -> None:
    """Waiting time counts from the moment a job was due, not from its enqueueing."""
    await enqueue(arq_redis, "ok", _defer_by=0.05)
    await make_worker([ok]).run_check()

    [stopped] = stops(events)
    assert stopped.scheduled_ms == stopped.enqueue_ms + 50
    assert 0 <= stopped.queue_time_ms < 5000
    started_ms = stopped.at_ms - stopped.duration_ms
    assert stopped.queue_time_ms == max(started_ms - stopped.scheduled_ms, 0)


async def test_worker_tells_its_process_and_its_size(
    arq_redis: ArqRedis, make_worker: Any, events: list[Any]
) -> None:
    """The start of a worker tells what it was set up with."""
    await make_worker([ok], max_jobs=3).run_check()

    [began] = [event for event in events if isinstance(event, WorkerStarted)]
    assert (began.pid, began.max_jobs, began.functions) == (os.getpid(), 3, ("ok",))


@pytest.mark.parametrize(
    ("how", "fate", "told"),
    [
        ("raised", ValueError("boom"), ["JobException retryable", "JobStopped retryable"]),
        ("raised", Snooze(60), ["JobStopped snoozed"]),
        ("raised", Cancel("no"), ["JobStopped cancelled"]),
        ("raised", Discard("no"), ["JobStopped discarded"]),
        ("returned", Snooze(60), ["JobStopped snoozed"]),
        ("returned", Cancel("no"), ["JobStopped cancelled"]),
        ("returned", Discard("no"), ["JobStopped discarded"]),
    ],
)
async def test_fate_of_a_task(
    arq_redis: ArqRedis, make_worker: Any, how: str, fate: Exception, told: list[str]
) -> None:
    """What a task decides is a stop with its state; what fails is an exception before it, also if retried."""

    @task(name="work", max_attempts=3, backoff=60, tags=["t"], meta={"tenant": 7})
    async def work(ctx: Ctx) -> Any:
        if how == "raised":
            raise fate
        return fate

    seen: list[Any] = []
    with attached([JobException, JobStopped], seen.append):
        await arq_redis.enqueue(work)
        worker = make_worker([work], max_burst_jobs=1)
        await worker.async_run()

    assert [f"{type(one).__name__} {one.state}" for one in seen] == told
    assert {(one.counted_attempt, one.max_attempts, one.tags) for one in seen} == {(1, 3, ("t",))}
    assert [dict(one.meta)["tenant"] for one in seen] == [7] * len(seen)


async def test_last_failure_of_a_task(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Each failed attempt is an exception; the last one says so."""

    @task(name="work", max_attempts=3, backoff=0)
    async def work(ctx: Ctx) -> None:
        raise ValueError("boom")

    seen: list[JobException] = []
    with attached(JobException, seen.append):
        await arq_redis.enqueue(work)
        await make_worker([work]).async_run()

    assert [(one.counted_attempt, one.state, one.is_last) for one in seen] == [
        (1, "retryable", False),
        (2, "retryable", False),
        (3, "discarded", True),
    ]
