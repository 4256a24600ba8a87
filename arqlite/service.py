"""Start and stop, written once. A worker is a list of services; a user's plugin is one, too."""

from __future__ import annotations

import asyncio
import inspect
import logging
import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from .errors import ConfigurationError
from .telemetry import span
from .typing import Deserializer, SecondsTimedelta, Serializer

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
        session: tells its session of now, which events call `worker`; empty while none is open.
        running: tells how many jobs it runs now.
        backlog: tells how many changes of rows wait for its ledger, and for how many seconds the eldest does;
            none without one.
    """

    pool: Any
    queue: str
    functions: frozenset[str]
    job_serializer: Serializer | None
    job_deserializer: Deserializer | None
    is_leader: Callable[[], bool] = lambda: False
    session: Callable[[], str] = lambda: ""
    running: Callable[[], int] = lambda: 0
    backlog: Callable[[], tuple[int, float]] = lambda: (0, 0.0)


class Service:
    """Something with a beginning and an end.

    Override `start` and `stop`, or `run` for a service that is one long coroutine. Both `start` and
    `stop` may be called twice; the second call does nothing. Override `join` to hear whom it works for.
    """

    # Mangled, since a service of the user's may well have a host of its own.
    __host: Host | None = None
    _task: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        """What the service is called in log lines."""
        return type(self).__name__

    def join(self, host: Host) -> None:
        """Hear which worker the service works for; called before `start`."""

    def introduce(self, host: Host) -> None:
        """Tell the service which worker it works for; the worker does.

        Raises:
            ConfigurationError: it works for one already, which would stop it for both.
        """
        if self.__host is not None:
            raise ConfigurationError(
                f"the service {self.name} works for a worker of queue {self.__host.queue!r} already: "
                f"give each worker an instance of its own"
            )
        self.__host = host
        self.join(host)

    def dismiss(self) -> None:
        """Tell the service that its worker is through with it; the worker does, when it has stopped it."""
        self.__host = None

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
        interval: seconds or a timedelta between the end of one tick and the start of the next, more than 0.
        jitter: a random share of the interval added to it, so that many processes spread out; 0.1 is up to a
            tenth.
        at_once: whether the first tick comes before the first pause.
        leader_only: whether it ticks in one worker of its queue only, the leader.

    Attributes:
        told: what a tick puts in here, counts for example, is told by the event of its end
            (`ServiceStopped.meta`); each tick has a dict of its own.

    Raises:
        ConfigurationError: one of the arguments cannot work.
    """

    def __init__(
        self,
        interval: SecondsTimedelta,
        jitter: float = 0.0,
        *,
        at_once: bool = False,
        leader_only: bool = False,
    ) -> None:
        super().__init__()
        who = type(self).__name__
        self.interval = _span(f"interval of {who}", interval)
        self.jitter = _share(f"jitter of {who}", jitter)
        self.at_once = _switch(f"at_once of {who}", at_once)
        self.leader_only = _switch(f"leader_only of {who}", leader_only)
        self.told: dict[str, Any] = {}
        self._known_failures: set[tuple[Any, ...]] = set()

    async def tick(self) -> None:
        """Do the duty once."""
        raise NotImplementedError

    async def run(self) -> None:
        """Tick for ever; an error is logged, a new one with its traceback, and the next tick comes."""
        if not self.at_once:
            await self.pause()
        while True:
            try:
                if self.may_tick():
                    await self.tick_told()
            except Exception as error:  # noqa: BLE001 (a duty that failed once is tried again at the next tick)
                self._report(error)
            await self.pause()

    def _report(self, error: Exception) -> None:
        kind = (type(error), *_place_of(error))
        if kind not in self._known_failures:
            self._known_failures.add(kind)
            logger.exception("service %s failed, trying again in %0.1fs", self.name, self.interval)
            return
        told = f"{type(error).__name__}: {error}"
        logger.error("service %s failed again, trying again in %0.1fs: %s", self.name, self.interval, told)

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


def check(service: Service) -> None:
    """Make sure that a service can be started and stopped.

    Raises:
        ConfigurationError: what it overrides gives nothing to await, or it is a `Ticker` that was never told
            its interval, or has no duty.
    """
    who = type(service)
    for name in ("start", "stop", "run", *(["tick"] if isinstance(service, Ticker) else [])):
        method = getattr(who, name)
        # What a decorator made may give something to await without being a coroutine function.
        if inspect.isfunction(method) and not _gives_coroutine(method):
            raise ConfigurationError(
                f"{name} of the service {who.__name__} must be async: async def {name}(self)"
            )
    if isinstance(service, Ticker):
        if not hasattr(service, "_known_failures"):
            raise ConfigurationError(
                f"{who.__name__}.__init__ must call super().__init__(interval=...): it is a Ticker"
            )
        duties = [(getattr(who, name), getattr(Ticker, name)) for name in ("tick", "tick_told", "run")]
        if all(own is inherited for own, inherited in duties):
            raise ConfigurationError(
                f"the service {who.__name__} has no duty: give it one with async def tick(self)"
            )


def _gives_coroutine(method: Any) -> bool:
    return inspect.iscoroutinefunction(method) or hasattr(method, "__wrapped__")


def _place_of(error: Exception) -> tuple[Any, ...]:
    """Tell where an error was raised."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    return () if traceback is None else (traceback.tb_frame.f_code, traceback.tb_lineno)


def _span(name: str, value: Any) -> float:
    plain = value.total_seconds() if isinstance(value, timedelta) else value
    if not _is_number(plain) or not plain > 0:
        raise ConfigurationError(f"{name} must be more than 0 seconds or a timedelta, got {value!r}")
    return float(plain)


def _share(name: str, value: Any) -> float:
    if not _is_number(value) or value < 0:
        raise ConfigurationError(f"{name} must be a share of its interval such as 0.1, got {value!r}")
    return float(value)


def _switch(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ConfigurationError(f"{name} must be True or False, got {value!r}")
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
