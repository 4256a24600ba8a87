from __future__ import annotations

import subprocess

import pytest

from benchmarks import starts
from benchmarks.starts import STARTS, Start, measure, once


def told(monkeypatch, capsys, of_help):
    """The exit code and the lines where the starts of the help take so long, and all others 40 ms."""
    times = iter(of_help)
    monkeypatch.setattr(starts, "once", lambda start: next(times) if "--help" in start.arguments else 40.0)
    code = measure(len(of_help) - 1)
    return code, capsys.readouterr().out.splitlines()


def test_median_is_held_against_the_bar(monkeypatch, capsys):
    """One slow start misses no bar, the first one is not counted, and the longest is told."""
    code, lines = told(monkeypatch, capsys, [9000.0, 190.0, 800.0, 170.0])

    assert code == 0
    assert lines == [
        "      python -c pass  median   40.0 ms, longest   40.0 ms",
        "PASS  import arqlite  median   40.0 ms, longest   40.0 ms (bar: 150 ms)",
        "PASS  arqlite --help  median  190.0 ms, longest  800.0 ms (bar: 200 ms)",
    ]


def test_missed_bar_ends_with_one(monkeypatch, capsys):
    """A median above its bar is a FAIL, and the program ends with 1."""
    code, lines = told(monkeypatch, capsys, [100.0, 210.0, 201.0, 150.0])

    assert code == 1
    assert [line.split()[0] for line in lines] == ["python", "PASS", "FAIL"]


@pytest.mark.parametrize("start", STARTS, ids=lambda start: start.text)
def test_start_is_a_process_of_its_own(start):
    """Each start is made, comes to its end, and takes time."""
    assert once(start) > 0


def test_start_that_fails_is_no_figure():
    """What cannot be started ends the benchmark instead of being told as quick."""
    with pytest.raises(subprocess.CalledProcessError):
        once(Start("fails", ("-c", "raise SystemExit(3)")))
