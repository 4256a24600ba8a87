"""`Ledger`: the database that keeps a row for every job, as one object to hand to workers and pools."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from typing import Literal, TypeAlias

from sqlalchemy import URL, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from ..errors import ConfigurationError
from ..model import checks
from ..typing import SecondsTimedelta
from .answers import LedgerHealth
from .databases import engine_at, shown_url, url_of
from .leftpools import LeftPool
from .outage import words_of
from .pruning import Pruning
from .queries import Queries
from .reading import READ_TIMEOUT_S
from .redaction import Redaction
from .retention import KEEP_JOBS, Retention
from .rows import JobRowMixin
from .schema import TURN_TIMEOUT_S, check_tables, upgrade_tables
from .tables import JobRow

Mode: TypeAlias = Literal["behind", "strict"]

_DEFAULT_KEEP = Retention()
_CLOSE_PATIENCE_S = 1.0

REMEMBER_S = 300.0
"""For how long a queue remembers an end of which nothing is kept, unless it is told otherwise."""
_SHORTEST_MEMORY_S = 5.0


class Ledger(Queries):
    """A row for every job, in SQLite or PostgreSQL.

        ledger = Ledger("sqlite:///jobs.db")

        class WorkerSettings:
            functions = [send_email]
            ledger = ledger

        pool = await create_pool(settings, ledger=ledger)

    Args:
        database: a URL (`sqlite:///jobs.db`, `postgresql://user:password@host/name`, or with a driver of your
            own choice such as `postgresql+psycopg://`), or an `AsyncEngine` that you have; not in memory,
            where all sessions share one connection, and so one transaction.
        mode: `behind` writes rows a few ms after the fact, many at once, and never holds a job up. `strict`
            says yes to an enqueue only when its row is committed, and lets Redis forget a job only when its
            outcome is.
        row_model: your own class with `JobRowMixin`; by default `JobRow`, the table `arqlite_jobs`.
        redact: names of arguments that the ledger must not hold, `("password", "otp")`, or those of some
            functions only, `{"send_otp": ("otp",)}`. It shows them as `***`, and jobs with such arguments
            cannot be put back into Redis from their rows.
        keep: how long rows stay once their jobs have ended; see `Retention`, whose defaults hold. With a
            `row_model` of your own its rows stay until you say otherwise. None prunes nothing at all.
        upgrade: whether workers, and applications with `arqlite.fastapi.lifespan`, create or upgrade the
            tables when they start. Otherwise `arqlite db upgrade` does, and a worker refuses to start on
            tables that are too old.
        read_timeout: seconds after which a question, `ledger.jobs(...)` say, is stopped in the database.
        remember: for how long, in seconds or as a timedelta, Redis remembers the ends of jobs whose results
            it does not keep: time for their rows to hear of them, at least 5 seconds. Each takes some 200
            bytes of its memory, and the result: at 1,000 jobs per second five minutes are 60 MB.

    Raises:
        ConfigurationError: one of them cannot work.
    """

    def __init__(
        self,
        database: str | URL | AsyncEngine,
        *,
        mode: Mode = "behind",
        row_model: type[JobRowMixin] = JobRow,
        redact: Iterable[str] | Mapping[str, Iterable[str]] = (),
        keep: Retention | None = _DEFAULT_KEEP,
        upgrade: bool = True,
        read_timeout: float = READ_TIMEOUT_S,
        remember: SecondsTimedelta = REMEMBER_S,
    ) -> None:
        self.url = url_of(database)
        if mode not in ("behind", "strict"):
            raise ConfigurationError(f"the mode of a ledger is 'behind' or 'strict', got {mode!r}")
        if keep is not None and not isinstance(keep, Retention):
            raise ConfigurationError(f"keep of a ledger must be a Retention or None, got {keep!r}")
        if not (isinstance(row_model, type) and issubclass(row_model, JobRowMixin)):
            raise ConfigurationError(
                f"row_model of a ledger must be a class with JobRowMixin, got {row_model!r}"
            )
        self.mode: Mode = mode
        self.row_model = row_model
        self.redaction = Redaction(redact)
        self.keep = KEEP_JOBS if keep is _DEFAULT_KEEP and row_model is not JobRow else keep
        self.upgrades_itself = upgrade
        self.read_timeout = checks.seconds("read_timeout", read_timeout, 0.001)
        self.remember_ms = round(checks.seconds("remember", remember, _SHORTEST_MEMORY_S) * 1000)
        self._owns_engine = not isinstance(database, AsyncEngine)
        self._engine: AsyncEngine | None = database if isinstance(database, AsyncEngine) else None
        self._sessions: async_sessionmaker[AsyncSession] | None = None
        self._left: list[LeftPool] = []

    @property
    def is_strict(self) -> bool:
        """Whether rows come first."""
        return self.mode == "strict"

    @property
    def owns_engine(self) -> bool:
        """Whether it made its engine, and nobody else uses it."""
        return self._owns_engine

    @property
    def identity(self) -> Hashable:
        """What two ledgers have in common that were made of the same URL or engine; no driver is needed."""
        return self.url if self._owns_engine else id(self._engine)

    @property
    def backend(self) -> str:
        """What kind of database it is, `sqlite` or `postgresql`; no driver is needed to tell."""
        return self.url.get_backend_name()

    @property
    def engine(self) -> AsyncEngine:
        """The engine; made when it is first needed."""
        if self._engine is None:
            self._engine = engine_at(self.url)
        return self._engine

    @property
    def sessions(self) -> async_sessionmaker[AsyncSession]:
        """Makes sessions on the ledger."""
        if self._sessions is None:
            self._sessions = async_sessionmaker(self.engine, expire_on_commit=False)
        return self._sessions

    def __repr__(self) -> str:
        return f"<Ledger {shown_url(self.url)} {self.mode}>"

    async def health(self, *, timeout: float = 2.0) -> LedgerHealth:
        """See whether the database answers; never raises.

        How far rows are behind, workers tell through Redis: `Inspector.ledger_lag`.

        Args:
            timeout: seconds to wait for it.
        """
        began = time.monotonic()
        error: str | None = None
        try:
            async with asyncio.timeout(timeout), self.sessions() as db:
                await db.execute(text("SELECT 1"))
        except TimeoutError:
            error = f"no answer within {timeout:g} s"
        except Exception as failure:  # noqa: BLE001 (whatever it is, the answer is no)
            error = words_of(failure)
        return LedgerHealth(error is None, (time.monotonic() - began) * 1000, error)

    async def upgrade(self, *, timeout: float = TURN_TIMEOUT_S) -> None:
        """Create the library's tables, or bring them to what this version needs.

        Any number of processes may call it at once: one does it, in one transaction, and the others find it
        done. Tables that a later version of arqlite added to are left as they are, and so is that of a
        `row_model` of your own.

        Args:
            timeout: seconds to wait for other processes.

        Raises:
            LedgerUnavailable: another process holds them for longer.
            LedgerError: the tables were made by something else, or are too new to work with.
        """
        await upgrade_tables(self.engine, timeout=timeout)

    async def check(self) -> None:
        """Make sure that this version can work with the tables; changes nothing.

        Raises:
            LedgerError: they are missing, too old or too new; the message tells what to do.
        """
        await check_tables(self.engine, self.row_model)

    async def prune(self) -> dict[str, int]:
        """Delete the rows that are over by `keep`, in small batches; the leader's worker does so by itself.

        Returns:
            How many rows were deleted: of `jobs`, `attempts`, `minutes`, `spreads`, `audit` and
            `idempotency`.
        """
        told: Counter[str] = Counter()
        if self.keep is not None:
            await Pruning(self.sessions, self.row_model, self.keep).run(told)
        return dict(told)

    async def aclose(self) -> None:
        """Close the connections of an engine that the ledger made.

        Those that somebody still has are waited for a little. Others may go on with the ledger and connect
        anew; what they have at this moment is closed by the last one who calls this.
        """
        if self._engine is None or not self._owns_engine:
            return
        self._left.append(LeftPool(self._engine.sync_engine.pool))
        await self._engine.dispose(close=False)
        left, self._left = self._left, []
        self._left += [pool for pool in left if not await pool.close(_CLOSE_PATIENCE_S)]
