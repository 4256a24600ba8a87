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
from itertools import accumulate, chain, count
from typing import Any

from sqlalchemy import JSON, Column, DateTime, Dialect, Enum, LargeBinary, String, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.types import TypeDecorator, TypeEngine

from ..changes import Moment, Values
from ..exactjson import exact

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
        self.has_json = [isinstance(plain_type(column.type), JSON) for column in self.columns]
        self.has_bytes = [isinstance(plain_type(column.type), LargeBinary) for column in self.columns]


class Update(Upsert):
    """`UPDATE table AS j SET ... FROM (rows) AS excluded WHERE ...`.

    Args:
        table: the table.
        columns: the names of the columns that are given, in their order.
        changes: the rest of the statement: what is set.
        where: which rows are changed, in the same words as in an `Upsert`.
    """

    def __init__(self, table: Table, columns: Sequence[str], changes: str, where: str) -> None:
        super().__init__(table, columns, "")
        self.changes = changes
        self.where = where


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
    def call(self, upsert: Upsert, shape: Shape, first: int = 1) -> tuple[str, Values]:
        """The statement for rows, and its parameters, of which the first has this number."""


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
        self.same = tuple(
            column[0] == column[-1] and column.count(column[0]) == self.count for column in by_column
        )
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
    """SQLite takes `VALUES`, of few different numbers of rows: it keeps statements prepared.

    Its `UPDATE ... FROM` first gathers all that it will write: an upsert is quicker.
    """

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

    def call(self, upsert: Upsert, shape: Shape, first: int = 1) -> tuple[str, Values]:  # noqa: D102
        values, columns = iter(shape.values), iter(shape.columns)
        single: list[Any] = []
        several: list[Sequence[Any]] = []
        for is_same, is_json in zip(shape.same, upsert.has_json, strict=True):
            if is_same:
                value = next(values)
                single.append(exact(value) if is_json else value)
            else:
                column = next(columns)
                several.append(list(map(exact, column)) if is_json else column)
        rows = chain.from_iterable(zip(*several, strict=True))
        return _sqlite_text(upsert, shape.count, shape.same), (*single, *rows)


@lru_cache(maxsize=256)
def _sqlite_text(upsert: Upsert, count: int, same: tuple[bool, ...]) -> str:
    number = sum(same)
    shared = iter(range(1, number + 1))
    marks = [f"?{next(shared)}" if is_same else "?" for is_same in same]
    # A plain `?` counts on from the highest number so far: the first row has to tell where that begins.
    first = list(marks)
    if False in same:
        first[same.index(False)] = f"?{number + 1}"
    rows = ", ".join([f"({', '.join(first)})", *[f"({', '.join(marks)})"] * (count - 1)])
    return f"{_head(upsert, sqlite.dialect())} VALUES {rows} {upsert.on_conflict}"


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

    def mark(self, number: int) -> str:
        """The mark of a parameter, by its number from 1."""
        return f"${number}" if self._placeholder == "$" else self._placeholder

    def call(self, upsert: Upsert, shape: Shape, first: int = 1) -> tuple[str, Values]:  # noqa: D102
        text = _postgresql_text(upsert, shape.same, self._placeholder, first)
        values, columns = iter(shape.values), iter(shape.columns)
        single: list[Any] = []
        arrays: list[str] = []
        for is_same, is_bytes in zip(shape.same, upsert.has_bytes, strict=True):
            if is_same:
                single.append(next(values))
            elif is_bytes:
                begins, lengths, joined = _pieces_of(next(columns))
                single.append(joined)
                arrays += (begins, lengths)
            else:
                arrays.append(_array_of(next(columns)))
        return text, (*single, *arrays)


def _pieces_of(column: Sequence[bytes | None]) -> tuple[str, str, bytes]:
    """Where in one long value each begins, how long it is, and that value: as text they are twice as long."""
    lengths = [None if value is None else len(value) for value in column]
    begins = accumulate((length or 0 for length in lengths), initial=1)
    return _array_of(list(begins)[:-1]), _array_of(lengths), b"".join(filter(None, column))


def _array_of(column: Sequence[Any]) -> str:
    """An array as PostgreSQL writes it; of a list, drivers ask for each element whether it is a list, too."""
    if isinstance(column[0], int):
        # (An integer or None; a boolean reads well, too.)
        return f"{{{','.join(map(str, column))}}}".replace("None", "NULL")
    try:
        joined = '","'.join(column)
    except TypeError:  # there are others than texts
        return f"{{{','.join(map(_element, column))}}}"
    if "\\" in joined or joined.count('"') != 2 * (len(column) - 1):
        return f"{{{','.join(map(_element, column))}}}"
    return f'{{"{joined}"}}'


def _element(value: Any) -> str:
    if value is None:
        return "NULL"
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


@lru_cache(maxsize=256)
def _postgresql_text(upsert: Upsert, same: tuple[bool, ...], placeholder: str, first: int) -> str:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    marks = (f"${number}" if placeholder == "$" else placeholder for number in count(first))
    types = [_types(column.type, dialect) for column in upsert.columns]
    values, arrays = {}, {}
    for place, (is_same, (sent, _)) in enumerate(zip(same, types, strict=True)):
        if is_same:
            values[place] = f"CAST({next(marks)} AS {sent})"
        elif upsert.has_bytes[place]:
            values[place] = f"substr(CAST({next(marks)} AS BYTEA), t.b{place}, t.n{place})"
        else:
            values[place] = f"t.c{place}"
    for place, (is_same, (sent, _)) in enumerate(zip(same, types, strict=True)):
        if not is_same and upsert.has_bytes[place]:
            arrays[f"b{place}"], arrays[f"n{place}"] = (_array(next(marks), "INTEGER") for _ in range(2))
        elif not is_same:
            arrays[f"c{place}"] = _array(next(marks), sent)
    rows = f"unnest({', '.join(arrays.values())}) AS t({', '.join(arrays)})"
    told = [kept.format(values[place]) for place, (_, kept) in enumerate(types)]
    if not isinstance(upsert, Update):
        select = f"SELECT {', '.join(told)} FROM {rows}"  # noqa: S608 (no values)
        return f"{_head(upsert, dialect)} {select} {upsert.on_conflict}"
    preparer = dialect.identifier_preparer
    named = [
        f"{value} AS {preparer.format_column(column)}"
        for value, column in zip(told, upsert.columns, strict=True)
    ]
    source = f"(SELECT {', '.join(named)} FROM {rows}) AS excluded"  # noqa: S608 (no values)
    table = preparer.format_table(upsert.table)
    return f"UPDATE {table} AS j SET {upsert.changes} FROM {source} WHERE {upsert.where}"  # noqa: S608


def _array(mark: str, sent: str) -> str:
    # The planner is not to see how many there are: it would think that it does well to read a whole table
    # for them, and would lock rows in the order in which it finds them there.
    return f"CAST((SELECT CAST({mark} AS TEXT)) AS {sent}[])"


def plain_type(column_type: TypeEngine[Any]) -> TypeEngine[Any]:
    """The type of a column, without what decorates it."""
    return column_type.impl_instance if isinstance(column_type, TypeDecorator) else column_type


def _types(column_type: TypeEngine[Any], dialect: Dialect) -> tuple[str, str]:
    """What a column's values are sent as, and how they become what it holds."""
    plain = plain_type(column_type)
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
