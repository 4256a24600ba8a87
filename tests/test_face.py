"""The face of the package: everything is there, and nothing is loaded before it is asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

import arqlite


def outcome(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    ).stdout.strip()


def test_command_line_needs_no_redis() -> None:
    """Whoever asks for the help, or only watches over workers, loads no client of Redis."""
    code = (
        "import sys, arqlite.cli, arqlite.cli.supervisor\n"
        "print([name for name in ('redis', 'pydantic', 'watchfiles', 'uvloop') if name in sys.modules])"
    )

    assert outcome(code) == "[]"


@pytest.mark.parametrize("first", ["arqlite", "arqlite.cron", "arqlite.settings", "arqlite.worker"])
def test_cron_is_the_function(first: str) -> None:
    """`arqlite.cron` is what makes cron jobs, not the module of that name, whatever came first."""
    assert outcome(f"import {first}, arqlite\nprint(arqlite.cron.__name__, callable(arqlite.cron))") == (
        "cron True"
    )


def test_modules_are_attributes() -> None:
    """`import arqlite` is enough for `arqlite.connections.RedisSettings`, as with arq."""
    code = "import arqlite\nprint(arqlite.connections.RedisSettings is arqlite.RedisSettings)"

    assert outcome(code) == "True"


def test_star_import_and_dir_have_all_names() -> None:
    """`from arqlite import *` gives all public names, and `dir` shows them."""
    found: dict[str, object] = {}
    exec("from arqlite import *", found)

    assert set(arqlite.__all__) <= found.keys()
    assert set(arqlite.__all__) <= set(dir(arqlite))


def test_unknown_name_is_an_attribute_error() -> None:
    """A name that is not there is told as Python tells it."""
    with pytest.raises(AttributeError, match="module 'arqlite' has no attribute 'no_name'"):
        arqlite.no_name  # noqa: B018 (that it is looked up is the point)
