"""The ledger's own tables, and the metadata that its migrations follow."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, Integer, MetaData, SmallInteger, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from ..model.states import Cause
from .indexes import indexes_of, tag_indexes_of
from .rows import CauseColumn, JobIdColumn, JobRowMixin, JsonColumn, QueueColumn, UtcDateTime, utc_now

TABLE_PREFIX = "arqlite_"
"""All tables of the library begin so, and nobody else's should."""


class LedgerBase(DeclarativeBase):
    """The library's tables; their metadata is apart from the application's."""

    metadata = MetaData()


class JobRow(JobRowMixin, LedgerBase):
    """A job."""

    __tablename__ = "arqlite_jobs"
    __table_args__ = (*indexes_of("arqlite_jobs"), *tag_indexes_of("arqlite_jobs"))


class AttemptRow(LedgerBase):
    """One start of a job.

    Attributes:
        job_id, queue: which job.
        attempt: which start of it, from 1; those whose worker died count.
        worker: who ran it.
        state: what became of the job by it, as `JobStopped.state` has it; `executing` while it runs, `lost`
            if its worker died.
        cause: why it did not end well.
        started_at, finished_at: when.
        error: what it failed with, `{type, message, traceback}`.
    """

    __tablename__ = "arqlite_attempts"

    job_id: Mapped[str] = mapped_column(JobIdColumn, primary_key=True)
    queue: Mapped[str] = mapped_column(QueueColumn, primary_key=True)
    attempt: Mapped[int] = mapped_column(Integer, primary_key=True)
    worker: Mapped[str | None] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(16))
    cause: Mapped[Cause | None] = mapped_column(CauseColumn)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    error: Mapped[Any] = mapped_column(JsonColumn, nullable=True)


class AuditRow(LedgerBase):
    """Something that was done by hand, or mended by the library, and by whom.

    Attributes:
        at: when.
        queue: where; empty for what concerns no queue.
        action: what, e.g. `job.cancel`, `queue.pause`, `reconcile.push`, `prune`.
        actor: who asked for it; empty where that is not known.
        job_id: to which job, if to one.
        detail: what else there is to know.
    """

    __tablename__ = "arqlite_audit"
    __table_args__ = (Index("ix_arqlite_audit_at", "at"),)

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    queue: Mapped[str] = mapped_column(QueueColumn, default="")
    action: Mapped[str] = mapped_column(String(64))
    actor: Mapped[str] = mapped_column(Text, default="")
    job_id: Mapped[str | None] = mapped_column(JobIdColumn)
    detail: Mapped[Any] = mapped_column(JsonColumn, nullable=True)


class MinuteRow(LedgerBase):
    """What ended within one minute: charts read these and never the jobs.

    Attributes:
        minute: minutes since 1970.
        queue, function: of which jobs.
        state: how the runs ended, as `JobStopped.state` has it.
        count: how many did.
        run_ms, wait_ms: how long they ran, and how long they had waited, together.
        longest_run_ms, longest_wait_ms: the longest of them.
    """

    __tablename__ = "arqlite_minutes"

    minute: Mapped[int] = mapped_column(Integer, primary_key=True)
    queue: Mapped[str] = mapped_column(QueueColumn, primary_key=True)
    function: Mapped[str] = mapped_column(String(255), primary_key=True)
    state: Mapped[str] = mapped_column(String(16), primary_key=True)
    count: Mapped[int] = mapped_column(BigInteger)
    run_ms: Mapped[int] = mapped_column(BigInteger)
    wait_ms: Mapped[int] = mapped_column(BigInteger)
    longest_run_ms: Mapped[int] = mapped_column(BigInteger)
    longest_wait_ms: Mapped[int] = mapped_column(BigInteger)


class SpreadRow(LedgerBase):
    """How long the runs that ended within some minutes took, and how long they had waited; see `spreads`.

    Attributes:
        start: when these minutes began, in minutes since 1970; a multiple of `span`.
        span: how many they are, one of `spreads.SPANS`.
        queue, function: of which jobs.
        run_ms, wait_ms: how many runs fell into which bucket, as JSON.
    """

    __tablename__ = "arqlite_spreads"

    start: Mapped[int] = mapped_column(Integer, primary_key=True)
    span: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    queue: Mapped[str] = mapped_column(QueueColumn, primary_key=True)
    function: Mapped[str] = mapped_column(String(255), primary_key=True)
    run_ms: Mapped[str] = mapped_column(Text)
    wait_ms: Mapped[str] = mapped_column(Text)


class QueueRow(LedgerBase):
    """What the ledger knows of a queue's Redis, to notice that it is another one or an older state of it.

    Attributes:
        queue: its name.
        marker: a random text that stands in the queue's Redis, too.
        beat: a number that grows in both; a Redis with a smaller one was set back.
        server: the `run_id` of the server that was last compared with the rows.
        seen_at: when a worker last found the marker in Redis, or was at work to mend what Redis lost.
        reconciled_at: when rows and Redis were last compared in full.
    """

    __tablename__ = "arqlite_queues"

    queue: Mapped[str] = mapped_column(QueueColumn, primary_key=True)
    marker: Mapped[str] = mapped_column(String(64))
    beat: Mapped[int] = mapped_column(BigInteger, default=0)
    server: Mapped[str | None] = mapped_column(String(64))
    seen_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    reconciled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class IdempotencyRow(LedgerBase):
    """A request that must be answered alike when it is repeated.

    Attributes:
        key: what the caller calls the request, with the scope in front.
        fingerprint: of what was asked; another request under the same key is a mistake.
        job_id, queue: the job that it made.
        created_at: a day before the key is free again: when it was used first, unless it is kept for longer
            or less than a day. Whoever looks for keys that are free, or over, needs to know no more.
    """

    __tablename__ = "arqlite_idempotency"
    __table_args__ = (Index("ix_arqlite_idempotency_created", "created_at"),)

    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64))
    job_id: Mapped[str] = mapped_column(JobIdColumn)
    queue: Mapped[str] = mapped_column(QueueColumn)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
