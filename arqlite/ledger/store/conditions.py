"""A filter's conditions, each with the columns that it looks at."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import to_json
from sqlalchemy import ColumnElement, Text, and_, cast, false, func, not_, or_, true
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from ...model.filters import JobFilter
from ...model.states import LEDGER_STATUS, JobState
from ..filters import AnyOf, Between, LedgerFilter, Like
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


def conditions_of(wanted: LedgerFilter, words: Containing[Any]) -> Iterator[Condition]:
    """All conditions of a filter; but when a job was created, which every path answers."""
    for name, column, values in _by_value(wanted):
        if values:
            yield Condition(name, [column], _is_one_of(column, values))
    finished_from, finished_to = wanted.finished
    if finished_from is not None:
        yield Condition("finished_from", ["finished_at"], lambda c: c.finished_at >= finished_from)
    if finished_to is not None:
        yield Condition("finished_to", ["finished_at"], lambda c: c.finished_at < finished_to)
    if wanted.error:
        yield Condition("error", ["error_payload"], lambda c: _has_text(c.error_payload, wanted.error))
    for tag in wanted.jobs.tags:
        yield Condition(f"tag {tag}", ["tags"], _contains_one_of("tags", [[tag]], words))
    for name, patterns in (("kwargs", wanted.jobs.kwargs), ("meta", wanted.jobs.meta)):
        if patterns:
            yield Condition(name, [name], _contains_one_of(name, patterns, words))
    if wanted.jobs.args:
        columns = ["function", "args", "kwargs"]
        yield Condition("args", columns, lambda c: _has_arguments(c, wanted.jobs, words))
    yield from _by_comparison(wanted)
    for place, one in enumerate(wanted.any_of):
        yield _any_of(f"any of {place}", one, words)


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


def _by_comparison(wanted: LedgerFilter) -> Iterator[Condition]:
    """The conditions that a column is like something, or between numbers."""
    for like in wanted.likes:
        yield Condition(f"{like.column} like", [like.column], _is_like(like))
    for between in wanted.between:
        yield Condition(f"{between.column} between", [between.column], _is_between(between))


def _is_like(like: Like) -> Callable[[Columns], ColumnElement[bool]]:
    patterns = ["%".join(map(_escaped, one.lower().split("*"))) for one in like.patterns]
    return lambda c: or_(*(func.lower(c[like.column]).like(one, escape="\\") for one in patterns))


def _escaped(part: str) -> str:
    return part.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _is_between(between: Between) -> Callable[[Columns], ColumnElement[bool]]:
    def says(columns: Columns) -> ColumnElement[bool]:
        column = columns[between.column]
        return or_(
            *(
                and_(
                    *([column >= low] if low is not None else []),
                    *([column <= high] if high is not None else []),
                )
                for low, high in between.ranges
            )
        )

    return says


def _any_of(name: str, wanted: AnyOf, words: Containing[Any]) -> Condition:
    """One of several filters or none of them. What cannot be told of a row, for a column is empty, is no."""
    parts = [list(conditions_of(one, words)) for one in wanted.filters]
    columns = dict.fromkeys(column for part in parts for one in part for column in one.columns)

    def says(c: Columns) -> ColumnElement[bool]:
        holds = or_(false(), *(and_(true(), *(one.says(c) for one in part)) for part in parts))
        return not_(func.coalesce(holds, false())) if wanted.is_negated else holds

    return Condition(name, list(columns), says)


def _statuses_say_it_all(wanted: LedgerFilter) -> bool:
    states = {state for state in JobState if LEDGER_STATUS[state] in (wanted.statuses or ())}
    return states == set(wanted.jobs.states or ())


def _is_one_of(column: str, values: Sequence[Any]) -> Callable[[Columns], ColumnElement[bool]]:
    return lambda c: c[column].in_(values)


def _contains_one_of(
    column: str, patterns: Sequence[Any], words: Containing[Any]
) -> Callable[[Columns], ColumnElement[bool]]:
    return lambda c: or_(*(words.contains(c[column], pattern) for pattern in patterns))


def _has_text(column: ColumnElement[Any], part: str) -> ColumnElement[bool]:
    """A text inside of a JSON text, which may have been written with or without escapes."""
    plain = cast(column, Text)
    spellings = {to_json(part).decode()[1:-1], json.dumps(part)[1:-1]}
    return or_(*(func.lower(plain).contains(one.lower(), autoescape=True) for one in sorted(spellings)))


def _has_arguments(columns: Columns, wanted: JobFilter, words: Containing[Any]) -> ColumnElement[bool]:
    """One of the patterns: a tuple is all arguments by position, a dict some by name.

    Where the functions themselves were handed in, it is known which argument by position has which name.
    """
    found: list[ColumnElement[bool]] = []
    for pattern in wanted.args:
        if isinstance(pattern, tuple):
            found.append(words.args_are(columns.args, pattern))
            continue
        named = [_has_argument(columns, wanted, words, name, part) for name, part in pattern.items()]
        found += [
            and_(*named),
            and_(words.length(columns.args) == 1, words.argument(columns.args, 0, pattern)),
        ]
    return or_(*found)


def _has_argument(
    columns: Columns, wanted: JobFilter, words: Containing[Any], name: str, part: Any
) -> ColumnElement[bool]:
    ways = [words.contains(columns.kwargs, {name: part})]
    for function, signature in wanted.signatures.items():
        place = signature.place_of(name)
        if place is not None:
            ways.append(and_(columns.function == function, words.argument(columns.args, place, part)))
    return or_(*ways)
