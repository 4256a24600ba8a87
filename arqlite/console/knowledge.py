"""What has to be known to understand a query: the time, the functions, who works on which node."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ..errors import ConfigurationError
from ..model.arguments import Signature, signature_of
from ..model.query import Query, Term
from ..model.states import LEDGER_STATUS, JobState
from ..model.terms import glob_of, has_glob, moment_of, states_of
from .links import Links, Silence
from .places import Place


@dataclass(frozen=True, slots=True)
class Known:
    """What is known when a query is asked.

    Attributes:
        now: the time.
        signatures: of the functions of the settings: the names of arguments by position.
        sessions: by node, workers that call themselves otherwise than their node.
        functions: all functions that a ledger has rows of; None where they are too many or nobody asked.
        prefixes: whether a ledger has ids that begin so.
    """

    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    signatures: Mapping[str, Signature] = field(default_factory=dict)
    sessions: Mapping[str, Sequence[str]] = field(default_factory=dict)
    functions: Sequence[str] | None = None
    prefixes: Mapping[str, bool] = field(default_factory=dict)

    def workers_like(self, node: str) -> list[str]:
        """The names that workers of a node have, or what they are like; `*` stands for anything."""
        own = [
            one
            for name, sessions in self.sessions.items()
            if glob_of(node).fullmatch(name)
            for one in sessions
        ]
        return [f"{node}:*", *own]

    def with_rows(self, functions: Sequence[str] | None, prefixes: Mapping[str, bool]) -> Known:
        """The same, and what a ledger has rows of."""
        return dataclasses.replace(self, functions=functions, prefixes=prefixes)


def places_meant(links: Links, query: Query) -> Sequence[Place]:
    """The queues that a query is about.

    Raises:
        ConfigurationError: it names one that there is not.
    """
    places = list(links.places)
    for term in query.terms:
        if term.name == "queue":
            named = {place.key for value in term.values for place in _named(links, value)}
            places = [place for place in places if (place.key in named) is not term.negated]
    return places


def states_meant(terms: Iterable[Term]) -> frozenset[JobState] | None:
    """The states that a job may be in by all that is said of states; None where nothing is."""
    meant: frozenset[JobState] | None = None
    for term in terms:
        if term.name == "state":
            states = states_of(term.values)
        elif term.name == "status":
            states = frozenset(state for state in JobState if LEDGER_STATUS[state] in term.values)
        else:
            continue
        states = frozenset(JobState) - states if term.negated else states
        meant = states if meant is None else meant & states
    return meant


def window_of(query: Query, now: datetime) -> tuple[datetime | None, datetime | None]:
    """From when, and until before when, a job was enqueued by all that is said of that."""
    begins = [moment_of(term.values[0], now) for term in query.terms if term.name == "since"]
    ends = [moment_of(term.values[0], now, is_end=True) for term in query.terms if term.name == "until"]
    return max(begins, default=None), min(ends, default=None)


def signatures_of(places: Iterable[Place]) -> dict[str, Signature]:
    """The signatures of the functions that the settings of these queues name."""
    return {
        name: signature_of(function.coroutine)
        for place in places
        for name, function in place.functions.items()
    }


async def known_for(links: Links, query: Query, places: Sequence[Place]) -> Known:
    """What is known now; workers are asked for only where a query names a node."""
    names = {term.name for term in query.terms}
    signatures = signatures_of(places) if any(name.startswith("arg.") for name in names) else {}
    sessions: dict[str, list[str]] = {}
    if "node" in names:
        for place in places:
            for node, session in await _sessions_of(links, place):
                sessions.setdefault(node, []).append(session)
    return Known(signatures=signatures, sessions=sessions)


async def _sessions_of(links: Links, place: Place) -> list[tuple[str, str]]:
    """Workers with a name for their node that is not in their own; none where Redis is away, for the name of
    the host is in those of workers.
    """
    info = await links.ask(place, lambda inspector: inspector.check_queue(place.queue))
    found = [] if info is None or isinstance(info, Silence) else info.sessions
    return [(one.node, one.session) for one in found if not one.session.startswith(f"{one.node}:")]


def _named(links: Links, value: str) -> list[Place]:
    if not has_glob(value):
        return [links.place(value)]
    found = [place for place in links.places if glob_of(value).fullmatch(place.key)]
    if not found:
        known = ", ".join(place.key for place in links.places)
        raise ConfigurationError(f"no queue is like {value!r}; there are {known}")
    return found
