"""How a plain function's end, wherever it ran, becomes the end of its job's coroutine."""

from __future__ import annotations

from typing import NoReturn

from ..errors import JobExecutionFailed
from ..model.context import current_job
from ..model.failures import message_of


def as_failure(error: BaseException) -> JobExecutionFailed:
    """Tell in words what is no job's to raise: `sys.exit()` ends neither the worker nor its loop."""
    name, text = type(error).__name__, message_of(error)
    failure = JobExecutionFailed(f"{name}: {text}" if text else name)
    failure.__cause__ = error
    return failure


def raise_error(error: BaseException) -> NoReturn:
    """Raise what a plain function raised."""
    try:
        if isinstance(error, SystemExit | KeyboardInterrupt | GeneratorExit):
            raise as_failure(error)
        raise error
    finally:
        del error  # its traceback holds this frame


def ended_while_leaving(has_returned: bool) -> bool:
    """Tell whether a cancelled function has got to its end all the same, and may keep its result.

    After a shutdown it may: run again it would do its work twice. A job that is over its time or that
    somebody cancelled is over its time or cancelled, however long its function took to notice.
    """
    run = current_job()
    return has_returned and run is not None and run.cancel_reason == "shutdown"
