"""The floor: the least that a reliable queue on redis-py and uvloop must do, and no feature on top.

One script acknowledges what ended and claims as many jobs as there are slots (100); fixed consumers take
them from a deque, so there is no task per job; the next claim travels while the current batch runs. A crash
loses nothing (claimed ids stay in a set), but nobody would rescue them; results are not kept.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from typing import Any

from redis.asyncio import Redis

from benchmarks.roles import System, run

CHUNK = 1000

TURN = """
local n = tonumber(ARGV[1])
if #ARGV > 1 then
  local ended = {unpack(ARGV, 2)}
  redis.call('SREM', KEYS[2], unpack(ended))
  redis.call('HDEL', KEYS[3], unpack(ended))
end
local ids = redis.call('LPOP', KEYS[1], n)
if not ids then return {{}, {}} end
redis.call('SADD', KEYS[2], unpack(ids))
return {ids, redis.call('HMGET', KEYS[3], unpack(ids))}
"""

KEYS = ("floor:ready", "floor:running", "floor:jobs")


class Floor(System):
    redis: Redis
    ids = itertools.count()

    async def work(self) -> None:
        await self.connect()
        tick = self.recorder.tick

        async def noop() -> None:
            tick()

        functions = {b"noop": noop}
        ready: deque[tuple[bytes, bytes]] = deque()
        ended: list[bytes] = []
        idle: deque[asyncio.Future[None]] = deque()
        loop = asyncio.get_running_loop()

        async def consume() -> None:
            while True:
                while ready:
                    job_id, body = ready.popleft()
                    await functions[body]()
                    ended.append(job_id)
                future = loop.create_future()
                idle.append(future)
                await future

        consumers = [asyncio.create_task(consume()) for _ in range(self.order.concurrency)]
        sha = await self.redis.script_load(TURN)
        while not consumers[0].done():
            acks, ended = ended, []
            ids, bodies = await self.redis.evalsha(sha, 3, *KEYS, self.order.concurrency, *acks)
            ready.extend(zip(ids, bodies, strict=True))
            for _ in range(min(len(idle), len(ready))):
                idle.popleft().set_result(None)
            if not ids and not acks and not ended:
                await asyncio.sleep(0.001)

    async def connect(self) -> None:
        self.redis = Redis.from_url(self.order.url)

    async def enqueue(self, job: str, arguments: dict[str, Any]) -> None:
        job_id = f"{next(self.ids):021d}"
        async with self.redis.pipeline(transaction=True) as pipe:
            pipe.hset(KEYS[2], job_id, job)
            pipe.rpush(KEYS[0], job_id)
            await pipe.execute()

    async def enqueue_bulk(self, job: str, arguments: dict[str, Any], count: int) -> None:
        for start in range(0, count, CHUNK):
            ids = [f"{next(self.ids):021d}" for _ in range(min(CHUNK, count - start))]
            async with self.redis.pipeline(transaction=True) as pipe:
                pipe.hset(KEYS[2], mapping=dict.fromkeys(ids, job))
                pipe.rpush(KEYS[0], *ids)
                await pipe.execute()


if __name__ == "__main__":
    run(Floor)
