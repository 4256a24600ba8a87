"""SQLite's connections end with the test that opened them: import the fixture into a suite's conftest."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest


@pytest.fixture(autouse=True)
async def sqlite_threads_end() -> AsyncIterator[None]:
    """Wait for the threads of aiosqlite that a test started, while there still is a loop to answer to.

    A connection that cannot be opened, or is dropped in mid-use, is told to stop and not waited for: its
    thread may answer to a loop that the end of the test has closed, and fail in the next test's time.
    """
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        if "_connection_worker_thread" in thread.name:
            await asyncio.to_thread(thread.join, 10)
            assert not thread.is_alive(), "a connection to SQLite was left open"
