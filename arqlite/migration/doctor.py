"""Looks through an application of arq for what arqlite does otherwise; nothing of it is imported or run."""

from __future__ import annotations

import ast
import os
import re
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ..errors import ConfigurationError
from .findings import Finding, Level
from .keyrules import QUEUE_KEY, RAW_KEYS, fix_of_key
from .rules import Facts, PythonRules

_SKIPPED = {"node_modules", "__pycache__", "site-packages", "venv", "env", "build", "dist"}
# Autoscalers, health checks and start commands name arq's keys and program, too.
_TEXT_SUFFIXES = {".yml", ".yaml", ".toml", ".json", ".sh", ".env", ".ini", ".cfg", ".conf", ".service"}
_TEXT_NAMES = {"Procfile", "Dockerfile", "Makefile", "justfile"}
_TEXT_LIMIT = 1_000_000
_KEY_IN_TEXT = re.compile("|".join(re.escape(key) for key in (*RAW_KEYS, QUEUE_KEY)))
_COMMAND_IN_TEXT = re.compile(r"(?<![\w./-])arq [\w.]*\.\w+")


def examine(root: Path) -> list[Finding]:
    """Look through a file, or all files below a folder.

    Raises:
        ConfigurationError: there is nothing at this path.
    """
    if not root.exists():
        raise ConfigurationError(f"there is no file or folder {str(root)!r}")
    trees: list[tuple[Path, ast.Module]] = []
    found: list[Finding] = []
    for path in _files(root):
        if path.suffix == ".py":
            tree = _parsed(path, found)
            if tree is not None:
                trees.append((path, tree))
        else:
            found += _in_text(path)
    facts = Facts.gather(tree for _, tree in trees)
    for path, tree in trees:
        found += PythonRules(path, facts).look(tree)
    shown = [replace(one, path=_shown(one.path, root)) for one in found]
    return sorted(set(shown), key=lambda one: (str(one.path), one.line, one.what))


def _files(root: Path) -> Iterator[Path]:
    if root.is_file():
        yield root
        return
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(
            name for name in folders if name not in _SKIPPED and not name.startswith(".") and
            not (Path(folder) / name / "pyvenv.cfg").exists()
        )  # fmt: skip
        for name in sorted(names):
            path = Path(folder) / name
            if path.suffix == ".py" or path.suffix in _TEXT_SUFFIXES or path.name in _TEXT_NAMES:
                yield path


def _shown(path: Path, root: Path) -> Path:
    return path.relative_to(root) if root.is_dir() else path


def _parsed(path: Path, found: list[Finding]) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # theirs, not ours
            return ast.parse(path.read_bytes(), str(path))
    except (SyntaxError, ValueError, OSError, RecursionError) as error:
        line = getattr(error, "lineno", None) or 1
        what = f"cannot be read as Python: {getattr(error, 'msg', None) or error}"
        why = "nothing is known about this file"
        found.append(Finding(path, line, Level.CHECK, what, why, "look through it yourself"))
        return None


def _in_text(path: Path) -> Iterator[Finding]:
    try:
        if path.stat().st_size > _TEXT_LIMIT:
            return
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return
    for number, line in enumerate(lines, 1):
        for match in _KEY_IN_TEXT.finditer(line):
            why, fix = fix_of_key(match[0])
            # As the name of a queue it stays what it is; a command or a scaler would read its size.
            level = Level.CHECK if match[0] == QUEUE_KEY else Level.DIFFERS
            yield Finding(path, number, level, f"the key {match[0]!r} of arq", why, fix)
        for match in _COMMAND_IN_TEXT.finditer(line):
            fix = f"arqlite {match[0].partition(' ')[2]}"
            why = "this starts a worker of arq, which arqlite's producers do not feed"
            yield Finding(path, number, Level.DIFFERS, f"the command {match[0]!r}", why, fix)
