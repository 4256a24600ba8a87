"""The behaviour of Oban, fact by fact, and the tests that hold arqlite to it."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest
from oban_facts import FACTS, SECONDARY, Fact

ROOT = Path(__file__).resolve().parent.parent


@cache
def names_in(path: str) -> frozenset[str]:
    """Name the tests of a file, those in classes as `Class::test`."""
    names: set[str] = set()
    for node in ast.parse((ROOT / path).read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.ClassDef):
            names.update(f"{node.name}::{inner.name}" for inner in node.body if hasattr(inner, "name"))
    return frozenset(names)


def test_table_knows_every_fact() -> None:
    """The facts are numbered from 1 to 195; 45 of them are secondary."""
    assert list(FACTS) == list(range(1, 196))
    assert len(SECONDARY) == 45


@pytest.mark.parametrize("number", FACTS, ids=lambda number: f"fact{number}")
def test_fact_is_held_by_tests_or_told_why_not(number: int) -> None:
    """A fact names tests that exist, or says why it does not apply."""
    fact: Fact = FACTS[number]

    missing = [name for name in fact.tests if not _exists(name)]

    assert missing == []
    assert fact.tests or len(fact.instead) > 20, "neither a test nor a reason"


def _exists(test_id: str) -> bool:
    path, _, name = test_id.partition("::")
    return (ROOT / path).is_file() and name.partition("[")[0] in names_in(path)
