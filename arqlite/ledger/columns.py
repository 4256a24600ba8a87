"""What callers may say of a job's row: the columns that are theirs, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import JSON, ClauseElement, Column, Integer, String, inspect

from ..errors import ConfigurationError
from .filters import text
from .payloads import jsonable
from .rows import JobRowMixin

_THEIRS = ("job_type", "user_id", "input_payload")
_SAID_ELSEWHERE = ("triggered_by", "parent", "tags", "meta", "priority", "queue", "max_attempts")


def check_row(row_model: type[JobRowMixin], row: Mapping[str, Any]) -> dict[str, Any]:
    """Take values of columns by the names that the row model has for them.

    Raises:
        ConfigurationError: one is unknown, or is the library's own, or has a value that no database takes.
        TypeError: a value for a column of JSON is none.
    """
    known = _columns_of(row_model)
    for name in row:
        if name in known:
            continue
        if name in _SAID_ELSEWHERE:
            raise ConfigurationError(f"{name} is said with options({name}=...), and not in row")
        if name in inspect(row_model).columns:
            raise ConfigurationError(f"row cannot have {name}: the library writes it itself")
        raise ConfigurationError(
            f"{row_model.__name__} has no column {name!r}; row may have {', '.join(known)}"
        )
    columns = inspect(row_model).local_table.c
    return {known[name]: _writable(columns[known[name]], value) for name, value in row.items()}


def _writable(column: Column[Any], value: Any) -> Any:
    """Refuse what no database takes; what JSON cannot hold, NaN say, is told as elsewhere."""
    if value is JSON.NULL or isinstance(value, ClauseElement):
        return value
    if isinstance(column.type, JSON):
        return jsonable(value, column.name)
    if isinstance(column.type, String) and isinstance(value, str):
        return text(column.name, value)
    if isinstance(column.type, Integer) and isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ConfigurationError(f"{column.name} must be a whole number of 64 bits, got {value!r}")
    return value


def _columns_of(row_model: type[JobRowMixin]) -> dict[str, str]:
    """The names of columns that callers may fill, with what their table calls them."""
    columns = inspect(row_model).columns
    own = {name: column.key for name, column in columns.items() if not hasattr(JobRowMixin, name)}
    return {name: columns[name].key for name in _THEIRS} | own
