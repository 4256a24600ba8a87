from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from benchmarks import venvs
from benchmarks.bars import judge_ledger
from benchmarks.catalogue import SYSTEMS, select
from benchmarks.databases import kind_of, with_driver
from benchmarks.ledgers import BEHIND, BEHIND_SQLITE, LEDGERS, STRICT
from benchmarks.measures import MEASURES, OF_LEDGERS, SUITES, takes_part
from benchmarks.measures.ledger import wait_for
from benchmarks.processes import ChildError
from benchmarks.report import render
from benchmarks.roles import Recorder
from benchmarks.rounds import Results
from benchmarks.system import Fact

FINAL = "ledger.final"


def results_of(**rates: float) -> Results:
    results = Results()
    for name, rate in rates.items():
        results.add(name.replace("_", " "), {FINAL: rate})
    return results


def verdict_of(text: str, results: Results) -> str:
    (bar,) = (bar for bar in judge_ledger(results) if text in bar.text)
    return bar.verdict


def test_ledger_is_judged_in_its_better_database():
    """A ledger may cost three fifths of the rate, and either database will do."""
    slow = {"arqlite": 50_000.0, BEHIND: 15_000.0}

    assert verdict_of("with a ledger", results_of(**slow)) == "FAIL"
    assert verdict_of("with a ledger", results_of(**slow, **{BEHIND_SQLITE: 20_000.0})) == "PASS"


def test_strict_ledger_may_cost_more():
    """A quarter of the rate is enough where rows come first."""
    assert verdict_of("strict", results_of(arqlite=50_000.0, **{STRICT: 12_500.0})) == "PASS"
    assert verdict_of("strict", results_of(arqlite=50_000.0, **{STRICT: 12_400.0})) == "FAIL"


def test_peers_are_measured_against_the_same_server():
    """What counts beside queues in PostgreSQL is the ledger in PostgreSQL, and their best setting."""
    results = results_of(
        pgqueuer=8_000.0,
        pgqueuer_unbounded=15_000.0,
        oban=3_000.0,
        procrastinate=500.0,
        **{BEHIND: 24_000.0, BEHIND_SQLITE: 90_000.0},
    )

    bars = {bar.text.split()[2]: bar for bar in judge_ledger(results) if bar.text.startswith("PostgreSQL")}

    assert {name: bar.measured.median for name, bar in bars.items() if bar.measured} == {
        "pgqueuer": 1.6,
        "oban": 8.0,
        "procrastinate": 48.0,
    }
    assert {bar.verdict for bar in bars.values()} == {"PASS"}


def test_strict_ledger_stands_beside_the_peers():
    """The bar is about rows that follow; in its note is the ledger that commits as durably as the peer."""
    results = results_of(oban=2_000.0, **{BEHIND: 24_000.0, STRICT: 15_000.0})

    (bar,) = (bar for bar in judge_ledger(results) if "oban" in bar.text)

    assert bar.measured is not None
    assert (bar.measured.median, bar.note) == (12.0, "arqlite pg strict: 7.50 x")


def test_missing_peer_leaves_its_bar_open():
    """A peer that could not be installed is no victory."""
    assert verdict_of("times oban", results_of(**{BEHIND: 24_000.0})) == "not measured"


def test_report_shows_when_rows_are_final():
    """Both ends of a drain stand in the table, its share of the rate without rows, and how late rows are."""
    results = Results()
    results.add("arqlite", {"ledger.rate": 50_000.0, FINAL: 50_000.0, "ledger.lag_ms": 0.0})
    results.add(BEHIND, {"ledger.rate": 30_000.0, FINAL: 25_000.0, "ledger.lag_ms": 400.0})

    text = render(results, select(["arqlite", BEHIND]), judge_ledger(results), {})

    (row,) = (line for line in text.splitlines() if line.startswith(f"| {BEHIND} ") and "30,000" in line)
    assert [cell.strip() for cell in row.split("|")[2:7]] == ["30,000", "25,000", "50%", "–", "400"]


def test_suites_have_every_measure_once():
    """The word `ledger` chooses the measures of rows, and none are in both."""
    assert sorted(name for names in SUITES.values() for name in names) == sorted(MEASURES)


def test_only_systems_with_rows_are_measured_for_them():
    """The queues in Redis have no rows, but for arqlite, which is measured without them for comparison."""
    taking = {system.name for system in SYSTEMS for measure in OF_LEDGERS if takes_part(system, measure)}

    assert taking == {"arqlite", *(system.name for system in LEDGERS)}


def test_systems_with_a_database_say_what_their_rows_tell():
    """No rate is believed without a look at the rows."""
    assert all(system.rows and system.rows.final for system in LEDGERS)


def test_url_gets_the_driver_of_its_system():
    """One server serves systems with different drivers."""
    assert with_driver("postgresql://bench@127.0.0.1:1/bench", "postgresql+psycopg") == (
        "postgresql+psycopg://bench@127.0.0.1:1/bench"
    )
    assert kind_of("postgresql+psycopg") == kind_of("postgresql") == "postgresql"


class Answers:
    """A database that gives one answer after the other, and the last one for ever."""

    def __init__(self, *answers: int) -> None:
        self._answers: Iterator[int] = iter(answers)
        self._last = 0
        self.asked = 0

    def __call__(self, question: str) -> int:
        self.asked += 1
        self._last = next(self._answers, self._last)
        return self._last


def test_clock_runs_until_the_last_row():
    """Rows are asked for until there is one for each job."""
    ask = Answers(98, 99, 100)

    wait_for((Fact("final rows", "SELECT", per_job=True),), ask, 100, patience_s=20)

    assert ask.asked == 3


@pytest.mark.parametrize("told", [99, 101])
def test_missing_and_surplus_rows_are_errors(told: int):
    """A rate with too few rows is none, nor one with a row too many."""
    with pytest.raises(ChildError, match=f"final rows: {told} after 100 jobs"):
        wait_for((Fact("final rows", "SELECT", per_job=True),), Answers(told), 100, patience_s=0)


def test_second_run_of_a_job_is_told(capsys: pytest.CaptureFixture[str]):
    """A worker that runs more than it was given says so."""
    recorder = Recorder(target=2)

    for _ in range(3):
        recorder.tick()

    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [report["event"] for report in told] == ["started", "finished", "ran again"]
    assert told[2] == {"event": "ran again", "runs": 3, "jobs": 2}


def test_newer_python_is_looked_for(monkeypatch: pytest.MonkeyPatch):
    """A peer that needs a newer Python gets the newest on PATH; without any it is missing, and says why."""
    known = {"python3.98": "/opt/python3.98", "python3.97": "/opt/python3.97"}
    monkeypatch.setattr(venvs, "NEWEST_MINOR", 99)
    monkeypatch.setattr(venvs.shutil, "which", known.get)

    assert venvs.interpreter_for((3, 97)) == "/opt/python3.98"
    with pytest.raises(venvs.NotInstalledError, match=r"needs Python 3\.99"):
        venvs.interpreter_for((3, 99))
