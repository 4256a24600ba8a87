"""The first tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

if TYPE_CHECKING:
    from alembic.operations import Operations

revision = "0001"
down_revision = None


def upgrade(op: Operations) -> None:
    """Create them."""
    _create_jobs(op)
    _create_attempts(op)
    _create_audit(op)
    _create_minutes(op)
    _create_queues(op)
    _create_idempotency(op)


def _create_jobs(op: Operations) -> None:
    op.create_table(
        "arqlite_jobs",
        sa.Column("id", sa.String(255), nullable=False),
        sa.Column("queue", sa.String(128), nullable=False),
        sa.Column("job_type", sa.Text(), nullable=False),
        sa.Column("function", sa.Text(), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("cause", sa.String(16)),
        sa.Column("args", sa.JSON()),
        sa.Column("kwargs", sa.JSON()),
        sa.Column("tags", sa.JSON()),
        sa.Column("meta", sa.JSON()),
        sa.Column("priority", sa.SmallInteger(), nullable=False, server_default="0"),
        sa.Column("input_payload", sa.JSON()),
        sa.Column("output_payload", sa.JSON()),
        sa.Column("error_payload", sa.JSON()),
        sa.Column("triggered_by", sa.Text(), nullable=False),
        sa.Column("user_id", sa.BigInteger()),
        sa.Column("parent", sa.Text()),
        sa.Column("attempt", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("crashes", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("max_attempts", sa.Integer()),
        sa.Column("worker", sa.Text()),
        sa.Column("enqueued_at", sa.DateTime(timezone=True)),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("queued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("scheduled_at", sa.DateTime(timezone=True)),
        sa.Column("started_at", sa.DateTime(timezone=True)),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("pushed_at", sa.DateTime(timezone=True)),
        sa.Column("record", sa.LargeBinary()),
        sa.Column("lock", sa.JSON()),
        sa.Column("memory", sa.Text()),
        sa.PrimaryKeyConstraint("id", "queue"),
        sa.CheckConstraint(
            "status IN ('QUEUED', 'RUNNING', 'SUCCESS', 'FAILED', 'CANCELLED')", name="ledger_status"
        ),
    )
    _index_jobs(op)


def _index_jobs(op: Operations) -> None:
    """The indexes, as `rows.indexes_of` has them."""
    _index(op, "open", ["status", "queued_at"], where="status IN ('QUEUED', 'RUNNING')")
    _index(op, "created", ["created_at", "id"])
    _index(op, "finished", ["finished_at"], where="finished_at IS NOT NULL")


def _index(op: Operations, name: str, columns: list[str], where: str | None = None) -> None:
    condition = None if where is None else sa.text(where)
    op.create_index(
        f"ix_arqlite_jobs_{name}",
        "arqlite_jobs",
        columns,
        sqlite_where=condition,
        postgresql_where=condition,
    )


def _create_attempts(op: Operations) -> None:
    op.create_table(
        "arqlite_attempts",
        sa.Column("job_id", sa.String(255), nullable=False),
        sa.Column("queue", sa.String(128), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("worker", sa.Text()),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("cause", sa.String(16)),
        sa.Column("started_at", sa.DateTime(timezone=True)),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.Column("error", sa.JSON()),
        sa.PrimaryKeyConstraint("job_id", "queue", "attempt"),
    )


def _create_audit(op: Operations) -> None:
    op.create_table(
        "arqlite_audit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("queue", sa.String(128), nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("job_id", sa.String(255)),
        sa.Column("detail", sa.JSON()),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_arqlite_audit_at", "arqlite_audit", ["at"])


def _create_minutes(op: Operations) -> None:
    op.create_table(
        "arqlite_minutes",
        sa.Column("minute", sa.Integer(), nullable=False),
        sa.Column("queue", sa.String(128), nullable=False),
        sa.Column("function", sa.String(255), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("run_ms", sa.BigInteger(), nullable=False),
        sa.Column("wait_ms", sa.BigInteger(), nullable=False),
        sa.Column("longest_run_ms", sa.BigInteger(), nullable=False),
        sa.Column("longest_wait_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("minute", "queue", "function", "state"),
    )


def _create_queues(op: Operations) -> None:
    op.create_table(
        "arqlite_queues",
        sa.Column("queue", sa.String(128), nullable=False),
        sa.Column("marker", sa.String(64), nullable=False),
        sa.Column("beat", sa.BigInteger(), nullable=False),
        sa.Column("server", sa.String(64)),
        sa.Column("seen_at", sa.DateTime(timezone=True)),
        sa.Column("reconciled_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("queue"),
    )


def _create_idempotency(op: Operations) -> None:
    op.create_table(
        "arqlite_idempotency",
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("job_id", sa.String(255), nullable=False),
        sa.Column("queue", sa.String(128), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index("ix_arqlite_idempotency_created", "arqlite_idempotency", ["created_at"])
