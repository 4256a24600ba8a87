"""What runs in a process of the pool: one job after the other, until the worker closes the pipe.

    worker -> process   a job                            one message
    process -> worker   ("ready",) or ("broken", why)    once, after the functions were imported
                        ("begun",)                       the job's arguments were read, its time begins
                        ("log", record)                  any number
                        ("returned", value)              or
                        ("raised", error, traceback)     the job's end

The record, the value and the error travel as bytes of their own, pickled: what cannot be written or read
there is told in words, and never makes the message around it unreadable.
"""

from __future__ import annotations

import ctypes
import logging
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from multiprocessing.connection import Connection
from typing import Any

from ..errors import JobExecutionFailed, SerializationError
from ..model.context import CancelReason, Parts, WorkflowStep, running_job
from ..model.failures import message_of
from ..model.records import FailedAttempt
from .references import Reference

_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class JobFacts:
    """What `current_job()` tells in a process; see `RunningJob`."""

    job_id: str
    function: str
    queue_name: str
    job_try: int
    enqueue_ms: int
    crashes: int
    worker: str
    attempt: int
    max_attempts: int
    errors: tuple[FailedAttempt, ...]
    snoozes: int
    tags: tuple[str, ...]
    meta: dict[str, Any]
    priority: int
    args: Sequence[Any]
    kwargs: dict[str, Any]
    workflow: WorkflowStep | None
    revived_ms: int = 0
    cancel_reason: CancelReason | None = None
    carried: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def parts(self) -> Parts:
        """Which parts of it have begun; none of its facts, which may be a job's result."""
        return Parts()

    @property
    def is_last_attempt(self) -> bool:
        """Whether a failure of this attempt is final."""
        return self.attempt >= self.max_attempts

    def runs_again(self, error: BaseException) -> None:
        """The worker decides that, and its process is not told."""


@dataclass(frozen=True)
class Request:
    """A job on its way into a process."""

    name: str
    facts: JobFacts
    ctx: dict[Any, Any]
    args: Any
    kwargs: dict[str, Any]


def main(connection: Connection, references: Mapping[str, Reference], log_levels: Mapping[str, int]) -> None:
    """Run jobs until the pipe is closed.

    Args:
        connection: the pipe to the worker.
        references: where the functions are, by the names that jobs have for them.
        log_levels: the levels of the worker's loggers, by name; "" is the root.
    """
    _stand_alone()
    line = _Line(connection)
    logging.root.addHandler(_Forwarder(line))
    for name, level in log_levels.items():
        logging.getLogger(name).setLevel(level)
    try:
        functions = {name: reference.find() for name, reference in references.items()}
    except BaseException as error:  # a module that is imported may raise anything
        line.send("broken", f"{type(error).__name__}: {message_of(error)}")
        raise
    line.send("ready")
    while True:
        try:
            request = connection.recv_bytes()
        except EOFError:
            return
        _run(request, functions, line)


class _Line:
    """The pipe to the worker; threads of a job may log while its end is sent."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    def send(self, *message: Any) -> None:
        data = pickle.dumps(message)
        with self._lock:
            self._connection.send_bytes(data)


class _Forwarder(logging.Handler):
    """Sends log records to the worker, which has the handlers."""

    def __init__(self, line: _Line) -> None:
        super().__init__()
        self._line = line

    def emit(self, record: logging.LogRecord) -> None:
        try:
            record.msg, record.args = record.getMessage(), None
            if record.exc_info:
                record.exc_text = record.exc_text or logging.Formatter().formatException(record.exc_info)
                record.exc_info = None
            self._line.send("log", pickle.dumps(record))
        except Exception:  # noqa: BLE001 (logging tells of its own errors on stderr)
            self.handleError(record)


def _run(data: bytes, functions: Mapping[str, Callable[..., Any]], line: _Line) -> None:
    try:
        request: Request = pickle.loads(data)  # noqa: S301 (the worker is our parent, on the same host)
    except Exception as error:  # noqa: BLE001 (a class that cannot be made again may raise anything)
        _send_error(SerializationError(f"its arguments cannot be read in the process: {error!r}"), line)
        return
    line.send("begun")
    token = running_job.set(request.facts)
    request.ctx["job"] = request.facts
    try:
        value = functions[request.name](request.ctx, *request.args, **request.kwargs)
    except BaseException as error:  # noqa: BLE001 (whatever a job raises is its outcome)
        _send_error(error, line)
    else:
        _send_value(value, line)
    finally:
        running_job.reset(token)


def _send_value(value: Any, line: _Line) -> None:
    try:
        data = pickle.dumps(value)
    except Exception as error:  # noqa: BLE001 (pickling runs code of the value)
        kind = type(value).__name__
        _send_error(SerializationError(f"its result, of type {kind}, cannot be pickled: {error}"), line)
    else:
        line.send("returned", data)


def _send_error(error: BaseException, line: _Line) -> None:
    text = "".join(traceback.format_exception(error))
    try:
        data = pickle.dumps(error)
        pickle.loads(data)  # noqa: S301 (made in the line above)
    except Exception:  # noqa: BLE001 (an exception need not be made for that)
        data = pickle.dumps(JobExecutionFailed(f"{type(error).__name__}: {message_of(error)}"))
    line.send("raised", data, text)


def _stand_alone() -> None:
    """Belong to the worker alone: its signals are not ours, and without it there is nothing to do."""
    # A group of its own, so that what a job starts can be ended with it, and Ctrl-C reaches the worker only.
    os.setsid()
    for signum in (signal.SIGINT, signal.SIGTERM):
        # The worker decides. A handler, not SIG_IGN, which the programs that a job starts would inherit.
        signal.signal(signum, lambda *_: None)
    if sys.platform == "linux":
        _let_the_kernel_watch_too()
    threading.Thread(target=_end_with_parent, name="arqlite:parent", daemon=True).start()


def _let_the_kernel_watch_too() -> None:
    """End some seconds after the parent even if the thread cannot run: C code may hold the interpreter.

    The kernel sends a signal when the parent dies. Its handler is the C function `alarm`, called with the
    signal's number: so many seconds later SIGALRM ends the process. Not at once: the thread ends what the
    job has started, too. SIGTRAP is a small number that nobody sends.
    """
    libc = ctypes.CDLL(None)
    libc.signal.argtypes = ctypes.c_int, ctypes.c_void_p
    libc.signal(signal.SIGTRAP, ctypes.cast(libc.alarm, ctypes.c_void_p))
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTRAP)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.killpg(0, signal.SIGKILL)
