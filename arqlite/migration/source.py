"""arq's side: what stands in its queue, and how a job leaves it without a worker of arq taking it, too."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, NamedTuple

from redis.asyncio import Redis

from ..clusters import ClusterRedis
from ..constants import (
    abort_jobs_ss,
    in_progress_key_prefix,
    job_key_prefix,
    result_key_prefix,
    retry_key_prefix,
)
from ..engine import Keys, Planted
from ..engine.link import call_on_pool
from ..engine.scripts import load
from ..errors import ConfigurationError
from .convert import Move, Waiting
from .wire import HELD_SCORE, OUR_LOCK

_PACKAGE = "arqlite.migration"
_PATIENCE_S = 30.0
_SCAN_COUNT = 500
_DROPPED = b"-"


class Batch(NamedTuple):
    """Jobs that have left arq's queue and are not known to be in arqlite yet.

    Attributes:
        token: its name.
        target: the queue it is meant for.
        jobs: what is to be planted; ticks of cron are not.
    """

    token: str
    target: str
    jobs: list[Planted]


class StoredResult(NamedTuple):
    """A result of arq: the job's id, its bytes, and how many ms it is kept (negative: for ever)."""

    key: bytes
    body: bytes
    ttl_ms: int


class ArqQueue:
    """One queue of arq in one Redis database.

    Args:
        client: of that database; any `redis.asyncio.Redis` that returns bytes.
        queue: the queue's name.

    Raises:
        ConfigurationError: the client is one of a cluster, where arq does not run.
    """

    def __init__(self, client: Redis, queue: str) -> None:
        if isinstance(client, ClusterRedis):
            raise ConfigurationError(
                "arq has no queue in a Redis Cluster, for a job's keys would be in several slots: give the"
                " redis_settings of the server that arq's workers have"
            )
        self.client: Any = client
        self.queue = queue
        self._index = Keys.staged_index(queue)
        self._names = {
            "job_prefix": job_key_prefix,
            "lock_prefix": in_progress_key_prefix,
            "retry_prefix": retry_key_prefix,
            "result_prefix": result_key_prefix,
            "our_lock": OUR_LOCK,
        }

    async def size(self) -> int:
        """Count the jobs that are not held: queued, deferred and running ones."""
        return int(await self.client.zcount(self.queue, "-inf", f"({HELD_SCORE}"))

    async def held_size(self) -> int:
        """Count the jobs that are held on behalf of arq's producers."""
        return int(await self.client.zcount(self.queue, HELD_SCORE, HELD_SCORE))

    async def held(self, offset: int, limit: int) -> list[bytes]:
        """Name jobs that are held on behalf of arq's producers."""
        return await self._range(HELD_SCORE, HELD_SCORE, offset, limit)

    async def page(self, offset: int, limit: int) -> list[bytes]:
        """Name jobs that are not held, in the order they are due."""
        return await self._range("-inf", f"({HELD_SCORE}", offset, limit)

    async def scored_page(self, offset: int, limit: int) -> list[tuple[bytes, float]]:
        """Name jobs that are not held, with their scores, in the order they are due."""
        most = f"({HELD_SCORE}"
        return list(
            await self.client.zrangebyscore(
                self.queue, "-inf", most, start=offset, num=limit, withscores=True
            )
        )

    async def all(self) -> AsyncIterator[list[bytes]]:
        """Name all jobs that are not held, in no order: each that is there all the while, at least once."""
        cursor, seen_any = 0, False
        while cursor or not seen_any:
            seen_any = True
            cursor, scored = await self.client.zscan(self.queue, cursor, count=_SCAN_COUNT)
            yield [key for key, score in scored if score < HELD_SCORE]

    async def others(self) -> dict[str, int]:
        """Find other queues of arq in this database, and how many jobs each has: nowhere are they listed."""
        found: dict[str, int] = {}
        async for key in self.client.scan_iter(count=_SCAN_COUNT, _type="zset"):
            name = key.decode(errors="backslashreplace")
            if name in (self.queue, abort_jobs_ss):
                continue
            first = await self.client.zrange(key, 0, 0)
            if first and await self.client.exists(job_key_prefix.encode() + first[0]):
                found[name] = int(await self.client.zcard(key))
        return found

    async def which_wait(self, keys: Sequence[str]) -> set[str]:
        """Tell which of these jobs stand in the queue."""
        async with self.client.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.zscore(self.queue, key)
            scores = await pipe.execute()
        return {key for key, score in zip(keys, scores, strict=True) if score is not None}

    async def read(self, keys: Sequence[bytes]) -> list[Waiting]:
        """Read all about these jobs; those that have left the queue meanwhile are left out."""
        async with self.client.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.zscore(self.queue, key)
                pipe.get(job_key_prefix.encode() + key)
                pipe.get(retry_key_prefix.encode() + key)
                pipe.pttl(job_key_prefix.encode() + key)
                pipe.zscore(abort_jobs_ss, key)
                pipe.get(in_progress_key_prefix.encode() + key)
            answers = await pipe.execute()
        found = []
        for place, key in enumerate(keys):
            score, body, tries, ttl_ms, aborted_ms, lock = answers[6 * place : 6 * place + 6]
            if score is not None:
                found.append(Waiting(key, score, body, tries or b"", ttl_ms, aborted_ms, lock))
        return found

    async def take(self, moves: Sequence[Move], target: str, mode: str) -> tuple[Batch, list[int]]:
        """Take jobs out of the queue, or hold them in it, and stage them; all in one step.

        Args:
            moves: as `read` found them; what has changed since is not taken.
            target: the queue they are meant for.
            mode: `take`, `force` (running ones, too) or `hold`.

        Returns:
            The batch, and per move 1 when it is part of it, 0 when it runs, -1 when it has changed.
        """
        token = secrets.token_hex(8)
        rest: list[Any] = []
        for move in moves:
            waiting = move.waiting
            rest += (waiting.key, repr(waiting.score), waiting.body or b"", waiting.tries, _staged(move))
        args = {"token": token, "target": target, "mode": mode, "held_score": HELD_SCORE}
        answers = await self._call("take", args, rest, {"staged": Keys.staged(self.queue, token)})
        jobs = [
            move.planted
            for move, answer in zip(moves, answers, strict=True)
            if answer == 1 and move.planted is not None
        ]
        return Batch(token, target, jobs), answers

    async def staged(self) -> list[Batch]:
        """Read the batches that are on their way: those of a run that broke off, and of others now at it."""
        batches = []
        index: Mapping[bytes, bytes] = await self.client.hgetall(self._index)
        for token, target in index.items():
            staged = await self.client.hgetall(Keys.staged(self.queue, token.decode()))
            jobs = [_planted(key, text) for key, text in staged.items() if text != _DROPPED]
            batches.append(Batch(token.decode(), target.decode(), jobs))
        return batches

    async def staged_ids(self) -> set[str]:
        """Name the jobs that are on their way."""
        ids: set[str] = set()
        for token in await self.client.hkeys(self._index):
            ids.update(
                key.decode() for key in await self.client.hkeys(Keys.staged(self.queue, token.decode()))
            )
        return ids

    async def unstage(self, token: str) -> None:
        """Forget a batch that has arrived."""
        async with self.client.pipeline(transaction=True) as pipe:
            pipe.delete(Keys.staged(self.queue, token))
            pipe.hdel(self._index, token)
            await pipe.execute()

    async def hold_again(self, key: str) -> None:
        """Put a held job, that an abort pulled to the front, back to where held jobs stand."""
        async with self.client.pipeline(transaction=True) as pipe:
            pipe.zadd(self.queue, {key: HELD_SCORE}, xx=True)
            pipe.zrem(abort_jobs_ss, key)
            await pipe.execute()

    async def which_are_held(self, keys: Sequence[str]) -> list[str]:
        """Tell which of these jobs are held."""
        if not keys:
            return []
        locks = await self.client.mget([in_progress_key_prefix + key for key in keys])
        return [key for key, lock in zip(keys, locks, strict=True) if lock == OUR_LOCK]

    async def bodies(self, keys: Sequence[str]) -> list[bytes | None]:
        """Read how arq wrote these jobs."""
        return list(await self.client.mget([job_key_prefix + key for key in keys])) if keys else []

    async def release(self, results: Sequence[tuple[str, bytes, int]]) -> int:
        """End held jobs as a worker of arq would: (id, result or nothing, ms to keep it) each.

        Returns how many were held.
        """
        if not results:
            return 0
        return int(await self._call("release", {}, [part for result in results for part in result], {}))

    async def results(self) -> AsyncIterator[list[StoredResult]]:
        """Read all results of the database, of all queues, some at a time."""
        prefix = result_key_prefix.encode()
        cursor, seen_any = 0, False
        while cursor or not seen_any:
            seen_any = True
            cursor, keys = await self.client.scan(cursor, match=prefix + b"*", count=_SCAN_COUNT)
            async with self.client.pipeline(transaction=False) as pipe:
                for key in keys:
                    pipe.get(key)
                    pipe.pttl(key)
                answers = await pipe.execute()
            found = zip(keys, answers[::2], answers[1::2], strict=True)
            yield [StoredResult(key[len(prefix) :], body, ttl) for key, body, ttl in found if body]

    async def _range(self, least: Any, most: Any, offset: int, limit: int) -> list[bytes]:
        return list(await self.client.zrangebyscore(self.queue, least, most, start=offset, num=limit))

    async def _call(self, name: str, args: dict[str, Any], rest: list[Any], keys: dict[str, str]) -> Any:
        script = load(name, _PACKAGE)
        names = {"queue": self.queue, "aborts": abort_jobs_ss, "index": self._index, **keys}
        call = script.arguments(names, {**self._names, **args}, rest)
        return await call_on_pool(self.client, script, call, _PATIENCE_S)


def _staged(move: Move) -> bytes:
    planted = move.planted
    if planted is None:
        return _DROPPED
    return b"\0".join([planted.when.encode(), planted.memory.encode(), planted.record])


def _planted(key: bytes, text: bytes) -> Planted:
    when, memory, record = text.split(b"\0", 2)
    return Planted(key.decode(), when.decode(), memory.decode(), record)
