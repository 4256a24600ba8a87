"""For the application's own Alembic: what its autogenerate should make of the ledger."""

from __future__ import annotations

from typing import Any, Literal

from sqlalchemy import JSON
from sqlalchemy.dialects import sqlite

from .exactjson import ExactJson
from .rows import UtcDateTime
from .tables import TABLE_PREFIX

_SQLITE = sqlite.dialect()


def include_object(
    thing: Any, name: str | None, kind: str, reflected: bool = False, compare_to: Any = None
) -> bool:
    """Leave the library's tables out: an autogenerate would drop them, for your metadata does not have them.

        context.configure(..., include_object=arqlite.ledger.include_object)

    Call it first in an `include_object` of your own. Your own table with `JobRowMixin` is yours, and
    included.
    """
    table = name if kind == "table" else getattr(getattr(thing, "table", None), "name", None)
    return not (table or "").startswith(TABLE_PREFIX)


def render_item(kind: str, thing: Any, context: Any) -> str | Literal[False]:
    """Write the columns of `JobRowMixin` into your migrations in SQLAlchemy's own types.

        context.configure(..., render_item=arqlite.ledger.render_item)

    Call it first in a `render_item` of your own.
    """
    if kind == "type" and isinstance(thing, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(thing, JSON) and isinstance(thing.dialect_impl(_SQLITE), ExactJson):
        return "sa.JSON(none_as_null=True)"
    return False
