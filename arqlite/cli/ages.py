"""Ages as people type them: 90m, 12h, 30d, never."""

from __future__ import annotations

import re
from datetime import timedelta

import click

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_AGE = re.compile(r"(\d+(?:\.\d+)?)([mhd])")


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


def _read(value: str) -> timedelta | None:
    if value == "never":
        return None
    match = _AGE.fullmatch(value)
    if match is None:
        raise click.BadParameter(f"an age is written as 90m, 12h, 30d or never, got {value!r}")
    return timedelta(**{_UNITS[match[2]]: float(match[1])})
