"""What is done to jobs by hand, and in which states they are meant where nobody says so. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from .query import Query, Term
from .states import JobState
from .terms import has_glob

Verb = Literal["retry", "cancel", "delete"]
"""What is done to jobs by hand."""

MEANT_BY: Mapping[Verb, Sequence[JobState]] = {
    "retry": (JobState.DISCARDED, JobState.CANCELLED, JobState.RETRYABLE),
    "cancel": (
        JobState.AVAILABLE, JobState.SCHEDULED, JobState.RETRYABLE, JobState.SUSPENDED, JobState.EXECUTING,
    ),
    "delete": (
        JobState.AVAILABLE, JobState.SCHEDULED, JobState.RETRYABLE, JobState.SUSPENDED, JobState.COMPLETED,
        JobState.DISCARDED, JobState.CANCELLED,
    ),
}  # fmt: skip
"""The states in which jobs are meant by a verb, where a query says neither a state nor which jobs."""


def narrowed(verb: Verb, query: Query) -> Query:
    """The jobs of a query that a verb is about; the same query where that says so itself.

    It does by a state or a status that jobs are to have, or by naming a group of failures, or jobs by their
    whole ids. That they are not to be in some state says nothing of the others: what went well is not to run
    again by that.
    """
    if not query or _says_which(query):
        return query
    return Query((*query.terms, Term("state", tuple(map(str, MEANT_BY[verb])))))


def is_narrowed(verb: Verb, query: Query) -> bool:
    """Whether a verb means fewer jobs than the query, as it says neither a state nor which jobs."""
    return narrowed(verb, query) is not query


def _says_which(query: Query) -> bool:
    return any(
        term.name in ("state", "status", "group")
        or (term.name == "id" and not any(map(has_glob, term.values)))
        for term in query.terms
        if not term.negated
    )
