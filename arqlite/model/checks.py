"""What a caller may hand in: each check returns the value in its plain form, or refuses it in words."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from ..errors import ConfigurationError
from ..utils import to_unix_ms

# Three million years: beyond it floats of ms are no longer exact, and no datetime reaches there.
_LONGEST_S = 1e14
_LONGEST_ID = 512
LOWEST_PRIORITY = 9
# The end of the year 9999, in ms since 1970: no datetime is later.
LAST_MS = 253_402_300_799_999


def count(name: str, value: Any, least: int | None = None) -> int:
    """Take a whole number; a bool is none.

    Raises:
        ConfigurationError: it is something else, or less than `least`.
    """
    if isinstance(value, bool) or not isinstance(value, int) or (least is not None and value < least):
        wanted = "a whole number" if least is None else f"a whole number of at least {least}"
        raise ConfigurationError(f"{name} must be {wanted}, got {value!r}")
    return value


def priority(name: str, value: Any) -> int:
    """Take a priority.

    Raises:
        ConfigurationError: it is no whole number from 0 to 9.
    """
    if count(name, value, 0) > LOWEST_PRIORITY:
        raise ConfigurationError(f"{name} must be 0 (first) to {LOWEST_PRIORITY} (last), got {value!r}")
    return int(value)


def seconds(name: str, value: Any, least: float | None = None) -> float:
    """Take a span, a finite number of seconds or a timedelta, as seconds.

    Raises:
        ConfigurationError: it is something else, or shorter than `least`.
    """
    plain = _plain_seconds(name, value)
    # NaN is neither above nor below anything.
    if not -_LONGEST_S <= plain <= _LONGEST_S:
        raise ConfigurationError(f"{name} must be a finite number of seconds, got {value!r}")
    if least is not None and plain < least:
        raise ConfigurationError(f"{name} must be at least {least} seconds, got {value!r}")
    return plain


def time_limit(name: str, value: Any) -> float:
    """Take a span of more than nothing; infinity stands for no limit.

    Raises:
        ConfigurationError: it is something else.
    """
    plain = _plain_seconds(name, value)
    if not plain > 0:
        raise ConfigurationError(f"{name} must be more than 0 seconds, got {value!r}")
    return plain if plain <= _LONGEST_S else float("inf")


def moment_ms(name: str, value: Any) -> int:
    """Take a datetime as ms since 1970; a naive one is local time.

    Raises:
        ConfigurationError: it is something else, or so near the ends of time that no zone has it.
    """
    if not isinstance(value, datetime):
        raise ConfigurationError(f"{name} must be a datetime, got {value!r}")
    try:
        return to_unix_ms(value)
    except (OverflowError, ValueError, OSError) as error:
        raise ConfigurationError(f"{name} cannot be told as a time: {value!r}") from error


def job_id(value: Any) -> str:
    """Take a job id.

    Raises:
        ConfigurationError: it is no text, is empty or too long, or holds what Redis scripts or UTF-8 cannot.
    """
    if not isinstance(value, str):
        hint = "; say job.job_id" if isinstance(getattr(value, "job_id", None), str) else ""
        raise ConfigurationError(f"a job id must be a string, got {value!r}{hint}")
    if not value or "\0" in value or len(value) > _LONGEST_ID:
        raise ConfigurationError(
            f"a job id must have at least one and at most {_LONGEST_ID} characters, none of them NUL"
        )
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ConfigurationError(f"a job id must be valid Unicode, got {value!r}") from error
    return value


def queue(name: str, value: Any) -> None:
    """Make sure that the name of a queue, where one is given, is not empty: some would take that for none.

    Raises:
        ConfigurationError: it is empty.
    """
    if isinstance(value, str) and not value:
        raise ConfigurationError(
            f"{name} must not be empty (is the variable that it is read from set?); leave it out for the"
            f" default queue"
        )


def log_level(name: str, value: Any) -> int:
    """Take a level of `logging`, a number or its name in any case, as a number.

    Raises:
        ConfigurationError: it is none.
    """
    levels = logging.getLevelNamesMapping()
    level = levels.get(value.strip().upper()) if isinstance(value, str) else value
    if isinstance(level, bool) or not isinstance(level, int) or level < 0:
        known = ", ".join(levels)
        raise ConfigurationError(f"{name} must be a level of logging ({known}, or a number), got {value!r}")
    return level


def instance(name: str, value: Any, kind: type | tuple[type, ...], wanted: str) -> None:
    """Make sure that something is of a class.

    Raises:
        ConfigurationError: it is not; `wanted` says in words what it should have been.
    """
    if not isinstance(value, kind):
        raise ConfigurationError(f"{name} must be {wanted}, got {value!r}")


def function(name: str, value: Any) -> None:
    """Make sure that something can be called.

    Raises:
        ConfigurationError: it cannot.
    """
    if not callable(value):
        raise ConfigurationError(f"{name} must be a function, got {value!r}")


def _plain_seconds(name: str, value: Any) -> float:
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigurationError(f"{name} must be a number of seconds or a timedelta, got {value!r}")
    return value


def tags(value: Any) -> tuple[str, ...]:
    """Take tags as Oban does: as texts, trimmed and in lower case, each once, in the order given.

    Raises:
        ConfigurationError: it is no list of texts and numbers.
    """
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise ConfigurationError(f"tags must be a list of texts, got {value!r}")
    plain: dict[str, None] = {}
    for tag in value:
        if tag is None:
            continue
        if isinstance(tag, bool) or not isinstance(tag, str | int | float):
            raise ConfigurationError(f"a tag must be a text, got {tag!r}")
        if text := str(tag).strip().lower():
            plain[text] = None
    return tuple(plain)


def meta(value: Any) -> dict[str, Any]:
    """Take what a job carries beside its arguments: a dict with texts for keys.

    Raises:
        ConfigurationError: it is something else.
    """
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise ConfigurationError(f"meta must be a dict whose keys are texts, got {value!r}")
    return dict(value)
