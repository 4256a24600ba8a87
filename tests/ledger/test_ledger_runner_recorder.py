"""One row, two who know of it: the runner moves it, and the recorder adds what only the queue knows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from ledger_toys import Toy, fresh_toy  # noqa: F401 (a fixture)
from sqlalchemy.ext.asyncio import AsyncEngine

from arqlite import ArqRedis, task
from arqlite.ledger import Cause, JobHistory, JobRunner, Ledger, LedgerBase, LedgerStatus
from arqlite.model.states import JobState

QUEUE = "arq:queue"


@pytest.fixture
async def ledger(engine: AsyncEngine) -> Ledger:
    """A ledger whose tables its migrations made, as a worker wants them."""
    async with engine.begin() as connection:
        await connection.run_sync(LedgerBase.metadata.drop_all)
    made = Ledger(engine)
    await made.upgrade()
    return made


@asynccontextmanager
async def working(
    arq_redis: ArqRedis, make_worker: Any, ledger: Ledger, action: str
) -> AsyncIterator[Callable[[], Awaitable[JobHistory]]]:
    """A worker with the ledger that runs a job with a row; nothing announced it to the ledger."""
    Toy.entered = asyncio.Event()

    @task(max_attempts=3, backoff=60)
    async def work(ctx: dict[str, Any]) -> Any:
        async with ledger.sessions() as db:
            return await JobRunner(db).run_job(Toy, "TOY", {"action": action}, triggered_by="api", user_id=7)

    async def look() -> JobHistory | None:
        return await ledger.job("job-1", queue="arq:queue")

    await arq_redis.options(job_id="job-1", tags=["urgent"]).enqueue(work)
    running = asyncio.create_task(make_worker([work], ledger=ledger, burst=False).main())
    try:
        yield look
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.mark.parametrize(
    ("action", "state", "cause", "attempt_state"),
    [
        ("fail", JobState.RETRYABLE, Cause.ERROR, "retryable"),
        ("snooze", JobState.SCHEDULED, Cause.SNOOZE, "snoozed"),
    ],
)
async def test_job_that_waits_can_be_put_back(
    arq_redis: ArqRedis,
    make_worker: Any,
    ledger: Ledger,
    eventually: Any,
    action: str,
    state: JobState,
    cause: Cause,
    attempt_state: str,
) -> None:
    """The row of a job that will run again says when, and has what Redis would need to do so."""
    async with working(arq_redis, make_worker, ledger, action) as look:

        async def waits_again() -> bool:
            found = await look()
            return found is not None and found.row.state is state and bool(found.row.memory)

        await eventually(waits_again)
        found = await look()

    row = found.row
    assert (row.status, row.cause, row.tags) == (LedgerStatus.QUEUED, cause, ["urgent"])
    assert (row.job_type, row.triggered_by, row.user_id) == ("TOY", "api", 7)
    assert row.record is not None
    assert row.scheduled_at is not None
    assert row.scheduled_at > row.updated_at
    assert [(each.state, each.cause) for each in found.attempts] == [(attempt_state, cause)]


async def test_job_that_runs_can_be_put_back(
    arq_redis: ArqRedis, make_worker: Any, ledger: Ledger, eventually: Any
) -> None:
    """The row that a runner opened has what Redis would need, while the job runs."""
    async with working(arq_redis, make_worker, ledger, "wait_idly") as look:
        await Toy.entered.wait()
        before = (await look()).row

        async def is_complete() -> bool:
            return (await look()).row.record is not None

        await eventually(is_complete)
        row = (await look()).row

    assert (row.status, row.started_at) == (LedgerStatus.RUNNING, before.started_at)
    assert (row.job_type, row.input_payload) == ("TOY", {"action": "wait_idly"})


async def test_row_of_a_success_is_the_runners(
    arq_redis: ArqRedis, make_worker: Any, ledger: Ledger, eventually: Any
) -> None:
    """The runner's output and times stay, and there is one attempt."""
    async with working(arq_redis, make_worker, ledger, "succeed") as look:

        async def is_told() -> bool:
            found = await look()
            return found is not None and [each.state for each in found.attempts] == ["completed"]

        await eventually(is_told)
        row = (await look()).row

    assert (row.status, row.output_payload, row.tags) == (LedgerStatus.SUCCESS, {"done": True}, ["urgent"])
    assert row.duration is not None
