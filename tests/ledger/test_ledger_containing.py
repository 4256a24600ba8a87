"""What a JSON column contains, as both databases see it: just as the inspector does."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from query_toys import fill, row
from sqlalchemy import select

from arqlite.ledger import JobRow, Ledger, store
from arqlite.ledger.store.containing import CONTAINING
from arqlite.model.filters import contains

VALUES: list[Any] = [
    {},
    {"a": 1},
    {"a": 1.0},
    {"a": 1.5},
    {"a": "1"},
    {"a": True},
    {"a": None},
    {"a": 0},
    {"a": False},
    {"a": "ä\"'\\%_\n"},
    {"a": {"b": [1, {"c": "x"}, "y"]}},
    {"a": {"b": []}},
    {"a": []},
    {"a": [[1, 2], [3]]},
    {"a.b": 1, "$": 2, '"': 3, "": 4, "0": 5},
    {"a": 2**60 + 1},
    {"a": "2026-01-01T00:00:00Z"},
    [1, 2],
]
PATTERNS: list[Any] = [
    *VALUES,
    {"b": 1},
    {"a": {}},
    {"a": [3]},
    {"a": [[2]]},
    {"a": {"b": [{"c": "x"}]}},
    {"a": {"b": ["y", 1]}},
    {"a": {"b": ["y", 2]}},
    {"a": 2**60},
    {"a": 2**70},
    {"a": float("inf")},
    {"a": datetime(2026, 1, 1, tzinfo=UTC)},
    {"a": (3,)},
    {"a.b": 1},
    {"0": 5, "": 4},
    {"\0": 1},
    {"a": "\0"},
]


async def test_databases_agree_with_python(ledger: Ledger) -> None:
    """Every pattern is in the same values for the database and for `model.filters.contains`."""
    await fill(ledger, [row(f"{n:02}", kwargs=value) for n, value in enumerate(VALUES)])
    words = CONTAINING[ledger.engine.dialect.name]
    columns = store.table_of(JobRow).c

    for pattern in PATTERNS:
        async with ledger.sessions() as db:
            statement = select(columns.id).where(words.contains(columns.kwargs, pattern)).order_by(columns.id)
            found = (await db.execute(statement)).scalars().all()

        expected = [f"{n:02}" for n, value in enumerate(VALUES) if contains(value, pattern)]
        assert list(found) == expected, pattern


async def test_arguments_by_position(ledger: Ledger) -> None:
    """A tuple is all of the arguments: no more of them, no fewer, and each has its part."""
    await fill(
        ledger,
        [row("a", args=[1, {"x": 1, "y": 2}]), row("b", args=[1]), row("c", args=None), row("d", args=[])],
    )
    words = CONTAINING[ledger.engine.dialect.name]
    columns = store.table_of(JobRow).c

    async def found(pattern: tuple[Any, ...]) -> list[str]:
        async with ledger.sessions() as db:
            statement = select(columns.id).where(words.args_are(columns.args, pattern)).order_by(columns.id)
            return list((await db.execute(statement)).scalars())

    assert await found((1, {"x": 1})) == ["a"]
    assert await found((1,)) == ["b"]
    assert await found(({"x": 1}, 1)) == []
