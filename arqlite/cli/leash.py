"""The line between a supervisor and its child: a socket, of which each of them holds one end.

The supervisor sends the number of each signal that it was told, the child a letter as soon as it can be
told. When a supervisor is gone, however it ended, its end is closed, and the child shuts down.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import signal
import socket
import stat
from collections.abc import Callable, Iterator
from signal import Signals
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..fleet import Fleet

logger = logging.getLogger("arqlite.supervisor")

VARIABLE = "ARQLITE_LEASH"
READY = b"r"
_READ_SIZE = 64


class Leash:
    """A child's end.

    Args:
        line: the socket.
    """

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._was_told = False
        self._interrupt = signal.getsignal(signal.SIGINT)
        line.setblocking(False)

    @classmethod
    def of_environment(cls) -> Leash | None:
        """Take the leash that a supervisor put this process on, once; None where there is none."""
        number = os.environ.pop(VARIABLE, "")
        if not number.isdecimal():
            return None
        fd = int(number)
        try:
            is_socket = stat.S_ISSOCK(os.fstat(fd).st_mode)
        except OSError:
            return None
        if not is_socket:
            return None
        os.set_inheritable(fd, False)
        leash = cls(socket.socket(fileno=fd))
        # Except while a fleet listens. A Ctrl-C of the terminal would show a traceback from amid the imports
        # or the exit of each child. The supervisor got it, too, and does what has to be done.
        leash._take_interrupts(lambda *_: None)
        return leash

    async def run(self, fleet: Fleet) -> None:
        """Run a fleet to its end, which the supervisor may tell it as well as the system."""
        if not fleet.handles_signals:  # its program does
            self._take_interrupts(self._interrupt)
        with self._followed(functools.partial(fleet.handle_sig, teller="supervisor")):
            await fleet.run_and_close()

    def _take_interrupts(self, handler: Any) -> None:
        with contextlib.suppress(ValueError):  # not the main thread
            signal.signal(signal.SIGINT, handler)

    @contextlib.contextmanager
    def _followed(self, tell: Callable[[Signals], None]) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        loop.add_reader(self._line, self._hear, tell)
        with contextlib.suppress(OSError):  # it is gone already, which will be read in a moment
            self._line.send(READY)
        try:
            yield
        finally:
            loop.remove_reader(self._line)
            self._line.close()

    def _hear(self, tell: Callable[[Signals], None]) -> None:
        try:
            numbers = self._line.recv(_READ_SIZE)
        except BlockingIOError:
            return
        except OSError:
            numbers = b""
        for number in numbers:
            self._was_told = True
            tell(Signals(number))
        if numbers:
            return
        asyncio.get_running_loop().remove_reader(self._line)
        if not self._was_told:  # one that went while we were ending anyway is no second signal
            logger.warning("the supervisor is gone, shutting down")
            tell(Signals.SIGTERM)
