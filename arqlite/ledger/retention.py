"""How long rows stay once their jobs have ended, and which of them are over. Pure decisions, no SQL."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, NamedTuple, TypeAlias

from ..errors import ConfigurationError
from ..model.states import LedgerStatus
from ..typing import SecondsTimedelta

Age: TypeAlias = SecondsTimedelta | None
"""Seconds or a timedelta; None is for ever."""
Rule: TypeAlias = Age | Mapping[str, Age]
"""One age for all jobs that it is about, or an age by state: `success`, `failed`, `cancelled`."""

_STATUSES = {
    "success": LedgerStatus.SUCCESS,
    "failed": LedgerStatus.FAILED,
    "cancelled": LedgerStatus.CANCELLED,
}
_OTHERS = ("minutes", "audit", "idempotency")
_SHORTEST = timedelta(minutes=1)
KEY_AGE = timedelta(days=1)
"""From `created_at` of an idempotency key on, so long it belongs to its request, and is not pruned."""


class Sweep(NamedTuple):
    """Jobs that stay for the same time.

    Attributes:
        status: how they ended.
        age: how long they stay after their end.
        functions, queues: only those of these; empty is all.
        other_functions, other_queues: not those of these, which have rules of their own.
    """

    status: LedgerStatus
    age: timedelta
    functions: tuple[str, ...] = ()
    queues: tuple[str, ...] = ()
    other_functions: tuple[str, ...] = ()
    other_queues: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long rows stay. Those of jobs that wait or run always do.

        Ledger(url, keep=Retention(success=timedelta(days=7), functions={"heartbeat": 3600}))

    Ages are seconds or timedeltas, at least a minute; None is for ever. Of the rules for one job that of its
    function comes first, then that of its queue, then that of its state.

    Attributes:
        success, cancelled: after such an end; by default 30 days, enough to look into last month.
        failed: 90 days, since failures are looked into late.
        queues: by name of a queue, an age for all its jobs, or ages by state: `{"mail": {"success": 3600}}`.
            A state that is not named there stays as long as elsewhere.
        functions: by name of a function, in the same way.
        max_rows: how many rows of jobs that have ended may stay at most, whatever the ages say; the oldest
            beyond go, once an hour. None is any number.
        minutes: of the counts per minute, 90 days.
        audit: of what was done by hand, a year.
        idempotency: of the keys of requests, a day. One that still belongs to its request stays in any case.

    Raises:
        ConfigurationError: one of them is none of that.
    """

    success: Age = timedelta(days=30)
    cancelled: Age = timedelta(days=30)
    failed: Age = timedelta(days=90)
    queues: Mapping[str, Rule] = field(default_factory=dict)
    functions: Mapping[str, Rule] = field(default_factory=dict)
    max_rows: int | None = None
    minutes: Age = timedelta(days=90)
    audit: Age = timedelta(days=365)
    idempotency: Age = KEY_AGE

    def __post_init__(self) -> None:
        for name in (*_STATUSES, *_OTHERS):
            _checked(f"Retention.{name}", getattr(self, name))
        for name in ("queues", "functions"):
            _check_rules(f"Retention.{name}", getattr(self, name))
        if self.max_rows is not None and not (_is_number(self.max_rows) and self.max_rows >= 0):
            raise ConfigurationError(
                f"Retention.max_rows must be a number of rows or None, got {self.max_rows!r}"
            )

    def sweeps(self) -> list[Sweep]:
        """All groups of jobs that are ever pruned; no job is in two of them."""
        return [sweep for name, status in _STATUSES.items() for sweep in self._sweeps_of(name, status)]

    def others(self) -> dict[str, timedelta]:
        """The ages of what is no job, by the name of the attribute; without what stays for ever."""
        ages = {name: _checked(name, getattr(self, name)) for name in _OTHERS}
        if ages["minutes"] is not None:
            ages["spreads"] = ages["minutes"]  # (charts show both)
        if ages["idempotency"] is not None:
            ages["idempotency"] = max(ages["idempotency"], KEY_AGE)
        return {name: age for name, age in ages.items() if age is not None}

    def _sweeps_of(self, name: str, status: LedgerStatus) -> Iterator[Sweep]:
        by_function = _ages_for(name, self.functions)
        by_queue = _ages_for(name, self.queues)
        functions, queues = tuple(sorted(by_function)), tuple(sorted(by_queue))
        for age, names in _grouped(by_function):
            yield Sweep(status, age, functions=names)
        for age, names in _grouped(by_queue):
            yield Sweep(status, age, queues=names, other_functions=functions)
        for age, _ in _grouped({"": _checked(name, getattr(self, name))}):
            yield Sweep(status, age, other_functions=functions, other_queues=queues)


def _ages_for(state: str, rules: Mapping[str, Rule]) -> dict[str, timedelta | None]:
    """The ages that rules have for a state, by the name that each is about."""
    found: dict[str, timedelta | None] = {}
    for about, rule in rules.items():
        if not isinstance(rule, Mapping):
            found[about] = _checked(about, rule)
        elif state in rule:
            found[about] = _checked(about, rule[state])
    return found


def _grouped(ages: Mapping[str, timedelta | None]) -> list[tuple[timedelta, tuple[str, ...]]]:
    """Names by age; those that stay for ever are in none."""
    groups: dict[timedelta, list[str]] = {}
    for name, age in sorted(ages.items()):
        if age is not None:
            groups.setdefault(age, []).append(name)
    return [(age, tuple(names)) for age, names in groups.items()]


def _check_rules(what: str, rules: Any) -> None:
    if not isinstance(rules, Mapping):
        raise ConfigurationError(f"{what} must be a dict of ages by name, got {rules!r}")
    for about, rule in rules.items():
        if not isinstance(about, str):
            raise ConfigurationError(f"{what} must be a dict of ages by name, got the name {about!r}")
        if not isinstance(rule, Mapping):
            _checked(f"{what}[{about!r}]", rule)
            continue
        for state, age in rule.items():
            if state not in _STATUSES:
                raise ConfigurationError(
                    f"{what}[{about!r}] has ages for {', '.join(_STATUSES)}, got {state!r}"
                )
            _checked(f"{what}[{about!r}][{state!r}]", age)


def _checked(what: str, age: Any) -> timedelta | None:
    """An age as a timedelta."""
    if age is None:
        return None
    if _is_number(age):
        age = timedelta(seconds=age)
    if not isinstance(age, timedelta):
        raise ConfigurationError(f"{what} must be seconds, a timedelta, or None for ever, got {age!r}")
    if age < _SHORTEST:
        raise ConfigurationError(f"{what} must be at least a minute, or None for ever, got {age!r}")
    return age


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


KEEP_JOBS = Retention(success=None, cancelled=None, failed=None)
"""What holds for a table of jobs of the application's own, unless it says otherwise."""

KEEP_ALL = Retention(success=None, cancelled=None, failed=None, minutes=None, audit=None, idempotency=None)
"""Rules by which nothing is ever over."""
