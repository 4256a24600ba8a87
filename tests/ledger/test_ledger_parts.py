"""Several runs within one queue job: what is done of it, while it is not over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, ClassVar

import pytest
from ledger_toys import FakeJob, Row, Toy, fresh_toy, notes, row_of, run  # noqa: F401 (a fixture)
from recorder_toys import started, stopped, tell
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from arqlite import ArqRedis, task
from arqlite.errors import LedgerError
from arqlite.inspector import Inspector
from arqlite.ledger import BaseJob, Cause, JobHistory, JobRunner, Ledger, LedgerBase, LedgerStatus, Recorder
from arqlite.model.states import JobState

Sessions = async_sessionmaker[AsyncSession]
QUEUED, RUNNING, SUCCESS, FAILED, CANCELLED = LedgerStatus


class Part(BaseJob):
    """Notes that it ran, and gives its name back; it fails the first `failures` times."""

    name: ClassVar[str]
    ran: ClassVar[list[str]] = []

    async def run(self) -> Any:
        self.ran.append(self.name)
        if self.ran.count(self.name) <= self.input_payload.get("failures", 0):
            raise ConnectionError(f"{self.name} is not there")
        return f"output of {self.name}"


class First(Part):
    name = "first"


class Second(Part):
    name = "second"


class Nothing(Part):
    name = "nothing"

    async def run(self) -> Any:
        self.ran.append(self.name)


@pytest.fixture(autouse=True)
def nothing_ran() -> None:
    """Each test counts anew."""
    Part.ran.clear()


@pytest.fixture(params=["behind", "strict"])
async def ledger(engine: AsyncEngine, request: pytest.FixtureRequest) -> Ledger:
    """A ledger of either mode."""
    async with engine.begin() as connection:
        await connection.run_sync(LedgerBase.metadata.drop_all)
    made = Ledger(engine, mode=request.param)
    await made.upgrade()
    return made


@pytest.fixture
async def perform(
    arq_redis: ArqRedis, make_worker: Any, ledger: Ledger, eventually: Any
) -> AsyncIterator[Callable[..., Awaitable[JobHistory]]]:
    """Let a worker run a job, `job-1`, and tell its history once its row says this."""
    running: list[asyncio.Task[None]] = []

    async def performed(function: Any, state: JobState, **options: Any) -> JobHistory:
        work = task(**options)(function)
        await arq_redis.options(job_id="job-1").enqueue(work)
        running.append(asyncio.create_task(make_worker([work], ledger=ledger, burst=False).main()))
        found: list[JobHistory] = []

        async def says_so() -> bool:
            history = await ledger.job("job-1", queue="arq:queue")
            if history is None or history.row.state is not state:
                return False
            found.append(history)
            return True

        await eventually(says_so)
        return found[-1]

    yield performed
    for one in running:
        one.cancel()
    await asyncio.gather(*running, return_exceptions=True)


async def part(ledger: Ledger, job_class: type[Part], name: str | None = None, **payload: Any) -> Any:
    """Run a part of the current job."""
    async with ledger.sessions() as db:
        return await JobRunner(db).run_job(job_class, job_class.name, payload, part=name)


async def test_failure_of_a_later_part_is_tried_again(ledger: Ledger, perform: Any) -> None:
    """What comes after a part that succeeded fails once: the job runs again, and that part does not."""

    async def work(ctx: dict[str, Any]) -> Any:
        return [await part(ledger, First), await part(ledger, Second, failures=1)]

    row = (await perform(work, JobState.COMPLETED, max_attempts=3, backoff=0)).row

    assert Part.ran == ["first", "second", "second"]
    assert (row.status, row.attempt, row.output_payload) == (SUCCESS, 2, "output of first")
    second = await ledger.job("job-1:2", queue="arq:queue")
    assert second is not None
    assert (second.row.status, second.row.output_payload) == (SUCCESS, "output of second")


async def test_job_that_waits_for_its_next_try_is_not_over(ledger: Ledger, perform: Any) -> None:
    """A part has succeeded, the job raised and waits: its row says so, with all that its next run needs."""

    async def work(ctx: dict[str, Any]) -> Any:
        await part(ledger, First)
        raise ConnectionError("no mail today")

    row = (await perform(work, JobState.RETRYABLE, max_attempts=3, backoff=3600)).row

    assert (row.status, row.cause, row.finished_at) == (QUEUED, Cause.ERROR, None)
    assert (row.output_payload, row.error_payload["message"]) == ("output of first", "no mail today")
    assert row.memory is not None


async def test_job_that_fails_after_a_part_is_failed(ledger: Ledger, perform: Any) -> None:
    """The job has no try left: its row says FAILED, though its only part succeeded."""

    async def work(ctx: dict[str, Any]) -> Any:
        await part(ledger, First)
        raise ConnectionError("no mail today")

    row = (await perform(work, JobState.DISCARDED, max_attempts=1)).row

    assert (row.status, row.output_payload, row.error_payload["message"]) == (FAILED, None, "no mail today")


async def test_failure_that_the_function_bears_is_none_of_the_job(ledger: Ledger, perform: Any) -> None:
    """A part fails, the function does without it, and the job succeeds: so does its row."""

    async def work(ctx: dict[str, Any]) -> Any:
        try:
            await part(ledger, First, failures=1)
        except ConnectionError:
            return "without"

    row = (await perform(work, JobState.COMPLETED, max_attempts=1)).row

    assert (row.status, row.output_payload, row.error_payload, row.cause) == (SUCCESS, "without", None, None)


async def test_part_that_gives_nothing_is_done_once(ledger: Ledger, perform: Any) -> None:
    """That a part is done is known, too, where its output is nothing."""

    async def work(ctx: dict[str, Any]) -> Any:
        assert await part(ledger, Nothing) is None
        await part(ledger, Second, failures=1)

    await perform(work, JobState.COMPLETED, max_attempts=3, backoff=0)

    assert Part.ran == ["nothing", "second", "second"]


async def test_job_retried_by_hand_does_all_of_it_again(
    ledger: Ledger, perform: Any, arq_redis: ArqRedis, eventually: Any
) -> None:
    """Who lets a job run again after its end means all of it."""
    is_first = True

    async def work(ctx: dict[str, Any]) -> Any:
        nonlocal is_first
        await part(ledger, First)
        if is_first:
            is_first = False
            raise ConnectionError("no mail today")
        await part(ledger, Second)

    await perform(work, JobState.DISCARDED, max_attempts=1)
    assert await Inspector(arq_redis).retry_job("job-1")

    async def has_ended() -> bool:
        return Part.ran.count("second") == 1

    await eventually(has_ended)
    assert Part.ran == ["first", "first", "second"]


@pytest.mark.parametrize("how", ["wait_for", "gather", "group"])
async def test_parts_in_tasks_of_their_own_all_run(ledger: Ledger, perform: Any, how: str) -> None:
    """Parts that run in tasks, one after the other or at once, are different parts."""

    async def work(ctx: dict[str, Any]) -> Any:
        if how == "wait_for":
            parts = [asyncio.create_task(part(ledger, First))]
            await asyncio.wait(parts)
            parts.append(asyncio.create_task(part(ledger, Second)))
            return [await one for one in parts]
        if how == "gather":
            return list(await asyncio.gather(part(ledger, First), part(ledger, Second)))
        async with asyncio.TaskGroup() as group:
            both = [group.create_task(part(ledger, one)) for one in (First, Second)]
        return [one.result() for one in both]

    await perform(work, JobState.COMPLETED, max_attempts=1)

    assert sorted(Part.ran) == ["first", "second"]
    outputs = [await ledger.job(one, queue="arq:queue") for one in ("job-1", "job-1:2")]
    assert [one and one.row.output_payload for one in outputs] == ["output of first", "output of second"]


async def test_parts_with_names_come_in_any_order(ledger: Ledger, perform: Any) -> None:
    """A part that has a name finds its own row, though it begins at another place the next time."""
    order: list[type[Part]] = [First, Second]

    async def work(ctx: dict[str, Any]) -> Any:
        told = [await part(ledger, one, one.name) for one in order]
        if ctx["job_try"] == 1:
            order.reverse()
            raise ConnectionError("again, and the other way round")
        return told

    row = (await perform(work, JobState.COMPLETED, max_attempts=2, backoff=0)).row

    assert Part.ran == ["first", "second"]
    assert row.output_payload == ["output of second", "output of first"]


async def test_output_of_other_work_is_not_given(ledger: Ledger, perform: Any) -> None:
    """Parts without names that come in another order the next time fail in words: none is taken for done."""

    async def work(ctx: dict[str, Any]) -> Any:
        if ctx["job_try"] == 1:
            await part(ledger, First)
            raise ConnectionError("again")
        await part(ledger, Second)

    row = (await perform(work, JobState.DISCARDED, max_attempts=2, backoff=0)).row

    assert Part.ran == ["first"]
    assert "of first, not of second" in row.error_payload["message"]


@pytest.mark.parametrize("name", ["", "2"])
async def test_names_that_are_none(db: AsyncSession, name: str) -> None:
    """An empty name is a slip, and a number could be that of another part."""
    with FakeJob().running(), pytest.raises(ValueError, match="no number"):
        await JobRunner(db).run_job(First, "FIRST", part=name)


async def test_name_is_used_once(db: AsyncSession) -> None:
    """Two parts of one name would be one: the second is refused."""
    with FakeJob().running():
        await JobRunner(db).run_job(First, "FIRST", part="a")
        with pytest.raises(ValueError, match="begun already"):
            await JobRunner(db).run_job(First, "FIRST", part="a")


async def test_worker_that_dies_after_a_part_leaves_it_done(
    recorder: Recorder, db: AsyncSession, sessions: Sessions
) -> None:
    """A part is committed and its worker dies: the job is not over, and its next run does the rest alone."""
    with FakeJob().running():
        assert await run(db, "succeed") == {"done": True}
    row = await row_of(sessions)
    assert (row.status, row.state, row.finished_at) == (RUNNING, JobState.EXECUTING, None)

    await tell(recorder, started(attempt=2, worker="host:2:b", crashes=1))
    with FakeJob(job_try=2, crashes=1, worker="host:2:b").running():
        assert await run(db, "fail") == {"done": True}
    await tell(recorder, stopped(attempt=2, worker="host:2:b", crashes=1, result={"done": True}))

    row = await row_of(sessions)
    assert (row.status, row.attempt, row.output_payload) == (SUCCESS, 2, {"done": True})
    assert await notes(sessions) == ["worked"]


async def test_output_before_a_revival_that_the_row_missed(
    recorder: Recorder, db: AsyncSession, sessions: Sessions
) -> None:
    """The row still runs, for the job's end and its revival were not heard: the new run does all of it."""
    with FakeJob().running():
        await run(db, "succeed")

    revived = FakeJob(job_try=2, worker="host:2:b", revived_ms=4_102_444_800_000)
    with revived.running():
        await run(db, "nan")

    assert (await row_of(sessions)).output_payload == {"value": None}


async def test_row_of_another_database_is_closed_at_once(
    recorder: Recorder, engine: AsyncEngine, sessions: Sessions, tmp_path: Any
) -> None:
    """Nobody tells a row of a database that is not the worker's ledger how its job ends."""
    elsewhere = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'other.db'}")
    async with elsewhere.begin() as connection:
        await connection.run_sync(Row.metadata.create_all)
        await connection.run_sync(LedgerBase.metadata.create_all)
    async with AsyncSession(elsewhere) as db:
        with FakeJob().running():
            await run(db, "succeed")

    assert (await row_of(async_sessionmaker(elsewhere))).status is SUCCESS
    await elsewhere.dispose()


async def test_zombie_does_not_take_the_output(
    recorder: Recorder, db: AsyncSession, sessions: Sessions
) -> None:
    """A worker that lost its lease finds the row of a later run, done or not, and is told so."""
    with FakeJob(job_try=2, worker="host:2:b").running():
        await run(db, "succeed")

    with FakeJob().running(), pytest.raises(LedgerError, match="overtaken"):
        await run(db, "succeed")
    assert Toy.diary[-1][0] == "after_run"
