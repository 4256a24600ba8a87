"""A supervisor's child: a process that runs this very command once more, as a worker."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from signal import Signals
from typing import Self

from .leash import READY, VARIABLE

# To shut down, and not to wait.
_TIMES_HEARD = 2


@dataclass(frozen=True, slots=True)
class Ended:
    """How a child ended.

    Attributes:
        code: its exit code; negative is the signal that killed it.
        was_told: whether the supervisor had told it to.
    """

    code: int
    was_told: bool

    def __str__(self) -> str:
        if self.code >= 0:
            return f"ended with exit code {self.code}"
        try:
            return f"was killed by {Signals(-self.code).name}"
        except ValueError:
            return f"was killed by signal {-self.code}"


class Child:
    """The supervisor's end of the line, and the process at the other.

    Args:
        process: the process.
        line: the socket.

    Attributes:
        ready: set when it has come to run its workers.
    """

    def __init__(self, process: asyncio.subprocess.Process, line: socket.socket) -> None:
        self._process = process
        self._line = line
        self._told = 0
        self.ready = asyncio.Event()
        self._was_cut_off = False
        line.setblocking(False)
        asyncio.get_running_loop().add_reader(line, self._hear)

    @classmethod
    async def start(cls, environment: Mapping[str, str], output: int | None = None) -> Self:
        """Run this process's command in a new one, which finds that it is on a leash.

        Args:
            environment: variables that the child has besides ours.
            output: where its stdout and stderr go, a file descriptor; None is where ours go.
        """
        ours, theirs = socket.socketpair()
        try:
            process = await asyncio.create_subprocess_exec(
                # The program may be ours, or one of the user's that prepares something and then calls ours.
                *(sys.executable, *sys.orig_argv[1:]),
                env={**os.environ, **environment, VARIABLE: str(theirs.fileno())},
                pass_fds=(theirs.fileno(),),
                stdout=output,
                stderr=output,
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        return cls(process, ours)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def is_ready(self) -> bool:
        """Whether it has come to run its workers."""
        return self.ready.is_set()

    def tell(self, signum: Signals, times: int) -> None:
        """See to it that it has been told to end so many times, and not more often.

        Not by a signal: the terminal or the service manager may have sent it one as well, and it could not
        tell that from a second, hurrying one.
        """
        while self._told < times:
            self._told += 1
            with suppress(OSError):  # it has ended
                self._line.send(bytes([signum]))
        # Before it runs it imports, maybe for long, and nothing is cut off yet. Who tells it more often than
        # it can be told thinks that it hangs, and it may, in an `on_shutdown`, where it hears nothing else.
        self._was_cut_off = self._was_cut_off or not self.is_ready
        if not self.is_ready or times > _TIMES_HEARD:
            with suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGTERM)

    async def ended(self) -> Ended:
        """Wait for its end."""
        try:
            code = await self._process.wait()
            self._hear()  # its last word may not have been read yet
        finally:
            self._forget_line()
        if self._was_cut_off and not self.is_ready:
            code = 0  # whatever its imports made of the signal
        return Ended(code, self._told > 0)

    def _hear(self) -> None:
        try:
            said = self._line.recv(len(READY))
        except OSError:
            said = b""
        if said == READY:
            self.ready.set()
        if not said:
            asyncio.get_running_loop().remove_reader(self._line)

    def _forget_line(self) -> None:
        asyncio.get_running_loop().remove_reader(self._line)
        self._line.close()
