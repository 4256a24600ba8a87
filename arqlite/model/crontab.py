"""Crontab strings, read by croniter: five fields as in every cron, a sixth for seconds, or a nickname."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from ..errors import ConfigurationError
from .timetable import microsecond_of, whole_second_from

if TYPE_CHECKING:
    from croniter import croniter  # type: ignore[import-untyped]  # it brings no types

REBOOT = "@reboot"
NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_ALLOWED = {
    "minute": "0 to 59",
    "hour": "0 to 23",
    "day": "1 to 31, or l for the last",
    "month": "1 to 12 or jan to dec",
    "weekday": "0 to 7 from Sunday or sun to sat, also fri#2 and l5",
    "second": "0 to 59",
}
_FIELDS = tuple(_ALLOWED)
# What `*` stands for; croniter's own table has been another one in its third major version.
_RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6), (0, 59))
_SUNDAY, _SUNDAY_TOO = "0", "7"
_NAME = re.compile(r"\b(l?)([a-z]{3})\b")
_PART = re.compile(r"(?:\*|(?P<low>0*\d{1,2})(?:-(?P<high>0*\d{1,2}))?)(?:/(?P<step>\d+))?", re.ASCII)
_SPECIAL = {"day": "l", "weekday": "0*[0-7]#[1-5]|l0*[0-7]"}
_NOTHING = "(?!)"
# As in Oban: a step of three digits is a slip in every field.
_STEP = re.compile("0?[1-9]|[1-9][0-9]")
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 (a clock face has no zone)


class Crontab:
    """The timetable of a crontab string; day **and** weekday have to match, as all other fields.

    Attributes:
        has_seconds: whether there is a sixth field.
        doubts: what is allowed and hardly meant, in words.

    Raises:
        ConfigurationError: it is no crontab string, or names a date that never comes.
    """

    def __init__(self, text: str, microsecond: int) -> None:
        self.microsecond = microsecond_of(microsecond)
        plain = _plain(text)
        self._never = f"crontab {text!r} names a date that never comes"
        self._cron = _croniter(_settled(text, plain))
        hours = self._cron.expanded[1]
        self.every_hour = "*" in hours or len(hours) == 24
        self.has_seconds = len(plain.split()) == len(_FIELDS)
        self.doubts = list(_doubts(plain))
        self.text = f"{plain} microsecond={microsecond}"

    def first_from(self, wall: datetime) -> datetime:
        """See `Timetable.first_from`."""
        start = whole_second_from(wall, self.microsecond) - timedelta(seconds=1)
        try:
            # croniter takes a time without a zone as it is: no clock changes in here.
            found: datetime = self._cron.get_next(datetime, start_time=start)
        except (ValueError, OverflowError) as error:  # croniter's CroniterBadDateError is a ValueError
            raise ConfigurationError(self._never) from error
        return found.replace(microsecond=self.microsecond)


def is_reboot(text: object) -> bool:
    """Tell whether this crontab string means the start of a worker and no time."""
    return isinstance(text, str) and text.strip().lower() == REBOOT


def _plain(text: str) -> str:
    """Write a crontab string as all that differ from it in case, blanks or a nickname only."""
    if not isinstance(text, str):
        raise ConfigurationError(f"crontab must be a string such as '*/5 9-17 * * mon-fri', got {text!r}")
    plain = " ".join(text.lower().split())
    return NICKNAMES.get(plain, plain)


def _croniter(settled: str) -> croniter:
    # It takes 60 ms to import: only programs with crontab strings pay for that.
    from croniter import croniter

    return croniter(settled, _EPOCH, day_or=False)


@lru_cache(maxsize=1024)  # a cron job asks for its timetable at each of its times
def _settled(text: str, plain: str) -> str:
    """Check a crontab string, and write it so that croniter takes it as it is meant."""
    if plain.startswith("@"):
        names = ", ".join([REBOOT, *NICKNAMES])
        raise ConfigurationError(f"crontab {text!r} is no nickname; there are {names}")
    fields = plain.split()
    if len(fields) not in (5, 6):
        raise ConfigurationError(
            f"crontab {text!r} has {len(fields)} fields; it must have five (minute hour day month weekday) "
            f"or six (the same, and second last)"
        )
    try:
        settled = " ".join(_settled_field(place, field) for place, field in enumerate(fields))
        cron = _croniter(settled)
    except ValueError as error:  # all of croniter's are ValueErrors, too
        raise ConfigurationError(f"crontab {text!r} cannot be read: {error}") from None
    try:
        cron.get_next()
    except ValueError:
        raise ConfigurationError(f"crontab {text!r} names a date that never comes") from None
    return settled


def _settled_field(place: int, field: str) -> str:
    from croniter import croniter

    name, values = _FIELDS[place], croniter.ALPHACONV[place]
    parts = _NAME.sub(lambda match: f"{match[1]}{values.get(match[2], match[2])}", field).split(",")
    special = [part for part in parts if re.fullmatch(_SPECIAL.get(name, _NOTHING), part)]
    plain = [_settled_part(place, part, field) for part in parts if part not in special]
    if name == "weekday" and special:
        # croniter has no plain weekdays beside these: Monday is then the first to the fifth Monday.
        days = "0123456" if "*" in plain else ",".join(plain).replace(",", "")
        plain = [f"{day}#{nth}" for day in days for nth in range(1, 6)]
    return ",".join(plain + [part.replace(_SUNDAY_TOO, _SUNDAY) for part in special])


def _settled_part(place: int, part: str, field: str) -> str:
    """Check bounds before anything is laid out; `5-5` and `59/15` are one value, not so to croniter."""
    name, (least, most) = _FIELDS[place], _RANGES[place]
    refused = ValueError(f"{name} must be {_ALLOWED[name]}, got {field!r}")
    match = _PART.fullmatch(part)
    if match is None:
        raise refused
    step = match["step"]
    if step is not None and not _STEP.fullmatch(step):
        raise ValueError(f"a step must be 1 to 99, got {field!r}")
    if part == "*":
        return part
    low = int(match["low"] or least)
    high = int(match["high"] or (low if step is None else max(low, most)))
    if high < low:
        raise ValueError(f"{name} must not run backwards, got {field!r}")
    if low < least or high > (int(_SUNDAY_TOO) if name == "weekday" else most):
        raise refused
    if name == "weekday":  # not every croniter has 7, nor takes it as the end of a range
        return ",".join(str(day % 7) for day in range(low, high + 1, int(step or 1)))
    return str(low) if low == high else f"{low}-{high}/{step or 1}"


def _doubts(plain: str) -> Iterator[str]:
    for name, (least, most), field in zip(_FIELDS, _RANGES, plain.split(), strict=False):
        span = most - least + 1
        if any(int(step) > span for step in re.findall(r"/(\d+)", field)):
            yield f"the step in {field!r} is longer than the {span} values that {name} has"
