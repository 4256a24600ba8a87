"""JSON in SQLite whose bare numbers are what they were. No I/O."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlalchemy import JSON, Dialect
from sqlalchemy.dialects.sqlite.base import SQLiteDialect

_NUMBERS_BEGIN = frozenset("-0123456789")
_EXACT_DIGITS = 18
"""An integer of so many digits is one to SQLite, too."""


def exact(value: Any) -> Any:
    """A JSON text as a column of SQLite keeps it.

    A column that was declared as `JSON` takes a text that is a number for that number, as near as it has one:
    `18446744073709551615` becomes `1.8e19`, `1.0` becomes `1`, and 400 digits are infinite. Bytes it leaves
    alone, and every reader of JSON takes them.
    """
    if not isinstance(value, str) or value[:1] not in _NUMBERS_BEGIN:
        return value
    digits = value.removeprefix("-")
    return value if len(digits) <= _EXACT_DIGITS and digits.isdigit() and value != "-0" else value.encode()


if TYPE_CHECKING:
    _SqliteJson = JSON
else:  # what the dialect makes of JSON: it knows how to read numbers that an older version left
    _SqliteJson = SQLiteDialect.colspecs[JSON]


class ExactJson(_SqliteJson):
    """SQLite's JSON, for a `with_variant`; its declaration is that of any JSON."""

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any]:
        """As `exact` has it."""
        process: Any = super().bind_processor(dialect)  # type: ignore[no-untyped-call]
        return lambda value: exact(process(value))
