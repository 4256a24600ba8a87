"""Whether a column's JSON has all of a pattern, as `model.filters.contains` has it, in SQL."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

from pydantic_core import to_jsonable_python
from sqlalchemy import ColumnElement, Text, and_, bindparam, case, cast, false, func, literal, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import Integer, Numeric

ValueT = TypeVar("ValueT")


class Containing(ABC, Generic[ValueT]):
    """What JSON can be asked for; `ValueT` is how a database has a value at hand that is inside of one."""

    def contains(self, column: ColumnElement[Any], pattern: Any) -> ColumnElement[bool]:
        """A column has all of a pattern."""
        return self.readable(column, self.matches(self.root(column), pattern))

    def matches(self, value: ValueT, pattern: Any) -> ColumnElement[bool]:
        """A value has all of a pattern: a dict its entries, a list for each item one that has it."""
        if isinstance(pattern, Mapping):
            entries = [self.entry(value, str(key), self._matcher(part)) for key, part in pattern.items()]
            return and_(self.is_a(value, "object"), *entries)
        if isinstance(pattern, list | tuple):
            return and_(self.is_a(value, "array"), *(self.item(value, self._matcher(one)) for one in pattern))
        plain = to_jsonable_python(pattern, fallback=str)
        if isinstance(plain, Mapping | list):
            return self.matches(value, plain)
        return self.equals(value, plain)

    def args_are(self, column: ColumnElement[Any], pattern: tuple[Any, ...]) -> ColumnElement[bool]:
        """A column's list has as many items as the pattern, and each has its part."""
        return and_(
            self.length(column) == len(pattern),
            *(self.argument(column, place, part) for place, part in enumerate(pattern)),
        )

    def argument(self, column: ColumnElement[Any], place: int, pattern: Any) -> ColumnElement[bool]:
        """The item of a column's list at a place has all of a pattern."""
        return self.readable(column, self.place(self.root(column), place, self._matcher(pattern)))

    def _matcher(self, pattern: Any) -> Callable[[ValueT], ColumnElement[bool]]:
        return lambda value: self.matches(value, pattern)

    @abstractmethod
    def root(self, column: ColumnElement[Any]) -> ValueT:
        """The value of a whole column."""

    @abstractmethod
    def readable(self, column: ColumnElement[Any], condition: ColumnElement[bool]) -> ColumnElement[bool]:
        """The condition, if the database can read the column at all."""

    @abstractmethod
    def is_a(self, value: ValueT, kind: str) -> ColumnElement[bool]:
        """It is an `object` or an `array`."""

    @abstractmethod
    def entry(
        self, value: ValueT, key: str, matches: Callable[[ValueT], ColumnElement[bool]]
    ) -> ColumnElement[bool]:
        """An object has this key, and what is there matches."""

    @abstractmethod
    def item(self, value: ValueT, matches: Callable[[ValueT], ColumnElement[bool]]) -> ColumnElement[bool]:
        """An item of an array matches."""

    @abstractmethod
    def place(
        self, value: ValueT, place: int, matches: Callable[[ValueT], ColumnElement[bool]]
    ) -> ColumnElement[bool]:
        """The item at a place of an array matches."""

    @abstractmethod
    def equals(self, value: ValueT, plain: str | float | bool | None) -> ColumnElement[bool]:
        """It is a text, a number, true, false or null."""

    @abstractmethod
    def length(self, column: ColumnElement[Any]) -> ColumnElement[int]:
        """How many items a column's list has; no list has none."""


class _Node(NamedTuple):
    """SQLite's: what `json_each` says of it, and the JSON to go on with."""

    kind: ColumnElement[Any]
    value: ColumnElement[Any]


class SqliteContaining(Containing[_Node]):
    """By `json_each`, which takes keys as they are; a path cannot have every key."""

    def root(self, column: ColumnElement[Any]) -> _Node:  # noqa: D102
        as_text = cast(column, Text)
        return _Node(func.json_type(as_text), as_text)

    def readable(self, column: ColumnElement[Any], condition: ColumnElement[bool]) -> ColumnElement[bool]:  # noqa: D102
        return and_(column.is_not(None), condition)

    def is_a(self, value: _Node, kind: str) -> ColumnElement[bool]:  # noqa: D102
        return value.kind == kind

    def entry(  # noqa: D102
        self, value: _Node, key: str, matches: Callable[[_Node], ColumnElement[bool]]
    ) -> ColumnElement[bool]:
        return self._each(value, "object", matches, key)

    def item(self, value: _Node, matches: Callable[[_Node], ColumnElement[bool]]) -> ColumnElement[bool]:  # noqa: D102
        return self._each(value, "array", matches)

    def place(  # noqa: D102
        self, value: _Node, place: int, matches: Callable[[_Node], ColumnElement[bool]]
    ) -> ColumnElement[bool]:
        return self._each(value, "array", matches, place)

    def equals(self, value: _Node, plain: str | float | bool | None) -> ColumnElement[bool]:  # noqa: D102
        if isinstance(plain, bool) or plain is None:
            return value.kind == {True: "true", False: "false", None: "null"}[plain]
        if isinstance(plain, str):
            return and_(value.kind == "text", value.value == plain)
        if isinstance(plain, int) and not -(2**63) <= plain < 2**63:
            return false()
        return and_(value.kind.in_(["integer", "real"]), value.value == plain)

    def length(self, column: ColumnElement[Any]) -> ColumnElement[int]:  # noqa: D102
        return func.coalesce(func.json_array_length(cast(column, Text)), 0)

    def _each(
        self,
        value: _Node,
        kind: str,
        matches: Callable[[_Node], ColumnElement[bool]],
        key: str | int | None = None,
    ) -> ColumnElement[bool]:
        # It takes the value apart before anything else is asked, and refuses a text that is no JSON.
        inside = func.json_each(case((value.kind == kind, value.value), else_="[]"))
        each = inside.table_valued("key", "value", "type")
        found = select(literal(1)).select_from(each).where(matches(_Node(each.c.type, each.c.value)))
        return (found if key is None else found.where(each.c.key == key)).exists()


class PostgresqlContaining(Containing[ColumnElement[Any]]):
    """By the operators of `json`."""

    def root(self, column: ColumnElement[Any]) -> ColumnElement[Any]:  # noqa: D102
        return cast(column, postgresql.JSON)

    def readable(self, column: ColumnElement[Any], condition: ColumnElement[bool]) -> ColumnElement[bool]:
        """PostgreSQL fails to read a JSON text that has a U+0000 anywhere."""
        return case((func.strpos(cast(column, Text), "\\u0000") == 0, condition), else_=false())

    def is_a(self, value: ColumnElement[Any], kind: str) -> ColumnElement[bool]:  # noqa: D102
        return func.json_typeof(value) == kind

    def entry(  # noqa: D102
        self,
        value: ColumnElement[Any],
        key: str,
        matches: Callable[[ColumnElement[Any]], ColumnElement[bool]],
    ) -> ColumnElement[bool]:
        if "\0" in key:
            return false()
        return matches(value.op("->", return_type=postgresql.JSON())(bindparam(None, key, Text)))

    def item(  # noqa: D102
        self, value: ColumnElement[Any], matches: Callable[[ColumnElement[Any]], ColumnElement[bool]]
    ) -> ColumnElement[bool]:
        items = case((self.is_a(value, "array"), value), else_=cast(literal("[]", Text), postgresql.JSON))
        each = func.json_array_elements(items).table_valued("value")
        one = cast(each.c.value, postgresql.JSON)
        return select(literal(1)).select_from(each).where(matches(one)).exists()

    def place(  # noqa: D102
        self,
        value: ColumnElement[Any],
        place: int,
        matches: Callable[[ColumnElement[Any]], ColumnElement[bool]],
    ) -> ColumnElement[bool]:
        return matches(value.op("->", return_type=postgresql.JSON())(bindparam(None, place, Integer)))

    def equals(self, value: ColumnElement[Any], plain: str | float | bool | None) -> ColumnElement[bool]:  # noqa: D102
        kind = func.json_typeof(value)
        as_text = value.op("#>>", return_type=Text())(cast(literal("{}", Text), postgresql.ARRAY(Text)))
        if plain is None:
            return kind == "null"
        if isinstance(plain, bool):
            return and_(kind == "boolean", as_text == ("true" if plain else "false"))
        if isinstance(plain, str):
            return false() if "\0" in plain else and_(kind == "string", as_text == plain)
        if not math.isfinite(plain):
            return false()
        number = case((kind == "number", cast(as_text, Numeric)), else_=None)
        return number == cast(literal(repr(plain), Text), Numeric)

    def length(self, column: ColumnElement[Any]) -> ColumnElement[int]:  # noqa: D102
        value = self.root(column)
        return case((self.is_a(value, "array"), func.json_array_length(value)), else_=0)


CONTAINING: dict[str, Containing[Any]] = {
    "sqlite": SqliteContaining(),
    "postgresql": PostgresqlContaining(),
}
"""By the name of a dialect."""
