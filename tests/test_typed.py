"""Typed enqueueing, as type checkers see it: good calls pass, every bad one is refused where it stands."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

TYPED = Path(__file__).parent / "typed"
CHECKOUT = Path(__file__).parent.parent
PATIENCE_S = 110.0


def mypy(*files: Path) -> set[tuple[str, int]]:
    """Lines that mypy has errors on, as (file, line)."""
    call = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--hide-error-context"]
    done = subprocess.run(
        [*call, *map(str, files)], cwd=CHECKOUT, capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    found = re.findall(r"^(.+?):(\d+)(?::\d+)?: error:", done.stdout, re.MULTILINE)
    return {(Path(file).name, int(line)) for file, line in found}


def pyright(*files: Path) -> set[tuple[str, int]]:
    """Lines that pyright has errors on, as (file, line)."""
    call = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable]
    done = subprocess.run(
        [*call, *map(str, files)], cwd=CHECKOUT, capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["summary"]["filesAnalyzed"] == len(files)
    return {
        (Path(one["file"]).name, one["range"]["start"]["line"] + 1)
        for one in told["generalDiagnostics"]
        if one["severity"] == "error"
    }


@pytest.mark.parametrize("checker", [mypy, pyright], ids=["mypy", "pyright"])
def test_checker_accepts_the_good_and_refuses_the_bad(checker: object) -> None:
    """Every line of bad.py that says so is refused; no other line, and nothing in good.py, is."""
    assert callable(checker)
    bad = (TYPED / "bad.py").read_text().splitlines()
    wanted = {("bad.py", number) for number, line in enumerate(bad, 1) if "# refused: " in line}

    refused = checker(TYPED / "good.py", TYPED / "bad.py")

    assert len(wanted) > 15
    assert refused == wanted
