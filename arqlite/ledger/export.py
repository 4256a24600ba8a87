"""Rows as text: CSV for spreadsheets, JSON lines for programs. Pure functions."""

from __future__ import annotations

import csv
import io
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, TypeAlias

from pydantic_core import to_json
from sqlalchemy import JSON, Table

from ..errors import ConfigurationError
from ..model.filters import closest
from .payloads import jsonable_or_text
from .rows import JobRowMixin

Format: TypeAlias = Literal["csv", "jsonl"]

_FOR_THE_QUEUE = ("record", "lock", "memory")
_LENIENT: dict[str, Any] = {"bytes_mode": "base64", "serialize_unknown": True, "inf_nan_mode": "null"}
_BEGINS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def exported(table: Table, kind: Format, columns: Sequence[str] | None = None) -> Exported:
    """How rows of a table are written.

    Raises:
        ConfigurationError: there is no such format or column.
    """
    if kind not in ("csv", "jsonl"):
        raise ConfigurationError(f"format must be csv or jsonl, got {kind!r}")
    known = [column.name for column in table.columns]
    names = [name for name in known if name not in _FOR_THE_QUEUE] if columns is None else list(columns)
    for name in names:
        if name not in known:
            raise ConfigurationError(f"there is no column {name!r}; {closest(name, known)}")
    return (Csv if kind == "csv" else JsonLines)(table, names)


class Exported(ABC):
    """Rows as text.

    Args:
        table: where they are from.
        columns: which of theirs are written.
    """

    def __init__(self, table: Table, columns: Sequence[str]) -> None:
        self.columns = columns
        self._json = {name for name in columns if isinstance(table.c[name].type, JSON)}

    @abstractmethod
    def head(self) -> str:
        """What stands before the rows."""

    @abstractmethod
    def lines(self, rows: Iterable[JobRowMixin]) -> str:
        """Rows, each with its end of line."""


class JsonLines(Exported):
    """An object a line."""

    def head(self) -> str:
        """Nothing."""
        return ""

    def lines(self, rows: Iterable[JobRowMixin]) -> str:
        """An object for each row; bytes are in base64."""
        return "".join(_json({name: getattr(row, name) for name in self.columns}) + "\n" for row in rows)


class Csv(Exported):
    """As RFC 4180 has it."""

    def head(self) -> str:
        """The names of the columns."""
        return self._written([self.columns])

    def lines(self, rows: Iterable[JobRowMixin]) -> str:
        """Nothing is empty, JSON is JSON, and times are as ISO 8601 has them."""
        return self._written(
            [[self._cell(name, getattr(row, name)) for name in self.columns] for row in rows]
        )

    def _cell(self, name: str, value: Any) -> Any:
        if value is None:
            return None
        if isinstance(value, datetime):
            return value.isoformat()
        if isinstance(value, int | float) and name not in self._json:
            return value
        if isinstance(value, str) and name not in self._json:
            return f"'{value}" if value.startswith(_BEGINS_A_FORMULA) else value
        text = _json(value)
        return f"'{text}" if text.startswith(_BEGINS_A_FORMULA) else text

    def _written(self, rows: Iterable[Sequence[Any]]) -> str:
        text = io.StringIO()
        csv.writer(text).writerows(rows)
        return text.getvalue()


def _json(value: Any) -> str:
    """A value as JSON, whatever it is: one odd row must not cost somebody all the others."""
    try:
        return to_json(value, **_LENIENT).decode()
    except Exception:  # noqa: BLE001 (halves of characters above all, which JSON has as escapes)
        if isinstance(value, Mapping):
            return f"{{{','.join(f'{json.dumps(str(key))}:{_json(one)}' for key, one in value.items())}}}"
        if isinstance(value, list):
            return f"[{','.join(map(_json, value))}]"
        return json.dumps(jsonable_or_text(value))
