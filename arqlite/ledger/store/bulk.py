"""Many rows in one statement, in the words of each database.

A statement per row would be cheap for the database and dear for Python: each value goes through
SQLAlchemy, and the thread that talks to SQLite waits for Python's lock at each row, behind the jobs.
Here the driver gets one text and one flat tuple, and SQLite works through it with the lock let go.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from itertools import chain
from typing import Any

from sqlalchemy import JSON, Column, DateTime, Dialect, Enum, LargeBinary, String, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.types import TypeDecorator, TypeEngine

from ..changes import Moment, Values

_MOST_PARAMETERS = 32_000
_ROWS_AT_ONCE = (500, 100, 20, 1)
_ROWS_OF_AN_ARRAY = 2_000


class Upsert:
    """`INSERT INTO table AS j (columns) ... ON CONFLICT ...`.

    Args:
        table: the table.
        columns: the names of the columns that are given, in their order.
        on_conflict: the rest of the statement; `j` is the row that is there, and `excluded` the new one.
    """

    def __init__(self, table: Table, columns: Sequence[str], on_conflict: str) -> None:
        self.table = table
        self.columns: list[Column[Any]] = [table.c[name] for name in columns]
        self.on_conflict = on_conflict


class Bulk(ABC):
    """How one database takes many rows.

    Attributes:
        moment: what a time in ms since 1970 is in a value.
    """

    moment: Moment

    @abstractmethod
    def read(self, moment: Any) -> datetime:
        """The time that such a value stands for."""

    @abstractmethod
    def calls(self, upsert: Upsert, rows: Sequence[Values]) -> Iterator[tuple[str, Values, Sequence[Values]]]:
        """The statements that write rows, in their order: text, parameters, and the rows that are in it."""


class _Moments(dict[int, str]):
    """Times as SQLite's rows have them; most events of a batch share a few ms."""

    def __missing__(self, at_ms: int) -> str:
        if len(self) > 10_000:
            self.clear()
        seconds, ms = divmod(at_ms, 1_000)
        at = datetime.fromtimestamp(seconds, UTC)
        self[at_ms] = text = f"{at:%Y-%m-%d %H:%M:%S}.{ms:03d}000"
        return text


class SqliteBulk(Bulk):
    """SQLite takes `VALUES` of as many rows; few different numbers of rows, for it keeps statements prepared."""

    def __init__(self) -> None:
        self.moment = _Moments().__getitem__

    def read(self, moment: str) -> datetime:  # noqa: D102
        return datetime.fromisoformat(moment).replace(tzinfo=UTC)

    def calls(self, upsert: Upsert, rows: Sequence[Values]) -> Iterator[tuple[str, Values, Sequence[Values]]]:  # noqa: D102
        place = 0
        for size in _ROWS_AT_ONCE:
            if size * len(upsert.columns) > _MOST_PARAMETERS:
                continue
            while len(rows) - place >= size:
                chunk = rows[place : place + size]
                yield _sqlite_text(upsert, size), tuple(chain.from_iterable(chunk)), chunk
                place += size


@lru_cache(maxsize=256)
def _sqlite_text(upsert: Upsert, size: int) -> str:
    row = f"({', '.join('?' * len(upsert.columns))})"
    return f"{_head(upsert, sqlite.dialect())} VALUES {', '.join([row] * size)} {upsert.on_conflict}"


class PostgresqlBulk(Bulk):
    """PostgreSQL takes a column as an array.

    Args:
        placeholder: of the driver: `$` for numbered ones, else what stands for any of them.
    """

    def __init__(self, placeholder: str) -> None:
        self._placeholder = placeholder
        self.moment = int

    def read(self, moment: int) -> datetime:  # noqa: D102
        return datetime.fromtimestamp(moment / 1000, UTC)

    def calls(self, upsert: Upsert, rows: Sequence[Values]) -> Iterator[tuple[str, Values, Sequence[Values]]]:  # noqa: D102
        for place in range(0, len(rows), _ROWS_OF_AN_ARRAY):
            chunk = rows[place : place + _ROWS_OF_AN_ARRAY]
            # (Not zip, which gives tuples: psycopg takes those for rows.)
            arrays = tuple(map(list, zip(*chunk, strict=True)))
            yield _postgresql_text(upsert, self._placeholder), arrays, chunk


@lru_cache(maxsize=256)
def _postgresql_text(upsert: Upsert, placeholder: str) -> str:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    arrays, values = [], []
    for number, column in enumerate(upsert.columns, 1):
        sent, kept = _types(column.type, dialect)
        mark = f"${number}" if placeholder == "$" else placeholder
        arrays.append(f"CAST({mark} AS {sent}[])")
        values.append(kept.format(f"t.c{number}"))
    names = ", ".join(f"c{number}" for number in range(1, len(arrays) + 1))
    return (
        f"{_head(upsert, dialect)} SELECT {', '.join(values)} FROM unnest({', '.join(arrays)}) AS t({names}) "
        f"{upsert.on_conflict}"
    )


def _types(column_type: TypeEngine[Any], dialect: Dialect) -> tuple[str, str]:
    """What a column's values are sent as, and how they become what it holds."""
    plain = column_type.impl_instance if isinstance(column_type, TypeDecorator) else column_type
    name = column_type.compile(dialect)
    if isinstance(plain, DateTime):
        return "BIGINT", "to_timestamp({} / CAST(1000 AS DOUBLE PRECISION))"
    if isinstance(plain, JSON):
        return "TEXT", f"CAST({{}} AS {name})"
    if isinstance(plain, String | Enum):
        return "TEXT", "{}"  # (a cast to VARCHAR(n) would cut what is too long)
    if isinstance(plain, LargeBinary):
        return "BYTEA", "{}"
    return name, "{}"


def _head(upsert: Upsert, dialect: Dialect) -> str:
    preparer = dialect.identifier_preparer
    columns = ", ".join(preparer.format_column(column) for column in upsert.columns)
    return f"INSERT INTO {preparer.format_table(upsert.table)} AS j ({columns})"


@lru_cache(maxsize=8)
def bulk_of(dialect_name: str, paramstyle: str) -> Bulk:
    """How a database takes many rows."""
    if dialect_name != "postgresql":
        return SqliteBulk()
    return PostgresqlBulk("$" if paramstyle == "numeric_dollar" else "%s")
