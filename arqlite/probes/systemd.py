"""What systemd wants to hear of a unit with `Type=notify`: ready, alive, how it is, and that it ends."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from ..service import end_task
from .signs import Signs

logger = logging.getLogger("arqlite.worker")

T = TypeVar("T")

SOCKET_VARIABLE = "NOTIFY_SOCKET"
_WATCHDOG_VARIABLES = ("WATCHDOG_USEC", "WATCHDOG_PID")

_STARTING_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 1.0
# One look later there is another extension; this is for a loop that comes late.
_EXTENSION_S = 15.0
# So much longer than jobs may take to end, a worker needs to deliver what has ended.
_LAST_WORDS_S = 30.0


class Notifier:
    """The socket of the service manager.

    Args:
        address: of a datagram socket; one that begins with `@` is in the abstract namespace.
        watchdog_s: after how many seconds without a sign of life it ends this process; None is never.
    """

    def __init__(self, address: str, watchdog_s: float | None = None) -> None:
        self.watchdog_s = watchdog_s
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        # A manager that reads nothing must not hold jobs up.
        self._socket.setblocking(False)

    def tell(self, *words: str) -> bool:
        """Send one message; returns whether it was taken."""
        try:
            self._socket.sendto("\n".join(words).encode(), self._address)
        except OSError as error:
            logger.debug("the service manager cannot be told %s: %s", words, error)
            return False
        return True

    def close(self) -> None:
        """Close this end."""
        self._socket.close()


def notifier_of_environment() -> Notifier | None:
    """Take what the service manager left in the environment, once: what we start must not speak for us."""
    address = os.environ.pop(SOCKET_VARIABLE, "")
    microseconds, pid = (os.environ.pop(name, "") for name in _WATCHDOG_VARIABLES)
    if not address.startswith(("/", "@")) or not hasattr(socket, "AF_UNIX"):
        return None
    is_watched = microseconds.isdecimal() and int(microseconds) > 0 and pid in ("", str(os.getpid()))
    return Notifier(address, int(microseconds) / 1e6 if is_watched else None)


async def announced(
    work: Coroutine[Any, Any, T],
    workers: Sequence[Callable[[], Signs]],
    grace_s: float | None,
    what: str = "jobs",
) -> T:
    """Do the work of this process, and tell the service manager of it, if there is one.

    Args:
        work: what to do.
        workers: tell how it goes.
        grace_s: see `Herald`.
        what: see `Herald`.
    """
    notifier = notifier_of_environment()
    if notifier is None:
        return await work
    telling = asyncio.create_task(Herald(notifier, workers, grace_s, what).run(), name="arqlite:systemd")
    try:
        return await work
    finally:
        await end_task(telling)
        notifier.tell("STOPPING=1", "STATUS=ended")
        notifier.close()


class Herald:
    """Tells the service manager how the workers of a process are doing, from their event loop.

    `WATCHDOG=1` comes at half of its time at the latest, and not while the loop stands still: that is what
    the watchdog is for.

    Args:
        notifier: the line to it.
        workers: tell how they are doing.
        grace_s: for how long their jobs may go on once they are told to end; beyond that and some seconds
            no more time is asked for. None asks for none at all.
        what: what it is that runs, in the status.
        clock: for tests.
    """

    def __init__(
        self,
        notifier: Notifier,
        workers: Sequence[Callable[[], Signs]],
        grace_s: float | None,
        what: str = "jobs",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._notifier = notifier
        self._workers = workers
        self._grace_s = grace_s
        self._what = what
        self._clock = clock
        self._is_ready = False
        self._draining_since: float | None = None
        self._status = ""

    async def run(self) -> None:
        """Tell until cancelled."""
        while True:
            try:
                self.look()
            except Exception:  # what only tells of the work must not end it
                logger.exception("the service manager could not be told")
            await asyncio.sleep(self._pause_s())

    def look(self) -> None:
        """Tell what is new, and that we live."""
        signs = [worker() for worker in self._workers]
        words = [*self._news(signs), *self._ending(signs)]
        if self._notifier.watchdog_s is not None:
            words.append("WATCHDOG=1")
        status = _status(signs, self._what)
        if status != self._status:
            words.append(f"STATUS={status}")
        if words and self._notifier.tell(*words):
            self._status = status
            self._is_ready = self._is_ready or "READY=1" in words

    def _news(self, signs: Sequence[Signs]) -> list[str]:
        is_ready = all(one.has_turned or (one.has_started and one.is_paused) for one in signs)
        is_ready = is_ready and not all(one.is_draining for one in signs)
        return ["READY=1"] if is_ready and not self._is_ready else []

    def _ending(self, signs: Sequence[Signs]) -> list[str]:
        if not all(one.is_draining for one in signs):
            return []
        now = self._clock()
        words = []
        if self._draining_since is None:
            self._draining_since = now
            words.append("STOPPING=1")
        if self._grace_s is not None and now - self._draining_since <= self._grace_s + _LAST_WORDS_S:
            words.append(f"EXTEND_TIMEOUT_USEC={int(_EXTENSION_S * 1e6)}")
        return words

    def _pause_s(self) -> float:
        if not self._is_ready:
            return _STARTING_PAUSE_S
        watchdog_s = self._notifier.watchdog_s
        return _LONGEST_PAUSE_S if watchdog_s is None else min(watchdog_s / 2, _LONGEST_PAUSE_S)


def _status(workers: Sequence[Signs], what: str) -> str:
    return "; ".join(_status_of(signs, what, is_one_of_many=len(workers) > 1) for signs in workers)


def _status_of(signs: Signs, what: str, *, is_one_of_many: bool) -> str:
    said = signs.state
    if signs.has_started:
        said += f", running {signs.running}/{signs.max_jobs} {what}"
    if signs.ledger in ("degraded", "unusable"):
        said += f", ledger {signs.ledger}"
    # A queue's name is the user's, and a line break would begin another word.
    return f"{' '.join(signs.queue.split())}: {said}" if is_one_of_many else said
