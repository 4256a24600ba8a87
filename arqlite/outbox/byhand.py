"""What is done by hand through a pool with a ledger: it is written into the audit, and its rows follow."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from typing import TypeAlias

from ..ledger import Auditor, Ledger, hearing, store
from ..ledger.audit import Audited, AuditEntry, entries_of
from ..ledger.outage import words_of
from ..ledger.rows import utc_now
from ..ledger.store import HandledJob
from ..ledger.writer import write_parts
from ..model.byhand import Handled

logger = logging.getLogger("arqlite.outbox")

Note: TypeAlias = AuditEntry | HandledJob

_AT_ONCE = 500
_FIRST_PAUSE_S, _LAST_PAUSE_S = 0.05, 2.0
CAPACITY = 10_000
"""Notes in memory; of those beyond, the oldest are dropped, and the log says so."""


class HandNotes:
    """Writes what was done by hand, a few ms later and many at once; nobody waits for it.

    Args:
        ledger: whose audit, and whose rows.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._notes: deque[Note] = deque()
        self._dropped = 0
        self._task: asyncio.Task[None] | None = None

    def take(self, event: Audited, handled: Sequence[Handled] = ()) -> None:
        """Note what was done.

        Args:
            event: what telemetry is told of it.
            handled: the jobs of which the rows are to say something else now.
        """
        at = utc_now()
        if not hearing.is_heard(Auditor, self._ledger, event.queue):  # which an auditor does, with a worker
            self._notes.extend(entries_of(event, at))
        self._notes.extend(HandledJob(event.queue, one, at) for one in handled)
        while len(self._notes) > CAPACITY:
            self._notes.popleft()
            self._dropped += 1
        if self._notes and (self._task is None or self._task.done()):
            self._task = asyncio.get_running_loop().create_task(self._write_all(), name="arqlite:byhand")

    async def flush(self, patience_s: float) -> None:
        """Write what waits, as far as that takes no longer than this."""
        task, self._task = self._task, None
        if task is None:
            return
        await asyncio.wait([task], timeout=patience_s)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        if self._notes:
            logger.error("the ledger missed %d notes of what was done by hand: it is away", len(self._notes))
            self._notes.clear()

    async def _write_all(self) -> None:
        pause, was_away = _FIRST_PAUSE_S, False
        while self._notes:
            taken = [self._notes.popleft() for _ in range(min(len(self._notes), _AT_ONCE))]
            rest: Sequence[Note] = taken
            try:
                rest = await write_parts(taken, self._write, _leave_out)
            except Exception as error:  # noqa: BLE001 (it is away, and everything is written later)
                if not was_away:
                    logger.warning(
                        "the ledger is away, what is done by hand is written later: %s", words_of(error)
                    )
            finally:
                self._notes.extendleft(reversed(rest))
            if rest:
                was_away = True
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LAST_PAUSE_S)
        if self._dropped:
            logger.error("the ledger missed %d notes of what was done by hand", self._dropped)
            self._dropped = 0

    async def _write(self, notes: Sequence[Note]) -> None:
        async with self._ledger.sessions() as db, db.begin():
            await store.audit(db, [note for note in notes if isinstance(note, AuditEntry)])
            handled = [note for note in notes if isinstance(note, HandledJob)]
            await store.follow_hands(db, self._ledger.row_model, handled, self._ledger.redaction)


def _leave_out(note: Note, error: Exception) -> None:
    logger.error("what was done by hand was refused and is left out: %r: %r", note, error)
