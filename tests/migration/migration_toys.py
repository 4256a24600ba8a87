"""What the tests of the way across share: arq's keys, planted by hand, and words for an import."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from arqlite import ArqRedis
from arqlite.engine import RedisEngine
from arqlite.migration.convert import Converter
from arqlite.migration.importer import Choices, Importer
from arqlite.migration.report import Report
from arqlite.migration.source import ArqQueue
from arqlite.migration.wire import Reader
from arqlite.model.codec import Codec
from arqlite.utils import timestamp_ms

QUEUE = "arq:queue"
DAY_MS = 86_400_000


def arq_body(
    function: str,
    *args: Any,
    first_try: int | None = None,
    enqueue_ms: int | None = None,
    write: Callable[[dict[str, Any]], bytes] = pickle.dumps,
    **kwargs: Any,
) -> bytes:
    """Write a job as arq does."""
    enqueue_ms = timestamp_ms() if enqueue_ms is None else enqueue_ms
    return write({"t": first_try, "f": function, "a": args, "k": kwargs, "et": enqueue_ms})


def arq_result(
    job_id: str,
    result: Any,
    *,
    success: bool = True,
    queue: str | None = QUEUE,
    args: tuple[Any, ...] = (1, 2),
    write: Callable[[dict[str, Any]], bytes] = pickle.dumps,
) -> bytes:
    """Write a result as arq does."""
    now_ms = timestamp_ms()
    envelope = {
        "t": 2, "f": "add", "a": args, "k": {}, "et": now_ms - 2000, "s": success, "r": result,
        "st": now_ms - 1000, "ft": now_ms, "q": queue, "id": job_id,
    }  # fmt: skip
    if queue is None:
        del envelope["q"], envelope["id"]
    return write(envelope)


@dataclass
class Arq:
    """An arq deployment that is nothing but its keys."""

    client: Any
    queue: str = QUEUE

    async def enqueue(
        self,
        job_id: str,
        function: str = "add",
        *args: Any,
        defer_ms: int = 0,
        ttl_ms: int | None = None,
        tries: int = 0,
        running: bool = False,
        score: float | None = None,
        **options: Any,
    ) -> None:
        """Plant a job as arq's `enqueue_job` and its workers would leave it."""
        now_ms = timestamp_ms()
        body = arq_body(function, *args, **{"enqueue_ms": now_ms, **options})
        score = now_ms + defer_ms if score is None else score
        await self.client.set(
            f"arq:job:{job_id}", body, px=max(defer_ms, 0) + DAY_MS if ttl_ms is None else ttl_ms
        )
        await self.client.zadd(self.queue, {job_id: score})
        if tries:
            await self.client.set(f"arq:retry:{job_id}", str(tries), ex=88_400)
        if running:
            await self.lock(job_id)

    async def lock(self, job_id: str) -> None:
        await self.client.set(f"arq:in-progress:{job_id}", b"1", px=310_000)

    async def end(self, job_id: str) -> None:
        """End a job as a worker of arq does."""
        await self.client.zrem(self.queue, job_id)
        await self.client.delete(f"arq:job:{job_id}", f"arq:retry:{job_id}", f"arq:in-progress:{job_id}")

    async def keys(self) -> set[str]:
        """Name everything of arq that is left."""
        return {key.decode() for key in await self.client.keys("arq:*")}


@dataclass
class Move:
    """An import under test.

    Attributes:
        arq: from where.
        pool: to where.
        queue: arqlite's queue.
        pauses: how often it waited, and what to do then.
    """

    arq: Arq
    pool: ArqRedis
    queue: str = QUEUE
    functions: Any = ("add",)
    deserializer: Any = None
    keep_expiry: bool = False
    queues: tuple[str, ...] = ()
    pauses: list[Callable[[], Any]] = field(default_factory=list)
    sources: list[ArqQueue] = field(default_factory=list)
    engine: Any = None

    async def __call__(self, **choices: Any) -> Report:
        return await self.importer(**choices).run()

    def importer(self, **choices: Any) -> Importer:
        codec = Codec(self.pool.job_serializer, self.pool.job_deserializer)
        cautious = bool(choices.get("dry_run"))
        reader = Reader(self.deserializer, other=codec.deserializer, cautious=cautious)
        converter = Converter(
            codec, reader, self.functions, keep_expiry=self.keep_expiry, force=choices.get("force", False)
        )
        names = self.queues or (self.arq.queue,)
        self.sources = [ArqQueue(self.arq.client, name) for name in names]
        self.engine = RedisEngine(self.pool, self.queue)
        return Importer(self.sources, self.engine, converter, reader, Choices(**choices), pause=self._pause)

    async def _pause(self, seconds: float) -> None:
        await self.pauses.pop(0)()


async def dump(client: Any) -> dict[bytes, Any]:
    """Read everything of a database, for comparing."""
    found: dict[bytes, Any] = {}
    for key in await client.keys("*"):
        kind = await client.type(key)
        match kind:
            case b"string":
                value: Any = await client.get(key)
            case b"hash":
                value = await client.hgetall(key)
            case b"zset":
                value = await client.zrange(key, 0, -1, withscores=True)
            case b"set":
                value = await client.smembers(key)
            case _:
                value = await client.lrange(key, 0, -1)
        found[key] = (kind, value, await client.ttl(key) > 0)
    return found
