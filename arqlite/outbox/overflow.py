"""What a ledger's recorder has no room for waits in the queue's Redis, and outlives its worker there."""

from __future__ import annotations

import logging
import secrets

from ..engine import RedisEngine

logger = logging.getLogger("arqlite.ledger")

PACKETS = 10_000
"""How many packets may wait, of 100 runs each: some 20 to 100 MB, with large results more."""
# Who reads asks again long before; who died meanwhile has others wait for so long.
_LEASE_MS = 10_000


class RedisOverflow:
    """A bounded stream that all workers of a queue share; see `arqlite.ledger.overflow.Overflow`.

    Args:
        engine: the queue.
        limit: how many packets may wait; beyond, the oldest are dropped, and the log says so.
    """

    def __init__(self, engine: RedisEngine, limit: int = PACKETS) -> None:
        self._engine = engine
        self._limit = limit
        self._reader = secrets.token_hex(8)

    async def put(self, packed: list[bytes]) -> None:
        """Keep packets behind those that are there."""
        dropped = await self._engine.spill(packed, self._limit)
        if dropped:
            logger.error(
                "queue %s: the ledger's overflow is full, its %d oldest packets are dropped",
                self._engine.queue,
                dropped,
            )

    async def take(self, limit: int) -> list[tuple[bytes, bytes]]:
        """Look at the oldest packets; nothing while another worker is at it."""
        return await self._engine.scoop(self._reader, _LEASE_MS, limit)

    async def forget(self, tokens: list[bytes]) -> None:
        """Drop packets that were taken."""
        await self._engine.unspill(tokens)
