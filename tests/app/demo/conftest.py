"""A terminal that can be read back."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from rich.console import Console

MakeConsole = Callable[..., Console]


@pytest.fixture
def make_console() -> MakeConsole:
    """Make a console that keeps what it prints: `console.file.getvalue()`."""

    def make(*, is_terminal: bool = False, width: int = 120) -> Console:
        return Console(
            file=io.StringIO(), force_terminal=is_terminal, width=width, _environ={"TERM": "xterm-256color"}
        )

    return make
