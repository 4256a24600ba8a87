"""Everything that a worker does for its ledger, wired together; only `crew` asks for it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence

from .engine import RedisEngine
from .errors import LedgerError
from .ledger import Ledger, LedgerPruner, Recorder
from .ledger.auditor import Auditor
from .ledger.opening import wait_for_tables
from .ledger.store import FinalRow, finals
from .model.codec import Codec
from .outbox.overflow import RedisOverflow
from .outbox.relay import Relay
from .probes import LedgerSign
from .reconcile import Reconciler
from .runtime.acker import Acker
from .runtime.beginnings import Beginnings
from .runtime.bookless import NoBooks
from .runtime.gate import Gate
from .runtime.precheck import Precheck
from .runtime.trust import Trust
from .service import Service, end_task

logger = logging.getLogger("arqlite.ledger")

# How long jobs that may be over already wait for a ledger that is away; in strict mode they wait for ever.
_PATIENCE_S = 1.0
# How long a worker in the mode behind waits for the ledger at its start.
_START_PATIENCE_S = 5.0
# How long the last rows may take to be written at the end.
FLUSH_TIMEOUT_S = 5.0
# A strict worker begins again as soon as the ledger is back.
_LONGEST_BACKOFF_S = 1.0


class Books(NoBooks):
    """The part of a crew that keeps the ledger.

    Args:
        ledger: the worker's.
        engine: its queue.
        codec: how the queue is written.
        wake: called when ends may be delivered, or more may be claimed.
    """

    def __init__(self, ledger: Ledger, engine: RedisEngine, codec: Codec, wake: Callable[[], None]) -> None:
        self._ledger = ledger
        self._queue = engine.queue
        self._opening: asyncio.Task[None] | None = None
        engine.remember_ms = ledger.remember_ms
        self.beginnings = Beginnings()
        recorder = self._recorder = Recorder(
            ledger,
            engine.queue,
            overflow=RedisOverflow(engine),
            beginnings=self.beginnings,
            max_backoff=_LONGEST_BACKOFF_S,
            flush_timeout=FLUSH_TIMEOUT_S,
        )
        self.trust = Trust(is_firm=False)
        self.acker: Acker = Gate(recorder, wake) if ledger.is_strict else Acker()
        self.precheck = Precheck(self.trust, self._finals, None if ledger.is_strict else _PATIENCE_S)
        self._recorder = recorder
        self._is_open = self._is_refused = False
        reconciler = self._reconciler = Reconciler(ledger, engine, self.trust, lag_s=lambda: recorder.lag)
        # The recorder starts first and stops last: it hears what all others tell.
        self.services: Sequence[Service] = [
            recorder,
            self.precheck,
            reconciler,
            Relay(ledger, engine, codec, may_push=reconciler.may_push),
            LedgerPruner(ledger),
            Auditor(ledger),
        ]

    def opened(self, session: str) -> None:
        """See `NoBooks.opened`."""
        self._recorder.sessions.add(session)

    def backlog(self) -> tuple[int, float]:
        """See `NoBooks.backlog`."""
        return self._recorder.waiting, self._recorder.lag

    @property
    def sign(self) -> LedgerSign:
        """How the ledger is, for probes."""
        if self._is_refused:
            return "unusable"
        is_away = self._recorder.is_away or self._reconciler.ledger_is_away
        return "ok" if self._is_open and not is_away else "degraded"

    async def open(self) -> None:
        """See that the tables are there. In strict mode a ledger that is away is waited for, else not.

        Raises:
            LedgerError: the tables cannot be used as they are.
        """
        if self._ledger.is_strict:
            await self._prepare()
            return
        self._opening = asyncio.create_task(self._prepare(), name="arqlite:ledger")
        done, _ = await asyncio.wait([self._opening], timeout=_START_PATIENCE_S)
        if done:
            self._opening.result()
        else:
            self._opening.add_done_callback(_tell_refusal)

    async def close(self) -> None:
        """End what is under way."""
        await self.acker.close()
        if self._opening is not None:
            await end_task(self._opening)

    async def _prepare(self) -> None:
        try:
            meanwhile = "the worker waits for it" if self._ledger.is_strict else "jobs run all the same"
            await wait_for_tables(self._ledger, meanwhile)
        except LedgerError:
            self._is_refused = True
            raise
        self._is_open = True

    async def _finals(self, job_ids: Sequence[str]) -> Mapping[str, FinalRow]:
        async with self._ledger.sessions() as db:
            return await finals(db, self._ledger.row_model, self._queue, job_ids)


def _tell_refusal(opening: asyncio.Task[None]) -> None:
    """The worker was under way when it turned out that its ledger cannot be used."""
    if not opening.cancelled() and (error := opening.exception()) is not None:
        logger.error("the ledger cannot be used, and jobs have no rows: %s", error)
