"""How an idle worker wakes, and how a waiting caller hears of an end."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from engine_toys import Queue

from arqlite import ArqRedis
from arqlite.engine import EndWatch, Listener, Waker, wakeup


async def test_token_wakes_a_waiting_worker(queue: Queue) -> None:
    """A worker that waits is woken by the next job; the token is gone then."""
    waker = Waker(queue.client, queue.keys)
    waiting = asyncio.create_task(waker.wait())

    await queue.fill("a")

    assert await waiting
    assert not await queue.take_token()
    await waker.close()


async def test_token_wakes_one_of_two(queue: Queue, eventually: Any) -> None:
    """One token wakes one worker; the other goes on waiting."""
    wakers = [Waker(queue.client, queue.keys) for _ in range(2)]
    waiting = [asyncio.create_task(waker.wait()) for waker in wakers]
    await queue.fill("a", "b")

    await eventually(lambda: any(task.done() for task in waiting))

    assert not await queue.take_token()
    assert [task.done() for task in waiting].count(True) == 1
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    for waker in wakers:
        await waker.close()


async def test_waiting_ends_without_a_token(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that heard nothing looks by itself after a while."""
    monkeypatch.setattr(wakeup, "BLOCK_S", 0.1)
    waker = Waker(queue.client, queue.keys)

    assert not await waker.wait()
    await waker.close()


async def test_listener_hands_messages_to_their_callback(arq_redis: ArqRedis, eventually: Any) -> None:
    """Each channel has its own callback, and one that was left hears nothing more."""
    listener = Listener(arq_redis)
    heard: list[tuple[str, bytes]] = []
    await listener.follow("one", lambda message: heard.append(("one", message)))
    await listener.follow("two", lambda message: heard.append(("two", message)))

    async def told() -> bool:
        await arq_redis.publish("one", "a")
        await arq_redis.publish("two", "b")
        return {("one", b"a"), ("two", b"b")} <= set(heard)

    await eventually(told)
    await listener.unfollow("one")
    heard.clear()

    await eventually(lambda: _published(arq_redis, heard))
    assert ("one", b"x") not in heard
    await listener.close()


async def _published(client: ArqRedis, heard: list[tuple[str, bytes]]) -> bool:
    await client.publish("one", "x")
    await client.publish("two", "x")
    return ("two", b"x") in heard


@pytest.mark.real
async def test_listener_survives_a_lost_connection(real_url: str, eventually: Any) -> None:
    """A listener whose connection was killed listens again by itself."""
    client, other = ArqRedis.from_url(real_url), ArqRedis.from_url(real_url)
    subscribed: list[str] = []
    listener = Listener(client, patience=0.02, subscribed=subscribed.append)
    heard: list[bytes] = []
    await listener.follow("channel", heard.append)
    await eventually(lambda: subscribed == ["channel"])

    await other.client_kill_filter(_type="pubsub")
    await eventually(lambda: subscribed == ["channel", "channel"])

    async def told() -> bool:
        await other.publish("channel", "again")
        return bool(heard)

    await eventually(told)
    await listener.close()
    for one in (client, other):
        await one.aclose(close_connection_pool=True)


async def test_listener_closes_amid_messages(arq_redis: ArqRedis) -> None:
    """A listener that is closed while a message arrives ends all the same."""
    listener = Listener(arq_redis)
    await listener.follow("channel", lambda _: None)

    await arq_redis.publish("channel", "last")

    await asyncio.wait_for(listener.close(), 5)


async def test_listener_ends_by_a_cancellation_that_its_client_has_lost() -> None:
    """`asyncio.wait_for` of Python 3.11 may swallow one at the moment its wait is over: it still counts."""
    waits, looks = asyncio.Event(), 0

    class Subscription:
        async def subscribe(self, *_: str) -> None: ...

        async def get_message(self, **_: Any) -> dict[str, Any]:
            nonlocal looks
            looks += 1
            waits.set()
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                assert looks == 1, "it was asked again"
            return {"type": "subscribe", "channel": b"one"}

        async def aclose(self) -> None: ...

    class Client:
        def pubsub(self, **_: Any) -> Subscription:
            return Subscription()

    listener = Listener(Client(), patience=0.01)
    await listener.follow("one", lambda _: None)
    await asyncio.wait_for(waits.wait(), 5)
    task = listener._task
    assert task is not None

    task.cancel()  # once, as whoever closes the loop does

    await asyncio.wait([task], timeout=5)
    assert task.done()


async def test_listener_does_not_hold_up_its_caller() -> None:
    """Without a server a listener waits no longer than its patience and keeps trying unseen."""
    client = ArqRedis(unix_socket_path="/nowhere/redis.sock")
    listener = Listener(client, patience=0.01)

    await asyncio.wait_for(listener.follow("channel", lambda _: None), 2)

    await listener.close()
    await client.aclose(close_connection_pool=True)


async def test_end_watch_tells_each_waiter(queue: Queue) -> None:
    """Everybody who awaits a job hears of its end and its outcome; nothing is left in Redis."""
    watch = EndWatch(queue.engine)
    await queue.fill("a")
    await queue.open("s")
    await queue.claim("s")
    waiting = [await watch.announce("a") for _ in range(2)]

    await queue.finish("s", "a", keep_ms=0)

    assert await asyncio.gather(*waiting) == [b"S", b"S"]
    for future in waiting:
        await watch.forget("a", future)
    assert await queue.client.exists(queue.keys.wait) == 0
    await watch.close()


async def test_end_watch_leaves_no_trace(queue: Queue) -> None:
    """Who stops waiting early is forgotten, here and in Redis; another waiter is not."""
    watch = EndWatch(queue.engine)
    await queue.fill("a")
    first, second = await watch.announce("a"), await watch.announce("a")

    await watch.forget("a", first)
    assert await queue.client.smembers(queue.keys.wait) == {b"a"}

    await watch.forget("a", second)
    assert await queue.client.exists(queue.keys.wait) == 0
    assert watch._waiting == {}
    await watch.close()
