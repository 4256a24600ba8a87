"""`Auditor`: what people do to jobs and queues is written down, with who did it."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from itertools import islice
from typing import Self

from .. import telemetry
from ..service import Host, Service
from . import hearing, store
from .audit import AUDITED, Audited, AuditEntry, entries_of
from .ledger import Ledger
from .outage import is_away, is_conflict, words_of
from .rows import utc_now

logger = logging.getLogger("arqlite.ledger")

_AT_ONCE = 1_000
_SHORTEST_BACKOFF_S = 0.02


class Auditor(Service):
    """Writes into the ledger's audit what is done in this process to jobs and queues by hand.

    A worker with a ledger has one, for its own queue, and what an `Inspector` does through a pool with a
    ledger is written without any. One that is started by itself hears of all queues, and of what is done
    through pools without a ledger as well:

        async with Auditor(ledger):
            await Inspector(pool).pause_queue("mail")

    Nobody waits for it: while the database is away the entries wait in memory, up to `capacity`; beyond
    that the oldest are dropped, and counted in the log.

    Args:
        ledger: whose audit.
        capacity: how many entries may wait.
        max_backoff: seconds between two tries while the database is away, at most.
        flush_timeout: seconds that `stop` waits for the last entries to be written.
        clock: tells the time.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        capacity: int = 10_000,
        max_backoff: float = 5.0,
        flush_timeout: float = 5.0,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        super().__init__()
        self.ledger = ledger
        self.max_backoff = max_backoff
        self.flush_timeout = flush_timeout
        self._clock = clock
        self._queue: str | None = None
        self._is_listening = False
        self._entries: deque[AuditEntry] = deque(maxlen=capacity)
        self._dropped = 0
        self._arrived = asyncio.Event()
        self._closing = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def waiting(self) -> int:
        """How many entries are not written yet."""
        return len(self._entries)

    def join(self, host: Host) -> None:
        """Hear which queue it is about."""
        self._queue = host.queue

    async def start(self) -> None:
        """Begin to listen and to write."""
        if self._task is None:
            # Anew at each start: one settings class may serve several loops, one after the other.
            self._arrived = asyncio.Event()
            self._closing = asyncio.Event()
            self._loop = asyncio.get_running_loop()
            telemetry.attach(self._handler_id, AUDITED, self.take)
            hearing.begin(self, self._queue)
            self._is_listening = True
        await super().start()

    async def stop(self) -> None:
        """Stop listening, write what waits, and end."""
        telemetry.detach(self._handler_id)
        if self._is_listening:
            hearing.end(self, self._queue)
            self._is_listening = False
        self._closing.set()
        self._arrived.set()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=self.flush_timeout)
        await super().stop()
        if self._entries:
            logger.error("the audit missed %d entries: the ledger was away at the end", len(self._entries))
            self._entries.clear()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def answers_for(self, worker: str) -> bool:
        """What is done by hand no worker does."""
        return False

    def take(self, event: Audited) -> None:
        """Remember what was done; called by telemetry, in whichever thread that was."""
        if not self._is_meant(event):
            return  # another worker of this process has an auditor for it
        for entry in entries_of(event, self._clock()):
            if len(self._entries) == self._entries.maxlen:
                self._dropped += 1
            self._entries.append(entry)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._arrived.set)

    def _is_meant(self, event: Audited) -> bool:
        if self._queue is None or event.queue != self._queue:
            return self._queue is None
        return hearing.is_up_to(self, self._queue)

    async def run(self) -> None:
        """Write what arrives, until told to stop."""
        while self._entries or not self._closing.is_set():
            await self._arrived.wait()
            self._arrived.clear()
            await self._write_all()

    @property
    def _handler_id(self) -> str:
        return f"arqlite.ledger.auditor:{id(self)}"

    async def _write_all(self) -> None:
        """Write until nothing waits; during an outage try again, and say so once."""
        delay, at_once = _SHORTEST_BACKOFF_S, _AT_ONCE
        was_away = False
        while self._entries:
            batch = list(islice(self._entries, at_once))
            try:
                async with self.ledger.sessions.begin() as db:
                    await store.audit(db, batch)
            except Exception as error:
                if is_away(error) or is_conflict(error):
                    if not was_away:
                        logger.warning("the ledger is away, the audit is written later: %s", words_of(error))
                    was_away = True
                    await self._pause(delay)
                    delay = min(delay * 2, self.max_backoff)
                    continue
                if len(batch) > 1:
                    at_once = 1  # one of them is refused, and the others are not to be lost with it
                    continue
                logger.exception("an entry of the audit was refused and is left out: %r", batch[0])
            self._forget(batch)
        if self._dropped:
            logger.error("the audit missed %d entries: more came than could wait", self._dropped)
            self._dropped = 0

    async def _pause(self, seconds: float) -> None:
        """Wait; while closing, which does not wait, a little all the same."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), seconds)
        await asyncio.sleep(_SHORTEST_BACKOFF_S)

    def _forget(self, batch: list[AuditEntry]) -> None:
        """Take what was written out of what waits; some may have made room for others meanwhile."""
        written = set(map(id, batch))
        while self._entries and id(self._entries[0]) in written:
            self._entries.popleft()
