"""Replies that are lost on the way, at the worst moments: what was claimed unseen goes back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from chaos_wait import until
from redis.exceptions import ConnectionError as RedisConnectionError

from arqlite import ArqRedis, Worker, func
from arqlite.engine import RedisEngine

Verb = Callable[..., Awaitable[Any]]


async def test_job_claimed_unseen_goes_back_even_if_the_first_look_for_it_fails(
    arq_redis: ArqRedis, make_worker: Callable[..., Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A claim whose reply is lost, and a look for it that fails, leave no job behind a busy slot."""
    monkeypatch.setattr(RedisEngine, "turn", _lose_first_reply(RedisEngine.turn, lambda turn: turn.job_ids))
    monkeypatch.setattr(RedisEngine, "owned", _lose_first_reply(RedisEngine.owned, lambda ids: True))
    released = asyncio.Event()

    async def hold(ctx: dict[Any, Any]) -> None:
        await released.wait()

    unseen = await arq_redis.enqueue_job("hold")
    seen = await arq_redis.enqueue_job("hold")
    worker = make_worker([func(hold, name="hold")], max_jobs=1)
    running = asyncio.create_task(worker.async_run())

    async def unseen_is_back() -> bool:
        return bool(await arq_redis.zcard("aq:{arq:queue}:ready"))

    await until(lambda: len(worker.tasks) == 1, 5, "one of them runs")
    await until(unseen_is_back, 5, "the other one is for others to take")
    released.set()
    await running

    assert unseen is not None
    assert seen is not None
    assert worker.jobs_complete == 2


def _lose_first_reply(verb: Verb, matters: Callable[[Any], Any]) -> Verb:
    """Let a verb be done, and lose its first reply that matters."""
    is_lost = False

    async def once(*args: Any) -> Any:
        nonlocal is_lost
        reply = await verb(*args)
        if not is_lost and matters(reply):
            is_lost = True
            raise RedisConnectionError("lost on the way")
        return reply

    return once
