"""How long runs took and waited, for percentiles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

if TYPE_CHECKING:
    from alembic.operations import Operations

revision = "0002"
down_revision = "0001"


def upgrade(op: Operations) -> None:
    """Create the table."""
    queue = sa.String(128).with_variant(sa.String(128, collation="C"), "postgresql")
    op.create_table(
        "arqlite_spreads",
        sa.Column("start", sa.Integer(), nullable=False),
        sa.Column("span", sa.SmallInteger(), nullable=False),
        sa.Column("queue", queue, nullable=False),
        sa.Column("function", sa.String(255), nullable=False),
        sa.Column("run_ms", sa.Text(), nullable=False),
        sa.Column("wait_ms", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("start", "span", "queue", "function"),
    )
