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
from itertools import chain, count
from typing import Any

from sqlalchemy import JSON, Column, DateTime, Dialect, Enum, LargeBinary, String, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.types import TypeDecorator, TypeEngine

from ..changes import Moment, Values

_MOST_PARAMETERS = 32_000
_ROWS_AT_ONCE = (200, 50, 10, 1)
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
    def parts(self, rows: Sequence[Values], columns: int) -> Iterator[Sequence[Values]]:
        """Rows in as many as go into one statement."""

    @abstractmethod
    def call(self, upsert: Upsert, shape: Shape) -> tuple[str, Values]:
        """The statement for rows, and its parameters."""


class Shape:
    """Rows by column. Where all have the same value, it is sent once: of most columns that is so.

    Attributes:
        count: how many rows.
        same: for each column, whether there is but one value.
        values: these values, in the order of columns.
        columns: the values of the others, by column.
    """

    def __init__(self, rows: Sequence[Values]) -> None:
        self.count = len(rows)
        by_column = list(zip(*rows, strict=True))
        self.same = tuple(column.count(column[0]) == self.count for column in by_column)
        if self.count == 1:
            self.same = (False,) * len(by_column)  # (one statement serves all single rows)
        self.values = tuple(column[0] for column, same in zip(by_column, self.same, strict=True) if same)
        self.columns = [column for column, same in zip(by_column, self.same, strict=True) if not same]


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

    def parts(self, rows: Sequence[Values], columns: int) -> Iterator[Sequence[Values]]:  # noqa: D102
        place = 0
        for size in _ROWS_AT_ONCE:
            while len(rows) - place >= size and size * columns <= _MOST_PARAMETERS:
                yield rows[place : place + size]
                place += size

    def call(self, upsert: Upsert, shape: Shape) -> tuple[str, Values]:  # noqa: D102
        rows = chain.from_iterable(zip(*shape.columns, strict=True))
        return _sqlite_text(upsert, shape.count, shape.same), (*shape.values, *rows)


@lru_cache(maxsize=256)
def _sqlite_text(upsert: Upsert, count: int, same: tuple[bool, ...]) -> str:
    number = sum(same)
    shared = iter(range(1, number + 1))
    marks = [f"?{next(shared)}" if is_same else "?" for is_same in same]
    # A plain `?` counts on from the highest number so far: the first row has to tell where that begins.
    first = list(marks)
    if False in same:
        first[same.index(False)] = f"?{number + 1}"
    rows = [f"({', '.join(first)})", *[f"({', '.join(marks)})"] * (count - 1)]
    return f"{_head(upsert, sqlite.dialect())} VALUES {', '.join(rows)} {upsert.on_conflict}"


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

    def parts(self, rows: Sequence[Values], columns: int) -> Iterator[Sequence[Values]]:  # noqa: D102
        return (rows[place : place + _ROWS_OF_AN_ARRAY] for place in range(0, len(rows), _ROWS_OF_AN_ARRAY))

    def call(self, upsert: Upsert, shape: Shape) -> tuple[str, Values]:  # noqa: D102
        # (Lists, for psycopg takes tuples for rows.)
        arrays = map(list, shape.columns)
        return _postgresql_text(upsert, shape.same, self._placeholder), (*shape.values, *arrays)


@lru_cache(maxsize=256)
def _postgresql_text(upsert: Upsert, same: tuple[bool, ...], placeholder: str) -> str:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    marks = (f"${number}" if placeholder == "$" else placeholder for number in count(1))
    types = [_types(column.type, dialect) for column in upsert.columns]
    shared = {
        place: f"CAST({next(marks)} AS {types[place][0]})" for place, is_same in enumerate(same) if is_same
    }
    arrays = {
        place: f"CAST({next(marks)} AS {types[place][0]}[])"
        for place, is_same in enumerate(same)
        if not is_same
    }
    values = [kept.format(shared.get(place, f"t.c{place}")) for place, (_, kept) in enumerate(types)]
    names = ", ".join(f"c{place}" for place in arrays)
    return (
        f"{_head(upsert, dialect)} SELECT {', '.join(values)} FROM unnest({', '.join(arrays.values())}) AS t({names}) "
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
