"""Rows that follow: of jobs that Redis has, written a few ms later, many at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from ..ledger import Ledger, Recorder
from ..ledger.accepting import AcceptedJob

# No job's: a pool's recorder hears of what is enqueued, and of no runs; those are a worker's to record.
_NO_QUEUE = ""


class RowWriter(Protocol):
    """Writes the rows of jobs that Redis has; a `Recorder` does."""

    def accept(self, jobs: Sequence[AcceptedJob]) -> None:
        """Remember jobs for rows."""


class Followers:
    """The one writer of a pool's rows, begun when the first job comes.

    Args:
        ledger: where they are written.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._others: RowWriter | None = None
        self._own: Recorder | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def use(self, writer: RowWriter | None) -> None:
        """Leave it to somebody who writes rows anyway, as a worker does; None is to nobody else any more."""
        self._others = writer

    async def writer(self) -> RowWriter:
        """Hand out who writes."""
        if self._others is not None:
            return self._others
        loop = asyncio.get_running_loop()
        if self._own is None or self._loop is not loop:
            self._own, self._loop = Recorder(self._ledger, _NO_QUEUE), loop
            await self._own.start()
        return self._own

    async def aclose(self) -> None:
        """Write what waits, and end."""
        recorder, self._own = self._own, None
        if recorder is not None and self._loop is asyncio.get_running_loop():
            await recorder.stop()
