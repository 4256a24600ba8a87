"""The indexes of a table of jobs: as few as the questions people ask allow, for each job pays for each of them.

A change of a row writes all of its entries anew. So three indexes hold every row, and the others only rows that
are rare, or that carry what is asked for: the common job does not pay for them.

Lists show the newest first, so each index has `created_at` behind what it finds. It has no `id` behind that: the
index would be twice as large for the sake of jobs of the same ms, and those are sorted when they are read.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Index, Text, TextClause, literal_column, text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

TAG_PLACES = 3
"""So many tags of a job have an index each; jobs with more of them are looked through."""

TAG_LENGTH = 100
"""So much of a tag is in its index: a database refuses the row whose entry does not fit on a page."""

WAITS_APART = text("state IN ('suspended', 'scheduled', 'retryable')")
"""Jobs that wait for something else than a free slot."""

HAS_A_TYPE = text("job_type <> function")
ASKED_FOR = text("triggered_by NOT IN ('system', 'queue')")


class tag_at(FunctionElement[str]):  # noqa: N801 (as SQLAlchemy's functions are written)
    """The beginning of a row's tag at a place, from 0; None where there is none."""

    type = Text()
    inherit_cache = True

    def __init__(self, tags: ColumnElement[Any], place: int) -> None:
        # The place as SQL and not as a parameter: only so it is the expression that the index has.
        super().__init__(tags, literal_column(str(place)))


@compiles(tag_at, "sqlite")
def _tag_at_in_sqlite(element: tag_at, compiler: SQLCompiler, **kw: Any) -> str:
    tags, place = (compiler.process(one, **kw) for one in element.clauses)
    return f"substr(json_extract({tags}, '$[{place}]'), 1, {TAG_LENGTH})"


@compiles(tag_at, "postgresql")
def _tag_at_in_postgresql(element: tag_at, compiler: SQLCompiler, **kw: Any) -> str:
    """PostgreSQL can read nothing of a JSON text that has a U+0000 in it, and refuses to try."""
    tags, place = (compiler.process(one, **kw) for one in element.clauses)
    is_readable = f"strpos(CAST({tags} AS TEXT), '\\u0000') = 0"
    return f"(CASE WHEN {is_readable} THEN left({tags} ->> {place}, {TAG_LENGTH}) END)"


def indexes_of(table: str) -> tuple[Index, ...]:
    """The indexes of a table of jobs."""

    def index(name: str, *columns: Any, where: ColumnElement[bool] | TextClause | None = None) -> Index:
        return Index(f"ix_{table}_{name}", *columns, sqlite_where=where, postgresql_where=where)

    tags = [tag_at(literal_column("tags"), place) for place in range(TAG_PLACES + 1)]
    return (
        # All jobs, the newest first, are the five statuses merged: this one serves lists without any filter,
        # those of one status, whoever asks for open rows, and pruning by age.
        index("status", "status", "created_at"),
        index("function", "function", "created_at"),
        index("queue", "queue", "created_at"),
        index("state", "state", "created_at", where=WAITS_APART),
        index("cause", "cause", "created_at", where=text("cause IS NOT NULL")),
        index("job_type", "job_type", "created_at", where=HAS_A_TYPE),
        index("triggered_by", "triggered_by", "created_at", where=ASKED_FOR),
        index("user_id", "user_id", "created_at", where=text("user_id IS NOT NULL")),
        index("parent", "parent", "created_at", where=text("parent IS NOT NULL")),
        *(
            index(f"tag_{place + 1}", tags[place], "created_at", where=tags[place].is_not(None))
            for place in range(TAG_PLACES)
        ),
        index("tags", "created_at", where=tags[TAG_PLACES].is_not(None)),
    )
