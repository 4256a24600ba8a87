"""Queries that name a group of failures: asked for are the jobs of the group, as `Console.errors` tells it.

What failures have in common is in their tracebacks, which no index knows. So failures are looked at as they
are there, a bounded number of them, and the query is asked of the ids that are found.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from ..errors import ConfigurationError
from ..model.query import Query, Term
from ..model.terms import has_glob, moment_of
from .asked import Asked
from .failures import FAILED, Failure, failures_of, fingerprint
from .links import Links
from .views import ErrorGroup, Trouble

IN_PART = "group-in-part"
"""The code of the trouble that says: there may be more in a group than was looked at."""

_USUAL = timedelta(days=1)
_WORDS = ("group", "failed")
_NOTHING = Term("state", ())


async def asked_for(links: Links, query: Query, redact: Iterable[str] | None) -> Asked:
    """A query as it is asked, with the jobs of the groups that it names in the place of their names.

    Raises:
        ConfigurationError: as `Asked.of`; or it says since when a group failed, and names none.
    """
    named = [term.values[0] for term in query.terms if term.name == "group"]
    if not named and any(term.name == "failed" for term in query.terms):
        raise ConfigurationError(
            "failed: says since when the jobs of a group: failed, and there is none; "
            "state:discarded since:1h are failed jobs that were enqueued since then"
        )
    asked = await Asked.of(links, query, redact)
    if named:
        _mean(asked, await _members(asked, set(named)))
    return asked


def query_of(group: ErrorGroup) -> Query:
    """The query that means the jobs of a group, and those that have joined it since."""
    # Since its first one: so others that failed before do not push any of them out of what is looked at.
    first = group.first_at.isoformat().replace("+00:00", "Z")
    words = {"queue": group.queue, "group": group.fingerprint, "failed": first}
    return Query(tuple(Term(name, (value,)) for name, value in words.items()))


async def _members(asked: Asked, named: set[str]) -> list[Failure]:
    """The failures of a group; none of several ones, for no job is in two."""
    looking = asked.instead(Query((FAILED,)))
    failures, are_all = await failures_of(looking, _since(asked.query, asked.known.now))
    for trouble in looking.asking.troubles:
        asked.asking.tell(trouble)
    if not are_all and not looking.asking.troubles:
        text = f"only the newest {len(failures):,} failures were looked at: the group may have more jobs"
        fix = "say a shorter time, as failed:1h, or once more when these are done"
        asked.asking.tell(Trouble("info", IN_PART, text, fix))
    # An id that looks like a pattern would mean other jobs, too.
    return [one for one in failures if {fingerprint(one)} == named and not has_glob(one.job_id)]


def _since(query: Query, now: datetime) -> datetime:
    told = [moment_of(term.values[0], now) for term in query.terms if term.name == "failed"]
    return max(told, default=now - _USUAL)


def _mean(asked: Asked, members: Sequence[Failure]) -> None:
    """Have the query mean these jobs: those of its other words that are among them."""
    queues = {one.queue for one in members}
    asked.places = [place for place in asked.places if not queues or place.key in queues]
    ids = tuple(dict.fromkeys(one.job_id for one in members))
    others = [term for term in asked.query.terms if term.name not in _WORDS]
    asked.query = Query((*others, Term("id", ids) if ids else _NOTHING))
