"""The scripts on arq's side keep to the same rules as the engine's."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from arqlite.engine.scripts import load

FOLDER = files("arqlite.migration") / "lua"
NAMES = sorted(entry.name.removesuffix(".lua") for entry in FOLDER.iterdir())


@pytest.mark.parametrize("name", NAMES)
def test_script_keeps_its_contract(name: str) -> None:
    """Every script loads, uses nothing that fakeredis lacks, and leaks no global."""
    code = re.sub(r"--.*", "", load(name, "arqlite.migration").source)
    declared = {
        word
        for found in re.findall(r"\b(?:local(?: function)?|for)\s+([\w, ]+)", code)
        for word in re.findall(r"\w+", found)
    }

    assert re.findall(r"\b(?:cmsgpack|struct|bit|os|io|sha1hex|require)\b[.(]", code) == []
    assert set(re.findall(r"^\s*(\w+)(?:, \w+)* = ", code, re.MULTILINE)) <= declared


def test_scripts_are_found() -> None:
    """The folder is the one that the package ships."""
    assert NAMES == ["release", "take"]
