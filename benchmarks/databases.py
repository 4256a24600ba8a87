"""The databases of a run, by the name that a system knows its own by."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, TypeAlias

from .postgres import start_postgres

Ask: TypeAlias = Callable[[str], int]


class Database(Protocol):
    """What the bench does to a database."""

    @property
    def url(self) -> str: ...

    def describe(self) -> dict[str, str]: ...

    def renew(self) -> None: ...

    def settle(self) -> None: ...

    def asked(self) -> AbstractContextManager[Ask]: ...

    def cpu_s(self) -> float: ...

    def stop(self) -> None: ...


class Sqlite:
    """A file in a temporary folder of its own."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="arqlite-bench-sqlite-"))
        self._file = self._folder / "jobs.db"

    @property
    def url(self) -> str:
        return f"sqlite:///{self._file}"

    def describe(self) -> dict[str, str]:
        return {"SQLite": sqlite3.sqlite_version}

    def renew(self) -> None:
        """Begin with no file."""
        for file in self._folder.iterdir():
            file.unlink()

    def settle(self) -> None:
        """Bring what was written so far into the file itself, and let the planner know it."""
        with contextlib.closing(sqlite3.connect(self._file)) as connection:
            connection.execute("ANALYZE")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    @contextlib.contextmanager
    def asked(self) -> Iterator[Ask]:
        """Keep one connection open for several questions; it only reads."""
        with contextlib.closing(sqlite3.connect(f"file:{self._file}?mode=ro", uri=True, timeout=30)) as open_:
            yield lambda question: int(open_.execute(question).fetchone()[0])

    def cpu_s(self) -> float:
        """Tell nothing: its work is done in the worker's process."""
        return 0.0

    def stop(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)


def open_databases(names: Iterable[str]) -> dict[str, Database]:
    """Start what systems with these `database` names need.

    Raises:
        PostgresMissingError: PostgreSQL is needed and cannot be had.
    """
    kinds = {kind_of(name) for name in names if name}
    opened: dict[str, Database] = {}
    try:
        if "postgresql" in kinds:
            opened["postgresql"] = start_postgres()
        if "sqlite" in kinds:
            opened["sqlite"] = Sqlite()
    except BaseException:
        stop_all(opened)
        raise
    return opened


def stop_all(databases: dict[str, Database]) -> None:
    """End and remove all of them."""
    for database in databases.values():
        database.stop()


def kind_of(name: str) -> str:
    """Which database a name with a driver in it means: `postgresql+psycopg` is PostgreSQL."""
    return name.partition("+")[0]


def with_driver(url: str, name: str) -> str:
    """Give a URL the driver that a system's `database` names."""
    return name + url[url.index(":") :]
