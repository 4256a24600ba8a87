"""Settings by the path that was typed; one that leads nowhere is told with what may be meant."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import click

from ..model.slips import meant
from .hints import remember
from .modules import CUSTOMARY


def load(path: str) -> Any:
    """Import what a path names: `package.module.WorkerSettings`, or with a colon before the last name.

    The path of a module means its `WorkerSettings`.

    Raises:
        UsageError: it leads nowhere; says what may be meant.
    """
    found = _found(path)
    remember(found)
    return found


def _found(path: str) -> Any:
    module_path, _, name = path.strip().replace(":", ".").rpartition(".")
    if module_path and (module := _module(module_path)) is not None and hasattr(module, name):
        return getattr(module, name)
    whole = f"{module_path}.{name}" if module_path else name
    if (module := _module(whole)) is not None and hasattr(module, CUSTOMARY):
        return getattr(module, CUSTOMARY)
    raise click.UsageError(_missing(module_path, name))


def _module(path: str) -> ModuleType | None:
    """Import a module; None if there is none of this name. What it fails with itself is raised."""
    if not all(path.split(".")):  # no name at all: ".x", "x..y"
        return None
    try:
        return import_module(path)
    except ModuleNotFoundError as error:
        if error.name and (path == error.name or path.startswith(f"{error.name}.")):
            return None
        raise


def _missing(module_path: str, name: str) -> str:
    """Say what is not there, and what may be meant."""
    module = _module(module_path) if module_path else None
    if module is not None:
        names = list(_settings_in(module))
        hint = meant(name, names, {}, shown=lambda near: f"{module_path}.{near}") or _there_are(names)
        return f'Module "{module_path}" does not define a "{name}" attribute{hint and f"; {hint}"}'
    if not module_path and (module := _module(name)) is not None:
        names = [f"{name}.{found}" for found in _settings_in(module)]
        return f"{name!r} is a module without a WorkerSettings: name the settings in it{_examples(names)}"
    if not module_path:
        return no_module(name)
    hint = meant(module_path, list(_modules_here()), {}, shown=lambda near: f"{near}.{name}")
    return f"no module named {module_path!r} {_looked()}{hint and f'; {hint}'}"


def no_module(word: str, hint: str = "") -> str:
    """Say that a word without a dot is no module, and what may be meant.

    Args:
        word: what was typed.
        hint: what may be meant where no module is near.
    """
    near = meant(word, list(_modules_here()), {}, shown=lambda near: f"{near}.{CUSTOMARY}") or hint
    odd = f'"{word}" doesn\'t look like a module path: ' if word else ""  # arq's words
    return f"{odd}no module named {word!r} {_looked()}{near and f'; {near}'}"


def _looked() -> str:
    return f"(looked in {os.getcwd()} and the environment)"


def _settings_in(module: ModuleType) -> Iterator[str]:
    """The names of what may be settings."""
    for name, value in vars(module).items():
        has = value.__contains__ if isinstance(value, dict) else partial(hasattr, value)
        if not name.startswith("_") and (has("functions") or has("cron_jobs")):
            yield name


def _modules_here() -> Iterator[str]:
    """The modules of the current folder."""
    for path in sorted(Path.cwd().iterdir()):
        if path.suffix == ".py":
            yield path.stem
        elif (path / "__init__.py").exists():
            yield path.name


def _there_are(names: list[str]) -> str:
    return f"there is {', '.join(names)}" if names else ""


def _examples(names: list[str]) -> str:
    return f", {' or '.join(names)}" if names else ""
