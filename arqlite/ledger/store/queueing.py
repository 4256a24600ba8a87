"""QUEUED rows in somebody's own transaction: written with their data, and gone when that is rolled back.

They are written on the connection itself: through a session, SQLAlchemy would flush first what it holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypeAlias

from sqlalchemy import Connection, Table, insert
from sqlalchemy.dialects import postgresql, sqlite

from ..rows import OPEN_STATUSES

Row: TypeAlias = dict[str, Any]

_DIALECTS: dict[str, Any] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}


def queue_rows(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Write rows of jobs whose ids were just made: nobody else can have them."""
    if rows:
        connection.execute(insert(table), list(rows))


def queue_unless_open(connection: Connection, table: Table, row: Row) -> bool:
    """Write the row of a job whose id its caller chose. False if a job of this id is open.

    The row of one that has ended begins anew. Who has the id in a transaction of its own is waited for.
    """
    statement = _unless_open(table, connection.dialect.name)
    return connection.execute(statement, row).first() is not None


@lru_cache(maxsize=32)
def _unless_open(table: Table, dialect: str) -> Any:
    statement = _DIALECTS[dialect](table)
    new = statement.excluded
    anew = {column.name: new[column.name] for column in table.c if not column.primary_key}
    return statement.on_conflict_do_update(
        index_elements=[table.c.id, table.c.queue],
        set_=anew,
        where=table.c.status.not_in(OPEN_STATUSES),
    ).returning(table.c.id)
