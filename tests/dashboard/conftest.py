"""Toys of other suites are at hand here, too."""

from __future__ import annotations

import sys
from pathlib import Path

for suite in ("console", "ledger"):
    sys.path.append(str(Path(__file__).resolve().parent.parent / suite))
