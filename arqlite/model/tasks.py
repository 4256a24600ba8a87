"""Functions with Oban's rules: what fails is tried again, with back-off, until its attempts are used up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ..typing import ArgsT, ResultT, SecondsTimedelta
from .functions import Function
from .unique import Unique

DEFAULT_MAX_ATTEMPTS = 20

Backoff: TypeAlias = SecondsTimedelta | Sequence[SecondsTimedelta] | Callable[..., SecondsTimedelta]
"""Seconds, a list of them (the last one goes on), or what tells them of the failed job."""


@dataclass
class Task(Function[ArgsT, ResultT]):
    """A job function by Oban's rules, made by `task`.

    Attributes:
        queue: where its jobs go; None is the pool's default.
        max_attempts: how often a job may fail, the last time included.
        priority: 0 runs first, 9 last.
        backoff: how long a job that failed waits; None is Oban's formula.
        unique: when a job counts as one that is there already.
        tags, meta: what its jobs carry.
        retry_on: errors after which it is tried again, None all of them.
        discard_on: errors after which it is not.
        on_discard: called with the job and its last error when it has failed for good.
    """

    queue: str | None = None
    max_attempts: int = DEFAULT_MAX_ATTEMPTS
    priority: int = 0
    backoff: Backoff | None = None
    unique: Unique | None = None
    tags: tuple[str, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)
    retry_on: tuple[type[BaseException], ...] | None = None
    discard_on: tuple[type[BaseException], ...] = ()
    on_discard: Callable[..., Any] | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function itself; nothing is enqueued."""
        return self.coroutine(*args, **kwargs)
