"""A virtual environment for every peer, made on first use: arq needs redis-py < 6, arqlite runs on 8.

A peer that needs a newer Python than this one gets it from PATH."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from .catalogue import System

HOME = Path(__file__).resolve().parent.parent / ".bench" / "venvs"
INSTALL_TIMEOUT_S = 300
NEWEST_MINOR = 19
"""Of Python 3, as far as one is looked for."""


class NotInstalledError(RuntimeError):
    """A peer could not be installed: PyPI is out of reach or slow, or pip refused."""


def python_of(system: System) -> str:
    """Name the interpreter that has this system, installing it first if need be.

    Raises:
        NotInstalledError: with what pip said.
    """
    if not system.installs:
        return sys.executable
    folder = HOME / system.venv
    python = folder / "bin" / "python"
    stamp = folder / "installed.json"
    if not (stamp.exists() and json.loads(stamp.read_text()) == list(system.installs) and python.exists()):
        _install(folder, python, system.installs, interpreter_for(system.python))
        stamp.write_text(json.dumps(system.installs))
    return str(python)


def versions_of(system: System, python: str) -> dict[str, str]:
    """Read the installed versions that belong into the report."""
    code = (
        "import importlib.metadata as m, json, sys\n"
        "def v(n):\n"
        "    try: return m.version(n)\n"
        "    except m.PackageNotFoundError: return 'not installed'\n"
        "print(json.dumps({n: v(n) for n in sys.argv[1:]}))"
    )
    done = subprocess.run(
        [python, "-c", code, *system.prints], capture_output=True, text=True, timeout=30, check=True
    )
    return dict(json.loads(done.stdout))


def interpreter_for(oldest: tuple[int, int]) -> str:
    """Choose the Python of an environment: this one, else the newest on PATH that is new enough.

    Raises:
        NotInstalledError: there is none.
    """
    if sys.version_info >= oldest:
        return sys.executable
    for minor in range(NEWEST_MINOR, oldest[1] - 1, -1):
        if found := shutil.which(f"python3.{minor}"):
            return found
    version = ".".join(map(str, oldest))
    raise NotInstalledError(f"needs Python {version} or newer, and none is on PATH (python{version}, ...)")


def _install(folder: Path, python: Path, requirements: tuple[str, ...], interpreter: str) -> None:
    print(f"installing {', '.join(requirements)} into {folder.name} (first use only)", file=sys.stderr)
    HOME.mkdir(parents=True, exist_ok=True)
    _make(folder, interpreter)
    # Our own pip installs into it: an interpreter may come without one.
    command = [sys.executable, "-m", "pip", f"--python={python}", "install", "--quiet"]
    command += ["--disable-pip-version-check", "--retries", "1"]
    try:
        done = subprocess.run(
            [*command, *requirements],
            capture_output=True,
            text=True,
            timeout=INSTALL_TIMEOUT_S,
            check=False,
            env={**os.environ, "PIP_NO_INPUT": "1"},
        )
    except subprocess.TimeoutExpired:
        raise NotInstalledError(
            f"pip did not finish within {INSTALL_TIMEOUT_S} s; is PyPI in reach?"
        ) from None
    if done.returncode != 0:
        told = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or [done.stderr[-200:]]
        raise NotInstalledError(f"pip failed; is PyPI in reach? It said: {told[-1]}")


def _make(folder: Path, interpreter: str) -> None:
    command = [interpreter, "-m", "venv", "--clear", "--without-pip", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        raise NotInstalledError(f"no virtual environment could be made: {done.stderr.strip()[-200:]}")
