"""The dashboard for programs: what is shown and done there, as JSON."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ..console import (
    AuditPage,
    CronList,
    ErrorGroups,
    Figures,
    JobDetail,
    JobPage,
    Overview,
    Query,
    QueueState,
    SystemInfo,
    Tally,
    Trouble,
    WorkerList,
)
from ..console.counting import matched
from ..errors import ConfigurationError
from . import deeds
from .amounts import moment_of
from .context import console_of, look_of
from .deeds import CRON_NEEDS, JOB_NEEDS, QUEUE_NEEDS, Deed, NotConfirmed
from .faults import refusal
from .links import named
from .missing import why_unknown
from .openapi import Operation, document, param
from .paths import API
from .routes import GuardedRoute
from .scaling import Scale, scale_of

MOST_LINES: Final = 200
_LINES: Final = 50

_QUEUE = param("queue", "the key of a queue; all without it")
_AFTER = param("after", "the cursor `next` of the page before")
_LIMIT = param("limit", f"how many lines, 1 to {MOST_LINES}; {_LINES} without it", {"type": "integer"})
_Q = param("q", "which jobs, e.g. state:discarded since:1h; all without it")
_TEXT: Final = {"type": "string"}


@dataclass(frozen=True, slots=True)
class JobName:
    """A job, by the key of its queue and its id."""

    queue: str
    id: str


@dataclass(frozen=True, slots=True)
class ManyJobs:
    """Which jobs are meant: those that are named, or all that `q` means.

    Attributes:
        q: a query, e.g. state:discarded since:1h.
        jobs: jobs by name.
        confirm: where more than 50 jobs are meant: how many, or the verb.
    """

    q: str = ""
    jobs: Sequence[JobName] = ()
    confirm: str = ""


@dataclass(frozen=True, slots=True)
class QueueWords:
    """What is to be done to a queue.

    Attributes:
        node: only there; empty is everywhere.
        limit: for `scale`: how many jobs each worker runs at once, or `default`.
        global_limit: for `scale`: how many jobs run at once over all workers, `default` or `none`.
        rate: for `scale`: how many jobs start in which time, as `100/60s`, `default` or `none`.
        confirm: for `purge`: the key of the queue.
    """

    node: str = ""
    limit: str = ""
    global_limit: str = ""
    rate: str = ""
    confirm: str = ""


async def _overview(request: Request) -> Overview:
    return await console_of(request).overview()


async def _queues(request: Request) -> Sequence[QueueState]:
    return await console_of(request).queues()


async def _queue(request: Request) -> QueueState:
    return await console_of(request).queue(named(request, "key"))


async def _scale(request: Request) -> Scale:
    return await scale_of(console_of(request), named(request, "key"))


async def _jobs(request: Request) -> JobPage:
    return await console_of(request).jobs(
        _query(request), after=_text(request, "after"), limit=_limit(request)
    )


async def _counts(request: Request) -> dict[str, Tally]:
    query = _query(request) or Query()
    counts = await console_of(request).counts(query)
    return {**counts, "matched": matched(counts, query)}


async def _job(request: Request) -> JobDetail:
    job_id, queue = named(request, "id"), named(request, "queue")
    found = await console_of(request).job(job_id, queue)
    if found is None:
        if away := await why_unknown(console_of(request), queue, job_id):
            raise HTTPException(503, f"Nobody knows now whether there is a job {job_id!r}: {away}")
        raise HTTPException(404, f"There is no job {job_id!r} in {queue!r}.")
    return found


async def _errors(request: Request) -> ErrorGroups:
    return await console_of(request).errors(since=_moment(request, "since"), queue=_known_queue(request))


async def _crons(request: Request) -> CronList:
    return await console_of(request).crons()


async def _workers(request: Request) -> WorkerList:
    return await console_of(request).workers()


async def _metrics(request: Request) -> Figures:
    return await console_of(request).figures(
        since=_moment(request, "since"),
        until=_moment(request, "until"),
        queue=_known_queue(request),
        function=_text(request, "function"),
    )


async def _system(request: Request) -> SystemInfo:
    return await console_of(request).system()


async def _troubles(request: Request) -> Sequence[Trouble]:
    return await console_of(request).troubles()


async def _audit(request: Request) -> AuditPage:
    return await console_of(request).audit(
        queue=_known_queue(request),
        actor=_text(request, "actor"),
        after=_text(request, "after"),
        limit=_limit(request),
    )


async def _suggest(request: Request) -> Sequence[str]:
    word, start = request.query_params.get("word", ""), request.query_params.get("start", "")
    return await console_of(request).suggest(word, start)


async def _do_to_job(request: Request) -> Deed:
    verb = deeds.verb_of(named(request, "verb"))
    queue, job_id = named(request, "queue"), named(request, "id")
    deed = await deeds.do_to_job(console_of(request), verb, queue, job_id)
    if not (deed.done or deed.asked):
        raise HTTPException(409 if deed.matched else 404, deed.text)
    return deed


async def _do_to_jobs(request: Request) -> Deed:
    told = await _body(request)
    console, verb = console_of(request), deeds.verb_of(named(request, "verb"))
    limit, confirm = look_of(request).bulk_limit, _said(told, "confirm")
    if told.get("jobs"):
        jobs = _job_names(console_of(request).places, told["jobs"])
        return await deeds.do_to_selection(console, verb, jobs, confirm=confirm, limit=limit)
    query = Query.parse(_said(told, "q"))
    return await deeds.do_to_matching(console, verb, query, confirm=confirm, limit=limit)


async def _do_to_queue(request: Request) -> Deed:
    told = await _body(request)
    said = {name: _said(told, name) for name in QueueWords.__dataclass_fields__}
    return await deeds.do_to_queue(console_of(request), named(request, "verb"), named(request, "key"), said)


async def _do_to_cron(request: Request) -> Deed:
    console, verb = console_of(request), named(request, "verb")
    return await deeds.do_to_cron(console, verb, named(request, "key"), named(request, "name"))


async def _openapi(request: Request) -> dict[str, Any]:
    return document(OPERATIONS, title=look_of(request).title)


_SINCE = param("since", "a time as 2026-11-20T12:00:00Z, or how long ago as 24h")

OPERATIONS: Final = (
    Operation("GET", "/overview", "overview", "The first look.", Overview, _overview),
    Operation("GET", "/queues", "queues", "All queues.", Sequence[QueueState], _queues),
    Operation("GET", "/queues/{key}", "queue", "One queue.", QueueState, _queue),
    Operation(
        "GET", "/queues/{key}/scale", "queue_scale", "How many slots it needs.", Scale, _scale
    ),
    Operation("GET", "/jobs", "jobs", "Jobs, the newest first.", JobPage, _jobs, (_Q, _AFTER, _LIMIT)),
    Operation(
        "GET", "/jobs/count", "jobs_count", "How many jobs, by state, `all` and `matched`.", dict[str, Tally],
        _counts, (_Q,),
    ),
    Operation("GET", "/jobs/{queue}/{id}", "job", "One job.", JobDetail, _job),
    Operation(
        "GET", "/errors", "errors", "Failures by what they have in common.", ErrorGroups, _errors,
        (_SINCE, _QUEUE),
    ),
    Operation("GET", "/crons", "crons", "The cron jobs.", CronList, _crons),
    Operation("GET", "/workers", "workers", "The workers.", WorkerList, _workers),
    Operation(
        "GET", "/metrics", "metrics", "Throughput and percentiles.", Figures, _metrics,
        (
            _SINCE,
            param("until", "a time as 2026-11-20T12:00:00Z, or how long ago as 1h; now without it"),
            _QUEUE,
            param("function", "the name of a function; all without it"),
        ),
    ),
    Operation("GET", "/system", "system", "Redis servers, ledgers, leaders.", SystemInfo, _system),
    Operation("GET", "/troubles", "troubles", "What an operator should know.", Sequence[Trouble], _troubles),
    Operation(
        "GET", "/audit", "audit", "What was done by hand, the newest first.", AuditPage, _audit,
        (_QUEUE, param("actor", "by whom"), _AFTER, _LIMIT),
    ),
    Operation(
        "GET", "/suggest", "suggest", "Values that a word of a query may have.", Sequence[str], _suggest,
        (param("word", "the word, e.g. function"), param("start", "how the value begins")),
    ),
    Operation(
        "POST", "/jobs/{verb}", "do_to_jobs", "Do something to many jobs.", Deed, _do_to_jobs,
        body=ManyJobs, needs=JOB_NEEDS, may_be_partial=True,
    ),
    Operation(
        "POST", "/jobs/{queue}/{id}/{verb}", "do_to_job", "Do something to a job.", Deed, _do_to_job,
        needs=JOB_NEEDS,
    ),
    Operation(
        "POST", "/queues/{key}/{verb}", "do_to_queue", "Do something to a queue.", Deed, _do_to_queue,
        body=QueueWords, needs=QUEUE_NEEDS,
    ),
    Operation(
        "POST", "/crons/{key}/{name}/{verb}", "do_to_cron", "Do something to a cron job.", Deed, _do_to_cron,
        needs=CRON_NEEDS,
    ),
    Operation("GET", "/openapi.json", "openapi", "This document.", dict[str, Any], _openapi),
)  # fmt: skip
"""All that programs can ask for."""


def routes() -> list[GuardedRoute]:
    """The routes of the API; the one of completion has a name for the pages, the others `api_...`."""
    return [
        GuardedRoute(
            API + one.path,
            _answering(one.handler),
            methods=[one.method],
            name="suggest" if one.name == "suggest" else f"api_{one.name}",
            needs=one.needs,
        )
        for one in OPERATIONS
    ]


def _answering(handler: Callable[[Request], Awaitable[Any]]) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            value = await handler(request)
        except NotConfirmed as asked:
            words = f'{asked.text} If that is meant, send "confirm": "{asked.expected}".'
            return refusal(request, 409, words, code="confirm")
        is_partial = isinstance(value, Deed) and bool(value.troubles)
        status = HTTPStatus.MULTI_STATUS if is_partial else HTTPStatus.OK
        return Response(_written(value), status, media_type="application/json")

    return answer


def _written(value: Any) -> bytes:
    # Values of users may be of any kind, once a serializer of theirs has read them.
    return to_json(value, timedelta_mode="float", bytes_mode="base64", inf_nan_mode="null", fallback=repr)


async def _body(request: Request) -> Mapping[str, Any]:
    raw = await request.body()
    if not raw.strip():
        return {}
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "Send JSON, with 'Content-Type: application/json'.")
    try:
        told = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"the body is no JSON: {error}") from None
    if not isinstance(told, dict):
        raise ConfigurationError("the body must be a JSON object")
    return told


def _said(told: Mapping[str, Any], name: str) -> str:
    """A field of a body as text; numbers are welcome where numbers are meant."""
    value = told.get(name)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ConfigurationError(f"{name} must be a text or a number, got {value!r}")
    return str(value)


def _job_names(places: Sequence[Any], told: Any) -> list[tuple[str, str]]:
    keys = {place.key for place in places}
    jobs: list[tuple[str, str]] = []
    for one in told if isinstance(told, list) else [told]:
        match one:
            case {"queue": str(queue), "id": str(job_id)} if queue in keys and job_id:
                jobs.append((queue, job_id))
            case _:
                raise ConfigurationError(f'jobs must be as {{"queue": "...", "id": "..."}}, got {one!r}')
    return jobs


def _query(request: Request) -> Query | None:
    return Query.parse(text) if (text := request.query_params.get("q", "").strip()) else None


def _text(request: Request, name: str) -> str | None:
    return request.query_params.get(name, "").strip() or None


def _moment(request: Request, name: str) -> Any:
    return moment_of(name, request.query_params.get(name, ""))


def _known_queue(request: Request) -> str | None:
    key = _text(request, "queue")
    if key is not None and key not in {place.key for place in console_of(request).places}:
        raise HTTPException(404, f"There is no queue {key!r}.")
    return key


def _limit(request: Request) -> int:
    text = request.query_params.get("limit", "").strip() or str(_LINES)
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= MOST_LINES):
        raise ConfigurationError(f"limit must be a whole number from 1 to {MOST_LINES}, got {text!r}")
    return int(text)
