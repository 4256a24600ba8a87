"""Alembic, told to bring the tables from one revision to the last. Loaded only when there is something to do.

Not by way of an `env.py` and `alembic.op`: those live in globals of the process, and two ledgers of one
process may be upgraded at the same moment.
"""

from __future__ import annotations

import io
from functools import lru_cache
from pathlib import Path

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Column, Connection, String

from . import HEAD, VERSION_TABLE


def upgrade(connection: Connection, found: str | None) -> None:
    """Bring the tables from the revision they are at to the last one, within the connection's transaction."""
    context = MigrationContext.configure(
        connection, opts={"version_table": VERSION_TABLE, "transactional_ddl": True}
    )
    _run(context, found)


def ddl(dialect: str, found: str | None) -> str:
    """Tell the statements of `upgrade`, for somebody else to run."""
    told = io.StringIO()
    context = MigrationContext.configure(
        dialect_name=dialect,
        opts={
            "version_table": VERSION_TABLE,
            "transactional_ddl": True,
            "as_sql": True,
            "starting_rev": found,
            "output_buffer": told,
        },
    )
    with context.begin_transaction():
        _run(context, found)
    return told.getvalue()


def revisions() -> list[str]:
    """The names of all revisions, the first one first."""
    return [script.revision for script in scripts().walk_revisions()][::-1]


@lru_cache(maxsize=1)
def scripts() -> ScriptDirectory:
    """All revisions."""
    return ScriptDirectory(str(Path(__file__).parent))


def _run(context: MigrationContext, found: str | None) -> None:
    op = Operations(context)
    if found is None:
        op.create_table(VERSION_TABLE, Column("version_num", String(32), primary_key=True))
    for revision in reversed(list(scripts().iterate_revisions(HEAD, found or "base"))):
        revision.module.upgrade(op)
    context.stamp(scripts(), HEAD)
