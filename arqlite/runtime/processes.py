"""The processes that functions with `cpu=True` run in: one job at a time in each, and each can be killed.

Every process has a pipe of its own to a thread of the worker, and shares nothing with the others: not
even one that is killed in the middle of a message can leave a lock or half a message behind for them.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import logging
import multiprocessing
import os
import pickle
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from ..errors import ConfigurationError, JobExecutionFailed, Postpone, SerializationError
from ..model.context import running_job
from ..model.functions import Function
from . import child
from .ends import ended_while_leaving, raise_error
from .process import JobProcess, NotReady
from .references import refer_to
from .run import Run
from .threads import JobThreads

logger = logging.getLogger("arqlite.worker")

# A job that found no process is tried again after this.
_NEXT_START_AFTER_S = 5.0
# How long idle processes may take to end by themselves, with all that Python does at an exit.
_END_PATIENCE_S = 2.0


class JobProcesses:
    """Runs functions with `cpu=True`, in as many processes as there is work for, `size` at most.

    Args:
        functions: what the processes can run.
        size: how many processes; one per processor that this process may use for None.
        begins: called in the event loop when a job has begun; it may have waited for a process.

    Raises:
        ConfigurationError: a process could not find one of the functions, or this is no place to start one.
    """

    def __init__(
        self, functions: Iterable[Function], size: int | None, begins: Callable[[Run], None]
    ) -> None:
        if getattr(multiprocessing.current_process(), "_inheriting", False):
            raise ConfigurationError(
                "a process that is to run jobs started a worker of its own while it imported the main "
                'program: start the worker under `if __name__ == "__main__":`'
            )
        if multiprocessing.current_process().daemon:
            raise ConfigurationError(
                "functions with cpu=True need processes, and Python lets a process that is daemonic start "
                "none: start the worker's process with daemon=False"
            )
        self._references = {function.name: refer_to(function) for function in functions}
        self._begins = begins
        self._threads = JobThreads(size or processors(), "arqlite:cpu")
        self._idle: list[JobProcess] = []
        self._loop = asyncio.get_running_loop()

    async def call(self, name: str, args: Any, kwargs: dict[str, Any]) -> Any:
        """Call a function in a process; when cancelled, returns as soon as the process is gone."""
        run = running_job.get()
        assert isinstance(run, Run)  # noqa: S101 (only jobs call)
        run.deadline = None  # its time begins when it does
        call = _Call(run, _request(run, name, args, kwargs))
        future = self._threads.submit(self._drive, call)
        ended = asyncio.wrap_future(future)
        try:
            await asyncio.shield(ended)
        except asyncio.CancelledError:
            if not future.cancel():
                call.cancel()
                await asyncio.shield(ended)
                if ended_while_leaving(call.has_returned):
                    return call.value
            raise
        if call.error is not None:
            try:
                raise_error(call.error)
            finally:
                del call  # the error's traceback holds this frame
        return call.value

    async def stop(self) -> None:
        """End the processes."""
        ending = self._loop.run_in_executor(self._threads, self._end_idle)
        await asyncio.wait([ending], timeout=2 * _END_PATIENCE_S)
        self._threads.shutdown(wait=ending.done())

    def _drive(self, call: _Call) -> None:
        """See a job through, in a thread."""
        while True:
            try:
                process = self._take()
            except (OSError, RuntimeError, AssertionError) as error:
                # `multiprocessing` asserts where others raise; the job is not to blame for any of it.
                call.error = _postponed(f"no process could be started: {error}")
                return
            was_idle = process.is_ready
            try:
                if call.enter(process):
                    if not was_idle:
                        process.become_ready(call.context)
                    process.perform(call, functools.partial(self._begun, call))
            except NotReady as error:
                call.leave()
                process.end()
                call.error = None if call.is_cancelled else _postponed(str(error))
            except (EOFError, OSError):
                call.leave()
                words = process.end()
                if was_idle and not call.has_begun and not call.is_cancelled:
                    continue  # it had died before, of something else
                call.error = JobExecutionFailed(f"process died: {words}")
            except Exception as error:  # noqa: BLE001 (what else may come fails the job, and leaves no process)
                call.leave()
                process.end()
                call.error = error
            else:
                call.leave()
                self._idle.append(process)
            return

    def _take(self) -> JobProcess:
        while True:
            try:
                process = self._idle.pop()
            except IndexError:  # asked for rather than looked at: other threads take processes, too
                return JobProcess(self._references)
            if process.is_alive():
                return process
            process.end()

    def _begun(self, call: _Call) -> None:
        call.has_begun = True
        with contextlib.suppress(RuntimeError):  # the loop may be closed by now
            self._loop.call_soon_threadsafe(self._tell_begun, call)

    def _tell_begun(self, call: _Call) -> None:
        if not call.is_cancelled:
            self._begins(call.run)

    def _end_idle(self) -> None:
        until = time.monotonic() + _END_PATIENCE_S
        for process in self._idle:
            process.close()
        for process in self._idle:
            process.end(max(until - time.monotonic(), 0))
        self._idle.clear()


class _Call:
    """A job that is to run in a process."""

    def __init__(self, run: Run, request: bytes) -> None:
        self.run = run
        self.request = request
        self.context = contextvars.copy_context()
        self.value: Any = None
        self.error: BaseException | None = None
        self.has_returned = False
        self.has_begun = False
        self.is_cancelled = False
        self._lock = threading.Lock()
        self._process: JobProcess | None = None

    def cancel(self) -> None:
        """Kill the process that runs it, and nothing that runs afterwards."""
        with self._lock:
            self.is_cancelled = True
            if self._process is not None:
                self._process.kill()

    def enter(self, process: JobProcess) -> bool:
        """The process is to run it; False if it is not wanted any more."""
        with self._lock:
            if not self.is_cancelled:
                self._process = process
            return not self.is_cancelled

    def leave(self) -> None:
        """The process runs it no longer."""
        with self._lock:
            self._process = None

    def end(self, message: tuple[Any, ...]) -> None:
        """Take how it ended."""
        try:
            value = pickle.loads(message[1])  # noqa: S301 (from our own child, on the same host)
        except Exception as error:  # noqa: BLE001 (reading a pickle runs code of the value)
            self.error = SerializationError(f"what came back from its process cannot be read: {error!r}")
            return
        if message[0] == "returned":
            self.value, self.has_returned = value, True
            return
        value.__cause__ = RemoteTraceback(message[2])
        self.error = value


class RemoteTraceback(Exception):
    """Where in its process a job failed, as text; the cause of the job's exception."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__(text)

    def __str__(self) -> str:
        return f'\n"""\n{self.text}"""'


def processors() -> int:
    """Count the processors that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        return os.cpu_count() or 1


def _request(run: Run, name: str, args: Any, kwargs: dict[str, Any]) -> bytes:
    facts = child.JobFacts(
        run.job_id, run.function, run.queue_name, run.job_try, run.enqueue_ms, run.crashes, run.worker,
        run.attempt, run.max_attempts, run.errors, run.snoozes, run.tags, run.meta, run.priority,
        args, kwargs, run.workflow, carried=run.carried,
    )  # fmt: skip
    ctx = {key: run.ctx[key] for key in ("job_id", "job_try", "enqueue_time", "score")}
    try:
        return pickle.dumps(child.Request(name, facts, ctx, args, kwargs))
    except Exception as error:
        raise SerializationError(f"its arguments cannot be pickled for a process: {error}") from error


def _postponed(why: str) -> Postpone:
    logger.error("a job with cpu=True waits %0.0fs for a process: %s", _NEXT_START_AFTER_S, why)
    return Postpone(_NEXT_START_AFTER_S)
