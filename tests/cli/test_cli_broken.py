"""A module that fails while it is imported: told by where, and not with a traceback."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_ops_toys import run

from arqlite.cli.broken import load_in_words
from arqlite.cli.exits import Wrong


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = set(sys.modules)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("brk_"):
            del sys.modules[name]


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("x = 1\nclass Mail\n", "brk_app.py line 2: SyntaxError: expected ':'"),
        ("\n\nprint(nothing)\n", "brk_app.py line 3: NameError: name 'nothing' is not defined"),
        (
            "import no_such_package\n",
            "brk_app.py line 1: ModuleNotFoundError: No module named 'no_such_package'",
        ),
        ("import json\njson.loads('[')\n", "brk_app.py line 2: JSONDecodeError: Expecting value:"),
        ("raise KeyError\n", "brk_app.py line 1: KeyError"),
    ],
)
def test_broken_module_is_told(tmp_path: Path, source: str, told: str) -> None:
    """The file, the line and the error are told, and nothing of Python's or of packages."""
    (tmp_path / "brk_app.py").write_text(source)

    with pytest.raises(Wrong) as raised:
        load_in_words("brk_app.WorkerSettings")

    assert raised.value.message.startswith(f"brk_app cannot be imported: {told}")
    assert "\n" not in raised.value.message


def test_way_to_a_broken_module_is_told(tmp_path: Path) -> None:
    """Where one module imports another, the lines that led there are told, the last one first."""
    (tmp_path / "brk_app.py").write_text("\nimport brk_tasks\n")
    (tmp_path / "brk_tasks.py").write_text("def make():\n    return 1 / 0\n\n\nmake()\n")

    with pytest.raises(Wrong) as raised:
        load_in_words("brk_app:WorkerSettings")

    assert raised.value.message.splitlines() == [
        "brk_app cannot be imported: brk_tasks.py line 2: ZeroDivisionError: division by zero",
        "  from brk_tasks.py line 5",
        "  from brk_app.py line 2",
    ]


@pytest.mark.parametrize(
    "args",
    [
        ("queues",), ("config", "show"), ("doctor",), ("enqueue", "brk_app.Mail", "job"), ("health",),
        ("db", "current"), ("reconcile",), ("dashboard",), ("import-arq",), ("worker", "--check"), ("dev",),
    ],
    ids=" ".join,
)  # fmt: skip
def test_commands_tell_it_in_a_line(tmp_path: Path, args: tuple[str, ...]) -> None:
    """All commands that look at an application end with 2 and one line."""
    (tmp_path / "brk_app.py").write_text("class Mail\n")
    words = args if "brk_app.Mail" in args else (*args, "brk_app.Mail")

    done = run(tmp_path, *words, fake=False)

    told = "Error: brk_app cannot be imported: brk_app.py line 1: SyntaxError: expected ':'\n"
    assert (done.returncode, done.stderr) == (2, told)
