"""How an idle worker wakes, how it hears of cancellations, and how a waiting caller hears of a job's end
and a follower of its notes.

All of these are hints over Redis; each has a slower way that works when the hint is lost: an idle
worker looks again after `BLOCK_S`, a heartbeat brings the cancellations and tells whether something was
settled for the queue, a caller asks again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

from ..service import end_task
from .batch import TRIPS, Gathering
from .keys import Keys
from .link import Link
from .redis import RedisEngine

logger = logging.getLogger("arqlite.engine")

# How long an idle worker blocks before it looks by itself: a token lost with its popper costs this much.
BLOCK_S = 5.0
_MARGIN_S = 2.0


class Token(NamedTuple):
    """What ended a wait.

    Attributes:
        hold: whose token it was; empty for the one of the whole queue.
        is_ring: whether there was no token, but the waiter itself called.
    """

    hold: str = ""
    is_ring: bool = False


class Waker:
    """Waits for wake tokens on a connection of its own."""

    def __init__(self, client: Any, keys: Keys) -> None:
        self._client = client
        self._link = Link(client, BLOCK_S + _MARGIN_S)
        self._keys = keys
        self._bell = keys.bell(secrets.token_hex(8))

    async def wait(self, holds: Collection[str] | None = None) -> Token | None:
        """Block until a token comes, or `BLOCK_S` seconds are over (None).

        Args:
            holds: whose tokens to wait for as well, and for `ring`; None is for those who need neither.
        """
        if holds is None:
            told = await self._link.command("BLPOP", self._keys.wake, BLOCK_S)
            return None if told is None else Token()
        tokens = {self._keys.hold_token(name).encode(): Token(name) for name in holds}
        told = await self._link.command("BLPOP", self._bell, self._keys.wake, *tokens, BLOCK_S)
        if told is None:
            return None
        if told[0] == self._bell.encode():
            return Token(is_ring=True)
        return tokens.get(told[0], Token())

    async def ring(self) -> None:
        """End the own `wait`, this one or the next, without a token: there is something else to wait for."""
        async with asyncio.timeout(_MARGIN_S), self._client.pipeline(transaction=True) as both:
            both.rpush(self._bell, "1")
            both.pexpire(self._bell, int(2 * BLOCK_S * 1000))
            await both.execute()

    async def close(self) -> None:
        """Drop the connection."""
        await self._link.close()


class Listener:
    """Follows channels, each with a callback that gets the message; survives lost connections.

    Args:
        client: a `redis.asyncio.Redis`.
        patience: seconds between two attempts to listen again.
        subscribed: called with a channel once its messages come, at first and after each lost connection:
            what was said before is not repeated.
    """

    def __init__(
        self, client: Any, patience: float = 1.0, subscribed: Callable[[str], None] = lambda channel: None
    ) -> None:
        self._client = client
        self._patience = patience
        self._subscribed = subscribed
        self._callbacks: dict[str, Callable[[bytes], None]] = {}
        self._pubsub: Any = None
        self._task: asyncio.Task[None] | None = None
        self._listening = asyncio.Event()

    async def follow(self, channel: str, callback: Callable[[bytes], None]) -> None:
        """Call back for every message of a channel from now on."""
        is_new = channel not in self._callbacks
        self._callbacks[channel] = callback
        if self._task is None or self._task.done():
            self._listening.clear()
            self._task = asyncio.create_task(self._run(), name="arqlite:listener")
        elif is_new and self._pubsub is not None:
            await self._pubsub.subscribe(channel)
        await self._wait_until_listening()

    async def unfollow(self, channel: str) -> None:
        """Stop following a channel."""
        self._callbacks.pop(channel, None)
        if self._pubsub is not None:
            with contextlib.suppress(Exception):
                await self._pubsub.unsubscribe(channel)

    async def close(self) -> None:
        """Stop listening."""
        task, self._task = self._task, None
        if task is not None:
            await end_task(task)

    async def _wait_until_listening(self) -> None:
        # Without the hints everything still works, so an unreachable server must not block the caller.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._patience):
                await self._listening.wait()

    async def _run(self) -> None:
        while self._goes_on():
            self._pubsub = self._client.pubsub(ignore_subscribe_messages=False)
            try:
                await self._pubsub.subscribe(*self._callbacks)
                while self._goes_on():
                    self._dispatch(await self._pubsub.get_message(timeout=BLOCK_S))
            except Exception as error:  # noqa: BLE001 (a hint that is lost is not worth more)
                logger.debug("listening again in %0.1fs after %r", self._patience, error)
                self._listening.clear()
                await asyncio.sleep(self._patience)
            finally:
                with contextlib.suppress(Exception):
                    await self._pubsub.aclose()

    def _goes_on(self) -> bool:
        # A cancellation that `asyncio.wait_for` of Python 3.11 has lost, inside the client, is counted still.
        task = asyncio.current_task()
        return task is not None and task is self._task and not task.cancelling()

    def _dispatch(self, message: dict[str, Any] | None) -> None:
        if message is None:
            return
        if message["type"] == "subscribe":
            self._listening.set()
            self._subscribed(message["channel"].decode())
        elif message["type"] == "message":
            callback = self._callbacks.get(message["channel"].decode())
            if callback is not None:
                callback(message["data"])


class EndWatch:
    """Tells waiting callers of one client when a job of a queue ends, or notes something.

    Args:
        engine: the queue.
    """

    def __init__(self, engine: RedisEngine) -> None:
        self._engine = engine
        self._minds: Gathering[str, bool] = Gathering(engine.mind_many, TRIPS)
        self._unminds: Gathering[str, None] = Gathering(engine.unmind_many, TRIPS)
        self._listener = Listener(engine.client)
        self._waiting: dict[str, set[asyncio.Future[bytes]]] = {}
        self._followers: dict[str, set[asyncio.Event]] = {}

    async def follow_notes(self, job_id: str, noted: asyncio.Event) -> None:
        """Set the event whenever the job notes something; `unfollow_notes` it afterwards."""
        followers = self._followers.setdefault(job_id, set())
        followers.add(noted)

        def tell(_: bytes) -> None:
            for follower in followers:
                follower.set()

        await self._listener.follow(self._engine.keys.noted_channel(job_id), tell)

    async def unfollow_notes(self, job_id: str, noted: asyncio.Event) -> None:
        """Follow the job's notes no longer."""
        followers = self._followers.get(job_id, set())
        followers.discard(noted)
        if not followers and self._followers.pop(job_id, None) is not None:
            await self._listener.unfollow(self._engine.keys.noted_channel(job_id))

    async def announce(self, job_id: str) -> asyncio.Future[bytes]:
        """Return a future of the letter that the job's end is announced with; `forget` it afterwards."""
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(job_id, set()).add(future)
        try:
            await self._listener.follow(self._engine.keys.finished_channel, self._ended)
            await self._minds.ask(job_id)
        except BaseException:
            self._drop(job_id, future)
            raise
        return future

    async def forget(self, job_id: str, future: asyncio.Future[bytes]) -> None:
        """Wait no longer."""
        is_last = self._drop(job_id, future)
        if is_last and not future.done():
            await self._unminds.ask(job_id)
        future.cancel()

    async def close(self) -> None:
        """Stop listening."""
        await self._listener.close()

    def _drop(self, job_id: str, future: asyncio.Future[bytes]) -> bool:
        """Take a caller off the list; tell whether nobody else waits for this job."""
        others = self._waiting.get(job_id, set())
        others.discard(future)
        if not others:
            self._waiting.pop(job_id, None)
        return not others

    def _ended(self, message: bytes) -> None:
        for future in self._waiting.pop(message[1:].decode(), ()):
            if not future.done():
                future.set_result(message[:1])
