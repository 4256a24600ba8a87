"""One row per job: the columns, as a mixin for the application's own table."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    Enum,
    LargeBinary,
    SmallInteger,
    String,
    Text,
    TypeDecorator,
)
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

from ..model.states import Cause, JobState, LedgerStatus
from .exactjson import ExactJson
from .indexes import indexes_of

JOB_ID_LENGTH = 255
"""Room for the ids users choose and for those of cron jobs, which carry a dotted path and a time."""

QUEUE_LENGTH = 128

MOST_ATTEMPTS = 2**31 - 1
"""What fits into the column `max_attempts`; a job may well be tried for ever, by any larger number."""

BY_QUEUE = "queue"
"""`triggered_by` of a row that the recorder opened: it knows the job from the queue alone."""

OPEN_STATUSES = (LedgerStatus.QUEUED, LedgerStatus.RUNNING)


def utc_now() -> datetime:
    """The time, aware and in UTC, as the ledger's columns want it."""
    return datetime.now(UTC)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime, in UTC on the way in and on the way out; SQLite itself knows no zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive times: nobody could tell later which zone was meant."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time in the ledger needs a time zone, got {value!r}")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the zone back where the database dropped it."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


# `json` and not `jsonb` on PostgreSQL: jsonb refuses the character U+0000, which e-mails do contain.
JsonColumn = JSON(none_as_null=True).with_variant(ExactJson(none_as_null=True), "sqlite")
_Status = Enum(
    LedgerStatus,
    native_enum=False,
    create_constraint=True,
    validate_strings=True,
    name="ledger_status",
    length=16,
)
_State = Enum(
    JobState,
    native_enum=False,
    create_constraint=False,
    validate_strings=True,
    values_callable=lambda states: [state.value for state in states],
    length=16,
)
CauseColumn = Enum(Cause, native_enum=False, create_constraint=False, validate_strings=True, length=16)


# Compared byte by byte, also by PostgreSQL, whose own order depends on its locale: indexes on such names are
# faster to write, and find what begins in some way.
JobIdColumn = String(JOB_ID_LENGTH).with_variant(String(JOB_ID_LENGTH, collation="C"), "postgresql")
QueueColumn = String(QUEUE_LENGTH).with_variant(String(QUEUE_LENGTH, collation="C"), "postgresql")
_FunctionColumn = Text().with_variant(Text(collation="C"), "postgresql")


class JobRowMixin:
    """A job in the ledger. `JobRow` is the library's own table of it; mix it into a declarative class of your
    own for other columns beside these, which must be nullable or have a default of the server.

    Attributes:
        id: the queue's job id.
        queue: the queue it went to; empty for a job run outside a worker. A ledger knows a queue by its name
            alone, so queues of different servers or databases that share a ledger have different names.
        job_type: what kind of work it is, in the application's words, e.g. `EMAIL_FETCH`; else its function.
        function: the name it was enqueued under; of a job run outside a worker, its class.
        status: where it is; see `LedgerStatus`.
        state: the same in the queue's words, see `JobState`.
        cause: why it is FAILED or CANCELLED, or why it waits again; see `Cause`. None otherwise.
        args, kwargs: what it is called with, as JSON; what the ledger must not hold is `***`.
        tags, meta, priority: as the job was enqueued with.
        input_payload: what a `BaseJob` was asked to do.
        output_payload: what it gave back. In an open row, what its first `run_job` has done for good.
        error_payload: why it is FAILED, or why it waits again: `{type, message, traceback}`. None on SUCCESS.
        triggered_by: who asked for it: `system`, `api`, a user's name.
        user_id: for whom it runs, if for anybody.
        parent: the id of the job that enqueued it, if one did.
        attempt: which start this is, from 1; 0 before the first. Starts whose worker died count. What became
            of each is in the table of attempts.
        crashes: how many of the starts ended with their worker.
        max_attempts: how often it may be tried; None where that is not known.
        worker: who ran it last.
        enqueued_at: when the queue took it, by the enqueuer's clock; with the id it says which job this is,
            for ids may be used again.
        created_at: when it was first accepted.
        queued_at: when it last began to wait; differs from `created_at` once it was given back.
        scheduled_at: when it is or was due.
        started_at: when its `run` began, after `before_run`; None until then.
        finished_at: when it ended; None while it is open.
        updated_at: when this row last changed.
        pushed_at: when it is known to be in Redis; None means that it may have to be pushed.
        record: the job as the queue stores it, to be pushed (again); None for one that must not be kept here.
        lock: what keeps equal jobs out while it is open, see `model.unique`; None for one that is not unique.
        memory: what the queue remembers of its runs, to be pushed again with it; None is nothing.
    """

    id: Mapped[str] = mapped_column(JobIdColumn, primary_key=True)
    queue: Mapped[str] = mapped_column(QueueColumn, primary_key=True, default="")
    job_type: Mapped[str] = mapped_column(Text)
    function: Mapped[str] = mapped_column(_FunctionColumn)
    status: Mapped[LedgerStatus] = mapped_column(_Status, default=LedgerStatus.QUEUED)
    state: Mapped[JobState] = mapped_column(_State, default=JobState.AVAILABLE)
    cause: Mapped[Cause | None] = mapped_column(CauseColumn)
    args: Mapped[Any] = mapped_column(JsonColumn, nullable=True)
    kwargs: Mapped[Any] = mapped_column(JsonColumn, nullable=True)
    tags: Mapped[Any] = mapped_column(JsonColumn, nullable=True)
    meta: Mapped[Any] = mapped_column(JsonColumn, nullable=True)
    priority: Mapped[int] = mapped_column(SmallInteger, default=0, server_default="0")
    input_payload: Mapped[Any] = mapped_column(JsonColumn, nullable=True)
    output_payload: Mapped[Any] = mapped_column(JsonColumn, nullable=True)
    error_payload: Mapped[Any] = mapped_column(JsonColumn, nullable=True)
    triggered_by: Mapped[str] = mapped_column(Text, default="system")
    user_id: Mapped[int | None] = mapped_column(BigInteger)
    parent: Mapped[str | None] = mapped_column(Text)
    attempt: Mapped[int] = mapped_column(default=0, server_default="0")
    crashes: Mapped[int] = mapped_column(default=0, server_default="0")
    max_attempts: Mapped[int | None]
    worker: Mapped[str | None] = mapped_column(Text)
    enqueued_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    queued_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    scheduled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, onupdate=utc_now)
    pushed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    record: Mapped[bytes | None] = mapped_column(LargeBinary)
    lock: Mapped[Any] = mapped_column(JsonColumn, nullable=True)
    memory: Mapped[str | None] = mapped_column(Text)

    @declared_attr.directive
    @classmethod
    def __table_args__(cls) -> Any:
        return indexes_of(getattr(cls, "__tablename__", "jobs"))

    @property
    def duration(self) -> timedelta | None:
        """How long `run` took; None unless it began and ended."""
        if self.started_at is None or self.finished_at is None:
            return None
        return self.finished_at - self.started_at

    @property
    def is_open(self) -> bool:
        """Whether the job still waits or runs."""
        return self.status in OPEN_STATUSES
