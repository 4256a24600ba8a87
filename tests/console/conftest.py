"""Toys of other suites are at hand here, too, and a ledger on each database."""

from __future__ import annotations

import sys
from pathlib import Path

for suite in ("inspector", "ledger"):
    sys.path.append(str(Path(__file__).resolve().parent.parent / suite))

from postgres import postgres_url  # noqa: E402, F401 (a fixture)
from reading_toys import fake, ledger  # noqa: E402, F401 (fixtures)
from sqlite_threads import sqlite_threads_end  # noqa: E402, F401 (a fixture)
