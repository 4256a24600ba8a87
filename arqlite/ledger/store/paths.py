"""The ways to the rows that a filter means: which index leads to them, and what it leaves to be looked at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Table, TextClause
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from ...model.states import JobState, LedgerStatus
from ..filters import LedgerFilter
from ..indexes import ASKED_FOR, HAS_A_TYPE, TAG_LENGTH, TAG_PLACES, WAITS_APART, has_tag_indexes, tag_at
from .containing import CONTAINING, Containing

Columns = ReadOnlyColumnCollection[str, Any]
Condition = ColumnElement[bool] | TextClause

MOST_BRANCHES = 50
_LAST = "\U0010ffff"
_WAITING_APART = frozenset({JobState.SUSPENDED, JobState.SCHEDULED, JobState.RETRYABLE})
_NOT_ASKED_FOR = frozenset({"system", "queue"})


@dataclass(frozen=True)
class Path:
    """One index, asked once for each of some values.

    An index is only used where its condition is said word for word: a parameter proves nothing to a database
    that makes its plan before it knows the value.

    Attributes:
        answers: the conditions of the filter that need no further look.
        branches: what is asked, each time. No row is in two of them.
        is_by_id: whether the rows come in the order of their ids, and not the newest first.
    """

    answers: frozenset[str]
    branches: Sequence[Sequence[Condition]]
    is_by_id: bool = False


def paths_of(wanted: LedgerFilter, table: Table, dialect: str) -> list[Path]:
    """All that lead to the rows, the one that most likely leads to the fewest first."""
    columns = table.c
    if wanted.jobs.ids is not None:
        return [Path(frozenset({"ids"}), [[columns.id.in_(wanted.jobs.ids)]])]
    if prefix := wanted.id_prefix:
        return [Path(frozenset(), [[columns.id >= prefix, columns.id < prefix + _LAST]], is_by_id=True)]
    paths = [path for path in _paths_by_value(wanted, columns) if len(path.branches) <= MOST_BRANCHES]
    if dialect == "postgresql" and has_tag_indexes(table):
        paths += [_by_tag(tag, columns, CONTAINING[dialect]) for tag in wanted.jobs.tags]
    if paths and (wanted.statuses is None or any("statuses" in path.answers for path in paths)):
        return paths
    by_status = [[columns.status == one] for one in wanted.statuses or LedgerStatus]
    return [*paths, Path(frozenset({"statuses"}), by_status)]


def _paths_by_value(wanted: LedgerFilter, columns: Columns) -> Iterator[Path]:
    """By the conditions that name the values of a column which has an index."""

    def one_of(answers: str, name: str, values: Iterable[Any], *said: Condition) -> Path:
        return Path(frozenset(answers.split()), [[columns[name] == value, *said] for value in values])

    if wanted.parents:
        yield one_of("parents", "parent", wanted.parents, columns.parent.is_not(None))
    if wanted.user_ids:
        yield one_of("user_ids", "user_id", wanted.user_ids, columns.user_id.is_not(None))
    if wanted.triggered_by and not _NOT_ASKED_FOR & set(wanted.triggered_by):
        yield one_of("triggered_by", "triggered_by", wanted.triggered_by, ASKED_FOR)
    if wanted.causes:
        yield one_of("causes", "cause", wanted.causes, columns.cause.is_not(None))
    if wanted.jobs.states is not None and wanted.jobs.states <= _WAITING_APART:
        yield one_of("states statuses", "state", sorted(wanted.jobs.states), WAITS_APART)
    if wanted.job_types:
        yield _by_type(wanted.job_types, columns)
    if wanted.jobs.functions:
        yield one_of("functions", "function", sorted(wanted.jobs.functions))
    if wanted.queues:
        yield one_of("queues", "queue", wanted.queues)


def _by_tag(tag: str, columns: Columns, json: Containing[Any]) -> Path:
    """A tag is in one place only; of jobs with more tags than there are places, it may be in a later one."""
    places = [tag_at(columns.tags, place) for place in range(TAG_PLACES + 1)]
    shown = tag[:TAG_LENGTH]
    branches: list[list[Condition]] = [[place == shown, place.is_not(None)] for place in places[:TAG_PLACES]]
    elsewhere = [place.is_distinct_from(shown) for place in places[:TAG_PLACES]]
    branches.append([places[TAG_PLACES].is_not(None), *elsewhere, json.contains(columns.tags, [tag])])
    return Path(frozenset({f"tag {tag}"} if len(tag) < TAG_LENGTH else ()), branches)


def _by_type(types: Sequence[str], columns: Columns) -> Path:
    """By default a job's type is its function, and rows for which it is are found by that."""
    by_function = [[columns.function == one, columns.job_type == one] for one in types]
    return Path(
        frozenset({"job_types"}), [*by_function, *([columns.job_type == one, HAS_A_TYPE] for one in types)]
    )
