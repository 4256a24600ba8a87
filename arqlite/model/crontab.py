"""Crontab strings, read by croniter."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ..errors import ConfigurationError
from .timetable import microsecond_of, whole_second_from

if TYPE_CHECKING:
    from croniter import croniter  # type: ignore[import-untyped]  # it brings no types

REBOOT = "@reboot"
_NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_FIELDS = ("minute", "hour", "day", "month", "weekday", "second")
# How many values each field has: a longer step is a mistake (`*/90` is not every 90 minutes).
_SPANS = (60, 24, 31, 12, 7, 60)
_ALLOWED = {
    "minute": "0 to 59",
    "hour": "0 to 23",
    "day": "1 to 31, or l for the last",
    "month": "1 to 12 or jan to dec",
    "weekday": "0 to 7 from Sunday or sun to sat, also fri#2 and l5",
    "second": "0 to 59",
}
_CANNOT_READ = (ValueError, KeyError, TypeError, AttributeError)
# croniter's own letters for a value of its choice: of each process another one.
_RANDOM = r"(?<![a-z])[hr](?![a-z])"
_STEP = r"/(\d+)"
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 (a clock face has no zone)


class Crontab:
    """The timetable of a crontab string: five fields, a sixth for seconds, or a nickname.

    Raises:
        ConfigurationError: it is no crontab string.
    """

    def __init__(self, text: str, microsecond: int) -> None:
        self.microsecond = microsecond_of(microsecond)
        self._given = text
        self._plain = _plain(text)
        hours = _read(text, self._plain, _EPOCH).expanded[1]
        self.every_hour = hours == ["*"] or len(hours) == 24
        self.text = f"{self._plain} microsecond={microsecond}"

    def first_from(self, wall: datetime) -> datetime:
        """See `Timetable.first_from`."""
        start = whole_second_from(wall, self.microsecond) - timedelta(seconds=1)
        try:
            # croniter takes a time without a zone as it is: no clock changes in here.
            found: datetime = _read(self._given, self._plain, start).get_next(datetime)
        except ValueError as error:  # croniter's CroniterBadDateError is one
            raise ConfigurationError(f"crontab {self._given!r} names a date that never comes") from error
        return found.replace(microsecond=self.microsecond)


def is_reboot(text: object) -> bool:
    """Tell whether this crontab string means the start of a worker and no time."""
    return isinstance(text, str) and text.strip().lower() == REBOOT


def _plain(text: str) -> str:
    """Write a crontab string as all that differ from it in case, blanks or a nickname only."""
    if not isinstance(text, str):
        raise ConfigurationError(f"crontab must be a string such as '*/5 9-17 * * mon-fri', got {text!r}")
    plain = " ".join(text.lower().split())
    return _NICKNAMES.get(plain, plain)


def _read(given: str, plain: str, start: datetime) -> croniter:
    _check(given, plain)
    # It takes 60 ms to import: only programs with crontab strings pay for that.
    from croniter import croniter

    try:
        return croniter(plain, start)
    except _CANNOT_READ as error:
        raise ConfigurationError(f"crontab {given!r} cannot be read: {_culprit(plain, error)}") from error


def _culprit(plain: str, error: Exception) -> str:
    """Name the field that is wrong, which croniter does not always do."""
    from croniter import croniter

    for place, (name, field) in enumerate(zip(_FIELDS, plain.split(), strict=False)):
        alone = ["*"] * 6
        alone[place] = field
        try:
            croniter(" ".join(alone))
        except _CANNOT_READ:
            return f"{name} must be {_ALLOWED[name]}, got {field!r}"
    return str(error)


def _check(text: str, plain: str) -> None:
    """Refuse what croniter takes but cron does not mean, in words that croniter has not."""
    if plain.startswith("@"):
        names = ", ".join([REBOOT, *_NICKNAMES])
        raise ConfigurationError(f"crontab {text!r} is no nickname; there are {names}")
    fields = plain.split()
    if len(fields) not in (5, 6):
        raise ConfigurationError(
            f"crontab {text!r} has {len(fields)} fields; it must have five (minute hour day month weekday) "
            f"or six (the same, and second last)"
        )
    for name, span, field in zip(_FIELDS, _SPANS, fields, strict=False):
        if re.search(_RANDOM, field):
            raise ConfigurationError(f"crontab {text!r}: {name} must not be left to chance, got {field!r}")
        if any(int(step) > span for step in re.findall(_STEP, field)):
            raise ConfigurationError(
                f"crontab {text!r}: the step in {field!r} is longer than the {span} values that {name} has"
            )
