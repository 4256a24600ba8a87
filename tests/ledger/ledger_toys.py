"""The rows, jobs and running jobs that the ledger's tests play with."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar, cast

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from arqlite.errors import Cancel, Discard, Retry, RetryJob, Snooze
from arqlite.ledger import AttemptRow, BaseJob, Cause, JobRowMixin, JobRunner, store
from arqlite.ledger.outage import Outage
from arqlite.model.context import CancelReason, Parts, RunningJob, running_job
from arqlite.model.outcomes import End, Interrupted, Raised, decide
from arqlite.model.tasks import Task


class Base(DeclarativeBase):
    pass


class Row(JobRowMixin, Base):
    __tablename__ = "jobs"


class Note(Base):
    """What the toy jobs write."""

    __tablename__ = "notes"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]


class Runner(JobRunner[Row]):
    row_model = Row


@dataclass
class FakeJob:
    """A running job as the worker would tell of it."""

    job_id: str = "job-1"
    function: str = "work"
    queue_name: str = "arq:queue"
    job_try: int = 1
    crashes: int = 0
    worker: str = "host:1:a"
    cancel_reason: CancelReason | None = None
    enqueue_ms: int = 0
    revived_ms: int = 0
    max_attempts: int = 5
    priority: int = 0
    tags: tuple[str, ...] = ()
    meta: dict[str, Any] = field(default_factory=dict)
    retry_jobs: bool = True
    task: Task[..., Any] | None = None
    parts: Parts = field(default_factory=Parts)

    @property
    def attempt(self) -> int:
        return self.job_try

    @property
    def is_last_attempt(self) -> bool:
        return self.attempt >= self.max_attempts

    def runs_again(self, error: BaseException) -> bool | None:
        """As a worker's job does."""
        outcome: Raised | Interrupted = Raised(error)
        if self.cancel_reason is not None and isinstance(error, asyncio.CancelledError):
            outcome = Interrupted(self.cancel_reason, error)
        job = cast("RunningJob", self)
        fate = decide(outcome, retry_jobs=self.retry_jobs, task=self.task, job=job, chance=None)
        return not isinstance(fate, End)

    @contextmanager
    def running(self) -> Iterator[FakeJob]:
        """Make `current_job()` tell of this job."""
        token = running_job.set(cast("RunningJob", self))
        try:
            yield self
        finally:
            running_job.reset(token)


class Toy(BaseJob[Row]):
    """Does what its `action` says, and keeps a diary of its hooks."""

    diary: ClassVar[list[Any]] = []
    entered: ClassVar[asyncio.Event]

    async def before_run(self, job: Row) -> None:
        self.diary.append(("before_run", job.status, job.started_at is not None))
        match self.input_payload.get("action"):
            case "fail_before":
                raise ValueError("not even started")
            case "retry_before":
                raise Retry(defer=5)

    async def run(self) -> Any:
        assert self.job_record is not None
        self.diary.append(("run", self.job_record.status, self.job_record.started_at is not None))
        return await getattr(self, self.input_payload.get("action", "succeed"))()

    async def after_run(self, result: Any) -> None:
        assert self.job_record is not None
        self.diary.append(("after_run", result, self.job_record.status))
        match self.input_payload.get("action"):
            case "fail_after":
                raise ValueError("could not tell")
            case "retry_after":
                raise Retry(defer=5)

    async def on_failure(self, error: Exception) -> None:
        assert self.job_record is not None
        self.diary.append(("on_failure", type(error).__name__, self.job_record.started_at is not None))
        self.db.add(Note(text="failed"))
        if self.input_payload.get("hook") == "raises":
            raise RuntimeError("the hook is broken, too")

    async def succeed(self) -> Any:
        self.db.add(Note(text="worked"))
        return {"done": True}

    fail_after = retry_after = succeed

    async def fail(self) -> Any:
        self.db.add(Note(text="half"))
        await self.db.flush()
        raise ValueError("no luck")

    async def break_session(self) -> Any:
        self.db.add(Note(id=1, text="one"))
        await self.db.flush()
        self.db.expunge_all()
        self.db.add(Note(id=1, text="the same key again"))
        await self.db.flush()

    async def retry(self) -> Any:
        self.db.add(Note(text="half"))
        await self.db.flush()
        raise Retry(defer=5)

    async def retry_job(self) -> Any:
        self.db.add(Note(text="half"))
        await self.db.flush()
        raise RetryJob

    async def snooze(self) -> Any:
        raise Snooze(60)

    async def return_snooze(self) -> Any:
        self.db.add(Note(text="half"))
        return Snooze(60)

    async def return_cancel(self) -> Any:
        return Cancel("not needed")

    async def return_cancel_class(self) -> Any:
        return Cancel

    async def discard(self) -> Any:
        raise Discard("hopeless")

    async def await_cancelled(self) -> Any:
        """Wait for something that somebody has called off."""
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        await future

    async def unjsonable(self) -> Any:
        self.db.add(Note(text="half"))
        return {"value": object()}

    async def nan(self) -> Any:
        return {"value": float("nan")}

    async def wait(self) -> Any:
        self.db.add(Note(text="half"))
        await self.db.flush()
        self.entered.set()
        await asyncio.Event().wait()

    async def wait_idly(self) -> Any:
        """Wait, and hold nothing that SQLite's one writer would need."""
        self.entered.set()
        await asyncio.Event().wait()

    async def be_overtaken(self) -> Any:
        """Another worker takes the row while this one works."""
        assert self.job_record is not None
        self.db.add(Note(text="zombie"))
        return {"late": True}


async def notes(sessions: async_sessionmaker[AsyncSession]) -> list[str]:
    """What the toys left in the database."""
    async with sessions() as session:
        return list((await session.execute(select(Note.text).order_by(Note.id))).scalars())


async def attempts_of(
    sessions: async_sessionmaker[AsyncSession], job_id: str = "job-1"
) -> list[tuple[int, str, Cause | None]]:
    """The job's attempts: number, state, cause."""
    columns = AttemptRow.attempt, AttemptRow.state, AttemptRow.cause
    async with sessions() as session:
        statement = select(*columns).where(AttemptRow.job_id == job_id).order_by(AttemptRow.attempt)
        return [tuple(row) for row in await session.execute(statement)]  # type: ignore[misc]


async def row_of(sessions: async_sessionmaker[AsyncSession], job_id: str = "job-1") -> Row:
    """The row, as another session sees it."""
    async with sessions() as session:
        row = await store.find(session, Row, job_id)
        assert row is not None
        return row


async def queue(sessions: async_sessionmaker[AsyncSession], job_id: str = "job-1", **values: Any) -> None:
    """Write the QUEUED row of a job."""
    given: dict[str, Any] = {"job_type": "TOY", "function": "work", "queue": "arq:queue"}
    async with sessions.begin() as session:
        await store.insert_queued(session, Row, job_id=job_id, **(given | values))


@pytest.fixture(autouse=True)
def fresh_toy(monkeypatch: pytest.MonkeyPatch) -> None:
    """No diary, no outage; for the suites that import it."""
    monkeypatch.setattr(JobRunner, "outage", Outage())
    Toy.diary.clear()
    Toy.entered = asyncio.Event()


async def run(db: AsyncSession, action: str, **extra: object) -> object:
    """Run a toy."""
    return await Runner(db).run_job(Toy, "TOY", {"action": action, **extra}, user_id=7)


async def cancel_when_running(db: AsyncSession, job: FakeJob, reason: CancelReason | None) -> None:
    """Cancel the job once it is at work, as the worker does."""
    with job.running():
        task = asyncio.create_task(run(db, "wait"))
    await Toy.entered.wait()
    job.cancel_reason = reason
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
