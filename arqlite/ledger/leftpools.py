"""Pools of connections that an engine has left: what comes back to them has to be closed by somebody."""

from __future__ import annotations

import asyncio
import time

from sqlalchemy import Pool, QueuePool
from sqlalchemy.util.concurrency import greenlet_spawn

_LOOK_AGAIN_S = 0.02


class LeftPool:
    """The connections of a pool that is used no more.

    An engine that is disposed of begins a new pool. A connection that somebody has at that moment comes back
    to the old one, where nobody closes it: that of SQLite keeps a thread.

    Args:
        pool: the pool, as its engine left it.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        # What the pool counts as given out when all has come back: closing makes it forget what is not there.
        self._none = 0

    async def close(self, patience_s: float) -> bool:
        """Close what is there, after waiting for the rest; tells whether that was all.

        Args:
            patience_s: how many seconds to wait for the connections that somebody has.
        """
        until = time.monotonic() + patience_s
        while self._given_out() and time.monotonic() < until:  # noqa: ASYNC110 (no pool tells of it)
            await asyncio.sleep(_LOOK_AGAIN_S)
        given_out = self._given_out()
        await greenlet_spawn(self._pool.dispose)
        self._none = -given_out
        return not given_out

    def _given_out(self) -> int:
        """How many connections somebody has."""
        return self._pool.checkedout() - self._none if isinstance(self._pool, QueuePool) else 0
