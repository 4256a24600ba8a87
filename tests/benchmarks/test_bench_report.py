from __future__ import annotations

import re

from benchmarks.bars import judge
from benchmarks.catalogue import select
from benchmarks.report import render
from benchmarks.rounds import Results


def report_of(results: Results) -> str:
    judged = judge(results, is_redis_7=True, server="redis 7.0")
    return render(results, select(["arqlite", "arq"]), judged, {"server": "redis 7.0"})


def test_report_tells_how_many_times_faster():
    """Beside each peer's rate stands how many times as fast arqlite was in the same rounds."""
    results = Results()
    results.add("arqlite", {"rate": 90_000.0})
    results.add("arq", {"rate": 3_000.0})

    (row,) = (
        line for line in report_of(results).splitlines() if line.startswith("| arq ") and "3,000" in line
    )

    assert "30.0x" in row


def test_report_leaves_out_tables_without_figures():
    """A run of some measures shows those only."""
    results = Results()
    results.add("arqlite", {"rate": 90_000.0})

    text = report_of(results)

    assert "## Drain" in text
    assert "## Latency" not in text


def test_report_names_what_failed():
    """A failure stands in the report, on one line and not endless."""
    results = Results(failures=["saq: MISSING: pip failed\n" + "x" * 5000])

    (line,) = (line for line in report_of(results).splitlines() if "MISSING" in line)

    assert len(line) < 320


def test_report_tells_what_features_cost():
    """Each feature stands with what it adds on both sides, in the order in which they were measured."""
    results = Results()
    client = {"feature: bare": 12.0, "feature: one progress report": 8.25}
    server = {"feature on the server: bare": 4.0, "feature on the server: one progress report": 1.5}
    results.add("arqlite", {**client, **server})

    text = report_of(results)

    assert "## What a feature costs a job that uses it" in text
    assert re.search(r"\| one progress report +\| 8\.25 +\| 1\.50? ", text)
