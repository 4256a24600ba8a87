"""Toys of other suites are at hand here, too, and a ledger on each database."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

for suite in ("inspector", "ledger"):
    sys.path.append(str(Path(__file__).resolve().parent.parent / suite))

from postgres import postgres_url  # noqa: E402, F401 (a fixture)
from reading_toys import fake, ledger  # noqa: E402, F401 (fixtures)
from sqlite_threads import sqlite_threads_end  # noqa: E402, F401 (a fixture)


@pytest.fixture(autouse=True)
def _patient_console(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with much to do is no ledger that is too slow: a page without its rows would be."""
    monkeypatch.setattr("arqlite.console.asking.PATIENCE_S", 30.0)
