"""Many rows in one parameter: a JSON document that the database takes apart.

A statement per row would be cheap for the database and dear for Python: each value goes through
SQLAlchemy, and the thread that talks to SQLite waits for Python's lock at each row, behind the jobs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from pydantic_core import to_json
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Integer,
    Text,
    bindparam,
    cast,
    column,
    func,
    literal,
    type_coerce,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.types import TypeEngine

from ..changes import ToldRow

_DOCUMENT = bindparam("document", type_=Text)
_MOMENTS = ("enqueued_at", "created_at", "started_at", "finished_at", "updated_at")
_TEXTS = ("id", "function", "queue", "status", "worker", "output_payload", "error_payload")


def packed(rows: Sequence[ToldRow]) -> dict[str, str]:
    """The parameter of a statement that unpacks."""
    return {"document": to_json(rows).decode()}


class Unpacking(ABC):
    """The document's rows as a table, in the words of one database."""

    insert: Any

    @property
    @abstractmethod
    def source(self) -> FromClause:
        """The table; has a row for each of the document's."""

    @abstractmethod
    def value(self, name: str) -> ColumnElement[Any]:
        """A text or a number."""

    @abstractmethod
    def moment(self, name: str) -> ColumnElement[Any]:
        """A time, which the document has in ms since 1970."""

    @abstractmethod
    def json(self, value: ColumnElement[Any], column_type: TypeEngine[Any]) -> ColumnElement[Any]:
        """A text as what a column of JSON holds."""

    @abstractmethod
    def longer(self, history: ColumnElement[Any], entry: Sequence[Any], at: Any) -> ColumnElement[Any]:
        """A column's JSON array with an object added, which is given as names and values, and a time."""


class SqliteUnpacking(Unpacking):
    """SQLite keeps times and JSON as text."""

    insert = staticmethod(sqlite.insert)
    source = func.json_each(_DOCUMENT).table_valued("value")

    def value(self, name: str) -> ColumnElement[Any]:  # noqa: D102
        return func.json_extract(self.source.c.value, f"$.{name}")

    def moment(self, name: str) -> ColumnElement[Any]:  # noqa: D102
        in_ms = func.strftime("%Y-%m-%d %H:%M:%f", self.value(name) / 1000.0, "unixepoch")
        return in_ms.op("||")("000")

    def json(self, value: ColumnElement[Any], column_type: TypeEngine[Any]) -> ColumnElement[Any]:  # noqa: D102
        return value

    def longer(self, history: ColumnElement[Any], entry: Sequence[Any], at: Any) -> ColumnElement[Any]:  # noqa: D102
        moment = func.strftime("%Y-%m-%dT%H:%M:%f+00:00", at)
        return func.json_insert(history, "$[#]", func.json_object(*entry, moment))


class PostgresqlUnpacking(Unpacking):
    """PostgreSQL has types for all of it."""

    insert = staticmethod(postgresql.insert)
    source = (
        func.json_to_recordset(cast(_DOCUMENT, postgresql.JSON))
        .table_valued(
            *(column(name, Text) for name in _TEXTS),
            *(column(name, BigInteger) for name in _MOMENTS),
            column("attempt", Integer),
            name="told",
        )
        .render_derived(with_types=True)
    )

    def value(self, name: str) -> ColumnElement[Any]:  # noqa: D102
        return self.source.c[name]

    def moment(self, name: str) -> ColumnElement[Any]:  # noqa: D102
        return func.to_timestamp(self.value(name) / literal(1000.0, postgresql.DOUBLE_PRECISION))

    def json(self, value: ColumnElement[Any], column_type: TypeEngine[Any]) -> ColumnElement[Any]:  # noqa: D102
        return cast(value, column_type)

    def longer(self, history: ColumnElement[Any], entry: Sequence[Any], at: Any) -> ColumnElement[Any]:  # noqa: D102
        added = func.jsonb_build_array(func.jsonb_build_object(*entry, at))
        longer: ColumnElement[Any] = type_coerce(cast(history, postgresql.JSONB) + added, postgresql.JSONB)
        return cast(longer, history.type)
