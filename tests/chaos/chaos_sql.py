"""Ledgers that can be taken away: a SQLite file that another process locks, a PostgreSQL that stops."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, Protocol

_LOCKER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
connection.rollback()
"""


class Database(Protocol):
    """Somewhere for a ledger, with a switch."""

    url: str

    def take_away(self) -> None:
        """From now on nobody can write."""

    def give_back(self) -> None:
        """From now on everybody can."""

    def close(self) -> None:
        """End what was started."""


class SqliteFile:
    """A file that another process keeps locked for a while.

    Args:
        folder: where it is made.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "ledger.db"
        self.url = f"sqlite:///{self._path}"
        self._locker: subprocess.Popen[str] | None = None

    def take_away(self) -> None:
        """Lock the file."""
        self._locker = subprocess.Popen(
            [sys.executable, "-c", _LOCKER, str(self._path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._locker.stdout is not None
        assert self._locker.stdout.readline() == "locked\n"

    def give_back(self) -> None:
        """Let the other process end."""
        assert self._locker is not None
        self._locker.communicate()
        self._locker = None

    def close(self) -> None:
        """End the other process if a test left it."""
        if self._locker is not None:
            self.give_back()


class StoppedPostgres:
    """A PostgreSQL of the wheel that is stopped, with all its connections, and started again.

    Args:
        server: the wheel's server.
    """

    def __init__(self, server: Any) -> None:
        self._server = server
        self.url = str(server.get_uri(driver="asyncpg"))
        self._is_away = False

    def take_away(self) -> None:
        """Stop the server."""
        self._server.stop()
        self._is_away = True

    def give_back(self) -> None:
        """Start it on the same folder and socket."""
        self._server.start()
        self._is_away = False

    def close(self) -> None:
        """Stop it and remove its folder."""
        if self._is_away:
            self.give_back()
        self._server.cleanup()
