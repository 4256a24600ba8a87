"""The threads that jobs work in, each held to its job's account."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from ..errors import JobInterrupted
from ..model.context import running_job
from ..model.failures import message_of
from .ends import ended_while_leaving, raise_error
from .interrupts import InterruptibleCall
from .reentry import thread_call
from .run import Run

logger = logging.getLogger("arqlite.worker")

P = ParamSpec("P")
T = TypeVar("T")


class JobThreads(ThreadPoolExecutor):
    """Threads for what jobs call. One is the default executor of a worker's event loop.

    A thread cannot be cancelled. A job whose `await asyncio.to_thread(...)` was cancelled is told that
    at once, but the call goes on; while it does, the job must neither free its slot nor run elsewhere.

    Args:
        size: how many at most; Python's default for None.
        name: what their names begin with.
    """

    def __init__(self, size: int | None = None, name: str = "arqlite:job") -> None:
        super().__init__(size, thread_name_prefix=name)

    def grow(self, size: int) -> None:
        """Allow as many threads as this, if that is more than before."""
        self._max_workers = max(self._max_workers, size)

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run a function in a thread, on account of the job that asks for it."""
        future = super().submit(fn, *args, **kwargs)
        run = running_job.get()
        if isinstance(run, Run):
            run.threads = threads = run.threads or set()
            threads.add(future)
            future.add_done_callback(threads.discard)
        return future


class PlainThreads:
    """Runs plain job functions: as many at once as there are slots, each in a thread, in its job's context.

    Args:
        size: how many slots the worker has.
    """

    def __init__(self, size: int) -> None:
        self._pool = JobThreads(size, "arqlite:plain")
        self._calls: set[Future[None]] = set()
        self._loop = asyncio.get_running_loop()

    def grow(self, size: int) -> None:
        """There are so many slots now; threads that are there stay."""
        self._pool.grow(size)

    async def call(self, function: Callable[..., Any], ctx: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        """Call a plain function in a thread; returns when the thread is free again, also when cancelled."""
        context = contextvars.copy_context()
        call = InterruptibleCall(functools.partial(context.run, function, ctx, *args, **kwargs))
        context.run(thread_call.set, (call, self._loop))
        future = self._pool.submit(call)
        self._calls.add(future)
        future.add_done_callback(self._calls.discard)
        ended = asyncio.wrap_future(future)
        try:
            await asyncio.shield(ended)
        except asyncio.CancelledError:
            if not future.cancel():
                call.interrupt()
                await asyncio.shield(ended)
                if ended_while_leaving(call.has_returned):
                    return call.value
                _tell_late_error(call.error)
            raise
        if call.error is not None:
            try:
                raise_error(call.error)
            finally:
                del call  # the error's traceback holds this frame
        # A plain function may hand on a coroutine: a lambda, or a decorator that knows nothing of them.
        return await call.value if inspect.isawaitable(call.value) else call.value

    def close(self) -> None:
        """End the threads, and wait for them unless one is still in a function: that may never end."""
        self._pool.shutdown(wait=not self._calls, cancel_futures=True)


def _tell_late_error(error: BaseException | None) -> None:
    """The job's outcome is its cancellation; what its cleanup raised would be lost otherwise."""
    if error is None or isinstance(error, JobInterrupted):
        return
    run = running_job.get()
    name = run.ref if isinstance(run, Run) else "a job"
    logger.warning(
        "%s was cancelled and raised %s: %s", name, type(error).__name__, message_of(error), exc_info=error
    )
