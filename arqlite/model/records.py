"""A job as others see it: enqueued (`JobDef`), ended (`JobResult`)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass
class JobDef:
    """A job as it was enqueued.

    Attributes:
        function: the name it was enqueued under.
        args, kwargs: what it was given.
        job_try: which start this is; None while it has not been started and `_job_try` was not given.
        enqueue_time: when it was enqueued (aware).
        score: when it is or was due, in ms since 1970; None when that is not known any more.
        job_id: its id.
    """

    function: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    job_try: int | None
    enqueue_time: datetime
    score: int | None
    job_id: str | None

    def __post_init__(self) -> None:
        if isinstance(self.score, float):
            self.score = int(self.score)


@dataclass
class JobResult(JobDef):
    """A job that ended.

    Attributes:
        success: whether the function returned.
        result: what it returned, or the exception that ended it.
        start_time, finish_time: of its last run (aware).
        queue_name: where it ran.
    """

    success: bool
    result: Any
    start_time: datetime
    finish_time: datetime
    queue_name: str
