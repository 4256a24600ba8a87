"""Which rows somebody means: conditions, checked once. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar, cast

from typing_extensions import Unpack

from ..errors import ConfigurationError
from ..model.filters import JobConditions, JobFilter, closest
from ..model.states import LEDGER_STATUS, Cause, LedgerStatus

MOST_VALUES = 500
"""So many values may one condition name."""

ValueT = TypeVar("ValueT")


class LedgerConditions(JobConditions, total=False):
    """What may be said of the rows that are meant: all that `JobConditions` has, and what only the ledger
    knows. All that is said must hold; of a list, one of it.

    Attributes:
        status: a status, or a list of them.
        cause: why it is FAILED or CANCELLED, or waits again; or a list of causes.
        queue, job_type, worker, triggered_by, parent: as the row has it, or a list.
        user_id: a number, or a list.
        id_prefix: what the id begins with. Such rows come in the order of their ids.
        error: a part of the error's type, message or traceback, in upper or lower case.
        created_from, created_to, finished_from, finished_to: aware times; the later one is no longer meant.
    """

    status: str | LedgerStatus | Sequence[str | LedgerStatus]
    cause: str | Cause | Sequence[str | Cause]
    queue: str | Sequence[str]
    job_type: str | Sequence[str]
    worker: str | Sequence[str]
    triggered_by: str | Sequence[str]
    parent: str | Sequence[str]
    user_id: int | Sequence[int]
    id_prefix: str
    error: str
    created_from: datetime
    created_to: datetime
    finished_from: datetime
    finished_to: datetime


_FIELDS = tuple(LedgerConditions.__annotations__)
_OF_JOBS = frozenset(JobConditions.__annotations__)


@dataclass(frozen=True, slots=True)
class Like:
    """A column is like one of these: a `*` stands for anything, in upper or lower case."""

    column: str
    patterns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Between:
    """A column's value is within one of these, from and to, both included; None is without end."""

    column: str
    ranges: tuple[tuple[int | datetime | None, int | datetime | None], ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One of some filters holds or, negated, none of them does. No path leads to it: rows are looked at."""

    filters: tuple[LedgerFilter, ...]
    is_negated: bool = False


@dataclass(frozen=True, slots=True)
class LedgerFilter:
    """Conditions that were checked; made by `LedgerFilter.of`. None and empty are no condition.

    Attributes:
        jobs: the conditions that can be asked of jobs everywhere.
        statuses: these, in the order of `LedgerStatus`; those that the states of `jobs` can have.
        causes, queues, job_types, workers, triggered_by, parents, user_ids: one of these.
        id_prefix, error: see `LedgerConditions`.
        created, finished: from and to.
        likes, between, any_of: what no condition of `LedgerConditions` can say; all of these hold.
    """

    jobs: JobFilter = field(default_factory=JobFilter)
    statuses: tuple[LedgerStatus, ...] | None = None
    causes: tuple[Cause, ...] = ()
    queues: tuple[str, ...] = ()
    job_types: tuple[str, ...] = ()
    workers: tuple[str, ...] = ()
    triggered_by: tuple[str, ...] = ()
    parents: tuple[str, ...] = ()
    user_ids: tuple[int, ...] = ()
    id_prefix: str = ""
    error: str = ""
    created: tuple[datetime | None, datetime | None] = (None, None)
    finished: tuple[datetime | None, datetime | None] = (None, None)
    likes: tuple[Like, ...] = ()
    between: tuple[Between, ...] = ()
    any_of: tuple[AnyOf, ...] = ()

    @property
    def is_looked_for(self) -> bool:
        """Whether it asks for something that no index has, and of which no database has statistics."""
        jobs = self.jobs
        return any((self.any_of, self.error, self.workers, jobs.tags, jobs.args, jobs.kwargs, jobs.meta))

    @classmethod
    def of(
        cls, made: LedgerFilter | JobFilter | None = None, /, **conditions: Unpack[LedgerConditions]
    ) -> LedgerFilter:
        """Check conditions, or take a filter that was made before.

        Raises:
            ConfigurationError: a condition is unknown, None or empty, or can hold for no row.
        """
        given = cast("dict[str, Any]", conditions)
        if made is not None:
            if given:
                raise ConfigurationError(f"give a filter, or conditions, not both, got {', '.join(given)}")
            if isinstance(made, LedgerFilter):
                return made
            return cls(jobs=_checked(made), statuses=_statuses_of(made, None))
        for name, value in given.items():
            if name not in _FIELDS:
                raise ConfigurationError(f"there is no condition {name!r} of rows; {closest(name, _FIELDS)}")
            if value is None or (not isinstance(value, int | datetime) and not value):
                raise ConfigurationError(
                    f"{name} must not be empty: leave it out if it does not matter, got {value!r}"
                )
        jobs = JobFilter.of(
            **cast("JobConditions", {name: given[name] for name in given if name in _OF_JOBS})
        )
        return cls(
            jobs=_checked(jobs),
            statuses=_statuses_of(jobs, _listed(given, "status", _member_of(LedgerStatus)) or None),
            causes=_listed(given, "cause", _member_of(Cause)),
            queues=_listed(given, "queue", text),
            job_types=_listed(given, "job_type", text),
            workers=_listed(given, "worker", text),
            triggered_by=_listed(given, "triggered_by", text),
            parents=_listed(given, "parent", text),
            user_ids=_listed(given, "user_id", _number),
            id_prefix=text("id_prefix", given.get("id_prefix", "")),
            error=text("error", given.get("error", "")),
            created=_window(given, "created"),
            finished=_window(given, "finished"),
        )


def text(name: str, value: Any) -> str:
    """A text, if a database can look for it.

    Raises:
        ConfigurationError: it is no text, or has a U+0000, which PostgreSQL takes in no parameter.
    """
    if not isinstance(value, str) or "\0" in value or not _can_be_written(value):
        raise ConfigurationError(
            f"{name} must be a text without U+0000 and halves of characters, got {value!r}"
        )
    return value


def aware(name: str, value: Any) -> datetime:
    """A time that everybody understands alike.

    Raises:
        ConfigurationError: it is no datetime, or has no time zone.
    """
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise ConfigurationError(f"{name} must be a datetime with a time zone, got {value!r}")
    return value


def _can_be_written(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _listed(given: Mapping[str, Any], name: str, check: Callable[[str, Any], ValueT]) -> tuple[ValueT, ...]:
    if name not in given:
        return ()
    value = given[name]
    values = (
        [value]
        if isinstance(value, str | int) or not isinstance(value, Sequence | set | frozenset)
        else value
    )
    if len(values) > MOST_VALUES:
        raise ConfigurationError(f"{name} may name {MOST_VALUES} values at most, got {len(values)}")
    return tuple(dict.fromkeys(check(name, one) for one in values))


def _member_of(kind: Callable[[Any], ValueT]) -> Callable[[str, Any], ValueT]:
    def check(name: str, value: Any) -> ValueT:
        try:
            return kind(value)
        except ValueError:
            known = [str(one) for one in kind]  # type: ignore[attr-defined]  # (an enum)
            raise ConfigurationError(f"there is no {name} {value!r}; {closest(str(value), known)}") from None

    return check


def _number(name: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not -(2**63) <= value < 2**63:
        raise ConfigurationError(f"{name} must be a whole number of 64 bits, got {value!r}")
    return value


def _window(given: Mapping[str, Any], name: str) -> tuple[datetime | None, datetime | None]:
    ends = tuple(aware(end, given[end]) if end in given else None for end in (f"{name}_from", f"{name}_to"))
    begin, end = ends
    if begin is not None and end is not None and begin >= end:
        raise ConfigurationError(f"{name}_from must be before {name}_to, got {begin} and {end}")
    return begin, end


def _checked(jobs: JobFilter) -> JobFilter:
    """What may be asked of a queue and not of a database."""
    for name, values in (("ids", jobs.ids), ("function", jobs.functions), ("tags", jobs.tags)):
        if len(values or ()) > MOST_VALUES:
            raise ConfigurationError(f"{name} may name {MOST_VALUES} values at most, got {len(values or ())}")
        for value in values or ():
            text(name, value)
    for name, patterns in (("args", jobs.args), ("kwargs", jobs.kwargs), ("meta", jobs.meta)):
        for pattern in patterns:
            _refuse_halves(name, pattern)
    return jobs


def _refuse_halves(name: str, pattern: Any) -> None:
    """Halves of characters no database can be asked for, wherever they are inside of a pattern."""
    if isinstance(pattern, Mapping):
        for key, part in pattern.items():
            _refuse_halves(name, key)
            _refuse_halves(name, part)
    elif isinstance(pattern, list | tuple):
        for part in pattern:
            _refuse_halves(name, part)
    elif isinstance(pattern, str) and not _can_be_written(pattern):
        raise ConfigurationError(f"{name} must have texts without halves of characters, got {pattern!r}")


def _statuses_of(
    jobs: JobFilter, statuses: tuple[LedgerStatus, ...] | None
) -> tuple[LedgerStatus, ...] | None:
    """The statuses that are meant, by their names and by the states of the jobs."""
    if jobs.states is None and statuses is None:
        return None
    of_states = {LEDGER_STATUS[state] for state in jobs.states or LEDGER_STATUS}
    meant = tuple(one for one in LedgerStatus if one in of_states and (statuses is None or one in statuses))
    if not meant:
        raise ConfigurationError(
            f"no job has the status {', '.join(statuses or ())} and the state {', '.join(jobs.states or ())}"
        )
    return meant
