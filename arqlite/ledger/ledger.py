"""`Ledger`: the database that keeps a row for every job, as one object to hand to workers and pools."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeAlias

from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from ..errors import ConfigurationError
from .redaction import Redaction
from .rows import JobRowMixin
from .sqlite import configure_sqlite
from .tables import JobRow

Mode: TypeAlias = Literal["behind", "strict"]

_ASYNC_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "postgres": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
}


class Ledger:
    """A row for every job, in SQLite or PostgreSQL.

        ledger = Ledger("sqlite:///jobs.db")

        class WorkerSettings:
            functions = [send_email]
            ledger = ledger

        pool = await create_pool(settings, ledger=ledger)

    Args:
        database: a URL (`sqlite:///jobs.db`, `postgresql://user:password@host/name`, or with a driver of your own
            choice such as `postgresql+psycopg://`), or an `AsyncEngine` that you have.
        mode: `behind` writes rows a few ms after the fact, many at once, and never holds a job up. `strict` says yes
            to an enqueue only when its row is committed, and lets Redis forget a job only when its outcome is.
        row_model: your own class with `JobRowMixin`; by default `JobRow`, the table `arqlite_jobs`.
        redact: names of arguments that the ledger must not hold, `("password", "otp")`, or those of some functions
            only, `{"send_otp": ("otp",)}`. It shows them as `***`, and jobs with such arguments cannot be put back
            into Redis from their rows.
        upgrade: whether workers create or upgrade the tables when they start. Otherwise `arqlite db upgrade` does,
            and a worker refuses to start on tables that are too old.

    Raises:
        ConfigurationError: one of them cannot work.
    """

    def __init__(
        self,
        database: str | AsyncEngine,
        *,
        mode: Mode = "behind",
        row_model: type[JobRowMixin] = JobRow,
        redact: Iterable[str] | Mapping[str, Iterable[str]] = (),
        upgrade: bool = True,
    ) -> None:
        if mode not in ("behind", "strict"):
            raise ConfigurationError(f"the mode of a ledger is 'behind' or 'strict', got {mode!r}")
        self.mode: Mode = mode
        self.row_model = row_model
        self.redaction = Redaction(redact)
        self.upgrades_itself = upgrade
        self._database = database
        self._engine: AsyncEngine | None = database if isinstance(database, AsyncEngine) else None
        self._sessions: async_sessionmaker[AsyncSession] | None = None

    @property
    def is_strict(self) -> bool:
        """Whether rows come first."""
        return self.mode == "strict"

    @property
    def backend(self) -> str:
        """What kind of database it is, `sqlite` or `postgresql`; no driver is needed to tell."""
        if isinstance(self._database, AsyncEngine):
            return self._database.dialect.name
        return make_url(with_async_driver(str(self._database))).get_backend_name()

    @property
    def engine(self) -> AsyncEngine:
        """The engine; made when it is first needed."""
        if self._engine is None:
            self._engine = create_async_engine(with_async_driver(str(self._database)), hide_parameters=True)
            configure_sqlite(self._engine)
        return self._engine

    @property
    def sessions(self) -> async_sessionmaker[AsyncSession]:
        """Makes sessions on the ledger."""
        if self._sessions is None:
            self._sessions = async_sessionmaker(self.engine, expire_on_commit=False)
        return self._sessions

    def __repr__(self) -> str:
        return f"<Ledger {_without_password(self._database)} {self.mode}>"

    async def aclose(self) -> None:
        """Close the connections of an engine that the ledger made."""
        if self._engine is not None and not isinstance(self._database, AsyncEngine):
            await self._engine.dispose()


def with_async_driver(url: str) -> str:
    """Give a database's URL the driver that asyncio needs, unless it names one."""
    scheme, separator, rest = url.partition("://")
    return f"{_ASYNC_DRIVERS.get(scheme, scheme)}{separator}{rest}"


def _without_password(database: Any) -> str:
    url = database.url if isinstance(database, AsyncEngine) else database
    return re.sub(r"//([^:/@]*):[^@]*@", r"//\1:***@", str(url))
