"""The dashboard and the alerts under `deploy/`: what they ask for is what there is."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from arqlite.observe.catalogue import METRICS

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
CASES = Path(__file__).parent / "alerts_cases.yml"
BOARD: dict[str, Any] = json.loads((DEPLOY / "grafana" / "arqlite.json").read_text())
RULES: dict[str, Any] = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())

_NAME = re.compile(r"\barqlite_\w+")
_SELECTED = re.compile(r"\b(arqlite_\w+)\{([^}]*)\}")
_LABEL = re.compile(r'(\w+)\s*=~?\s*"')
_GROUPED = re.compile(r"\b(?:by|on) \(([^)]*)\)")
_OF_PROMETHEUS = {"le", "instance", "job"}

LABELS: dict[str, set[str]] = {}
for metric in METRICS:
    for ending in ("_bucket", "_sum", "_count") if metric.kind == "histogram" else ("",):
        LABELS[metric.exported_name + ending] = set(metric.labels)
STATES = {"available", "scheduled", "suspended", "executing"}
ENDS = {"completed", "discarded", "cancelled", "retryable", "snoozed", "available"}


def queries_of_board() -> Iterator[str]:
    for panel in BOARD["panels"]:
        for target in panel.get("targets", ()):
            yield target["expr"]
    for variable in BOARD["templating"]["list"]:
        yield variable.get("definition", "")


def rules() -> list[dict[str, Any]]:
    return [rule for group in RULES["groups"] for rule in group["rules"]]


def alerts() -> list[dict[str, Any]]:
    return [rule for rule in rules() if "alert" in rule]


QUERIES = [*queries_of_board(), *(rule["expr"] for rule in rules())]


@pytest.mark.parametrize("query", QUERIES)
def test_query_is_of_what_is_exported(query: str) -> None:
    """A query names metrics that there are, and tells them apart by labels that they have."""
    assert [name for name in _NAME.findall(query) if name not in LABELS] == []
    for name, selector in _SELECTED.findall(query):
        assert set(_LABEL.findall(selector)) - LABELS[name] - _OF_PROMETHEUS == set(), name
        states = re.findall(r'state=~?"([^"]*)"', selector)
        known = STATES if name == "arqlite_queue_depth" else ENDS
        assert {state for text in states for state in text.split("|")} <= known
    known_labels = set().union(*(LABELS[name] for name in _NAME.findall(query))) | _OF_PROMETHEUS
    grouped = {label.strip() for text in _GROUPED.findall(query) for label in text.split(",")}
    assert grouped <= known_labels


@pytest.mark.parametrize("query", QUERIES)
def test_query_is_balanced(query: str) -> None:
    """Brackets and quotes of a query close."""
    plain = re.sub(r'"[^"]*"', "", query)

    assert '"' not in plain
    for opening, closing in ("()", "{}", "[]"):
        assert plain.count(opening) == plain.count(closing)


def test_board_shows_every_metric() -> None:
    """No metric is exported that the dashboard does not show."""
    shown = {name for query in queries_of_board() for name in _NAME.findall(query)}

    missing = [metric.name for metric in METRICS if not any(name.startswith(metric.name) for name in shown)]
    assert missing == []


def test_panels_of_the_board_do_not_overlap() -> None:
    """Panels have ids of their own and share no place; all are of the chosen data source."""
    panels = BOARD["panels"]
    places = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]

    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len(set(places)) == len(places)
    assert max(x for x, _ in places) < 24
    assert {panel["datasource"]["uid"] for panel in panels if "targets" in panel} == {"${datasource}"}


def test_five_things_to_be_alerted_of() -> None:
    """There is an alert for each thing that an operator must not miss, with a sentence of what to do."""
    assert [rule["alert"] for rule in alerts()] == [
        "ArqliteQueueWithoutWorkers",
        "ArqliteQueueLatency",
        "ArqliteFailureRatio",
        "ArqliteLedgerLag",
        "ArqlitePoisonJobs",
    ]
    for rule in alerts():
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert set(rule["annotations"]) == {"summary", "description"}
        labels = set(re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values())))
        [grouping, *_] = _GROUPED.findall(rule["expr"])
        assert labels <= {label.strip() for label in grouping.split(",")}


def test_jobs_that_wait_are_not_forgotten() -> None:
    """What only a leader tells counts on for days when there is none, and of several the last one counts."""
    recorded = {rule["record"]: rule["expr"] for rule in rules() if "record" in rule}

    asked = re.compile(r"last_over_time\(([\w:]+)[^[]*\[(\w+)\]")
    remembered = [found for rule in alerts() for found in asked.findall(rule["expr"])]

    assert remembered == [("queue:arqlite_queue_depth:sum", "7d")]
    assert recorded.keys() == {name for name, _ in remembered}
    assert all("instance" not in expr for expr in recorded.values())
    assert "record" in rules()[0], "it is recorded before it is asked for"


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool, which comes with Prometheus")
@pytest.mark.parametrize(
    "arguments", [("check", "rules", DEPLOY / "prometheus" / "alerts.yml"), ("test", "rules", CASES)]
)
def test_prometheus_takes_the_alerts(arguments: tuple[Any, ...]) -> None:
    """Prometheus's own tool finds no fault with the rules, and each fires when it should, and only then."""
    told = subprocess.run(
        ["promtool", *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False
    )

    assert told.returncode == 0, told.stdout + told.stderr


def test_page_has_every_metric() -> None:
    """The table of the docs and the code agree on names, kinds, labels and meanings."""
    page = (DEPLOY.parent / "docs" / "observability.md").read_text()

    told = re.findall(r"^\| `(arqlite_\w+)` \| (\w+) \| ([^|]*) \| ([^|]*) \|", page, re.MULTILINE)

    assert [(name, kind, re.findall(r"`(\w+)`", labels), words) for name, kind, labels, words in told] == [
        (metric.exported_name, metric.kind, list(metric.labels), metric.help) for metric in METRICS
    ]


def test_page_has_every_alert() -> None:
    """The page tells of each alert, and of no other."""
    page = (DEPLOY.parent / "docs" / "observability.md").read_text()

    assert re.findall(r"^\| `(Arqlite\w+)`", page, re.MULTILINE) == [rule["alert"] for rule in alerts()]
