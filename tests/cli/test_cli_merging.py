"""One log of several processes."""

from __future__ import annotations

import os
import sys

import pytest

from arqlite.cli.merging import merged, prefix


async def test_lines_are_told_apart() -> None:
    """Each line begins with its process's name; what is cut by chance is put together again."""
    told: list[str] = []

    async with merged("worker", told.append) as output:
        for part in (b"one\ntw", b"o\n", "fünf\n".encode(), b"no end"):
            os.write(output, part)

    assert told == [f"worker    │ {line}\n" for line in ("one", "two", "fünf", "no end")]


async def test_pipe_that_somebody_keeps_open_is_left() -> None:
    """A grandchild that outlives its parent holds nobody up."""
    told: list[str] = []

    async with merged("worker", told.append) as output:
        kept = os.dup(output)
        os.write(output, b"one\n")

    os.close(kept)
    assert told == ["worker    │ one\n"]


@pytest.mark.parametrize(
    ("is_terminal", "no_color", "coloured"), [(True, "", 1), (True, "1", 0), (False, "", 0)]
)
def test_colours(monkeypatch: pytest.MonkeyPatch, is_terminal: bool, no_color: str, coloured: int) -> None:
    """Names are coloured on a terminal, unless NO_COLOR says otherwise."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal)
    monkeypatch.setenv("NO_COLOR", no_color)

    assert prefix("worker").count("\x1b[36m") == coloured
