"""The threads that jobs work in, each held to its job's account."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from ..model.context import running_job
from .run import Run

P = ParamSpec("P")
T = TypeVar("T")


class JobThreads(ThreadPoolExecutor):
    """The default executor of a worker's event loop: what `asyncio.to_thread` uses.

    A thread cannot be cancelled. A job whose `await asyncio.to_thread(...)` was cancelled is told that
    at once, but the call goes on; while it does, the job must neither free its slot nor run elsewhere.
    """

    def __init__(self) -> None:
        super().__init__(thread_name_prefix="arqlite:job")

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run a function in a thread, on account of the job that asks for it."""
        future = super().submit(fn, *args, **kwargs)
        run = running_job.get()
        if isinstance(run, Run):
            run.threads = threads = run.threads or set()
            threads.add(future)
            future.add_done_callback(threads.discard)
        return future
