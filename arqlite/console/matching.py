"""A query as what the jobs of a Redis are held against, one by one. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..inspector.found import Found, view_of
from ..model.codec import Codec
from ..model.failures import message_of
from ..model.filters import JobFilter
from ..model.query import TEXT, Query, Term
from ..model.records import JobView
from ..model.states import JobState
from ..model.terms import glob_of, has_glob, literals_of, nested, path_of, range_of
from ..utils import to_unix_ms
from .knowledge import Known, states_meant, window_of

MEANINGLESS = ("cause",)
"""What only a ledger knows: no job of a queue without one is meant by it."""

_SAID_ELSEWHERE = ("state", "status", "queue", "since", "until")


class Facts:
    """What a job is held against.

    Args:
        found: the job.
        codec: how it is written.
        entries: what its failed attempts left, if that was asked for.
    """

    __slots__ = ("_codec", "_entries", "envelope", "found")

    def __init__(self, found: Found, codec: Codec, entries: Sequence[bytes] = ()) -> None:
        self.found = found
        self.envelope: Mapping[str, Any] = found.envelope or {}
        self._codec = codec
        self._entries = entries

    @property
    def attempt(self) -> int:
        """How many attempts were begun and count."""
        return self._view.attempt

    @property
    def errors(self) -> str:
        """Types, messages and tracebacks of what the job failed with, in lower case."""
        view = self._view
        told = [f"{one.type} {one.message} {one.traceback}" for one in view.errors]
        if isinstance(view.result, BaseException):
            told.append(f"{type(view.result).__qualname__} {message_of(view.result)}")
        return "\n".join(told).lower()

    @property
    def _view(self) -> JobView:
        return view_of(self.found, "", self._codec, self._entries)


Check = Callable[[Facts], bool]


class Matcher:
    """Tells of jobs whether they are meant.

    Args:
        query: the query; what it says of queues is settled before.
        known: what is known now.

    Attributes:
        states: in which of these a job must be; None is any.
        needs_errors: whether it has to be known what a job failed with.
        meaningless: the words that mean no job of this queue.
    """

    def __init__(self, query: Query, known: Known) -> None:
        self.states = states_meant(query.terms)
        begin, end = window_of(query, known.now)
        self._window = (
            0 if begin is None else to_unix_ms(begin),
            None if end is None else to_unix_ms(end),
        )
        self._ids = _exact_ids(query)
        self._checks = [_check(term, known) for term in query.terms if term.name not in _SAID_ELSEWHERE]
        self.needs_errors = any(term.name == "error" for term in query.terms)
        self.meaningless = [str(term) for term in query.terms if term.name in MEANINGLESS]

    @property
    def ids(self) -> Sequence[str] | None:
        """The ids of which a job has one; None where not all are named."""
        return self._ids

    @property
    def asks_only_for_states(self) -> bool:
        """Whether a job's state is all that counts."""
        return not self._checks and self._window == (0, None)

    def may_mean(self, state: JobState) -> bool:
        """Whether a job in this state may be meant."""
        return self.states is None or state in self.states

    def means(self, facts: Facts) -> bool:
        """Whether a job is meant, whatever its state is."""
        begin, end = self._window
        if facts.found.enqueue_ms < begin or (end is not None and facts.found.enqueue_ms >= end):
            return False
        return all(check(facts) for check in self._checks)


def _exact_ids(query: Query) -> Sequence[str] | None:
    for term in query.terms:
        if term.name == "id" and not term.negated and not any(map(has_glob, term.values)):
            return term.values
    return None


def _check(term: Term, known: Known) -> Check:
    if term.name in MEANINGLESS:
        return lambda facts: False
    holds = _holds(term, known)
    return (lambda facts: not holds(facts)) if term.negated else holds


def _holds(term: Term, known: Known) -> Check:
    name, values = term.name, term.values
    if name == TEXT:
        return _text(values)
    if name == "node":
        like = _like([one for value in values for one in known.workers_like(value)])
        return lambda facts: like(_worker(facts))
    if name in ("attempt", "priority"):
        ranges = [range_of(value) for value in values]
        if name == "attempt":
            return lambda facts: any(facts.attempt in one for one in ranges)
        return lambda facts: any((facts.envelope.get("p") or 0) in one for one in ranges)
    if name == "tag":
        wanted = set(values)
        return lambda facts: not wanted.isdisjoint(facts.envelope.get("g") or ())
    if name == "error":
        lowered = [value.lower() for value in values]
        return lambda facts: any(one in facts.errors for one in lowered)
    if name.startswith(("arg.", "meta.")):
        return _inside(name, values, known)
    like, read = _like(values), _READ[name]
    return lambda facts: like(read(facts))


def _text(values: Sequence[str]) -> Check:
    ids = _like([value if has_glob(value) else f"{value}*" for value in values])
    parts = _like([value if has_glob(value) else f"*{value}*" for value in values])
    return lambda facts: ids(facts.found.job_id) or parts(facts.found.function)


def _inside(name: str, values: Sequence[str], known: Known) -> Check:
    path = path_of(name)
    patterns = tuple(nested(path, literal) for value in values for literal in literals_of(value))
    if name.startswith("meta."):
        wanted = JobFilter(meta=patterns)
    else:
        wanted = JobFilter(args=patterns, signatures=known.signatures)
    return lambda facts: bool(facts.envelope) and wanted.matches_job(facts.envelope)


def _like(values: Sequence[str]) -> Callable[[str], bool]:
    plain = {value for value in values if not has_glob(value)}
    globs = [glob_of(value) for value in values if has_glob(value)]
    return lambda text: text in plain or any(glob.fullmatch(text) for glob in globs)


def _worker(facts: Facts) -> str:
    return facts.found.standing.session if facts.found.standing is not None else ""


_READ: dict[str, Callable[[Facts], str]] = {
    "function": lambda facts: facts.found.function,
    "id": lambda facts: facts.found.job_id,
    "worker": _worker,
    "by": lambda facts: facts.envelope.get("by") or "",
    "parent": lambda facts: facts.envelope.get("pa") or "",
}
