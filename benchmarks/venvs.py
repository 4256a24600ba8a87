"""A virtual environment for every peer, made on first use: arq needs redis-py < 6, arqlite runs on 8."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

from .catalogue import System

HOME = Path(__file__).resolve().parent.parent / ".bench" / "venvs"
INSTALL_TIMEOUT_S = 300


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
        _install(folder, python, system.installs)
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


def _install(folder: Path, python: Path, requirements: tuple[str, ...]) -> None:
    print(f"installing {', '.join(requirements)} into {folder.name} (first use only)", file=sys.stderr)
    HOME.mkdir(parents=True, exist_ok=True)
    try:
        venv.create(folder, clear=True, with_pip=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise NotInstalledError(
            f"no virtual environment could be made (is ensurepip there?): {error}"
        ) from error
    command = [
        str(python),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--retries",
        "1",
    ]
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
