"""How results are told: as text, JSON or CSV on stdout."""

from __future__ import annotations

import csv
import dataclasses
import json
import math
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import cache
from typing import Any

import click

from .screen import is_rich, printable, screen

# What a spreadsheet takes for the beginning of a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
# Control codes, marks that turn the direction of a text, and halves of surrogate pairs.
_STEERING = re.compile("[\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
_GAP = "  "
_ON_ONE_LINE: dict[str, Any] = {"no_wrap": True, "overflow": "ellipsis"}
# What is cut where the screen is narrow; ids never are, for people copy them.
_SHORTENED = frozenset(
    (
        "arguments", "error", "message", "jobs", "last hour", "limits", "schedule", "where", "session",
        "value", "function",
    )
)  # fmt: skip
# Long names differ at both of their ends.
_CUT_IN_THE_MIDDLE = frozenset(("function",))
_IDS = frozenset(("id", "newest job"))
_NARROWEST = 6
"""A column that shows less says nothing."""
# How short texts may become, and what is left out where even that does not help, this first.
_STEPS: tuple[tuple[int, tuple[str, ...]], ...] = (
    (16, ("took", "session", "version", "loop lag", "zone", "waiting", "retrying", "scheduled", "started",
          "trend", "last hour", "attempt", "where", "memory", "arguments")),
    (12, ("oldest", "limits", "jobs", "from")),
    (_NARROWEST, ("when", "last")),
)  # fmt: skip


def output_option(*kinds: str) -> Callable[[Any], Any]:
    """Make the option `-o`: text, JSON, and what else there is."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(["text", "json", *kinds]),
        default="text",
        help="How to tell it.",
    )


def plain(value: Any) -> Any:
    """Turn what the console shows into what JSON has: times in ISO 8601 (UTC), spans in seconds."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {name: plain(getattr(value, name)) for name in _names(type(value))}
    match value:
        case Enum():
            return value.value
        case float() if not math.isfinite(value):
            return None  # which JSON has no word for
        case None | bool() | int() | float() | str():
            return value
        case datetime():
            return value.astimezone(UTC).isoformat()
        case timedelta():
            return value.total_seconds()
        case Mapping():
            return {str(name): plain(one) for name, one in value.items()}
        case set() | frozenset():
            return sorted((plain(one) for one in value), key=str)
        case Iterable() if not isinstance(value, bytes):
            return [plain(one) for one in value]
    return str(value)


def tell_json(value: Any) -> None:
    """Print a value as JSON; what would steer a terminal is written with escapes."""
    told = json.dumps(plain(value), indent=2, ensure_ascii=not _speaks_unicode())
    click.echo(_STEERING.sub(lambda match: f"\\u{ord(match[0]):04x}", told))


def tell_csv(names: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Print rows as CSV; no cell is a formula to a spreadsheet."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    is_seen = sys.stdout.isatty()
    writer.writerow(names)
    for row in rows:
        cells = [_cell(row.get(name)) for name in names]
        writer.writerow(
            ["" if cell is None else printable(str(cell)) for cell in cells] if is_seen else cells
        )


def tell_table(names: Sequence[str], rows: Sequence[Sequence[str]], numbers: Iterable[int] = ()) -> None:
    """Print rows: a table for a person, lines with columns for everybody else.

    Args:
        names: of the columns.
        rows: the cells.
        numbers: the columns that stand to the right.
    """
    clean = [[printable(cell) for cell in row] for row in rows]
    right = frozenset(numbers)
    if is_rich(sys.stdout):
        terminal = screen()
        terminal.print(table(names, clean, right, width=terminal.width))
        return
    widths = [max(len(line[column]) for line in [names, *clean]) for column in range(len(names))]
    for row in [[name.upper() for name in names], *clean]:
        cells = [
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        click.echo(_GAP.join(cells).rstrip())


def table(
    names: Sequence[str], rows: Iterable[Sequence[str]], right: frozenset[int] = frozenset(), *, width: int
) -> Any:
    """Make a table of rich: where the screen is narrow, less is told, and long texts are cut."""
    from rich.table import Table
    from rich.text import Text

    cells = [[printable(cell) for cell in row] for row in rows]
    widths = _fitting(names, cells, width)
    made = Table(box=None, pad_edge=False, header_style="bold", padding=(0, len(_GAP), 0, 0))
    for column, wide in widths.items():
        side: Any = "right" if column in right else "left"
        made.add_column(names[column], justify=side, width=wide, no_wrap=True)
    for row in cells:
        made.add_row(
            *(
                Text(_cut(names[column], row[column], wide), STYLES.get(row[column], ""), **_ON_ONE_LINE)
                for column, wide in widths.items()
            )
        )
    return made


def _cut(name: str, text: str, width: int) -> str:
    """Cut a text in the middle where its column is one of those; others are cut at their end when shown."""
    if name not in _CUT_IN_THE_MIDDLE or len(text) <= width:
        return text
    head, tail = (width - 1) // 2, width // 2
    return f"{text[:head]}…{text[-tail:]}"


def _fitting(names: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> dict[int, int]:
    """Choose the columns that a screen has room for, and how wide each is."""
    longest = [max(len(line[column]) for line in [names, *rows]) for column in range(len(names))]
    shown = list(range(len(names)))
    least = dict(enumerate(longest))
    for shortest, left_out in (*_STEPS, (_NARROWEST, _from_the_right(names))):
        least = {
            column: min(one, max(shortest, len(names[column]))) if names[column] in _SHORTENED else one
            for column, one in enumerate(longest)
        }
        for name in (None, *left_out):
            shown = [column for column in shown if names[column] != name]
            if (room := width - _taken(least, shown)) >= 0:
                return _widened({column: least[column] for column in shown}, longest, room)
    return {column: least[column] for column in shown}


def _from_the_right(names: Sequence[str]) -> tuple[str, ...]:
    """What is left out at last: all but ids, or the first column of a table without any."""
    kept = _IDS.intersection(names) or {names[0]}
    return tuple(name for name in reversed(names) if name not in kept)


def _taken(widths: Mapping[int, int], shown: Sequence[int]) -> int:
    return sum(widths[column] for column in shown) + len(_GAP) * (len(shown) - 1)


def _widened(widths: dict[int, int], longest: Sequence[int], room: int) -> dict[int, int]:
    """Share the room that is left among the columns that need more, each as much as it needs at most."""
    needy = sorted(widths, key=lambda column: longest[column] - widths[column])
    for number, column in enumerate(needy):
        more = min(longest[column] - widths[column], room // (len(needy) - number))
        widths[column] += more
        room -= more
    return widths


STYLES = {
    "available": "cyan", "executing": "blue", "completed": "green", "retryable": "yellow", "discarded": "red",
    "cancelled": "dim", "scheduled": "magenta", "suspended": "magenta", "paused": "yellow", "error": "red",
    "warning": "yellow",
}  # fmt: skip
"""The colours of words that tell a state."""


def tell_facts(facts: Iterable[tuple[str, str]]) -> None:
    """Print names and values, a line each; what is empty is left out."""
    shown = [(name, value) for name, value in facts if value]
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        first, *others = printable(value, keep_lines=True).split("\n")
        click.echo(f"{name.ljust(width)}{_GAP}{first}")
        for line in others:
            click.echo(" " * (width + len(_GAP)) + line)


def _cell(value: Any) -> Any:
    told = plain(value)
    if isinstance(told, list):
        told = " ".join(map(str, told))
    if isinstance(told, dict):
        told = json.dumps(told)
    return f"'{told}" if isinstance(told, str) and told.startswith(_FORMULA) else told


def _speaks_unicode() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"


@cache
def _names(kind: type) -> tuple[str, ...]:
    """Fields, then what is worked out from them."""
    fields = tuple(field.name for field in dataclasses.fields(kind))
    found = (name for name, one in vars(kind).items() if isinstance(one, property) and name[0] != "_")
    return (*fields, *found)
