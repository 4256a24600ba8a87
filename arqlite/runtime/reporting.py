"""What a job has at hand to tell of itself: its progress, and a log. One of each serves all jobs."""

from __future__ import annotations

import logging
import sys
from collections.abc import Generator, Mapping, MutableMapping
from typing import Any

from ..model.context import running_job
from ..model.notes import JOB_LOGGER, Report
from ..utils import timestamp_ms
from .notekeeper import NoteKeeper, keeper_of
from .run import Run

_tracebacks = logging.Formatter()
# Marks a record whose text is attached to its job already.
ATTACHED = "arqlite_attached"


class LoopTurn:
    """Awaiting it lets the event loop do what else there is; that is all."""

    __slots__ = ()

    def __await__(self) -> Generator[None, None, None]:
        yield


_turn = LoopTurn()


def report_progress(current: float, total: float | None = None, message: str = "") -> LoopTurn:
    """Tell how far the running job is; readable at once with `Job.progress` and `Job.follow_progress`.

    It takes a few microseconds, never blocks and never fails, so it may be called for every row: only the
    newest is kept, and stored some ten times a second. It works in coroutines, plain functions and threads
    that have the job's context (`asyncio.to_thread`); outside of a job it does nothing. It may be awaited,
    which gives the event loop a turn.

    Args:
        current: what is done.
        total: what there is to do in all, if that is known.
        message: what the job is doing; up to 1,000 characters.
    """
    at_hand = running()
    if at_hand is not None:
        keeper, run = at_hand
        keeper.report(run, Report(current, total, message, timestamp_ms()))
    return _turn


class JobLogger(logging.LoggerAdapter[logging.Logger]):
    """`ctx["log"]`: a logger whose lines are attached to the running job as well.

    `ctx["log"]("text")` is `ctx["log"].info("text")`. The lines go to the logger `arqlite.job`, wherever that
    goes. Attached are those of INFO and above, or from the level of `capture_logs` on where that is lower,
    whatever the level of the logger.
    """

    def __init__(self) -> None:
        super().__init__(logging.getLogger(JOB_LOGGER), {})

    def __call__(self, msg: object, *args: object, **kwargs: Any) -> None:
        """Log and attach a line of level INFO."""
        self.log(logging.INFO, msg, *args, **_one_deeper(kwargs))

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """Log a line and attach it."""
        at_hand = running()
        if at_hand is not None and level >= at_hand[0].least_level:
            keeper, run = at_hand
            keeper.add_line(run, level, JOB_LOGGER, _told(msg, args, kwargs.get("exc_info")))
            kwargs["extra"] = {**(kwargs.get("extra") or {}), ATTACHED: True}
        if self.logger.isEnabledFor(level):
            self.logger.log(level, msg, *args, **_one_deeper(kwargs))

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 (the name that loggers have for it)
        """Whether a line of this level would go anywhere, be it to the job alone."""
        at_hand = running()
        return (at_hand is not None and level >= at_hand[0].least_level) or self.logger.isEnabledFor(level)

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """Leave the line as it is."""
        return msg, kwargs


job_log = JobLogger()


def equip(ctx: dict[Any, Any]) -> None:
    """Lay both into a worker's ctx, under `progress` and `log`; what the user has there stays."""
    ctx.setdefault("progress", report_progress)
    ctx.setdefault("log", job_log)


def running() -> tuple[NoteKeeper, Run] | None:
    """Find the running job and who keeps its notes."""
    run = running_job.get()
    if run is None:
        return None
    keeper = keeper_of(run.worker)
    return (keeper, run) if keeper is not None and isinstance(run, Run) else None


def with_traceback(text: str, exc_info: Any) -> str:
    """Put a traceback under a line, as `logging` does."""
    if isinstance(exc_info, BaseException):
        exc_info = (type(exc_info), exc_info, exc_info.__traceback__)
    elif not isinstance(exc_info, tuple):
        exc_info = sys.exc_info()
    return text if exc_info[0] is None else f"{text}\n{_tracebacks.formatException(exc_info)}"


def _told(msg: object, args: tuple[object, ...], exc_info: Any) -> str:
    try:
        if len(args) == 1 and isinstance(args[0], Mapping) and args[0]:
            text = str(msg) % args[0]
        else:
            text = str(msg) % args if args else str(msg)
        return with_traceback(text, exc_info) if exc_info else text
    except Exception as broken:  # noqa: BLE001 (a line that cannot be shown must not fail its job)
        return f"<this line cannot be shown: {type(broken).__name__}: {broken}>"


def _one_deeper(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Leave one more frame out of the search for who logs."""
    return {**kwargs, "stacklevel": kwargs.get("stacklevel", 1) + 1}
