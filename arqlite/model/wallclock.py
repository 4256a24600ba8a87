"""From times of the clock face to moments, through changes of the clock, as Debian's cron does it.

A timetable that names hours runs once for each time it names: a time that the clock skips runs right
when the clock has gone on, a time that comes twice runs the first time. A timetable that leaves out
no hour goes by real time: also in the hour that comes twice, and without a gap where one is skipped.

Moments are in UTC here, and zones are asked only what the clock shows at a moment: that is the one
question to which every kind of zone has a true answer.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo

from .timetable import Timetable

_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)


class SystemZone(tzinfo):
    """The system's zone, asked anew each time: it may change its clock, and be changed, while we run."""

    def utcoffset(self, dt: datetime | None) -> timedelta | None:  # noqa: D102 (told by tzinfo)
        return None if dt is None else dt.replace(tzinfo=None).astimezone().utcoffset()

    def dst(self, dt: datetime | None) -> timedelta | None:  # noqa: D102 (told by tzinfo)
        return None  # the system does not tell

    def tzname(self, dt: datetime | None) -> str | None:  # noqa: D102 (told by tzinfo)
        return None if dt is None else dt.replace(tzinfo=None).astimezone().tzname()

    def fromutc(self, dt: datetime) -> datetime:  # noqa: D102 (told by tzinfo)
        moment = dt.replace(tzinfo=UTC)
        wall = moment.astimezone().replace(tzinfo=None)
        is_second_time = wall.astimezone(UTC) != moment
        return wall.replace(tzinfo=self, fold=is_second_time)

    def __repr__(self) -> str:
        return "SystemZone()"


def first_moment(timetable: Timetable, start: datetime, zone: tzinfo) -> datetime:
    """Find the first moment of a timetable that is not before `start`; told in `zone`.

    Raises:
        ConfigurationError: there is none, now or ever.
    """
    search = _by_real_time if timetable.every_hour else _by_the_clock
    return search(timetable, start.astimezone(UTC), zone).astimezone(zone)


def last_moment(
    first_from: Callable[[datetime], datetime | None], start: datetime, end: datetime
) -> datetime | None:
    """Find the last moment from `start` to `end`, both included; None when there is none.

    Args:
        first_from: finds the first moment that is not before another.
        start: where to begin.
        end: where to end.
    """
    end = end.astimezone(UTC)
    found = first_from(start)
    if found is None or found.astimezone(UTC) > end:
        return None
    later = end + _SECOND  # no moment is known from here on
    while later - found.astimezone(UTC) > _SECOND:
        middle = found.astimezone(UTC) + (later - found.astimezone(UTC)) / 2
        after = first_from(middle.astimezone(start.tzinfo))
        if after is not None and after.astimezone(UTC) <= end:
            found = after
        else:
            later = middle
    return found


def _by_the_clock(timetable: Timetable, start: datetime, zone: tzinfo) -> datetime:
    just_before = start - _SECOND
    has_just_changed = _offset(just_before, zone) != _offset(start, zone)
    wall = _wall(just_before if has_just_changed else start, zone)
    while True:
        wall = timetable.first_from(wall)
        moment = _moment(wall, zone)
        if moment >= start:
            return moment
        wall += timedelta(microseconds=1)


def _by_real_time(timetable: Timetable, start: datetime, zone: tzinfo) -> datetime:
    while True:
        offset = _offset(start, zone)
        moment = _at_offset(timetable.first_from(_wall(start, zone)), offset)
        change = _first_change(start, moment, zone)
        if change is None:
            return moment
        start = change


def _moment(wall: datetime, zone: tzinfo) -> datetime:
    """Find the first moment at which the clock shows this time, or goes past it."""
    around = wall.replace(tzinfo=UTC)
    offsets = {_offset(around - _DAY, zone), _offset(around + _DAY, zone)}
    for offset in sorted(offsets, reverse=True):  # the greater offset shows a time earlier
        moment = _at_offset(wall, offset)
        if _wall(moment, zone) == wall:
            return moment
    change = _first_change(around - _DAY, around + _DAY, zone)
    if change is None:  # a zone that shows no time twice the same way
        return _at_offset(wall, min(offsets))
    return change + timedelta(microseconds=wall.microsecond)


def _first_change(start: datetime, end: datetime, zone: tzinfo) -> datetime | None:
    """Find the first whole second after `start`, and not after `end`, that has another offset."""
    offset = _offset(start, zone)
    before = start
    while before < end:
        after = min(before + _DAY, end)
        if _offset(after, zone) != offset:
            return _change_between(before, after, zone)
        before = after
    return None


def _change_between(before: datetime, after: datetime, zone: tzinfo) -> datetime:
    offset = _offset(before, zone)
    early, late = int(before.timestamp()), int(after.timestamp())
    if _offset(datetime.fromtimestamp(late, UTC), zone) == offset:
        late += 1
    while late - early > 1:
        middle = (early + late) // 2
        if _offset(datetime.fromtimestamp(middle, UTC), zone) == offset:
            early = middle
        else:
            late = middle
    return datetime.fromtimestamp(late, UTC)


def _wall(moment: datetime, zone: tzinfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


def _offset(moment: datetime, zone: tzinfo) -> timedelta:
    return _wall(moment, zone) - moment.replace(tzinfo=None)


def _at_offset(wall: datetime, offset: timedelta) -> datetime:
    return (wall - offset).replace(tzinfo=UTC)
