"""A ledger that is closed leaves no connection behind, also where several have shared it."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest
from sqlalchemy import text

from arqlite.ledger import Ledger


def threads() -> int:
    """How many connections to SQLite there are."""
    return sum("_connection_worker_thread" in thread.name for thread in threading.enumerate())


async def test_connection_of_another_is_closed_by_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of two workers closes the ledger that they share; what the other has then, it closes at its end."""
    monkeypatch.setattr("arqlite.ledger.ledger._CLOSE_PATIENCE_S", 0.05)
    before = threads()
    ledger = Ledger(f"sqlite:///{tmp_path / 'jobs.db'}")
    async with ledger.sessions() as db:
        await db.execute(text("SELECT 1"))
        await ledger.aclose()
        await db.execute(text("SELECT 1"))
    await ledger.aclose()

    await asyncio.to_thread(_end_of_threads, before)
    assert threads() == before


async def test_connection_that_is_about_to_come_back_is_waited_for(tmp_path: Path) -> None:
    """A statement under way when the ledger is closed, that of a service that was cancelled say, may end."""
    before = threads()
    ledger = Ledger(f"sqlite:///{tmp_path / 'jobs.db'}")
    has_begun = asyncio.Event()

    async def look() -> None:
        async with ledger.sessions() as db:
            await db.execute(text("SELECT 1"))
            has_begun.set()
            await asyncio.sleep(0)

    looking = asyncio.create_task(look())
    await has_begun.wait()
    await ledger.aclose()
    await looking

    await asyncio.to_thread(_end_of_threads, before)
    assert threads() == before


def _end_of_threads(count: int) -> None:
    """Wait a little for threads that were told to end."""
    for thread in threading.enumerate():
        if threads() > count and "_connection_worker_thread" in thread.name:
            thread.join(2)
