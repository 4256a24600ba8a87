"""Without its packages the dashboard says which are missing."""

from __future__ import annotations

import subprocess
import sys

import pytest

WITHOUT = "import sys; sys.modules[{package!r}] = None; "


def run(code: str, package: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WITHOUT.format(package=package) + code],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("package", ["starlette", "jinja2", "python_multipart"])
def test_missing_package_is_told(package: str) -> None:
    """An import without one of the packages says what to install, and leaves the rest of arqlite alone."""
    ended = run("import arqlite, arqlite.dashboard", package)

    assert 'needs extra packages: pip install "arqlite[dashboard]"' in ended.stderr
    assert "MissingExtra" in ended.stderr
    assert run("import arqlite", package).returncode == 0


def test_command_tells_it_without_a_traceback() -> None:
    """The command without its server says what to install."""
    ended = run("from arqlite.cli import main; main(args=['dashboard', 'toys.First'])", "uvicorn")

    assert ended.returncode == 1
    assert 'pip install "arqlite[dashboard]"' in ended.stderr
    assert "Traceback" not in ended.stderr
