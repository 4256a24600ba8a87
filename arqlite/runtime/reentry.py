"""The way from a job's thread into the event loop and back."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading
from collections.abc import Awaitable
from contextvars import Context, ContextVar
from typing import Any, Generic, TypeVar

from ..errors import JobInterrupted
from ..model.context import current_job
from .interrupts import InterruptibleCall

T = TypeVar("T")

# How often a thread that waits for the loop looks whether there still is one.
_LOOK_S = 1.0

thread_call: ContextVar[tuple[InterruptibleCall, asyncio.AbstractEventLoop] | None] = ContextVar(
    "arqlite_thread_call", default=None
)


def run_in_loop(awaitable: Awaitable[T]) -> T:
    """Await something in the worker's event loop, from a plain job function, and return its result.

    `ctx["redis"]`, and whatever else lives in the event loop, is used like that:

        def resize(ctx, path: str) -> None:
            run_in_loop(ctx["redis"].incr("resized"))

    It runs in the job's context, so `current_job()` works there, too. What it raises is raised here.
    When the job is cancelled, it is cancelled, and `JobInterrupted` is raised; during the cleanup after
    that it works again.

    Raises:
        RuntimeError: the caller is no plain job function in its thread: a coroutine function awaits, and
            one with `cpu=True` runs in another process; or the event loop is closed.
    """
    found = thread_call.get()
    if found is None or found[1] is _running_loop():
        _dispose(awaitable)
        raise RuntimeError(_misuse(inside=found is not None))
    call, loop = found
    # A thread that the job has made of its own is never interrupted.
    is_shielded = call.thread_id == threading.get_ident() and call.shield()
    is_cleanup = call.is_wanted and not is_shielded
    try:
        return _Trip(awaitable, contextvars.copy_context(), call, is_cleanup=is_cleanup).make(loop)
    finally:
        _dispose(awaitable)
        if is_shielded:
            call.unshield()


class _Trip(Generic[T]):
    """One awaitable on its way through the event loop."""

    def __init__(
        self, awaitable: Awaitable[T], context: Context, call: InterruptibleCall, *, is_cleanup: bool
    ) -> None:
        self._awaitable = awaitable
        self._context = context
        self._call = call
        self._is_cleanup = is_cleanup
        self._ended = threading.Lock()
        self._ended.acquire()
        self._task: asyncio.Task[T] | None = None

    def make(self, loop: asyncio.AbstractEventLoop) -> T:
        """Go there, in the calling thread, and come back with the result."""
        loop.call_soon_threadsafe(self._start, loop)
        while not self._ended.acquire(timeout=_LOOK_S):
            if loop.is_closed():
                raise RuntimeError("the worker's event loop was closed")
        assert self._task is not None  # noqa: S101 (it has ended)
        if self._task.cancelled() and self._call.is_wanted and not self._is_cleanup:
            raise JobInterrupted
        return self._task.result()

    def cancel(self) -> None:
        """End it; in the event loop."""
        if self._task is not None and not self._is_cleanup:
            self._task.cancel()

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._task = loop.create_task(_await(self._awaitable), context=self._context)
        self._call.trips.add(self)
        self._task.add_done_callback(self._finish)
        if self._call.is_wanted:
            self.cancel()

    def _finish(self, _task: asyncio.Task[T]) -> None:
        self._call.trips.discard(self)
        self._ended.release()


async def _await(awaitable: Awaitable[T]) -> T:
    return await awaitable


def _dispose(awaitable: Any) -> None:
    """Keep a coroutine that was not run from complaining about that on top; an ended one stays as it is."""
    if inspect.iscoroutine(awaitable):
        awaitable.close()


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _misuse(*, inside: bool) -> str:
    if inside or (current_job() is not None and _running_loop() is not None):
        return "run_in_loop would wait for itself here: this code runs in the event loop, so await instead"
    if current_job() is not None:
        return "run_in_loop cannot leave this process: give up cpu=True, or return what is to be awaited"
    return "run_in_loop is for plain job functions, while a worker runs them"
