"""Tables on narrow screens: what matters is there, and what is there can be read."""

from __future__ import annotations

import io

import pytest
from rich.console import Console as Screen

from arqlite.cli.output import table

ID = "1a21840fbce087133d219"
LONG = "shop.orders.confirmations.send_confirmation_mail_to_every_customer_of_the_day"
JOBS = ("id", "state", "function", "attempt", "when", "took", "arguments", "error")
ERRORS = ("count", "last", "trend", "function", "error", "where", "newest job", "message")


def shown(names: tuple[str, ...], row: tuple[str, ...], width: int) -> list[str]:
    """The lines of a table with one row."""
    file = io.StringIO()
    Screen(file=file, width=width, color_system=None).print(table(names, [row], width=width))
    return [line.rstrip() for line in file.getvalue().splitlines()]


def jobs(function: str, width: int) -> list[str]:
    row = (
        ID,
        "discarded",
        function,
        "1/5",
        "4m ago",
        "900ms",
        "'ada@example.org'",
        "ValueError: no such one",
    )
    return shown(JOBS, row, width)


def errors(function: str, width: int) -> list[str]:
    row = (
        "41",
        "3m ago",
        "▁" * 24,
        function,
        "ConnectionError",
        "app.mail:12 in send",
        ID,
        "the bank is busy",
    )
    return shown(ERRORS, row, width)


@pytest.mark.parametrize("length", [42, 79])
def test_errors_tell_what_when_and_which(length: int) -> None:
    """At 80 columns a long function name takes neither the error nor its message nor when it was."""
    names, row = errors(LONG[:length].ljust(length, "s"), 80)

    assert names.split() == ["count", "last", "function", "error", "newest", "job", "message"]
    assert f"  {ID}  " in row
    assert row.split()[:3] == ["41", "3m", "ago"]
    assert len(row) <= 80


@pytest.mark.parametrize("length", [42, 79])
def test_jobs_keep_id_state_and_error(length: int) -> None:
    """At 80 columns a job has its whole id, its state, and an error that can be read."""
    names, row = jobs(LONG[:length].ljust(length, "s"), 80)

    assert names.split()[:3] == ["id", "state", "function"]
    assert row.startswith(f"{ID}  discarded  shop.")
    assert "ValueError" in row


def test_long_name_is_cut_in_the_middle() -> None:
    """Of a function's name the beginning and the end are kept."""
    _, row = jobs(LONG, 80)
    cell = row.split()[2]

    assert cell.startswith("shop.")
    assert cell.endswith("day")
    assert cell.count("…") == 1


@pytest.mark.parametrize("width", range(24, 130, 5))
def test_no_sliver_of_a_column(width: int) -> None:
    """On a screen of any width each column has its whole name; an id is never cut."""
    names, row = jobs(LONG, width)

    assert row.startswith(ID)
    assert len(row) <= width
    assert all(name in JOBS for name in names.split())


def test_wide_screen_cuts_nothing() -> None:
    """Where there is room everything is told in full."""
    _, row = jobs(LONG, 220)

    assert row.split()[2] == LONG
    assert row.endswith("ValueError: no such one")
