"""What is published: a wheel that has all it needs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built by pip."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(CHECKOUT / name, source)
    shutil.copytree(CHECKOUT / "arqlite", source / "arqlite", ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(folder), str(source)]
    built = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    if built.returncode != 0 and "hatchling" in built.stderr:
        pytest.skip(f"hatchling cannot be had here: {built.stderr.splitlines()[-1]}")
    assert built.returncode == 0, built.stderr
    [found] = folder.glob("arqlite-*.whl")
    return found


@pytest.mark.slow
def test_all_files_are_in_the_wheel(wheel: Path) -> None:
    """Nothing of the package is left out: no script, no migration, no template."""
    there = {
        str(path.relative_to(CHECKOUT))
        for path in (CHECKOUT / "arqlite").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    packed = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("arqlite/")}

    assert packed == there


@pytest.mark.slow
def test_installed_ledger_creates_its_tables(wheel: Path, tmp_path: Path) -> None:
    """The package as it is installed finds its migrations."""
    zipfile.ZipFile(wheel).extractall(tmp_path / "installed")
    code = (
        "import arqlite, arqlite.cli; print(arqlite.__file__);"
        "arqlite.cli.main(args=['db', 'upgrade', '--url', 'sqlite:///jobs.db'])"
    )

    told = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "installed")},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout

    assert str(tmp_path) in told
    assert "created the tables" in told
