"""How long a job that failed waits for its next attempt. Pure: chance can be handed in.

The formula is Oban's, as its documentation tells it (`Oban.Worker`, "Customizing Backoff"): after attempt
n `15 + 2^n` seconds, and up to a tenth more. https://hexdocs.pm/oban/Oban.Worker.html
"""

from __future__ import annotations

import logging
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from ..errors import ConfigurationError
from ..typing import SecondsTimedelta
from . import checks
from .context import RunningJob
from .records import FailedAttempt

logger = logging.getLogger("arqlite.worker")

Backoff: TypeAlias = SecondsTimedelta | Sequence[SecondsTimedelta] | Callable[..., SecondsTimedelta]
"""Seconds, a list of them (the last one goes on), or what tells them of the failed job."""
Chance: TypeAlias = Callable[[], float]
"""Gives a number from 0 up to, but not, 1, as `random.random` does."""

_LEAST_S = 15
_JITTER = 0.1
# The curve is made for 20 attempts: more of them are spread over it.
_STEPS = 20


@dataclass(frozen=True, slots=True)
class FailedJob:
    """What a `backoff` function is told of the job that failed.

    Attributes:
        job_id, function, queue_name: which job it is.
        attempt: which attempt failed, from 1.
        max_attempts: how many it may have.
        error: what this attempt raised.
        errors: what earlier attempts failed with, oldest first.
        tags, meta, priority: what it carries.
        args, kwargs: what it was called with.
    """

    job_id: str
    function: str
    queue_name: str
    attempt: int
    max_attempts: int
    error: BaseException
    errors: tuple[FailedAttempt, ...] = ()
    tags: tuple[str, ...] = ()
    meta: dict[str, Any] | None = None
    priority: int = 0
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] | None = None

    @classmethod
    def of(cls, job: RunningJob, error: BaseException) -> FailedJob:
        """Tell it of a run that raised this."""
        return cls(
            job.job_id, job.function, job.queue_name, job.attempt, job.max_attempts, error, job.errors,
            job.tags, job.meta, job.priority, tuple(job.args), dict(job.kwargs),
        )  # fmt: skip


def exponential(attempt: int, max_pow: int = 10, min_pad: float = 0, mult: float = 1) -> float:
    """Tell seconds that double with each attempt: `min_pad + mult * 2 ** attempt`.

    Args:
        attempt: the attempt that failed, from 1.
        max_pow: the highest power of 2 that is used.
        min_pad: seconds to add.
        mult: what to multiply the power by.
    """
    power: int = 2 ** min(attempt, max_pow)
    return min_pad + mult * power


def jitter(
    seconds: float,
    mode: Literal["both", "inc", "dec"] = "both",
    mult: float = 0.1,
    *,
    chance: Chance = random.random,
) -> float:
    """Change seconds by chance, so that jobs that failed together do not come back together.

    Args:
        seconds: what to change.
        mode: `inc` only lengthens it, `dec` only shortens it, `both` does either.
        mult: by which part of it at most.
        chance: gives numbers from 0 to 1.

    Raises:
        ConfigurationError: there is no such mode.
    """
    if mode not in ("both", "inc", "dec"):
        raise ConfigurationError(f"the mode of jitter must be 'both', 'inc' or 'dec', got {mode!r}")
    change = chance() * mult * seconds
    is_longer = mode == "inc" or (mode == "both" and chance() >= 0.5)
    return seconds + change if is_longer else seconds - change


def default_delay(attempt: int, max_attempts: int, *, chance: Chance = random.random) -> float:
    """Tell seconds by Oban's formula: 17, 19, 23, 31 ... after attempt 1, 2, 3, 4, and up to a tenth more."""
    power = attempt if max_attempts <= _STEPS else math.floor(attempt / max_attempts * _STEPS + 0.5)
    return jitter(exponential(power, _STEPS, _LEAST_S), "inc", _JITTER, chance=chance)


def delay_of(backoff: Backoff | None, job: FailedJob, *, chance: Chance = random.random) -> int:
    """Tell how many ms a job that failed waits.

    A function that raises, or gives no number of seconds, is told in the log, and the formula is used.

    Args:
        backoff: what the task says; None is the formula.
        job: the job and what it failed with.
        chance: gives numbers from 0 to 1.
    """
    seconds = _seconds_by(backoff, job)
    if seconds is None:
        seconds = default_delay(job.attempt, job.max_attempts, chance=chance)
    return round(seconds * 1000)


def _seconds_by(backoff: Backoff | None, job: FailedJob) -> float | None:
    if backoff is None:
        return None
    if not callable(backoff):
        if isinstance(backoff, Sequence):
            backoff = backoff[min(job.attempt, len(backoff)) - 1]
        return checks.seconds("backoff", backoff)
    try:
        return checks.seconds("what backoff gives", backoff(job), 0)
    except Exception:  # a fault of it must not cost the job its next attempt
        logger.exception("backoff of %s:%s failed; the default formula is used", job.job_id, job.function)
        return None


def checked_backoff(value: Any) -> Backoff | None:
    """Take a back-off: seconds, a list of seconds, or a plain function.

    Raises:
        ConfigurationError: it is something else.
    """
    if value is None or (callable(value) and not isinstance(value, type)):
        return value
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        if not value:
            raise ConfigurationError("backoff must not be an empty list: its last entry goes on for ever")
        return tuple(checks.seconds(f"backoff[{place}]", one, 0) for place, one in enumerate(value))
    try:
        return checks.seconds("backoff", value, 0)
    except ConfigurationError as error:
        raise ConfigurationError(
            "backoff must be seconds (or a timedelta) of at least 0, a list of them, or a function of the "
            f"failed job that gives seconds, got {value!r}"
        ) from error
