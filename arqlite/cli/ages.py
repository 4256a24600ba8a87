"""Ages and spans as people type them: 90m, 12h, 30d, never; 30s, 5m."""

from __future__ import annotations

import re
from datetime import timedelta

import click

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_AGE = re.compile(r"(\d+(?:\.\d+)?)([mhd])")
_SPAN = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)?")
_UNIT_S = {"ms": 0.001, "s": 1.0, None: 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


def age(_context: click.Context, _option: click.Parameter, value: str | None) -> timedelta | None:
    """Read the value of an option: `90m`, `12h` and `30d` as a timedelta, `never` as None."""
    return None if value is None else _read(value)


def ages_by_name(
    _context: click.Context, _option: click.Parameter, values: tuple[str, ...]
) -> dict[str, timedelta | None]:
    """Read the values of an option: `mail=12h` as a name and its age; a name may have equals signs itself."""
    found: dict[str, timedelta | None] = {}
    for value in values:
        name, separator, told = value.rpartition("=")
        if not separator:
            raise click.BadParameter(f"it is written as NAME=AGE, got {value!r}")
        found[name] = _read(told)
    return found


def seconds(_context: click.Context, _option: click.Parameter, value: str | None) -> float | None:
    """Read the value of an option: `500ms`, `30s`, `5m`, `2h`, `1d`, or plain seconds."""
    if value is None:
        return None
    match = _SPAN.fullmatch(value)
    if match is None:
        raise click.BadParameter(f"a span is written as 30s, 5m, 2h or 1d, got {value!r}")
    return float(match[1]) * _UNIT_S[match[2]]


def _read(value: str) -> timedelta | None:
    if value == "never":
        return None
    match = _AGE.fullmatch(value)
    if match is None:
        raise click.BadParameter(f"an age is written as 90m, 12h, 30d or never, got {value!r}")
    return timedelta(**{_UNITS[match[2]]: float(match[1])})
