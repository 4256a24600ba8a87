"""The two programs that run a worker."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.real
@pytest.mark.parametrize(
    ("script", "functions"),
    [("run_base_worker.py", "sample_task"), ("run_email_worker.py", "send_email, send_otp_email")],
)
def test_log_is_shown_from_the_first_line_on(
    script: str, functions: str, real_url: str, tmp_path: Path
) -> None:
    """Both tell what they are about to run before they do, as the command `arqlite` does."""
    environment = os.environ | {"REDIS_URL": real_url.partition("?")[0], "DATA_DIR": str(tmp_path)}
    environment.pop("DATABASE_URL", None)

    done = subprocess.run(
        [sys.executable, script, "--burst"],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment,
        timeout=60,
    )

    assert "Starting worker for" in done.stderr.splitlines()[0]
    assert functions in done.stderr.splitlines()[0]


@pytest.mark.real
def test_both_fit_in_one_process(real_url: str, tmp_path: Path) -> None:
    """One command runs both workers, on a database that neither has made yet."""
    environment = os.environ | {"REDIS_URL": real_url.partition("?")[0], "DATA_DIR": str(tmp_path)}
    environment.pop("DATABASE_URL", None)
    settings = [f"app.core.worker.{name}_settings.WorkerSettings" for name in ("base", "email")]

    done = subprocess.run(
        [sys.executable, "-m", "arqlite", *settings, "--burst"],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment,
        timeout=60,
    )

    assert "[base] Starting worker for 1 functions: sample_task" in done.stderr
    assert "[email] Starting worker for 4 functions: send_email" in done.stderr
