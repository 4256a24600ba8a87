"""When two jobs count as the same one, so that only the first is stored."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any, ClassVar, Literal, TypeAlias

from ..errors import ConfigurationError
from ..typing import SecondsTimedelta
from ..utils import to_ms
from . import checks
from .slips import meant, options_in_words
from .states import FINAL_STATES, STATE_GROUPS, JobState, letters_of

OnConflict = Literal["ignore", "replace", "raise"]
UniqueOption: TypeAlias = "Unique | Mapping[str, Any] | bool | None"
"""A rule, True for the default one for ever, False for none, or parts of a rule."""

DEFAULT_PERIOD_S = 60
FIELDS = ("args", "meta", "function", "queue")
REPLACEABLE = ("args", "max_attempts", "meta", "priority", "scheduled_at", "tags")
_WEEK_S = 7 * 86_400
_INSERT_STATES = frozenset({JobState.AVAILABLE, JobState.SCHEDULED, JobState.SUSPENDED})
_GROUPS = {name: states - FINAL_STATES for name, states in STATE_GROUPS.items() if len(states) > 1}
_SHAPE_OF_REPLACE = (
    'a list of options, as ["priority"], or a dict of such lists by state, as {"scheduled": ["priority"]}'
)


@options_in_words({"worker": "fields", "function": "fields", "conflict": "on_conflict", "for": "period"})
@dataclass(frozen=True, kw_only=True)
class Unique:
    """What makes a job the same as an earlier one of its queue.

    The earlier job counts only if it was enqueued as a unique one that compares the same `fields` and `keys`.

    Args:
        period: seconds or a timedelta for which the earlier job counts; `Unique.forever`: as long as it is
            known.
        fields: what must be equal: some of `args`, `meta` and `function` (or Oban's word for it, `worker`).
            Jobs of different queues are never the same, whether `queue` is named or not.
        keys: only these arguments or entries of `meta` are compared, `"user.id"` is the entry `id` of `user`;
            empty compares them all.
        states: in which states the earlier job counts: one, a list of them, or a group: `all`, `incomplete`
            (not ended), `scheduled`, or `successful` (not ended, or completed).
        timestamp: where the period begins: when the earlier job was enqueued (`inserted_at`) or when it is
            or was due (`scheduled_at`).
        replace: what a job that has not ended takes over from the new one, as far as that was told it: some
            of `args`, `max_attempts`, `meta`, `priority`, `scheduled_at` and `tags`, as a list for all states
            or as a dict of lists by state or group of states.
        on_conflict: what happens to the new job: `ignore` it, `replace` parts of the earlier one, or `raise`
            `JobConflict`. By default it is ignored, with `replace` it replaces.

    Raises:
        ConfigurationError: one of them cannot work.

    Attributes:
        forever: the period that lasts as long as the earlier job is known.
    """

    forever: ClassVar[float] = math.inf

    period: SecondsTimedelta = DEFAULT_PERIOD_S
    fields: Sequence[str] = ("args", "queue", "function")
    keys: Sequence[str] = ()
    states: str | Sequence[str] | frozenset[JobState] = "successful"
    timestamp: Literal["inserted_at", "scheduled_at"] = "inserted_at"
    replace: Sequence[str] | Mapping[str, Sequence[str]] = field(default=(), hash=False)
    on_conflict: OnConflict | None = None

    def __post_init__(self) -> None:
        for name, check in _CHECKS.items():
            object.__setattr__(self, name, check(getattr(self, name)))
        compared = set(self.fields)
        if self.keys and not compared & {"args", "meta"}:
            raise ConfigurationError(
                f"keys {list(self.keys)} of Unique are looked up in args or meta, but its fields are"
                f" {list(self.fields)}"
            )
        if self.on_conflict == "replace" and not self.replace:
            raise ConfigurationError('on_conflict="replace" of Unique needs replace: what is replaced')
        if "function" not in compared and any("args" in names for names in self.replaced_in.values()):
            raise ConfigurationError(
                "replace of Unique would give a job the args of another function; name function among its"
                " fields"
            )

    @cached_property
    def action(self) -> OnConflict:
        """What happens to a job that is there already."""
        return self.on_conflict or ("replace" if self.replace else "ignore")

    @cached_property
    def period_ms(self) -> int:
        """The period in ms, -1 for ever."""
        return -1 if self.period == math.inf else max(to_ms(self.period), 1)

    @cached_property
    def letters(self) -> str:
        """The states, as scripts read them."""
        assert isinstance(self.states, frozenset)  # noqa: S101 (made so when it was checked)
        return letters_of(self.states)

    @cached_property
    def replaced_in(self) -> dict[JobState, tuple[str, ...]]:
        """What is replaced, state by state."""
        if isinstance(self.replace, Mapping):
            return {JobState(state): tuple(names) for state, names in self.replace.items()}
        return (
            {state: tuple(self.replace) for state in JobState if not state.is_final} if self.replace else {}
        )


def option(value: Any) -> UniqueOption:
    """Check what stands where a `Unique` may: one, True for ever, False for not at all, or parts of one.

    Raises:
        ConfigurationError: it is something else, or a part that cannot work.
    """
    if value is None or isinstance(value, bool | Unique):
        return value
    if not isinstance(value, Mapping):
        raise ConfigurationError(
            f"unique must be a Unique, a dict of its options, True (for ever) or False, got {value!r}"
        )
    known = ", ".join(_CHECKS)
    if not value:
        raise ConfigurationError(f"unique has no options, {value!r}; say True, or some of {known}")
    for name, given in value.items():
        if name not in _CHECKS:
            hint = meant(str(name), _CHECKS, {})
            raise ConfigurationError(f"unique has no option {name!r}; there are {known}. {hint}".rstrip(". "))
        _CHECKS[name](given)
    return dict(value)


def merged(own: UniqueOption, common: UniqueOption) -> UniqueOption:
    """Add to what is said of one job what is said of all; parts are merged, a whole rule is left whole."""
    if own is None:
        return common
    if not isinstance(own, Mapping) or common is None or common is False:
        return own
    if isinstance(common, Mapping):
        return {**common, **own}
    whole = FOREVER if common is True else common
    return Unique(**{one.name: getattr(whole, one.name) for one in fields(Unique)} | dict(own))


def rule(value: UniqueOption) -> Unique | None:
    """Make the whole rule of what `option` took.

    Raises:
        ConfigurationError: its parts do not go together.
    """
    if isinstance(value, Mapping):
        return Unique(**value)
    return FOREVER if value is True else value or None


def _period(value: Any) -> float:
    period = checks.time_limit("the period of Unique", value)
    if _WEEK_S < period < math.inf:
        warnings.warn(
            f"the period of Unique is {period:.15g} seconds, {period / 86_400:.0f} days; is it meant to be"
            " that long, and in seconds?",
            stacklevel=5,
        )
    return period


def _fields(value: Any) -> tuple[str, ...]:
    names = _names("fields", value)
    if not names:
        raise ConfigurationError("fields of Unique are empty; all jobs of a queue would be the same one")
    for name in names:
        if name not in FIELDS and name != "worker":
            raise ConfigurationError(f"fields of Unique are some of {', '.join(FIELDS)}, got {name!r}")
    named = {"function" if name == "worker" else name for name in names} | {"queue"}
    return tuple(name for name in FIELDS if name in named)


def _keys(value: Any) -> tuple[str, ...]:
    return tuple(sorted(set(_names("keys", value))))


def _states(value: Any) -> frozenset[JobState]:
    groups = ", ".join(STATE_GROUPS)
    if isinstance(value, str):
        if value in STATE_GROUPS:
            return STATE_GROUPS[value]
        if value not in list(JobState):
            raise ConfigurationError(
                f"states of Unique are a group ({groups}) or a list of states, got {value!r}; the states are"
                f" {', '.join(JobState)}"
            )
        value = (value,)
    if not isinstance(value, Sequence | set | frozenset):
        raise ConfigurationError(
            f"states of Unique must be the name of a group ({groups}) or a list of states, got {value!r}"
        )
    states = frozenset(_state("states", name) for name in value)
    if not states:
        raise ConfigurationError("states of Unique are empty; nothing would ever be the same")
    if not states & _INSERT_STATES:
        warnings.warn(
            f"states of Unique are {', '.join(sorted(states))}, none that a job is enqueued in: of jobs that"
            " wait to be run, any number may be equal",
            stacklevel=5,
        )
    return states


def _state(name: str, value: Any) -> JobState:
    try:
        return JobState(value)
    except ValueError:
        known = ", ".join(JobState)
        raise ConfigurationError(
            f"{name} of Unique: there is no state {value!r}; there are {known}"
        ) from None


def _timestamp(value: Any) -> str:
    if value not in ("inserted_at", "scheduled_at"):
        raise ConfigurationError(f"timestamp of Unique must be inserted_at or scheduled_at, got {value!r}")
    return str(value)


def _replace(value: Any) -> tuple[str, ...] | dict[str, tuple[str, ...]]:
    if not isinstance(value, Mapping):
        return _replaced(value)
    by_state: dict[str, tuple[str, ...]] = {}
    # What is said of a state goes before what is said of a group of them.
    for name in sorted(value, key=lambda one: one not in _GROUPS):
        states = _GROUPS.get(name) or {_state("replace", name)}
        if not states.isdisjoint(FINAL_STATES):
            raise ConfigurationError(f"replace of Unique: a job that is {name} has ended and stays as it is")
        by_state |= dict.fromkeys(map(str, states), _replaced(value[name]))
    return by_state


def _replaced(value: Any) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Sequence | set | frozenset):
        raise ConfigurationError(f"replace of Unique must be {_SHAPE_OF_REPLACE}, got {value!r}")
    for name in value:
        if name in ("queue", "function", "worker"):
            raise ConfigurationError(
                f"replace of Unique: a job keeps its {name}; cancel it and enqueue another one"
            )
        if name not in REPLACEABLE:
            raise ConfigurationError(
                f"replace of Unique: some of {', '.join(REPLACEABLE)} can be replaced, got {name!r}"
            )
    return tuple(sorted(set(value)))


def _on_conflict(value: Any) -> OnConflict | None:
    if value not in ("ignore", "replace", "raise", None):
        raise ConfigurationError(f"on_conflict of Unique must be ignore, replace or raise, got {value!r}")
    return value  # type: ignore[no-any-return]


def _names(option_name: str, value: Any) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Sequence | set | frozenset):
        raise ConfigurationError(f"{option_name} of Unique must be a list of names, got {value!r}")
    for name in value:
        checks.instance(f"each of the {option_name} of Unique", name, str, "a text")
    return tuple(value)


_CHECKS = {
    "period": _period,
    "fields": _fields,
    "keys": _keys,
    "states": _states,
    "timestamp": _timestamp,
    "replace": _replace,
    "on_conflict": _on_conflict,
}

FOREVER = Unique(period=Unique.forever)
