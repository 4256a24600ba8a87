from __future__ import annotations

import sys

import pytest

from benchmarks import processes
from benchmarks.machine import cores
from benchmarks.processes import Child, ChildError


@pytest.fixture
def child_of(tmp_path, monkeypatch):
    """Start a child whose adapter has this source, in a package of its own."""
    monkeypatch.setattr(processes, "ROOT", tmp_path)
    folder = tmp_path / "benchmarks" / "systems"
    folder.mkdir(parents=True)
    for package in (folder.parent, folder):
        (package / "__init__.py").touch()

    def start(source: str) -> Child:
        (folder / "toy.py").write_text(source)
        return Child(sys.executable, "toy", {"role": "work"}, cores())

    return start


def test_other_lines_are_skipped(child_of):
    """A peer that prints to stdout does not disturb the reports."""
    source = (
        'print(\'hello\'); print(\'{broken\'); print(\'{"event": "a"}\'); print(\'{"event": "b", "n": 3}\')'
    )

    with child_of(source) as child:
        assert child.expect("b", 20) == {"event": "b", "n": 3}


def test_end_without_report_tells_why(child_of):
    """A child that dies says so with the end of its stderr."""
    with (
        child_of("raise SystemExit('no such queue')") as child,
        pytest.raises(ChildError, match="no such queue"),
    ):
        child.expect("finished", 20)


def test_silence_is_bounded(child_of):
    """A child that stays silent is given up after the time, and ended by its pid."""
    with child_of("import threading; threading.Event().wait()") as child:
        with pytest.raises(ChildError, match="did not report 'finished' in time"):
            child.expect("finished", 0.2)
        process = child._process

    assert process.returncode == -9


def test_report_may_be_there_or_not(child_of):
    """What a child may have told is looked for without waiting for it."""
    source = 'import threading\nprint(\'{"event": "a"}\', flush=True)\nthreading.Event().wait()'

    with child_of(source) as child:
        assert child.told("b") is None
