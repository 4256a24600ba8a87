"""What events mean for rows. Pure functions."""

from __future__ import annotations

import json
from collections.abc import Iterable
from operator import itemgetter
from typing import Any

from ..errors import JobControl
from ..model.states import LEDGER_STATUS, JobState, LedgerStatus
from ..telemetry import JobStarted, JobStopped
from .payloads import describe_error, jsonable_or_text

ToldRow = dict[str, Any]
"""A row as the worker tells it: columns, with moments in ms since 1970 and payloads in JSON."""

# A run may end in one state that no job is in: the job that it leaves behind is scheduled.
_STATUS = {state.value: LEDGER_STATUS[state].name for state in JobState}
_STATUS["snoozed"] = LEDGER_STATUS[JobState.SCHEDULED].name
_RUNNING, _QUEUED, _SUCCESS = LedgerStatus.RUNNING.name, LedgerStatus.QUEUED.name, LedgerStatus.SUCCESS.name


def rows_told(events: Iterable[JobStarted | JobStopped]) -> list[list[ToldRow]]:
    """The rows that events ask for, in lists that are to be written one after the other.

    There is one row for each run of a job, whether one of its events came or both. A list has an id
    only once, for one statement can move a row once; and it is in the order of ids, for two writers
    must lock their rows in the same order.
    """
    runs: dict[tuple[str, int, int, str], ToldRow] = {}
    for event in events:
        run = event.job_id, event.enqueue_ms, event.attempt, event.worker
        if isinstance(event, JobStarted):
            runs[run] = _begun(event)
        else:
            row = runs.get(run)
            if row is None:
                row = runs[run] = _row(event)
            _end(row, event)
    return _layers(runs.values())


def _layers(rows: Iterable[ToldRow]) -> list[list[ToldRow]]:
    """Rows of one id, which are of an earlier and a later run or job, come to lie on each other."""
    layers: list[list[ToldRow]] = []
    heights: dict[str, int] = {}
    for row in rows:
        height = heights.get(row["id"], 0)
        heights[row["id"]] = height + 1
        if height == len(layers):
            layers.append([])
        layers[height].append(row)
    for layer in layers:
        layer.sort(key=itemgetter("id"))
    return layers


def _row(event: JobStarted | JobStopped) -> ToldRow:
    enqueued_ms = event.enqueue_ms if event.enqueue_ms > 0 else None
    return {
        "id": event.job_id,
        "function": event.function,
        "queue": event.queue,
        "status": _RUNNING,
        "attempt": event.attempt,
        "worker": event.worker,
        "enqueued_at": enqueued_ms,
        "created_at": enqueued_ms or event.at_ms,
        "started_at": None,
        "finished_at": None,
        "updated_at": event.at_ms,
        "output_payload": None,
        "error_payload": None,
    }


def _begun(event: JobStarted) -> ToldRow:
    row = _row(event)
    row["started_at"] = event.at_ms
    return row


def _end(row: ToldRow, event: JobStopped) -> None:
    status = row["status"] = _STATUS[event.state]
    row["updated_at"] = event.at_ms
    if status != _QUEUED:
        row["finished_at"] = event.at_ms
    if status == _SUCCESS and event.result is not None:
        row["output_payload"] = json.dumps(jsonable_or_text(event.result))
    if event.error is not None and not _only_asks_to_run_again(event):
        row["error_payload"] = json.dumps(describe_error(event.error))


def _only_asks_to_run_again(event: JobStopped) -> bool:
    return isinstance(event.error, JobControl) and event.state == "retryable"
