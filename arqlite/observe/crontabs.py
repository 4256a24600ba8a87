"""Schedules of cron jobs as other programs read them. Pure functions."""

from __future__ import annotations

import re

_NICKNAMES = frozenset({"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"})
_FIELD = re.compile(r"(month|day|weekday|hour|minute|second)=([\d,]+)")
_ORDER = ("minute", "hour", "day", "month", "weekday")
# Names of months and days, and nothing that only some programs read, such as `l` for the last.
_PLAIN = re.compile(r"(?:[\d*/,\-]|[a-zA-Z]{3})+")


def five_fields(expression: str) -> str | None:
    """Tell a schedule as the five fields that every cron reads, or as a nickname.

    Args:
        expression: as `CronView.schedule` has it: a crontab string, or `hour=3 minute=0 second=0`.

    Returns:
        None for one that comes more than once a minute, or that others would read in another way.
    """
    if expression in _NICKNAMES:
        return expression
    named = dict(_FIELD.findall(expression))
    if named:
        return None if _FIELD.sub("", expression).strip() else _of_fields(named)
    fields = expression.split()
    if len(fields) != len(_ORDER) or not all(_PLAIN.fullmatch(field) for field in fields):
        return None
    return None if _is_read_in_two_ways(fields[2], fields[4]) else expression


def _of_fields(named: dict[str, str]) -> str | None:
    # Fields left out are `*`, but for the second: without one it comes every second.
    if "," in named.get("second", ","):
        return None
    fields = {name: named.get(name, "*") for name in _ORDER}
    if fields["weekday"] != "*":  # arq counts from Monday, cron from Sunday
        fields["weekday"] = ",".join(str((int(day) + 1) % 7) for day in fields["weekday"].split(","))
    if _is_read_in_two_ways(fields["day"], fields["weekday"]):
        return None
    return " ".join(fields.values())


def _is_read_in_two_ways(day: str, weekday: str) -> bool:
    """Here both have to match, elsewhere one of them is enough."""
    return not (day.startswith("*") or weekday.startswith("*"))
