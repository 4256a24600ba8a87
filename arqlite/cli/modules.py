"""What a module says of settings, read without importing it: a word that is typed may mean something else."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

from .defaults import look_in

CUSTOMARY = "WorkerSettings"
"""What the settings of a module are called where only the module is named."""

_MOST_BYTES = 1_000_000


def defines(module: str, name: str = CUSTOMARY) -> bool:
    """Whether a module is there, and its file says that it has something of this name.

    Args:
        module: its path, as `package.module`.
        name: a class, a variable, or something that it imports.
    """
    file = _file_of(module)
    if file is None:
        return False
    try:
        with file.open(encoding="utf-8") as opened:
            text = opened.read(_MOST_BYTES)
    except (OSError, UnicodeDecodeError):
        return False
    own = rf"class\s+{name}\b|{name}\s*(:[^=\n]+)?=[^=]"
    return re.search(rf"^\s*({own}|(from|import)\b.*\b{name}\b)", text, re.MULTILINE) is not None


def may_be_module(word: str) -> bool:
    """Whether a module of this name is there, which is not imported; one that nobody can tell of may be.

    Args:
        word: without a dot.
    """
    look_in(Path.cwd())
    try:
        return importlib.util.find_spec(word) is not None
    except (ImportError, ValueError):
        return True


def _file_of(module: str) -> Path | None:
    first, *rest = module.split(".")
    try:
        spec = importlib.util.find_spec(first)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    if not rest:
        return Path(spec.origin) if spec.has_location and spec.origin else None
    for folder in spec.submodule_search_locations or ():
        path = Path(folder).joinpath(*rest)
        for file in (path.with_suffix(".py"), path / "__init__.py"):
            if file.is_file():
                return file
    return None
