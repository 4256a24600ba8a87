"""Start and stop, written once. A worker is a list of services; a user's plugin is one, too."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .telemetry import span
from .typing import Deserializer, Serializer

logger = logging.getLogger("arqlite.service")

_CANCEL_AGAIN_S = 0.5


async def end_task(task: asyncio.Task[Any]) -> None:
    """Cancel a task and wait until it has ended, however it ends."""
    while not task.done():
        # Again if need be: `asyncio.wait_for` of Python 3.11, which libraries use, loses a cancellation
        # that comes at the moment its wait is over.
        task.cancel()
        await asyncio.wait([task], timeout=_CANCEL_AGAIN_S)
    await asyncio.gather(task, return_exceptions=True)


@dataclass(frozen=True, slots=True)
class Host:
    """The worker that a service works for.

    Attributes:
        pool: its Redis client, an `ArqRedis`.
        queue: its queue's name.
        functions: the names of all it can run.
        job_serializer, job_deserializer: how its queue is written; None is JSON.
        is_leader: tells whether it leads its queue now; asks nobody, and says no when in doubt.
    """

    pool: Any
    queue: str
    functions: frozenset[str]
    job_serializer: Serializer | None
    job_deserializer: Deserializer | None
    is_leader: Callable[[], bool] = lambda: False


class Service:
    """Something with a beginning and an end.

    Override `start` and `stop`, or `run` for a service that is one long coroutine. Both `start` and
    `stop` may be called twice; the second call does nothing. Override `join` to hear whom it works for.
    """

    # Mangled, since a service of the user's may well have a host of its own.
    __host: Host | None = None

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        """What the service is called in log lines."""
        return type(self).__name__

    def join(self, host: Host) -> None:
        """Hear which worker the service works for; called before `start`."""

    def introduce(self, host: Host) -> None:
        """Tell the service which worker it works for; the worker does."""
        self.__host = host
        self.join(host)

    def leads(self) -> bool:
        """Tell whether the worker that it works for is the leader of its queue now; no when in doubt."""
        return self.__host is not None and self.__host.is_leader()

    async def start(self) -> None:
        """Begin; returns as soon as the service is under way."""
        if self._task is None and type(self).run is not Service.run:
            self._task = asyncio.create_task(self._guarded(), name=f"arqlite:{self.name}")

    async def stop(self) -> None:
        """End; returns when the service has ended."""
        task, self._task = self._task, None
        if task is not None:
            await end_task(task)

    async def run(self) -> None:
        """Do the work of the service until cancelled."""

    async def _guarded(self) -> None:
        try:
            await self.run()
        except Exception:
            logger.exception("service %s ended by an error", self.name)
            raise


class Ticker(Service):
    """A service that does the same small duty again and again.

    Args:
        interval: seconds between the end of one tick and the start of the next.
        jitter: a random share of the interval added to it, so that many processes spread out.
        at_once: whether the first tick comes before the first pause.
        leader_only: whether it ticks in one worker of its queue only, the leader.

    Attributes:
        told: what a tick puts in here, counts for example, is told by the event of its end
            (`ServiceStopped.meta`); each tick has a dict of its own.
    """

    def __init__(
        self, interval: float, jitter: float = 0.0, *, at_once: bool = False, leader_only: bool = False
    ) -> None:
        super().__init__()
        self.interval = interval
        self.jitter = jitter
        self.at_once = at_once
        self.leader_only = leader_only
        self.told: dict[str, Any] = {}

    async def tick(self) -> None:
        """Do the duty once."""
        raise NotImplementedError

    async def run(self) -> None:
        """Tick for ever; an error is logged, with its traceback, and the next tick comes all the same."""
        if not self.at_once:
            await self.pause()
        while True:
            try:
                if self.may_tick():
                    await self.tick_told()
            except Exception:  # a duty that failed once is tried again at the next tick
                logger.exception("service %s failed, trying again in %0.1fs", self.name, self.interval)
            await self.pause()

    def may_tick(self) -> bool:
        """Tell whether this is the worker that ticks."""
        return not self.leader_only or self.leads()

    async def tick_told(self) -> None:
        """Tick once, and tell telemetry of it."""
        with span(self.name) as self.told:
            await self.tick()

    async def pause(self) -> None:
        """Wait between two ticks."""
        await asyncio.sleep(self.next_pause())

    def next_pause(self) -> float:
        """Tell how long to wait between two ticks now, in seconds."""
        return self.interval * (1 + random.random() * self.jitter)
