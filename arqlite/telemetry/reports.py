"""Report failed jobs to somebody: Sentry, a chat, a table."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from ..errors import ConfigurationError
from .core import attach, detach
from .events import JobException

logger = logging.getLogger("arqlite.telemetry")

ReportHandler = Callable[["ErrorReport"], Awaitable[Any] | None]

_numbers = itertools.count(1)
_under_way: set[asyncio.Future[Any]] = set()


@dataclass(frozen=True)
class ErrorReport:
    """A failed run, or a job that failed without a run, as an error reporter wants it.

    Attributes:
        job: the event, with the job's `queue`, `job_id`, `function`, `worker`, `tags`, `meta`, `args`,
            `kwargs`, `max_attempts` and times.
        error: the exception, with its traceback.
        attempt: which attempt of `job.max_attempts` it was, from 1.
        is_last: whether the job is over with it; else it will run again.
        stack: the traceback as text.
    """

    job: JobException
    error: BaseException
    attempt: int
    is_last: bool

    @cached_property
    def stack(self) -> str:  # noqa: D102 (told by the class)
        return self.job.stack


def report_errors(
    handler: ReportHandler,
    *,
    only_last: bool = False,
    ignore: type[BaseException] | tuple[type[BaseException], ...] = (),
) -> Callable[[], None]:
    """Call `handler(report)` for every failure of a job in this process.

    Args:
        handler: a function or a coroutine function. A function is called at once, in the event loop, and must
            be quick. A coroutine runs as a task beside the jobs; a worker that ends waits some seconds for
            it. What either raises is logged and harms nobody.
        only_last: whether only failures are reported after which the job does not run again.
        ignore: exceptions that are expected, and not reported.

    Returns:
        A function that ends it.

    Raises:
        ConfigurationError: the handler cannot be called, or `ignore` has something that is no exception.
    """
    if not callable(handler):
        raise ConfigurationError(f"handler must be a function that takes an ErrorReport, got {handler!r}")
    ignored = ignore if isinstance(ignore, tuple) else (ignore,)
    for one in ignored:
        if not (isinstance(one, type) and issubclass(one, BaseException)):
            raise ConfigurationError(f"ignore must be a tuple of exception classes, got {one!r}")

    def report(event: JobException) -> None:
        if isinstance(event.error, ignored) or (only_last and not event.is_last):
            return
        told = handler(ErrorReport(event, event.error, event.counted_attempt, event.is_last))
        if inspect.isawaitable(told):
            _send(told)

    handler_id = f"arqlite.report_errors:{next(_numbers)}"
    attach(handler_id, JobException, report)
    return partial(detach, handler_id)


async def reports_sent(patience_s: float = 5.0) -> None:
    """Wait until the coroutines that report errors have ended, at most so many seconds."""
    loop = asyncio.get_running_loop()
    waited_for = [one for one in _under_way if one.get_loop() is loop]
    if not waited_for:
        return
    _, unsent = await asyncio.wait(waited_for, timeout=patience_s)
    if unsent:
        logger.warning("%d error reports were not sent within %0.1fs", len(unsent), patience_s)


def _send(report: Awaitable[Any]) -> None:
    if not _runs_a_loop():
        if inspect.iscoroutine(report):
            report.close()
        logger.error("an error report was not sent: no event loop runs here, and its handler is a coroutine")
        return
    sending = asyncio.ensure_future(report)
    _under_way.add(sending)  # a loop holds its tasks weakly
    sending.add_done_callback(_sent)


def _runs_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _sent(sending: asyncio.Future[Any]) -> None:
    _under_way.discard(sending)
    if not sending.cancelled() and (error := sending.exception()) is not None:
        logger.error("reporting an error failed", exc_info=error)
