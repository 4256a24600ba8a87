"""Rows that follow: of jobs that Redis has, written a few ms later, many at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ..engine import EnqueueBatch
from ..ledger import Ledger, Recorder
from .overflow import RedisOverflow

# No job's: a pool's recorder hears of what is enqueued, and of no runs; those are a worker's to record.
_NO_QUEUE = ""
# Workers look into their queue's overflow every second; where there are none, this is soon enough.
_REPLAY_INTERVAL_S = 15.0


class Followers:
    """The writers of a pool's rows, one for each queue, begun when its first job comes.

    What finds no room in memory while the database is away waits in the overflow of the queue, as what its
    workers record does.

    Args:
        ledger: where they are written.
        queue: hands out the place where jobs for a queue are gathered.
    """

    def __init__(self, ledger: Ledger, queue: Callable[[str], EnqueueBatch]) -> None:
        self._ledger = ledger
        self._queue = queue
        self._recorders: dict[str, Recorder] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    async def writer(self, queue: str) -> Recorder:
        """Hand out who writes the rows of a queue."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._recorders, self._loop = {}, loop
        recorder = self._recorders.get(queue)
        if recorder is None:
            recorder = self._recorders[queue] = Recorder(
                self._ledger,
                _NO_QUEUE,
                overflow=RedisOverflow(self._queue(queue).engine),
                replay_interval=_REPLAY_INTERVAL_S,
            )
            await recorder.start()
        return recorder

    async def aclose(self) -> None:
        """Write what waits, and end."""
        recorders, self._recorders = self._recorders, {}
        if self._loop is asyncio.get_running_loop():
            await asyncio.gather(*[recorder.stop() for recorder in recorders.values()])
