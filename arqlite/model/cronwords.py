"""Schedules in words: "every 15 minutes", "weekdays at 09:00". No I/O.

A date has to match the day **and** the weekday, as everywhere in arqlite. Where no good sentence is to be
had, the schedule itself is the best one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from .crontab import NICKNAMES, is_reboot

_RANGES = {
    "minute": (0, 59), "hour": (0, 23), "day": (1, 31), "month": (1, 12), "weekday": (0, 6), "second": (0, 59)
}  # fmt: skip
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
    "November", "December",
)  # fmt: skip
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_NUMBER_OF = {name[:3].lower(): number for number, name in enumerate(_MONTHS, 1)}
# Crontab strings count from Sunday, which is 0 and 7; here Monday is 0, as in Python.
_CRON_DAYS = {name[:3].lower(): (number + 1) % 7 for number, name in enumerate(_DAYS)}
_NTH = ("first", "second", "third", "fourth", "fifth")
_PART = re.compile(r"(?:\*|(\d+)(?:-(\d+))?)(?:/(\d+))?")
_MOST_TIMES = 4
_MOST_DAYS = 5
_SHORTEST_RUN = 3


class _NoSentence(Exception):
    """There is no good sentence for this."""


@dataclass
class _Schedule:
    """The values of each field; None is any. `special` are weekdays and days that are no numbers."""

    month: list[int] | None = None
    day: list[int] | None = None
    weekday: list[int] | None = None
    hour: list[int] | None = None
    minute: list[int] | None = None
    second: list[int] | None = None
    special: list[str] = field(default_factory=list)


def in_words(schedule: str) -> str:
    """Say when a cron job runs.

    Args:
        schedule: a crontab string, or the fields that `cron` was given, as `CronView.schedule` has them.

    Returns:
        A few words for people; the schedule itself where there are no good ones.
    """
    text = " ".join(schedule.lower().split())
    if is_reboot(text):
        return "once, when the first worker starts"
    if text == "every second":
        return text
    try:
        read = _read_fields(text) if "=" in text else _read_crontab(NICKNAMES.get(text, text))
        return _sentence(read)
    except _NoSentence:
        return schedule


def _sentence(schedule: _Schedule) -> str:
    date = _date(schedule)
    repeated = _repeated(schedule)
    if repeated:
        return f"{repeated} {_on(date)}" if date else repeated
    return f"{date or 'every day'} at {_times(schedule)}"


def _on(date: str) -> str:
    if date.startswith("every day in "):
        return date.removeprefix("every day ")
    return date if date.startswith(("on ", "from ", "every ")) else f"on {date}"


# -- the time of the day


def _repeated(schedule: _Schedule) -> str:
    """Say how often within a day; nothing if it is at single times."""
    seconds = schedule.second
    if seconds is None or len(seconds) > 1:
        every = _every(seconds, 60, "second")
        if schedule.minute is not None or schedule.hour is not None or not every:
            raise _NoSentence
        return every
    minutes = _every(schedule.minute, 60, "minute")
    if seconds != [0]:
        if minutes == "every minute" and schedule.hour is None:
            return f"every minute at second {seconds[0]}"
        if minutes or schedule.hour is None:
            raise _NoSentence
    if minutes:
        return minutes + _within(schedule.hour, "59")
    return _hourly(schedule)


def _hourly(schedule: _Schedule) -> str:
    """Say it of minutes that are named: in which hours, if those are regular."""
    minutes = schedule.minute or []
    if len(minutes) > _MOST_TIMES:
        raise _NoSentence
    hours = _every(schedule.hour, 24, "hour")
    at = "" if minutes == [0] else f" at {_listed([f':{minute:02}' for minute in minutes])}"
    if hours:
        return hours + at
    run = _run_of(schedule.hour)
    if run is not None and len(minutes) == 1 and len(schedule.hour or ()) > _MOST_TIMES:
        return f"every hour from {run[0]:02}:{minutes[0]:02} to {run[1]:02}:{minutes[0]:02}"
    return ""


def _within(hours: list[int] | None, last_minute: str) -> str:
    if hours is None:
        return ""
    run = _run_of(hours) or ((hours[0], hours[0]) if len(hours) == 1 else None)
    if run is None:
        raise _NoSentence
    return f" from {run[0]:02}:00 to {run[1]:02}:{last_minute}"


def _times(schedule: _Schedule) -> str:
    seconds = "" if schedule.second == [0] else f":{(schedule.second or [0])[0]:02}"
    times = [f"{h:02}:{m:02}{seconds}" for h in schedule.hour or () for m in schedule.minute or ()]
    if len(times) > _MOST_TIMES:
        raise _NoSentence
    return _listed(times)


def _every(values: list[int] | None, size: int, unit: str) -> str:
    """Say "every so many" of values that come round regularly; nothing of others."""
    if values is None:
        return f"every {unit}"
    if len(values) < 2 or values[0] != 0 or size % len(values):
        return ""
    step = size // len(values)
    return f"every {step} {unit}s" if values == list(range(0, size, step)) else ""


# -- the date


def _date(schedule: _Schedule) -> str:
    """Say on which days; nothing for every day."""
    weekdays = _weekdays(schedule)
    months = "" if schedule.month is None else _months(schedule.month)
    if schedule.day is None and "last" not in schedule.special:
        if not months:
            return weekdays
        return f"{weekdays or 'every day'} in {months}"
    if weekdays and len(schedule.weekday or ()) != 1:
        raise _NoSentence
    on = _days(schedule, months)
    return f"{on} if it is a {_DAYS[schedule.weekday[0]]}" if schedule.weekday else on


def _days(schedule: _Schedule, months: str) -> str:
    of = f"of {months}" if months else "of each month"
    days = schedule.day
    if "last" in schedule.special:
        if days:
            raise _NoSentence
        return f"on the last day {of}"
    if days is None:
        raise _NoSentence
    if len(days) == 1 and len(schedule.month or ()) == 1:
        return f"every year on {days[0]} {months}"
    run = _run_of(days)
    if run is not None:
        return f"from the {_nth(run[0])} to the {_nth(run[1])} {of}"
    if len(days) > _MOST_DAYS:
        raise _NoSentence
    return f"on the {_listed([_nth(day) for day in days])} {of}"


def _weekdays(schedule: _Schedule) -> str:
    special = [text for text in schedule.special if text != "last"]
    days = schedule.weekday
    if special:
        if days or len(special) > 1 or schedule.day is not None:
            raise _NoSentence
        return special[0]
    if days is None:
        return ""
    if days == [0, 1, 2, 3, 4]:
        return "weekdays"
    if days == [5, 6]:
        return "weekends"
    if len(days) == 6:
        [missing] = set(range(7)) - set(days)
        return f"every day but {_DAYS[missing]}"
    return _listed([f"{_DAYS[day]}s" for day in days])


def _months(months: list[int]) -> str:
    run = _run_of(months)
    names = [_MONTHS[month - 1] for month in months]
    return f"{names[0]} to {names[-1]}" if run is not None else _listed(names)


# -- words


def _run_of(values: list[int] | None) -> tuple[int, int] | None:
    """The ends of values that follow one another; None of others, and of few."""
    if values is None or len(values) < _SHORTEST_RUN or values[-1] - values[0] != len(values) - 1:
        return None
    return values[0], values[-1]


def _listed(words: Sequence[str]) -> str:
    if not words:
        raise _NoSentence
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _nth(number: int) -> str:
    end = "th" if 10 < number < 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{end}"


# -- reading


def _read_fields(text: str) -> _Schedule:
    """Read `hour=9 minute=0,30`: fields that are not there are any."""
    read = _Schedule()
    for word in text.split():
        name, _, values = word.partition("=")
        if name not in _RANGES or not re.fullmatch(r"\d+(,\d+)*", values):
            raise _NoSentence
        setattr(read, name, sorted({int(value) for value in values.split(",")}))
    return read


def _read_crontab(text: str) -> _Schedule:
    fields = dict(zip(_RANGES, text.split(), strict=False))
    if len(fields) < 5 or len(text.split()) > 6:
        raise _NoSentence
    read = _Schedule()
    for name, told in {"second": "0", **fields}.items():
        setattr(read, name, _values(name, told, read.special))
    return read


def _values(name: str, told: str, special: list[str]) -> list[int] | None:
    """Read a field; what is no number of it is added to `special` in words."""
    found: set[int] = set()
    parts = told.split(",")
    for part in parts:
        words = _special(name, part)
        if words:
            special.append(words)
        else:
            found |= _numbers(name, part)
    low, high = _RANGES[name]
    if name == "weekday":
        found = {(day - 1) % 7 for day in found}
    return None if not found or len(found) == high - low + 1 else sorted(found)


def _special(name: str, part: str) -> str:
    if name == "day" and part == "l":
        return "last"
    if name != "weekday":
        return ""
    if part.startswith("l") and len(part) > 1:
        return f"the last {_weekday(part[1:])} of each month"
    day, hash_sign, nth = part.partition("#")
    return f"the {_NTH[int(nth) - 1]} {_weekday(day)} of each month" if hash_sign else ""


def _weekday(text: str) -> str:
    number = _CRON_DAYS.get(text)
    return _DAYS[((int(text) if number is None else number) - 1) % 7]


def _numbers(name: str, part: str) -> set[int]:
    names = {"month": _NUMBER_OF, "weekday": _CRON_DAYS}.get(name, {})
    match = _PART.fullmatch(re.sub(r"[a-z]+", lambda word: str(names.get(word[0], word[0])), part))
    if match is None:
        raise _NoSentence
    low, high = _RANGES[name]
    start, end, step = match.groups()
    first = low if start is None else int(start)
    last = int(end) if end is not None else first if start is not None and step is None else high
    if name == "weekday" and last < first:
        last += 7  # fri-sun: Sunday is 0 by its name
    return set(range(first, last + 1, int(step or 1)))
