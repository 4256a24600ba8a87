"""The page of promises: each one names tests that are there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
PAGE = (CHECKOUT / "docs" / "guarantees.md").read_text()

_SECTION = re.compile(r"^## (.+?)$(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_BULLET = re.compile(r"^- .*?(?=^- |^\n|\Z)", re.MULTILINE | re.DOTALL)
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+(?:::\w+)?)`")
_NO_PROMISES = "What is not promised"

SECTIONS = {title: text for title, text in _SECTION.findall(PAGE) if title != _NO_PROMISES}


@pytest.mark.parametrize("section", SECTIONS)
def test_each_promise_names_a_test(section: str) -> None:
    """No promise stands on the page by its word alone."""
    promises = _BULLET.findall(SECTIONS[section])

    assert promises
    assert [promise for promise in promises if not _TEST.search(promise)] == []


def test_tests_that_are_named_exist() -> None:
    """Every test that a promise names is one that is run."""
    named = _TEST.findall(PAGE)

    assert named
    assert [f"{file}::{name}" for file, name in named if name not in _tests_of(CHECKOUT / file)] == []


def test_nothing_of_the_page_is_overlooked() -> None:
    """What looks like a test's id is one that the checks above see, and only the last section has none."""
    assert len(_TEST.findall(PAGE)) == PAGE.count(".py::")
    assert [title for title, _ in _SECTION.findall(PAGE)][-1] == _NO_PROMISES


def _tests_of(file: Path) -> set[str]:
    if not file.exists():
        return set()
    names: set[str] = set()
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.ClassDef):
            names |= {f"{node.name}::{one.name}" for one in node.body if hasattr(one, "name")}
    return {name for name in names if name.rpartition("::")[2].startswith("test")}
