"""Find jobs, and cancel, retry, change or delete them, one by one or all that conditions hold for."""

from __future__ import annotations

from .changing import Changing


class JobManagement(Changing):
    """What is done to jobs: found (`finding.py`), moved (`moving.py`) and changed (`changing.py`)."""
