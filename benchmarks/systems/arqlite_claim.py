"""What a claim costs arqlite with this many jobs waiting: the engine's turn, nothing else.

Claims of 100 without acknowledgements are timed (by the server's own account of EVALSHA, with the client's
processor time until it has the jobs in hand, and by the wall);
the acknowledgements and the refill that keep the backlog at its depth happen between the timed stretches.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from typing import Any

import uvloop
from redis.asyncio import Redis

from arqlite.engine import Ended, NewJob, RedisEngine
from benchmarks.roles import RESULT_TTL_S, report

SESSION = "bench"
WANT = 100
CLAIMS = 5
CYCLES = 40
WARM_UP = 5
RECORD = b"Q\x00" + json.dumps({"f": "small", "k": {"user_id": 12345, "template": "welcome"}}).encode()


class Queue:
    """The engine on one server, with ids that sort as the ids of real jobs do."""

    def __init__(self, url: str) -> None:
        self.redis = Redis.from_url(url)
        self.engine = RedisEngine(self.redis, "arq:queue", timeout=30)
        self.next_id = 0

    async def fill(self, count: int) -> None:
        for start in range(0, count, 500):
            numbers = range(self.next_id, self.next_id + min(500, count - start))
            self.next_id = numbers.stop
            await self.engine.enqueue([NewJob(f"{number:021d}", "", RECORD) for number in numbers])

    async def claim(self) -> tuple[list[bytes], float, float, float]:
        """Claim a few batches; return the ids, and per job the server's µs, the client's and the wall's."""
        ids: list[bytes] = []
        before, began, own_began = await self._evalsha_us(), time.perf_counter(), time.process_time()
        for _ in range(CLAIMS):
            ids += (await self.engine.turn(SESSION, WANT, {}, [])).job_ids
        own_us = (time.process_time() - own_began) * 1e6
        wall_us = (time.perf_counter() - began) * 1e6
        server_us = await self._evalsha_us() - before
        return ids, server_us / len(ids), own_us / len(ids), wall_us / len(ids)

    async def acknowledge(self, ids: list[bytes]) -> None:
        texts = [job_id.decode() for job_id in ids]
        ended = {RESULT_TTL_S * 1000: Ended(texts, [b"s" + RECORD] * len(texts))}
        await self.engine.turn(SESSION, 0, ended, [])

    async def _evalsha_us(self) -> float:
        stats: dict[str, Any] = await self.redis.info("commandstats")
        return float(stats.get("cmdstat_evalsha", {}).get("usec", 0.0))


async def measure(url: str, backlog: int) -> None:
    """Hold the backlog at its depth and report the median cost of a claimed job."""
    queue = Queue(url)
    await queue.fill(backlog)
    await queue.engine.open(SESSION, 120_000)
    server, whole, wall = [], [], []
    for cycle in range(WARM_UP + CYCLES):
        ids, server_us, own_us, wall_us = await queue.claim()
        await queue.acknowledge(ids)
        await queue.fill(len(ids))
        if cycle >= WARM_UP:
            server.append(server_us)
            whole.append(server_us + own_us)
            wall.append(wall_us)
    report(
        "claimed",
        server_us=statistics.median(server),
        whole_us=statistics.median(whole),
        wall_us=statistics.median(wall),
    )
    await queue.engine.close()
    await queue.redis.aclose()


def main() -> None:
    order = json.loads(sys.argv[1])
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(measure(order["url"], order["count"]))


if __name__ == "__main__":
    main()
