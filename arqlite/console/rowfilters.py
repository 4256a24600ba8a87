"""A query as what a ledger is asked. Pure functions; needs the extra `ledger`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from ..ledger import LedgerFilter
from ..ledger.filters import AnyOf, Between, Like
from ..model.query import TEXT, Query, Term
from ..model.states import MAY_HAVE_COME_DUE, JobState
from ..model.terms import INSIDE, glob_of, has_glob, literals_of, nested, path_of, range_of
from .knowledge import Known, states_meant, window_of

_COLUMNS = {
    "function": "function", "worker": "worker", "by": "triggered_by", "parent": "parent", "id": "id",
    "cause": "cause",
}  # fmt: skip
_CONDITIONS = {**{name: name for name in _COLUMNS}, "by": "triggered_by", "id": "ids"}
_SAID_ELSEWHERE = ("state", "status", "queue", "since", "until")
_NOTHING: dict[str, Any] = {}
# So many functions lead to rows by their index; more are compared with each row.
_MOST_FUNCTIONS = 50


def to_ledger_filter(query: Query, known: Known, queues: Sequence[str] = ()) -> LedgerFilter | None:
    """The rows that a query means; None where there can be none.

    What an index answers is said as a condition of the ledger; all else is looked at row by row, see
    `Ledger.jobs`.

    Args:
        query: the query; what it says of queues is said by `queues`.
        known: what is known now.
        queues: the names of the queues; empty is all.

    Raises:
        ConfigurationError: a value can be that of no job.
    """
    begin, end = window_of(query, known.now)
    states = states_meant(query.terms)
    if states == frozenset() or (begin is not None and end is not None and begin >= end):
        return None
    by_row, apart = _states_of_rows(states, known.now)
    said: dict[str, Any] = {} if by_row is None else {"state": sorted(by_row)}
    said |= {name: at for name, at in (("created_from", begin), ("created_to", end)) if at is not None}
    if queues:
        said["queue"] = list(queues)
    for term in query.terms:
        if term.name in _SAID_ELSEWHERE:
            continue
        condition = None if term.negated else _condition(term, known)
        if condition is _NOTHING:
            return None
        if condition is None or (condition.keys() & said.keys() and "tags" not in condition):
            apart.append(AnyOf(tuple(_filters(term, known)), term.negated))
        elif "tags" in condition:
            said["tags"] = [*said.get("tags", ()), *condition["tags"]]
        else:
            said |= condition
    return dataclasses.replace(_with_signatures(LedgerFilter.of(**said), known), any_of=tuple(apart))


def _states_of_rows(
    states: frozenset[JobState] | None, now: datetime
) -> tuple[frozenset[JobState] | None, list[AnyOf]]:
    """The states that rows of jobs in these states have, and what is to be asked of them beside.

    Nobody tells a ledger that a job has come due: it is available then, and its row says what it was before.
    """
    if states is None:
        return None, []
    has_come_due = (Between("scheduled_at", ((None, now),)),)
    waiting = states & MAY_HAVE_COME_DUE
    if JobState.AVAILABLE not in states:
        if not waiting:
            return states, []
        due = dataclasses.replace(LedgerFilter.of(state=sorted(waiting)), between=has_come_due)
        return states, [AnyOf((due,), is_negated=True)]
    others = MAY_HAVE_COME_DUE - states
    if not others:
        return states, []
    due = dataclasses.replace(LedgerFilter.of(state=sorted(others)), between=has_come_due)
    return states | others, [AnyOf((LedgerFilter.of(state=sorted(states)), due))]


def _condition(term: Term, known: Known) -> Mapping[str, Any] | None:
    """A term as a condition of the ledger; None if it cannot be said so, `_NOTHING` if it means no row."""
    name, values = term.name, list(term.values)
    if name == TEXT:
        return _text(values, known)
    if name == "function" and any(map(has_glob, values)):
        return _functions(values, known)
    if (
        name == "id"
        and len(values) == 1
        and has_glob(values[0])
        and values[0].find("*") == len(values[0]) - 1
    ):
        return {"id_prefix": values[0][:-1]} if len(values[0]) > 1 else None
    if name in _CONDITIONS:
        return None if any(map(has_glob, values)) else {_CONDITIONS[name]: values}
    if name in ("tag", "error"):
        return (
            {"tags" if name == "tag" else name: values if name == "tag" else values[0]}
            if len(values) == 1
            else None
        )
    if name.startswith(INSIDE):
        return {"args" if name.startswith("arg.") else "meta": _patterns(term)}
    return None


def _functions(values: Sequence[str], known: Known) -> Mapping[str, Any] | None:
    """All functions that are like one of these, where it is known which there are."""
    if known.functions is None:
        return None
    globs = [glob_of(value) for value in values]
    found = [name for name in known.functions if any(glob.fullmatch(name) for glob in globs)]
    if not found:
        return _NOTHING
    return {"function": found} if len(found) <= _MOST_FUNCTIONS else None


def _text(values: Sequence[str], known: Known) -> Mapping[str, Any] | None:
    """The beginning of an id or a part of a function's name, where a look told that it is but one of them."""
    if len(values) != 1 or has_glob(values[0]) or values[0] not in known.prefixes:
        return None
    functions = _functions([f"*{values[0]}*"], known)
    if not known.prefixes[values[0]]:
        return functions
    return {"id_prefix": values[0]} if functions is _NOTHING else None


def _filters(term: Term, known: Known) -> list[LedgerFilter]:
    """Filters of which one holds where the term does."""
    name, values = term.name, list(term.values)
    if name == TEXT:
        ids = tuple(value if has_glob(value) else f"{value}*" for value in values)
        parts = tuple(value if has_glob(value) else f"*{value}*" for value in values)
        return [LedgerFilter(likes=(Like("id", ids),)), LedgerFilter(likes=(Like("function", parts),))]
    if name == "node":
        likes = tuple(one for value in values for one in known.workers_like(value))
        return [LedgerFilter(likes=(Like("worker", likes),))]
    if name in ("attempt", "priority"):
        return [LedgerFilter(between=(Between(name, tuple(map(range_of, values))),))]
    if name == "tag":
        return [LedgerFilter.of(tags=value) for value in values]
    if name == "error":
        return [LedgerFilter.of(error=value) for value in values]
    if name.startswith("arg."):
        return [_with_signatures(LedgerFilter.of(args=_patterns(term)), known)]
    if name.startswith("meta."):
        return [LedgerFilter.of(meta=_patterns(term))]
    plain = [value for value in values if not has_glob(value)]
    globs = tuple(value for value in values if has_glob(value))
    exact = [LedgerFilter.of(**{_CONDITIONS[name]: plain})] if plain else []  # type: ignore[arg-type]  # (by name)
    return [*exact, *([LedgerFilter(likes=(Like(_COLUMNS[name], globs),))] if globs else [])]


def _patterns(term: Term) -> list[dict[str, Any]]:
    path = path_of(term.name)
    return [nested(path, literal) for value in term.values for literal in literals_of(value)]


def _with_signatures(wanted: LedgerFilter, known: Known) -> LedgerFilter:
    if not wanted.jobs.args or not known.signatures:
        return wanted
    return dataclasses.replace(wanted, jobs=dataclasses.replace(wanted.jobs, signatures=known.signatures))
