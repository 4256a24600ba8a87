"""Jobs by what they have in common: the rail of states, the filter, the table, and what is done to many."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from ...console import JobPage, Query, Tally
from ...console.counting import matched
from ...errors import ConfigurationError
from ...model.states import Cause, JobState
from ...model.verbs import MEANT_BY
from ..context import console_of
from ..deeds import states_in_words
from .columns import COLUMNS, columns_of, keep_columns
from .rendering import render

LIMITS: Final = (25, 50, 100, 200)
_USUAL: Final = 50

GROUPS: Final = (
    ("Queued", (JobState.AVAILABLE, JobState.SCHEDULED, JobState.RETRYABLE, JobState.SUSPENDED)),
    ("Running", (JobState.EXECUTING,)),
    ("Ended", (JobState.COMPLETED, JobState.DISCARDED, JobState.CANCELLED)),
)
"""The states of the rail, under what they mean to those who wait for a job."""

CAUSES: Final[Mapping[str, Sequence[Cause]]] = {
    JobState.DISCARDED: (
        Cause.ERROR,
        Cause.TIMEOUT,
        Cause.LOST,
        Cause.EXPIRED,
        Cause.REFUSED,
        Cause.SHUTDOWN,
    ),
    JobState.CANCELLED: (Cause.CANCELLED, Cause.DUPLICATE),
}
"""What the ends that are no success are told apart by, where one of them is looked at."""


@dataclass(frozen=True, slots=True)
class _Found:
    query: Query
    page: JobPage
    counts: Mapping[str, Tally] = field(default_factory=dict)
    error: str = ""


async def jobs(request: Request) -> Response:
    """A page of jobs, as the words of `q` mean them."""
    text = request.query_params.get("q", "").strip()
    found = await _find(request, text)
    shown = found.query.get("state")
    state = shown[0] if len(shown) == 1 else ""
    response = render(
        request,
        "jobs",
        {
            "page": "jobs",
            "view": found.page,
            "counts": found.counts,
            "error": found.error,
            "query": found.query,
            "text": text,
            "state": state,
            "total": matched(found.counts, found.query) if found.counts else None,
            "meant_in": {verb: states_in_words(verb, found.query) for verb in MEANT_BY},
            "without": _without(found.query),
            "groups": GROUPS,
            "causes": CAUSES.get(state, ()),
            "columns": columns_of(request),
            "all_columns": COLUMNS,
            "limit": _limit(request),
            "limits": LIMITS,
            "after": request.query_params.get("after", ""),
        },
        status_code=400 if found.error else 200,
    )
    keep_columns(request, response)
    return response


async def _find(request: Request, text: str) -> _Found:
    console = console_of(request)
    query = Query()
    try:
        query = Query.parse(text)
        after = request.query_params.get("after") or None
        page, counts = await asyncio.gather(
            console.jobs(query, after=after, limit=_limit(request)), console.counts(query)
        )
    except ConfigurationError as error:
        return _Found(query, JobPage([], None), error=str(error))
    return _Found(query, page, counts)


def _without(query: Query) -> Sequence[tuple[str, str]]:
    """Each word of the query, and the query that is left without it."""
    terms = list(query.terms)
    return [
        (str(term), str(Query((*terms[:place], *terms[place + 1 :])))) for place, term in enumerate(terms)
    ]


def _limit(request: Request) -> int:
    told = request.query_params.get("limit", "")
    return int(told) if told.isdecimal() and int(told) in LIMITS else _USUAL
