"""What settings leave open: where Redis and the ledger are, by the environment or by an `arqlite dev`.

Who names neither in code has them from the variables `ARQLITE_REDIS_URL` and `ARQLITE_LEDGER_URL`; without
these, from the `arqlite dev` that runs in the project. So a worker, an API and a command in three terminals
find the same queue, and the same code goes into production unchanged.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Final, Self

from .embedded.home import data_home, find_home
from .embedded.locks import FileLock
from .embedded.owners import NotOurs, read_own

logger = logging.getLogger("arqlite.surroundings")

REDIS_VARIABLE: Final = "ARQLITE_REDIS_URL"
LEDGER_VARIABLE: Final = "ARQLITE_LEDGER_URL"

_FILE = "dev.json"
_LOCK = "dev.lock"
# Who looks whether it is there holds its lock for a moment.
_PATIENCE_S = 1.0


def redis_url() -> str | None:
    """Where Redis is for those who name none in code; None is where arq looks."""
    if url := os.environ.get(REDIS_VARIABLE):
        return url
    found = DevSession.find()
    return None if found is None else found.redis_url


def missing_dev() -> str:
    """What may be the matter where nobody names a Redis in code and none answers: the `arqlite dev` of this
    project has ended. Empty where the environment says where Redis is, in production, or where none ever ran.
    """
    is_production = os.environ.get("ARQLITE_ENV", "").lower() == "production"
    if redis_url() is not None or is_production or not find_home().is_dir():
        return ""
    return f"no `arqlite dev` runs in this project: start it, or set {REDIS_VARIABLE}"


def ledger_url() -> str | None:
    """Where the ledger is for those who name none in code; None is nowhere."""
    if url := os.environ.get(LEDGER_VARIABLE):
        return url
    found = DevSession.find()
    return None if found is None else found.ledger_url


@dataclass(frozen=True, slots=True)
class DevSession:
    """An `arqlite dev` that runs in this project.

    Attributes:
        pid: its process.
        redis_url: where its jobs are, where settings name no Redis; None if they all do.
        ledger_url: where their rows are, likewise.
        dashboard_url: where its dashboard is; None without one.
    """

    pid: int
    redis_url: str | None = None
    ledger_url: str | None = None
    dashboard_url: str | None = None

    @classmethod
    def find(cls) -> Self | None:
        """The one that runs; None if none does, in production, or where another user could have written it.

        The project's folder may be anybody's, `/tmp` with a `.git` in it say, and whose file is believed has
        this process connect to a Redis of his.
        """
        if os.environ.get("ARQLITE_ENV", "").lower() == "production" or os.name != "posix":
            return None  # on Windows no `arqlite dev` runs
        home = find_home()
        try:
            told = json.loads(read_own(home, _FILE))
            with FileLock(home, _LOCK) as lock:
                if lock.acquire(shared=True, wait_s=0):  # what it left when it was killed
                    return None
            return cls(**told)
        except NotOurs as error:
            _say_once(str(error))
            return None
        except (OSError, ValueError, TypeError):  # there is none, or it is being written by another version
            return None

    @contextlib.contextmanager
    def told(self, home: Path) -> Iterator[None]:
        """Have it found by others while the block runs; `held` holds its lock."""
        file = home / _FILE
        new = home / f"{_FILE}.new"
        new.touch(mode=0o600)  # a URL may have a password
        new.write_text(json.dumps(asdict(self)), encoding="utf-8")
        new.replace(file)
        try:
            yield
        finally:
            file.unlink(missing_ok=True)


@cache
def _say_once(why: str) -> None:
    logger.warning("the arqlite dev of this project is not believed: %s", why)


@contextlib.contextmanager
def held(home: Path | None = None) -> Iterator[bool]:
    """Be the one `arqlite dev` of a data folder while the block runs; gives whether this is."""
    with FileLock(data_home(home), _LOCK) as lock:
        yield lock.acquire(wait_s=_PATIENCE_S)


def wait_until_ended(timeout: float = 60.0) -> bool:
    """Wait until no `arqlite dev` runs in this project; False if that takes longer than so many seconds."""
    with FileLock(find_home(), _LOCK) as lock:
        return lock.acquire(wait_s=timeout)
