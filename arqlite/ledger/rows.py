"""One row per job: the columns, as a mixin for the application's own table."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import JSON, DateTime, Dialect, Enum, Index, String, Text, TypeDecorator, text
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

from ..model.states import LedgerStatus

JOB_ID_LENGTH = 255
"""Room for the ids users choose and for those of cron jobs, which carry a dotted path and a time."""

BY_QUEUE = "queue"
"""`triggered_by` of a row that the recorder opened: it knows the job from the queue alone."""

OPEN_STATUSES = (LedgerStatus.QUEUED, LedgerStatus.RUNNING)
_IS_OPEN = text("status IN ('QUEUED', 'RUNNING')")


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
_Json = JSON(none_as_null=True)
_Status = Enum(
    LedgerStatus,
    native_enum=False,
    create_constraint=True,
    validate_strings=True,
    name="ledger_status",
    length=16,
)


class JobRowMixin:
    """A job in the ledger. Mix it into a declarative class of your own and add what you need.

    Attributes:
        id: the queue's job id.
        job_type: what kind of work it is, in the application's words, e.g. `EMAIL_FETCH`.
        function: the name it was enqueued under; of a job run outside a worker, its class.
        queue: the queue it went to; None for a job run outside a worker.
        status: where it is; see `LedgerStatus`.
        input_payload: what it was asked to do.
        output_payload: what it gave back, once SUCCESS.
        error_payload: why it is FAILED, or why it waits again: `{type, message, traceback}`. None on SUCCESS.
        error_history: what went wrong in earlier runs, oldest first, the worker's death included;
            it stays when a later run succeeds.
        triggered_by: who asked for it: `system`, `api`, a user's name.
        user_id: for whom it runs, if for anybody.
        attempt: which start this is, from 1; 0 before the first. Starts whose worker died count.
        crashes: how many of the starts ended with their worker.
        worker: who ran it last.
        enqueued_at: when the queue took it, by the enqueuer's clock, once a worker told; with the id it says
            which job this is, for ids may be used again.
        created_at: when it was first accepted.
        queued_at: when it last began to wait; differs from `created_at` once it was given back.
        started_at: when its `run` began, after `before_run`; None until then.
        finished_at: when it ended; None while it is open.
        updated_at: when this row last changed.
    """

    id: Mapped[str] = mapped_column(String(JOB_ID_LENGTH), primary_key=True)
    job_type: Mapped[str] = mapped_column(Text)
    function: Mapped[str] = mapped_column(Text)
    queue: Mapped[str | None] = mapped_column(Text)
    status: Mapped[LedgerStatus] = mapped_column(_Status, default=LedgerStatus.QUEUED)
    input_payload: Mapped[Any] = mapped_column(_Json, nullable=True)
    output_payload: Mapped[Any] = mapped_column(_Json, nullable=True)
    error_payload: Mapped[Any] = mapped_column(_Json, nullable=True)
    error_history: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list, server_default="[]")
    triggered_by: Mapped[str] = mapped_column(Text, default="system")
    user_id: Mapped[int | None]
    attempt: Mapped[int] = mapped_column(default=0, server_default="0")
    crashes: Mapped[int] = mapped_column(default=0, server_default="0")
    worker: Mapped[str | None] = mapped_column(Text)
    enqueued_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    queued_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, onupdate=utc_now)

    @declared_attr.directive
    @classmethod
    def __table_args__(cls) -> Any:
        table = getattr(cls, "__tablename__", "jobs")
        return (
            # Of millions of rows only those still open are asked for by status.
            Index(
                f"ix_{table}_open", "status", "queued_at", sqlite_where=_IS_OPEN, postgresql_where=_IS_OPEN
            ),
            Index(f"ix_{table}_created", "created_at", "id"),
        )

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
