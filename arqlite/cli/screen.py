"""Whether a person looks on, and what is fit for their terminal."""

from __future__ import annotations

import os
import sys
import unicodedata
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

_LINES = "\n\t"
_WIDTH_OF_FILES = 200


def is_rich(stream: TextIO) -> bool:
    """Whether a stream is a terminal that may be painted: not where NO_COLOR is set, nor a dumb one."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def screen(stream: TextIO | None = None) -> Console:
    """The terminal, as rich writes to it."""
    from rich.console import Console

    file = stream or sys.stdout
    width = None if file.isatty() or "COLUMNS" in os.environ else _WIDTH_OF_FILES
    return Console(file=file, width=width, highlight=False, markup=False, emoji=False)


def progress() -> Progress:
    """A progress bar on stderr; it shows nothing where no person looks on."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=screen(sys.stderr),
        disable=not is_rich(sys.stderr),
        transient=True,
    )


def printable(text: str, *, keep_lines: bool = False) -> str:
    """Show what would steer the terminal as text: an argument of a job may have escape sequences in it.

    Args:
        text: any text.
        keep_lines: whether line ends and tabs stay what they are.
    """
    if text.isprintable():
        return text
    return "".join(_shown(char, keep_lines) for char in text)


def _shown(char: str, keep_lines: bool) -> str:
    if keep_lines and char in _LINES:
        return char
    # Among others: control codes, marks that turn the direction of the text, halves of surrogate pairs.
    if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp"):
        return char.encode("unicode_escape", "surrogatepass").decode()
    return char


def clear(value: Any) -> str:
    """Write any value on one line for a terminal."""
    return printable(value if isinstance(value, str) else str(value))
