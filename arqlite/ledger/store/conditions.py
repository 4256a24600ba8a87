"""A filter's conditions, each with the columns that it looks at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import to_json
from sqlalchemy import ColumnElement, Text, and_, cast, func, or_
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from ...model.filters import JobFilter
from ...model.states import LEDGER_STATUS, JobState
from ..filters import LedgerFilter
from .containing import Containing

Columns = ReadOnlyColumnCollection[str, Any]


@dataclass(frozen=True)
class Condition:
    """One condition.

    Attributes:
        name: what a path to the rows answers, if it is by this condition.
        columns: what it looks at.
        says: the condition, of the columns of a table or of a query.
    """

    name: str
    columns: Sequence[str]
    says: Callable[[Columns], ColumnElement[bool]]


def conditions_of(wanted: LedgerFilter, json: Containing[Any]) -> Iterator[Condition]:
    """All conditions of a filter; but when a job was created, which every path answers."""
    for name, column, values in _by_value(wanted):
        if values:
            yield Condition(name, [column], lambda c, column=column, values=values: c[column].in_(values))
    finished_from, finished_to = wanted.finished
    if finished_from is not None:
        yield Condition("finished_from", ["finished_at"], lambda c: c.finished_at >= finished_from)
    if finished_to is not None:
        yield Condition("finished_to", ["finished_at"], lambda c: c.finished_at < finished_to)
    if wanted.error:
        yield Condition("error", ["error_payload"], lambda c: _has_text(c.error_payload, wanted.error))
    for tag in wanted.jobs.tags:
        yield Condition(f"tag {tag}", ["tags"], lambda c, tag=tag: json.contains(c.tags, [tag]))
    for name, patterns in (("kwargs", wanted.jobs.kwargs), ("meta", wanted.jobs.meta)):
        if patterns:
            yield Condition(name, [name], _contains_one_of(json, name, patterns))
    if wanted.jobs.args:
        yield Condition(
            "args", ["function", "args", "kwargs"], lambda c: _has_arguments(c, wanted.jobs, json)
        )


def _by_value(wanted: LedgerFilter) -> Iterator[tuple[str, str, Sequence[Any]]]:
    """The conditions that name the values of a column."""
    yield "ids", "id", wanted.jobs.ids or ()
    yield "statuses", "status", wanted.statuses or ()
    yield "states", "state", () if _statuses_say_it_all(wanted) else sorted(wanted.jobs.states or ())
    yield "functions", "function", sorted(wanted.jobs.functions or ())
    yield "priorities", "priority", sorted(wanted.jobs.priorities or ())
    yield "causes", "cause", wanted.causes
    yield "queues", "queue", wanted.queues
    yield "job_types", "job_type", wanted.job_types
    yield "workers", "worker", wanted.workers
    yield "triggered_by", "triggered_by", wanted.triggered_by
    yield "parents", "parent", wanted.parents
    yield "user_ids", "user_id", wanted.user_ids


def _statuses_say_it_all(wanted: LedgerFilter) -> bool:
    states = {state for state in JobState if LEDGER_STATUS[state] in (wanted.statuses or ())}
    return states == wanted.jobs.states


def _contains_one_of(
    json: Containing[Any], name: str, patterns: Sequence[Any]
) -> Callable[[Columns], ColumnElement[bool]]:
    return lambda c: or_(*(json.contains(c[name], pattern) for pattern in patterns))


def _has_text(column: ColumnElement[Any], part: str) -> ColumnElement[bool]:
    """A text inside of a JSON text, which may have been written with or without escapes."""
    plain = cast(column, Text)
    spellings = {to_json(part).decode()[1:-1], ascii_json(part)}
    return or_(*(func.lower(plain).contains(one.lower(), autoescape=True) for one in sorted(spellings)))


def ascii_json(part: str) -> str:
    """As the standard library writes it."""
    import json

    return json.dumps(part)[1:-1]


def _has_arguments(columns: Columns, wanted: JobFilter, json: Containing[Any]) -> ColumnElement[bool]:
    """One of the patterns: a tuple is all arguments by position, a dict some by name.

    Where the functions themselves were handed in, it is known which argument by position has which name.
    """
    found: list[ColumnElement[bool]] = []
    for pattern in wanted.args:
        if isinstance(pattern, tuple):
            found.append(json.args_are(columns.args, pattern))
            continue
        named = [_has_argument(columns, wanted, json, name, part) for name, part in pattern.items()]
        found += [and_(*named), and_(json.length(columns.args) == 1, json.argument(columns.args, 0, pattern))]
    return or_(*found)


def _has_argument(
    columns: Columns, wanted: JobFilter, json: Containing[Any], name: str, part: Any
) -> ColumnElement[bool]:
    ways = [json.contains(columns.kwargs, {name: part})]
    for function, signature in wanted.signatures.items():
        place = signature.place_of(name)
        if place is not None:
            ways.append(and_(columns.function == function, json.argument(columns.args, place, part)))
    return or_(*ways)
