"""Make the checkout's environment, or bring it up to date: `_env.py CHECKOUT ENVIRONMENT`.

Runs under any Python 3.11+ with nothing installed. Does nothing (in some milliseconds) when neither
pyproject.toml nor the Python nor the place changed since the last time. Two of them at once take turns.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
import time
import venv
from pathlib import Path

EXTRAS = "standalone,postgres,fastapi,otel,prometheus,sentry,structlog,uvloop,watch,testing"
GROUPS = ("app", "dev")
STAMP = ".arqlite-stamp"
LOG = "setup.log"
LOG_TAIL_LINES = 25


def main(root: Path, home: Path) -> int:
    """Return the exit code: 0 when the environment is ready."""
    stamp = home / STAMP
    if is_current(stamp, root):
        return 0
    home.parent.mkdir(parents=True, exist_ok=True)
    with Turn(home.parent):
        if is_current(stamp, root):  # another script made it while we waited
            return 0
        return build(root, home, stamp)


def is_current(stamp: Path, root: Path) -> bool:
    """Tell whether the environment was made from this pyproject.toml, by this Python, in this place."""
    try:
        return stamp.read_text() == fingerprint(root)
    except OSError:
        return False


def fingerprint(root: Path) -> str:
    parts = [sys.version, str(root), EXTRAS, *GROUPS, (root / "pyproject.toml").read_text()]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def build(root: Path, home: Path, stamp: Path) -> int:
    version = ".".join(map(str, sys.version_info[:3]))
    say(f"arqlite: setting up {home} with Python {version} (once, about a minute) ...")
    began = time.monotonic()
    stamp.unlink(missing_ok=True)
    if not is_own(home):
        venv.create(home, clear=True, with_pip=True)
    python = str(home / "bin" / "python")
    pip = [python, "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    groups = [word for group in GROUPS for word in ("--group", f"{root}/pyproject.toml:{group}")]
    # pip 25.1 is the first that knows dependency groups.
    steps = [[*pip, "--upgrade", "pip>=25.1"], [*pip, "-e", f"{root}[{EXTRAS}]", *groups]]
    with (home / LOG).open("w+") as log:
        for step in steps:
            if subprocess.run(step, stdout=log, stderr=subprocess.STDOUT, check=False).returncode:
                explain(log.name, step)
                return 1
    stamp.write_text(fingerprint(root))
    say(f"arqlite: ready in {time.monotonic() - began:.0f} s")
    return 0


def is_own(home: Path) -> bool:
    """Tell whether the environment exists and runs this very Python."""
    try:
        told = subprocess.run(
            [home / "bin" / "python", "-c", "import sys, pip; print(sys.version)"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return False
    return told.strip() == sys.version


def explain(log: str, step: list[str]) -> None:
    lines = Path(log).read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
    say("\n".join(f"  {line}" for line in lines))
    say(f"arqlite: the set-up failed in: {' '.join(step)}")
    say(f"  All of its output: {log}. Without network, or behind a proxy? Then run this again.")


def say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


class Turn:
    """One set-up at a time; the kernel ends the turn of a process that was killed."""

    def __init__(self, folder: Path) -> None:
        # The folder itself is locked: a lock file would lie around, or be deleted with the environment.
        self._fd = os.open(folder, os.O_RDONLY)

    def __enter__(self) -> None:
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("arqlite: waiting for another script that sets up the environment ...")
            fcntl.flock(self._fd, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]).absolute()))
