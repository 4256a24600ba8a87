"""Crontab strings: five fields as in every cron, a sixth for seconds, or a nickname."""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date

from ..errors import ConfigurationError
from .timetable import Calendar, microsecond_of

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
_MONTHS = {
    "jan": 1, "feb": 2, "mar": 3, "apr": 4, "may": 5, "jun": 6,
    "jul": 7, "aug": 8, "sep": 9, "oct": 10, "nov": 11, "dec": 12,
}  # fmt: skip
_WEEKDAYS = {"sun": 0, "mon": 1, "tue": 2, "wed": 3, "thu": 4, "fri": 5, "sat": 6}
_SUNDAY_TOO = 7
# As in Oban: a step of three digits is a slip in every field.
_LONGEST_STEP = 99
_LONGEST_MONTHS = {month: 29 if month == 2 else calendar.monthrange(2024, month)[1] for month in range(1, 13)}
_PART = re.compile(r"(?P<low>\*|\w+)(?:-(?P<high>\w+))?(?:/(?P<step>\d+))?")
_NTH_WEEKDAY = re.compile(r"(?P<day>\w+)#(?P<nth>[1-5])")
_LAST_WEEKDAY = re.compile(r"l(?P<day>\w+)")


@dataclass(frozen=True, slots=True)
class _Field:
    """What one field may say.

    Attributes:
        name: what it is called in words.
        low, high: the values that `*` stands for.
        allowed: what to tell of them.
        names: names for values.
        most: the greatest value that may be written.
    """

    name: str
    low: int
    high: int
    allowed: str
    names: Mapping[str, int] = field(default_factory=dict)
    most: int = 0


_MINUTE = _Field("minute", 0, 59, "0 to 59")
_HOUR = _Field("hour", 0, 23, "0 to 23")
_DAY = _Field("day", 1, 31, "1 to 31, or l for the last")
_MONTH = _Field("month", 1, 12, "1 to 12 or jan to dec", _MONTHS)
_WEEKDAY = _Field(
    "weekday", 0, 6, "0 to 7 from Sunday or sun to sat, also fri#2 and l5", _WEEKDAYS, _SUNDAY_TOO
)
_SECOND = _Field("second", 0, 59, "0 to 59")
_FIELDS = (_MINUTE, _HOUR, _DAY, _MONTH, _WEEKDAY, _SECOND)


class Crontab(Calendar):
    """The timetable of a crontab string; day **and** weekday have to match, as all other fields.

    Attributes:
        has_seconds: whether there is a sixth field.
        doubts: what is allowed and hardly meant, in words.

    Raises:
        ConfigurationError: it is no crontab string, or names a date that never comes.
    """

    def __init__(self, text: str, microsecond: int) -> None:
        plain = _plain(text)
        fields = _split(text, plain)
        self.has_seconds = len(fields) == len(_FIELDS)
        self.doubts = list(_doubts(fields))
        self.text = f"{plain} microsecond={microsecond_of(microsecond)}"
        try:
            minutes = _values(_MINUTE, fields[0])
            hours = _values(_HOUR, fields[1])
            days = _Days(fields[2])
            months = _values(_MONTH, fields[3])
            weekdays = _Weekdays(fields[4])
            seconds = _values(_SECOND, fields[5]) if self.has_seconds else {0}
        except ConfigurationError as error:
            raise ConfigurationError(f"crontab {text!r} cannot be read: {error}") from None
        never = f"crontab {text!r} names a date that never comes"
        if not any(days.may_come_in(month) for month in months):
            raise ConfigurationError(never)

        def has(day: date) -> bool:
            return days.has(day) and weekdays.has(day)

        super().__init__(has, months, hours, minutes, seconds, microsecond, never)


class _Days:
    """Days of a month by their number, and its last one."""

    def __init__(self, text: str) -> None:
        parts = text.split(",")
        self._has_last = "l" in parts
        self._numbers = _values_of_parts(_DAY, [part for part in parts if part != "l"], text)

    def has(self, day: date) -> bool:
        return day.day in self._numbers or (self._has_last and day.day == _days_in(day))

    def may_come_in(self, month: int) -> bool:
        return self._has_last or any(number <= _LONGEST_MONTHS[month] for number in self._numbers)


class _Weekdays:
    """Weekdays, and the second or last Friday of a month."""

    def __init__(self, text: str) -> None:
        plain: list[str] = []
        self._nth: set[tuple[int, int]] = set()
        self._last: set[int] = set()
        for part in text.split(","):
            if nth := _NTH_WEEKDAY.fullmatch(part):
                self._nth.add((_number(_WEEKDAY, nth["day"], text) % 7, int(nth["nth"])))
            elif last := _LAST_WEEKDAY.fullmatch(part):
                self._last.add(_number(_WEEKDAY, last["day"], text) % 7)
            else:
                plain.append(part)
        self._plain = {number % 7 for number in _values_of_parts(_WEEKDAY, plain, text)}

    def has(self, day: date) -> bool:
        weekday = day.isoweekday() % 7
        return (
            weekday in self._plain
            or (weekday, (day.day + 6) // 7) in self._nth
            or (weekday in self._last and day.day + 7 > _days_in(day))
        )


def is_reboot(text: object) -> bool:
    """Tell whether this crontab string means the start of a worker and no time."""
    return isinstance(text, str) and text.strip().lower() == REBOOT


def _plain(text: str) -> str:
    """Write a crontab string as all that differ from it in case, blanks or a nickname only."""
    if not isinstance(text, str):
        raise ConfigurationError(f"crontab must be a string such as '*/5 9-17 * * mon-fri', got {text!r}")
    plain = " ".join(text.lower().split())
    return _NICKNAMES.get(plain, plain)


def _split(text: str, plain: str) -> list[str]:
    if plain.startswith("@"):
        names = ", ".join([REBOOT, *_NICKNAMES])
        raise ConfigurationError(f"crontab {text!r} is no nickname; there are {names}")
    fields = plain.split()
    if len(fields) not in (5, 6):
        raise ConfigurationError(
            f"crontab {text!r} has {len(fields)} fields; it must have five (minute hour day month weekday) "
            f"or six (the same, and second last)"
        )
    return fields


def _values(field: _Field, text: str) -> set[int]:
    return _values_of_parts(field, text.split(","), text)


def _values_of_parts(field: _Field, parts: list[str], text: str) -> set[int]:
    values: set[int] = set()
    for part in parts:
        values.update(_range(field, part, text))
    return values


def _range(field: _Field, part: str, text: str) -> range:
    """Read `*`, `5`, `5-9`, or one of these and a step; bounds are checked before anything is laid out."""
    match = _PART.fullmatch(part)
    if match is None:
        raise _refused(field, text)
    step = _step(match["step"], text)
    if match["low"] == "*":
        if match["high"] is not None:
            raise _refused(field, text)
        return range(field.low, field.high + 1, step)
    low = _number(field, match["low"], text)
    if match["high"] is not None:
        high = _number(field, match["high"], text)
        if low > high:
            raise ConfigurationError(f"{field.name} must not run backwards, got {text!r}")
    else:
        high = low if match["step"] is None else max(field.high, low)
    return range(low, high + 1, step)


def _number(field: _Field, word: str, text: str) -> int:
    if word in field.names:
        return field.names[word]
    digits = word.lstrip("0") or "0"
    if not word.isascii() or not word.isdigit() or len(digits) > 2:
        raise _refused(field, text)
    number = int(digits)
    if not field.low <= number <= (field.most or field.high):
        raise _refused(field, text)
    return number


def _step(digits: str | None, text: str) -> int:
    if digits is None:
        return 1
    if len(digits) > 2 or not digits.isascii() or not 1 <= int(digits) <= _LONGEST_STEP:
        raise ConfigurationError(f"a step must be 1 to {_LONGEST_STEP}, got {text!r}")
    return int(digits)


def _doubts(fields: list[str]) -> Iterator[str]:
    for one, text in zip(_FIELDS, fields, strict=False):
        span = one.high - one.low + 1
        if any(int(step) > span for step in re.findall(r"/(\d{1,2})\b", text)):
            yield f"the step in {text!r} is longer than the {span} values that {one.name} has"


def _refused(field: _Field, text: str) -> ConfigurationError:
    return ConfigurationError(f"{field.name} must be {field.allowed}, got {text!r}")


def _days_in(day: date) -> int:
    return calendar.monthrange(day.year, day.month)[1]
