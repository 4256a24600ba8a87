"""Settings that a command need not name: those of `ARQLITE_SETTINGS`, or of the project's pyproject.toml.

[tool.arqlite]
settings = ["app.worker.WorkerSettings"]
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click

VARIABLE: Final = "ARQLITE_SETTINGS"
FILE: Final = "pyproject.toml"
TABLE: Final = "tool.arqlite"
HOW_TO_NAME: Final = (
    f'set {VARIABLE}, or name them once in {FILE}: [{TABLE}] settings = ["app.worker.WorkerSettings"]'
)


def named(told: Sequence[str] = ()) -> tuple[str, ...]:
    """The paths of settings that are meant: those that were told, else the variable's, else the project's.

    Modules are looked for in the current folder from here on, and in the project's where it names settings.

    Raises:
        UsageError: the project's file names settings in a way that cannot be read, or is not to be believed.
    """
    look_in(Path.cwd())
    if told:
        return tuple(told)
    if variable := os.environ.get(VARIABLE, "").split():
        return tuple(variable)
    return of_project()


def named_one(told: str | None, what: str) -> str:
    """The path of the one settings class that a command is about.

    Args:
        told: what was typed.
        what: asks for it, in words, where nobody names any.

    Raises:
        UsageError: nobody names any, or several are named.
    """
    found = named(() if told is None else (told,))
    if len(found) == 1:
        return found[0]
    if found:
        raise click.UsageError(f"{what} There are {' and '.join(found)}: name one of them")
    raise click.UsageError(f"{what} Name worker settings, app.worker.WorkerSettings, or {HOW_TO_NAME}")


def are_named() -> bool:
    """Whether settings are named somewhere else than on the command line."""
    try:
        return bool(named())
    except click.UsageError:
        return False


def is_default(path: str) -> bool:
    """Whether the project names these settings, and no others."""
    try:
        return of_project() == (path,)
    except click.UsageError:
        return False


def is_in_project(folder: Path) -> bool:
    """Whether a folder, which need not be there yet, is in a project of somebody."""
    from ..embedded.home import is_project_root

    return any(map(is_project_root, (folder.absolute(), *folder.absolute().parents)))


def look_in(folder: Path) -> None:
    """Have modules looked for in a folder, after everything that is installed."""
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


def of_project() -> tuple[str, ...]:
    """The paths that the project's file names; none where it names none, or there is no such file.

    Raises:
        UsageError: see `named`.
    """
    from ..embedded.home import project_root

    folder = project_root(Path.cwd())
    file = folder / FILE
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ()
    found = _read(file, text) if TABLE in text else ()
    if found:
        _refuse_that_of_another_user(file)
        look_in(folder)
    return found


def _read(file: Path, text: str) -> tuple[str, ...]:
    import tomllib  # which few commands need

    try:
        told: Any = tomllib.loads(text).get("tool", {}).get("arqlite", {})
    except tomllib.TOMLDecodeError as error:
        raise click.UsageError(f"{file} cannot be read: {error}") from error
    for name in told:
        if name != "settings":
            raise click.UsageError(f"[{TABLE}] of {file} has settings, and nothing else: what is {name!r}?")
    paths = told.get("settings", [])
    paths = [paths] if isinstance(paths, str) else paths
    if not isinstance(paths, list) or not all(isinstance(path, str) and path for path in paths):
        raise click.UsageError(
            f"settings of [{TABLE}] in {file} must be paths of settings, such as"
            f' ["app.worker.WorkerSettings"], got {paths!r}'
        )
    return tuple(paths)


def _refuse_that_of_another_user(file: Path) -> None:
    """Who could lay a file above our folder, in /tmp say, would have us run any module of his."""
    if os.name != "posix" or file.parent == Path.cwd():
        return  # what is in the current folder is imported anyway
    if file.stat().st_uid not in (os.geteuid(), 0):
        raise click.UsageError(f"{file} is another user's: the settings that it names are not believed")
