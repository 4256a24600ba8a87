"""What a module says of settings, without importing it."""

from __future__ import annotations

from pathlib import Path

import pytest

from arqlite.cli.modules import defines


@pytest.fixture(autouse=True)
def _shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "toyshop" / "deep").mkdir(parents=True)
    (tmp_path / "toyshop" / "__init__.py").write_text("raise RuntimeError('imported')\n")
    (tmp_path / "toyshop" / "deep" / "__init__.py").write_text("from .x import Mail, WorkerSettings\n")
    (tmp_path / "toyshop" / "work.py").write_text(
        "# class Comment\nclass Sett(Base): ...\nPlain: dict = {}\nText = 'class Other'\nif Plain == 1: ...\n"
    )


@pytest.mark.parametrize(
    ("module", "name", "does"),
    [
        ("toyshop.work", "Sett", True),
        ("toyshop.work", "Plain", True),
        ("toyshop.work", "Text", True),
        ("toyshop.work", "Set", False),
        ("toyshop.work", "Comment", False),
        ("toyshop.work", "Other", False),
        ("toyshop.deep", "Mail", True),
        ("toyshop.deep", "WorkerSettings", True),
        ("toyshop", "WorkerSettings", False),
        ("toyshop.nowhere", "Mail", False),
        ("nowhere", "Mail", False),
        ("sys", "Mail", False),
    ],
)
def test_names_of_a_module(module: str, name: str, does: bool) -> None:
    """A module has what its file makes or imports, and nothing of it is run."""
    assert defines(module, name) is does
