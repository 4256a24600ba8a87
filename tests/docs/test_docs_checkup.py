"""The page about the console: its example runs, and its table has every trouble that there is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
_TROUBLE = re.compile(r'Trouble\(\s*(.+?), "([a-z-]+)"', re.DOTALL)
_ROW = re.compile(r"^\| `([a-z-]+)` \| ([a-z, ]+) \|", re.MULTILINE)


@pytest.mark.real
def test_example_looks_after_two_queues(tmp_path: Path) -> None:
    """One queue works and the other one is away: both are told, and what is wrong with them."""
    kept = {name: value for name, value in os.environ.items() if name not in ("REDIS_URL", "ARQLITE_ENV")}
    said = subprocess.run(
        [sys.executable, str(CHECKOUT / "docs" / "examples" / "look_after.py")],
        cwd=tmp_path,
        env=kept | {"ARQLITE_HOME": str(tmp_path), "ARQLITE_EMBEDDED": "force"},
        stdout=subprocess.PIPE,
        text=True,
        timeout=30,
        check=True,
    ).stdout

    assert said.splitlines() == [
        "archive: away",
        "reminders: 1 wait",
        "error no-worker in reminders",
        "error redis-away in archive",
        "paused: True",
    ]


def test_page_has_every_trouble() -> None:
    """Each code of the checkup is told with its severities, and no other."""
    source = (CHECKOUT / "arqlite" / "console" / "checkup.py").read_text(encoding="utf-8")
    found: dict[str, set[str]] = {}
    for severity, code in _TROUBLE.findall(source):
        found.setdefault(code, set()).update(re.findall(r'"(error|warning|info)"', severity))

    page = (CHECKOUT / "docs" / "checkup.md").read_text(encoding="utf-8")
    told = {code: set(severities.split(", ")) for code, severities in _ROW.findall(page)}

    assert told == found
