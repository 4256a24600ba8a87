"""The suite in tests/arq_suite states arq's behaviour: it passes on a real arq, and it keeps to itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from lacking import lack

from arqlite.embedded import EmbeddedServer

SUITE = Path(__file__).parent / "arq_suite"


@pytest.fixture
def python_with_arq(tmp_path: Path) -> Path:
    """A throw-away virtual environment with the arq of requirements.txt; without, see `lack`."""
    folder = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True, capture_output=True, timeout=60)
    python = folder / "bin" / "python"
    pip = [python, "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]
    patience = ["--timeout", "10", "--retries", "1"]
    done = subprocess.run(
        [*pip, *patience, "-r", SUITE / "requirements.txt"], capture_output=True, text=True, timeout=100
    )
    if done.returncode != 0:
        lack(f"arq cannot be installed: {(done.stderr.strip() or 'pip says nothing').splitlines()[-1]}")
    return python


@pytest.mark.slow
@pytest.mark.real
@pytest.mark.timeout(240)
def test_suite_passes_on_arq(python_with_arq: Path, real_server: EmbeddedServer) -> None:
    """Everything that the suite asserts is what arq itself does."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST"))}
    env |= {"ARQ_SUITE": "arq", "ARQ_SUITE_DSN": real_server.url(2), "PYTHONDONTWRITEBYTECODE": "1"}

    done = subprocess.run(
        [python_with_arq, "-m", "pytest", "-c", "arq.ini", "-q", "."],
        cwd=SUITE, env=env, capture_output=True, text=True, timeout=120,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout
    assert " skipped" not in done.stdout


@pytest.mark.real
def test_suite_leaves_no_arq_behind(real_server: EmbeddedServer) -> None:
    """While the suite is collected and run `arq` is arqlite; before and after there is none."""
    code = f"""
import sys
import pytest

class Watch:
    def pytest_collection_finish(self):
        print("collected:", sorted(name for name in sys.modules if name.split(".")[0] == "arq"))
    def pytest_runtest_logfinish(self):
        print("ran:", sorted(name for name in sys.modules if name.split(".")[0] == "arq"))

code = pytest.main(["-q", "-p", "no:cacheprovider", "{SUITE}/test_arq_names.py", "-k", "version"], [Watch()])
print("code:", int(code), any("aliased" in path for path in sys.path))
"""

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=SUITE.parent.parent, capture_output=True, text=True, timeout=60
    )

    said = [line.removeprefix(".") for line in done.stdout.splitlines()]
    assert "collected: []" in said
    assert "ran: []" in said
    assert "code: 0 False" in said
    assert "arq" not in sys.modules
