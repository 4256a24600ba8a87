"""Which tokens an idle worker takes, and which it hands on."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any, cast

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from arqlite import ArqRedis, func
from arqlite.engine import RedisEngine, Token, Turn, Waker
from arqlite.runtime.doorbell import Doorbell


class ToldWaker:
    """Gives the tokens that the test puts in, and notes for which holds it waited."""

    def __init__(self) -> None:
        self.tokens: asyncio.Queue[Token | None] = asyncio.Queue()
        self.waited_for: list[Collection[str] | None] = []
        self.is_away = False

    async def wait(self, holds: Collection[str] | None = None) -> Token | None:
        self.waited_for.append(holds)
        return await self.tokens.get()

    async def ring(self) -> None:
        if self.is_away:
            raise RedisConnectionError("away")
        self.tokens.put_nowait(Token(is_ring=True))

    async def close(self) -> None: ...


class Bench:
    """A doorbell and what it does."""

    def __init__(self) -> None:
        self.waker = ToldWaker()
        self.holds: list[str] | None = ["f"]
        self.has_room = True
        self.rung = 0
        self.handed_on = 0
        self.bell = Doorbell(
            cast("Waker", self.waker), lambda: self.has_room, self._hand_on, self._ring, lambda: self.holds
        )

    async def _hand_on(self) -> None:
        self.handed_on += 1

    def _ring(self) -> None:
        self.rung += 1


@pytest.fixture
async def bench() -> Any:
    bench = Bench()
    bench.bell.listen()
    yield bench
    await bench.bell.close()


@pytest.mark.parametrize("token", [None, Token(), Token("f")])
async def test_token_rings(bench: Bench, token: Token | None, eventually: Any) -> None:
    """The queue's token, that of a hold with room, and a long silence all make the worker look."""
    bench.waker.tokens.put_nowait(token)

    await eventually(lambda: bench.rung)

    assert bench.handed_on == 0


async def test_token_without_room_is_handed_on(bench: Bench, eventually: Any) -> None:
    """A token that finds all slots taken goes to somebody else, and is not waited for meanwhile."""
    bench.has_room = False

    bench.waker.tokens.put_nowait(Token())

    await eventually(lambda: bench.handed_on)
    assert (bench.rung, len(bench.waker.waited_for)) == (0, 1)


async def test_token_of_a_hold_without_room_is_handed_on(bench: Bench, eventually: Any) -> None:
    """Who has no room for a hold any more hands its token on, and waits for the others from then on."""
    bench.holds = ["g"]

    bench.waker.tokens.put_nowait(Token("f"))

    await eventually(lambda: len(bench.waker.waited_for) == 2)
    assert (bench.rung, bench.handed_on) == (0, 1)
    assert bench.waker.waited_for == [["f"], ["g"]]


async def test_new_room_is_waited_for(bench: Bench, eventually: Any) -> None:
    """When there is room for more holds, the wait is ended and begun anew for all of them; once."""
    await eventually(lambda: bench.waker.waited_for)
    bench.holds = ["f", "g"]

    bench.bell.listen()
    bench.bell.listen()

    await eventually(lambda: len(bench.waker.waited_for) == 2)
    assert bench.waker.waited_for[1] == ["f", "g"]
    assert bench.waker.tokens.empty()
    assert (bench.rung, bench.handed_on) == (0, 0)


async def test_less_room_changes_no_wait(bench: Bench, eventually: Any) -> None:
    """Room that was used up ends no wait: its token would be handed on."""
    await eventually(lambda: bench.waker.waited_for)
    bench.holds = []

    bench.bell.listen()

    assert bench.bell._calling is None


async def test_call_that_fails_harms_nobody(bench: Bench, eventually: Any) -> None:
    """A call to oneself that Redis does not hear is forgotten: the wait ends by itself."""
    await eventually(lambda: bench.waker.waited_for)
    bench.waker.is_away, bench.holds = True, ["g"]

    bench.bell.listen()
    await eventually(lambda: bench.bell._calling is not None and bench.bell._calling.done())
    bench.waker.tokens.put_nowait(None)

    await eventually(lambda: bench.rung)


async def test_token_that_comes_during_a_turn_is_not_forgotten(
    arq_redis: ArqRedis, make_worker: Any, monkeypatch: pytest.MonkeyPatch, eventually: Any
) -> None:
    """A job that came when a turn had found nothing, but was under way still, is not left until later."""
    turn, jobs = RedisEngine.turn, list[Any]()

    async def slow(engine: RedisEngine, *args: Any) -> Turn:
        answer = await turn(engine, *args)
        if not jobs:
            jobs.append(await arq_redis.enqueue_job("noop"))
            assert await engine.client.lpop(engine.keys.wake)
            worker._crew.producer.look()
        return answer

    monkeypatch.setattr(RedisEngine, "turn", slow)
    worker = make_worker([func(noop, name="noop")], burst=False)
    task = asyncio.create_task(worker.async_run())
    await eventually(lambda: jobs)

    assert await jobs[0].result(timeout=2) is None

    await worker.close()
    await task


async def noop(ctx: dict[str, Any]) -> None:
    """Do nothing."""
