"""One job: what happened to it, each attempt, what it was called with, and what may be done to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from ...console import JobDetail, JobPage, Query, TimelineEntry
from ...model.query import Term
from .. import words
from ..context import console_of, look_of
from ..links import named
from ..missing import NO_ANSWER, why_unknown
from .answering import not_found
from .rendering import problem, render

_LAST_RUNS: Final = 50


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a job's life, and how long after the one before it came."""

    entry: TimelineEntry
    after: timedelta | None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is: `done` of `total`, if it counts, and what it says."""

    done: float | None
    total: float | None
    text: str


async def job(request: Request) -> Response:
    """Everything that is known of one job."""
    key, job_id = named(request, "queue"), named(request, "id")
    console = console_of(request)
    place = next((place for place in console.places if place.key == key), None)
    if place is None:
        return not_found(request, f"There is no queue {key!r}.")
    detail = await console.job(job_id, key)
    if detail is None:
        if away := await why_unknown(console, key, job_id):
            fix = "Until it does, nobody knows whether there is such a job. This page looks again by itself."
            return problem(request, 503, "That is not known now", away, fix=fix, template="away")
        fix = "Jobs that have ended are forgotten after a while; with a ledger their rows stay longer."
        return not_found(request, f"There is no job {job_id!r} in the queue {key!r}.", fix)
    line = detail.line
    same = Query((Term("queue", (key,)), Term("function", (line.function,))))
    # In Redis alone they would have to be looked for among all jobs, at each look at a page.
    runs = await console.jobs(same, limit=_LAST_RUNS) if place.ledger is not None else JobPage([], None)
    values: dict[str, Any] = {
        "page": "jobs",
        "view": detail,
        "line": line,
        "steps": _steps(detail),
        "progress": progress_of(detail.progress),
        "same": same,
        "last_runs": runs.jobs,
        "troubles": [one for one in runs.troubles if one.code in NO_ANSWER],
        "trace_url": _trace_url(look_of(request).trace_url, detail.meta),
    }
    return render(request, "job", values)


def progress_of(told: Any) -> Progress | None:
    """Read what a job told of how far it is: a mapping with numbers, a number of parts, or words."""
    if told is None:
        return None
    if isinstance(told, Mapping):
        done = _number(told, "done", "current", "value")
        total = _number(told, "total", "of", "max")
        text = next((str(told[key]) for key in ("text", "message", "note") if told.get(key)), "")
        return Progress(done, total, text)
    if isinstance(told, float | int) and not isinstance(told, bool):
        return Progress(float(told), 1.0 if told <= 1 else 100.0, "")
    return Progress(None, None, str(told))


def _number(told: Mapping[Any, Any], *names: str) -> float | None:
    for name in names:
        value = told.get(name)
        if isinstance(value, float | int) and not isinstance(value, bool):
            return value
    return None


def _steps(detail: JobDetail) -> list[Step]:
    before: datetime | None = None
    steps = []
    for entry in detail.timeline:
        steps.append(Step(entry, None if before is None else entry.at - before))
        before = entry.at
    return steps


def _trace_url(template: str, meta: Mapping[str, Any]) -> str:
    trace = words.trace_of(meta)
    return template.replace("{trace_id}", trace) if template and trace else ""
