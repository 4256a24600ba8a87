"""Databases that can be stopped while workers write to them: a PostgreSQL server, a file of SQLite."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any, Protocol

_LOCK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA busy_timeout = 30000")
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
connection.execute("ROLLBACK")
"""


class Database(Protocol):
    """A database that can be stopped and started again."""

    url: str

    async def stop(self) -> None:
        """Let nobody write."""

    async def start(self) -> None:
        """Let everybody write again."""


class LockedFile:
    """A SQLite file, which another process locks.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self.url = f"sqlite:///{path}"
        self._path = path
        self._locker: subprocess.Popen[str] | None = None

    async def stop(self) -> None:
        """Have another process take the lock and keep it."""
        self._locker = await asyncio.to_thread(self._lock)

    async def start(self) -> None:
        """Let the lock go."""
        if self._locker is not None:
            await asyncio.to_thread(self._locker.communicate)

    def _lock(self) -> subprocess.Popen[str]:
        locker = subprocess.Popen(
            [sys.executable, "-c", _LOCK, str(self._path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert locker.stdout is not None
        assert locker.stdout.readline() == "locked\n"
        return locker


class StoppedServer:
    """A PostgreSQL server, which is shut down.

    Args:
        server: the wheel's.
    """

    def __init__(self, server: Any) -> None:
        self._server = server
        self.url = server.get_uri()

    async def stop(self) -> None:
        """End the server and all its connections."""
        await asyncio.to_thread(self._server.stop)

    async def start(self) -> None:
        """Start it again with the same data."""
        await asyncio.to_thread(self._server.ensure_postgres_running)
