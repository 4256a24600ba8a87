"""One process that jobs run in, as its worker sees it: started, given jobs, killed, and mourned in words."""

from __future__ import annotations

import contextlib
import contextvars
import logging
import multiprocessing
import os
import pickle
import signal
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from ..logs import add_fields
from . import child
from .references import Reference

logger = logging.getLogger("arqlite.worker")

# Never fork: a copy of a process with threads has their locks, but not the threads that would open them.
_spawn = multiprocessing.get_context("spawn")
# How long a process may take to import what it is to run.
_START_PATIENCE_S = 60.0
# How long a killed process may take to be gone. One in the middle of a read from a dead network drive takes
# as long as that, and nobody else can wait so long.
_DEATH_PATIENCE_S = 5.0
_DEATH_LOOK_S = 0.002
# Whatever a job has forked keeps its pipe open: then only a look tells that the process itself is gone.
_LOOK_S = 1.0
# `multiprocessing` reaps children wherever one is started, and is not made for several threads at that.
_children = threading.Lock()


class NotReady(Exception):
    """A process did not get so far that it could run a job."""


class Call(Protocol):
    """A job that a process runs."""

    @property
    def request(self) -> bytes:
        """The job, as its process reads it."""

    @property
    def context(self) -> contextvars.Context:
        """Where the log records of the process are handled."""

    def end(self, message: tuple[Any, ...]) -> None:
        """Take how it ended."""


class JobProcess:
    """One process, and the worker's end of its pipe."""

    def __init__(self, references: Mapping[str, Reference]) -> None:
        self.is_ready = False
        self._connection, theirs = _spawn.Pipe()
        self._process = _spawn.Process(
            target=child.main, args=(theirs, references, _log_levels()), name="arqlite:cpu"
        )
        try:
            with _children:
                self._process.start()
        except BaseException:
            self._connection.close()
            raise
        finally:
            theirs.close()

    def become_ready(self, context: contextvars.Context) -> None:
        """Wait until it has imported its functions."""
        until = time.monotonic() + _START_PATIENCE_S
        try:
            message = self._receive(context, until)
        except (EOFError, OSError) as error:
            if isinstance(error, TimeoutError):
                raise NotReady(f"it was not ready within {_START_PATIENCE_S:0.0f}s") from None
            raise NotReady(f"it died when it started: {self.end()}; see what it wrote to stderr") from None
        if message[0] == "broken":
            raise NotReady(f"it cannot import its functions: {message[1]}")
        self.is_ready = True

    def perform(self, call: Call, begun: Callable[[], None]) -> None:
        """Run a job, and give its end to the call."""
        self._connection.send_bytes(call.request)
        while True:
            message = self._receive(call.context)
            if message[0] != "begun":
                call.end(message)
                return
            begun()

    def kill(self) -> None:
        """End it at once, with the programs that its job has started. Does not wait."""
        if self._process.exitcode is None and self._process.pid is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):  # it has no group yet
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.kill()

    def end(self, patience_s: float = 0.0) -> str:
        """End it if need be, wait until it is gone, some seconds at most, and tell in words how it ended."""
        self.close()
        if patience_s:
            self._process.join(patience_s)
        until = time.monotonic() + _DEATH_PATIENCE_S
        while self._has_to_be_killed():
            if time.monotonic() > until:
                logger.error(
                    "process %s was killed and is still there; going on without it", self._process.pid
                )
                return "killed, and still there: perhaps it waits for a disk or a network drive"
            time.sleep(_DEATH_LOOK_S)
        return _words(self._process.exitcode)

    def close(self) -> None:
        """Close the pipe: a process that waits for a job ends by itself."""
        self._connection.close()

    def is_alive(self) -> bool:
        """Tell whether it has not ended."""
        with _children:
            return self._process.is_alive()

    def _has_to_be_killed(self) -> bool:
        with _children:
            if not self._process.is_alive():
                return False
            self.kill()
            return True

    def _receive(self, context: contextvars.Context, until: float = float("inf")) -> tuple[Any, ...]:
        while True:
            while not self._connection.poll(_LOOK_S):
                if time.monotonic() > until:
                    raise TimeoutError
                if not self.is_alive():
                    raise EOFError
            data = self._connection.recv_bytes()
            message: tuple[Any, ...] = pickle.loads(data)  # noqa: S301 (from our own child, on the same host)
            if message[0] != "log":
                return message
            context.run(_log, message[1])


def _words(exitcode: int | None) -> str:
    if exitcode is None:
        return "nobody knows how"
    if exitcode >= 0:
        return f"exit code {exitcode}"
    try:
        name = signal.Signals(-exitcode).name
    except ValueError:
        name = f"signal {-exitcode}"
    hint = ", perhaps for want of memory" if -exitcode == signal.SIGKILL else ""
    return f"killed by {name}{hint}"


def _log(data: bytes) -> None:
    try:
        record: logging.LogRecord = pickle.loads(data)  # noqa: S301 (from our own child, on the same host)
    except Exception:
        logger.exception("a log record of a process cannot be read")
        return
    add_fields(record)  # here, where the job and its span are known
    target = logging.getLogger(record.name)
    if target.isEnabledFor(record.levelno):
        target.handle(record)


def _log_levels() -> dict[str, int]:
    levels = {"": logging.root.level}
    for name, target in list(logging.root.manager.loggerDict.items()):
        if isinstance(target, logging.Logger) and target.level:
            levels[name] = target.level
    return levels
