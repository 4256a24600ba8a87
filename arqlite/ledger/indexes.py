"""The indexes of a table of jobs: as few as the questions people ask allow, for each job pays for each.

A change of a row writes all of its entries anew. So three indexes hold every row and one those that have
ended; the others hold only rows that are rare, or that carry what is asked for: the common job does not pay
for them.

Lists show the newest first, so each index has `created_at` behind what it finds. It has no `id` behind that:
the index would be twice as large for the sake of jobs of the same ms, and those are sorted when they are
read.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Index, Table, Text, literal_column, text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

TAG_PLACES = 3
"""So many tags of a job have an index each; jobs with more of them are looked through."""

TAG_LENGTH = 100
"""So much of a tag is in its index: a database refuses the row whose entry does not fit on a page."""

WAITS_APART = text("state IN ('suspended', 'scheduled', 'retryable')")
"""Jobs that wait for something else than a free slot."""

IS_UNPUSHED = "status = 'QUEUED' AND pushed_at IS NULL"
"""Jobs that may not be in Redis."""

HAS_A_TYPE = text("job_type <> function")
ASKED_FOR = text("triggered_by NOT IN ('system', 'queue')")


class tag_at(FunctionElement[str]):  # noqa: N801 (as SQLAlchemy's functions are written)
    """The beginning of a row's tag at a place, from 0; None where there is none."""

    type = Text()
    inherit_cache = True

    def __init__(self, tags: ColumnElement[Any], place: int) -> None:
        # The place as SQL and not as a parameter: only so it is the expression that the index has.
        super().__init__(tags, literal_column(str(place)))


@compiles(tag_at)
def _tag_at(element: tag_at, compiler: SQLCompiler, **kw: Any) -> str:
    """PostgreSQL can read nothing of a JSON text that has a U+0000 in it, and refuses to try."""
    tags, place = (compiler.process(one, **kw) for one in element.clauses)
    is_readable = f"strpos(CAST({tags} AS TEXT), '\\u0000') = 0"
    return f"(CASE WHEN {is_readable} THEN left({tags} ->> {place}, {TAG_LENGTH}) END)"


def indexes_of(table: str) -> tuple[Index, ...]:
    """The indexes of any table of jobs."""
    return (
        # All jobs, the newest first, are the five statuses merged: this one serves lists without any filter,
        # those of one status, and whoever asks for open rows.
        _index(table, "status", "status", "created_at"),
        _index(table, "function", "function", "created_at"),
        _index(table, "queue", "queue", "created_at"),
        # Pruning takes what ended first.
        _index(table, "finished", "finished_at", where=text("finished_at IS NOT NULL")),
        # Nearly always empty: the relay asks for it every second.
        _index(table, "unpushed", "queue", "queued_at", where=text(IS_UNPUSHED)),
        _index(table, "state", "state", "created_at", where=WAITS_APART),
        _index(table, "cause", "cause", "created_at", where=text("cause IS NOT NULL")),
        _index(table, "job_type", "job_type", "created_at", where=HAS_A_TYPE),
        _index(table, "triggered_by", "triggered_by", "created_at", where=ASKED_FOR),
        _index(table, "user_id", "user_id", "created_at", where=text("user_id IS NOT NULL")),
        _index(table, "parent", "parent", "created_at", where=text("parent IS NOT NULL")),
    )


def tag_indexes_of(table: str) -> tuple[Index, ...]:
    """Those of the tags, on PostgreSQL.

    SQLite could have them, but SQLAlchemy warns of an index on an expression there, whenever somebody's
    autogenerate comes across it.
    """
    tags = [tag_at(literal_column("tags"), place) for place in range(TAG_PLACES + 1)]
    has_tag = [tag.is_not(None) for tag in tags]
    indexes = [
        *(
            _index(table, f"tag_{place + 1}", tags[place], "created_at", where=has_tag[place])
            for place in range(TAG_PLACES)
        ),
        _index(table, "tags", "created_at", where=has_tag[TAG_PLACES]),
    ]
    for index in indexes:
        index.ddl_if(dialect="postgresql")
    return tuple(indexes)


def has_tag_indexes(table: Table) -> bool:
    """Whether a table was given them."""
    return any(index.name == f"ix_{table.name}_tags" for index in table.indexes)


def _index(table: str, name: str, *columns: Any, where: Any = None) -> Index:
    return Index(f"ix_{table}_{name}", *columns, sqlite_where=where, postgresql_where=where)
