"""A module of the user's that fails while it is imported: where, in words."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import click

from .exits import Wrong
from .loading import load

_OWN = Path(__file__).resolve().parents[1]


def load_in_words(path: str) -> Any:
    """Import what a path names, as `load` does; what its module fails with is told with the user's own lines.

    For commands that look at an application. A worker keeps the traceback: its log may be all there is.

    Raises:
        UsageError: it leads nowhere; says what may be meant.
        Wrong: the module is there and cannot be imported.
    """
    try:
        return load(path)
    except click.ClickException:
        raise
    except Exception as error:
        raise Wrong(f"{_module(path)} cannot be imported: {_told(error)}") from error


def _module(path: str) -> str:
    module, _, name = path.strip().replace(":", ".").rpartition(".")
    return module or name


def _told(error: Exception) -> str:
    """The place and the error, and below them the user's own way there, where it is longer than a line."""
    name = type(error).__name__
    frames = list(_frames(error))
    if isinstance(error, SyntaxError) and error.filename:
        place, reason = f"{_short(error.filename)} line {error.lineno}", error.msg
    else:
        place, reason = frames.pop() if frames else "", str(error).partition("\n")[0]
    lines = [
        ": ".join(filter(None, (place, name, reason))),
        *(f"  from {frame}" for frame in reversed(frames)),
    ]
    return "\n".join(lines)


def _frames(error: Exception) -> Iterator[str]:
    """The places in the user's own files, the outermost first."""
    for frame in traceback.extract_tb(error.__traceback__):
        if not _is_of_others(frame.filename):
            yield f"{_short(frame.filename)} line {frame.lineno}"


def _is_of_others(file: str) -> bool:
    """Whether a file is arqlite's, Python's or a package's; the import machinery has none."""
    if file.startswith("<"):
        return True
    path = Path(file).resolve()
    return "site-packages" in path.parts or any(
        path.is_relative_to(folder) for folder in (_OWN, *_of_python())
    )


@cache
def _of_python() -> set[Path]:
    """The folders of the standard library and of packages."""
    import sysconfig  # which few commands need

    return {Path(path).resolve() for name, path in sysconfig.get_paths().items() if name.endswith("lib")}


def _short(file: str) -> str:
    path, here = Path(file), Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else file
