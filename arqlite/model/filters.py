"""Which jobs somebody means: conditions, checked once, that every job is held against. No I/O."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeAlias, TypedDict, cast

from pydantic_core import to_jsonable_python
from typing_extensions import Unpack

from ..errors import ConfigurationError
from . import checks
from .arguments import Signature, signature_of
from .calls import LOWEST_PRIORITY
from .functions import Function, func
from .states import STATE_GROUPS, JobState
from .tasks import Task

FunctionLike: TypeAlias = str | Callable[..., Any] | Function[..., Any]


class JobConditions(TypedDict, total=False):
    """What may be said of the jobs that are meant. All that is said must hold; of a list, one of it.

    Attributes:
        state: a state, the name of a group of them ("incomplete", "all", ...), or a list of either.
        function: a function, its name, or a list of either.
        tags: a tag, or a list of tags of which the job has all.
        args: a dict: the job's arguments by name have all of it, at any depth. A tuple: its arguments by
            position are these. Or a list of either. Names that no function meant has are refused if the
            functions themselves are given.
        kwargs: a dict, or a list of them: what was given by name has all of it.
        meta: a dict, or a list of them: what the job carries has all of it.
        priority: 0 to 9, or a list of them.
        ids: an id, or a list of them.
    """

    state: str | JobState | Sequence[str | JobState]
    function: FunctionLike | Sequence[FunctionLike]
    tags: str | Sequence[str]
    args: Mapping[str, Any] | tuple[Any, ...] | Sequence[Mapping[str, Any] | tuple[Any, ...]]
    kwargs: Mapping[str, Any] | Sequence[Mapping[str, Any]]
    meta: Mapping[str, Any] | Sequence[Mapping[str, Any]]
    priority: int | Sequence[int]
    ids: str | Sequence[str]


_FIELDS = tuple(JobConditions.__annotations__)


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Conditions that were checked; made by `JobFilter.of`. None is no condition.

    Attributes:
        states, functions, priorities, ids: one of these.
        tags: all of these.
        args, kwargs, meta: one of these patterns.
        signatures: by their names the functions that were handed in: of their jobs it is known which
            argument by position has which name.
        queues: where the jobs of the functions go, None for the default of whoever asks; empty without any.
    """

    states: frozenset[JobState] | None = None
    functions: frozenset[str] | None = None
    tags: tuple[str, ...] = ()
    args: tuple[Any, ...] = ()
    kwargs: tuple[Any, ...] = ()
    meta: tuple[Any, ...] = ()
    priorities: frozenset[int] | None = None
    ids: tuple[str, ...] | None = None
    signatures: Mapping[str, Signature] = field(default_factory=dict, compare=False)
    queues: frozenset[str | None] = field(default=frozenset(), compare=False)

    @classmethod
    def of(cls, **conditions: Unpack[JobConditions]) -> JobFilter:
        """Check conditions; see `JobConditions`.

        Raises:
            ConfigurationError: one of them is unknown, None or empty, or can hold for no job.
        """
        given = cast("dict[str, Any]", conditions)
        for name, value in given.items():
            if name not in _FIELDS:
                raise ConfigurationError(f"there is no condition {name!r} of jobs; {closest(name, _FIELDS)}")
            _refuse_nothing(name, value)
        parts: dict[str, Any] = {}
        if "state" in given:
            parts["states"] = _states(given["state"])
        if "function" in given:
            parts["functions"], parts["signatures"], parts["queues"] = _functions(given["function"])
        if "tags" in given:
            tags = given["tags"]
            parts["tags"] = checks.tags([tags] if isinstance(tags, str) else tags)
            _refuse_nothing("tags", parts["tags"])
        for name, kinds in (("args", (Mapping, tuple)), ("kwargs", Mapping), ("meta", Mapping)):
            if name in given:
                parts[name] = _patterns(name, given[name], kinds)
        if "priority" in given:
            parts["priorities"] = frozenset(_priority(one) for one in _listed(given["priority"], int))
        if "ids" in given:
            parts["ids"] = tuple(dict.fromkeys(checks.job_id(one) for one in _listed(given["ids"], str)))
        _refuse_unknown_arguments(**parts)
        return cls(**parts)

    @property
    def is_empty(self) -> bool:
        """Whether every job is meant."""
        return self == JobFilter()

    @property
    def asks_only_for_states(self) -> bool:
        """Whether it can be answered without a look at any job."""
        return self == JobFilter(states=self.states)

    @property
    def reads_jobs(self) -> bool:
        """Whether it asks for what is written in a job, and not only for its state and its id."""
        return any((self.functions, self.tags, self.args, self.kwargs, self.meta, self.priorities))

    def matches_state(self, state: JobState) -> bool:
        """Whether a job in this state may be meant."""
        return self.states is None or state in self.states

    def matches_job(self, envelope: Mapping[str, Any]) -> bool:
        """Whether a job may be meant, by what is written in it (see `model.codec`)."""
        if self.functions is not None and envelope["f"] not in self.functions:
            return False
        if self.priorities is not None and (envelope.get("p") or 0) not in self.priorities:
            return False
        if self.tags and not set(self.tags) <= set(envelope.get("g") or ()):
            return False
        if self.meta and not any(contains(envelope.get("m") or {}, one) for one in self.meta):
            return False
        if self.kwargs and not any(contains(envelope.get("k") or {}, one) for one in self.kwargs):
            return False
        return not self.args or self._matches_arguments(envelope)

    def _matches_arguments(self, envelope: Mapping[str, Any]) -> bool:
        args, named = tuple(envelope.get("a") or ()), dict(envelope.get("k") or {})
        signature = self.signatures.get(envelope["f"])
        if signature is not None:
            with contextlib.suppress(TypeError):  # it was enqueued by name, as no call of the function
                named = signature.by_name(args, named)
        for pattern in self.args:
            if isinstance(pattern, tuple):
                if len(args) == len(pattern) and all(map(contains, args, pattern)):
                    return True
            elif contains(named, pattern) or (len(args) == 1 and contains(args[0], pattern)):
                return True
        return False


def contains(value: Any, pattern: Any) -> bool:
    """Whether a value has all of a pattern: a dict its entries, a list for each item one that has it.

    What JSON has no word for is also compared as it was written: a datetime as its text.
    """
    if isinstance(pattern, Mapping):
        return isinstance(value, Mapping) and all(
            key in value and contains(value[key], part) for key, part in pattern.items()
        )
    if isinstance(pattern, list | tuple):
        return isinstance(value, list | tuple) and all(
            any(contains(item, part) for item in value) for part in pattern
        )
    if isinstance(value, bool) or isinstance(pattern, bool):
        return value is pattern
    return bool(value == pattern) or value == _written(pattern)


def closest(name: str, known: Sequence[str]) -> str:
    """Say which name may have been meant, and which there are."""
    near = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{hint}there are {', '.join(known)}"


def _written(pattern: Any) -> Any:
    if isinstance(pattern, str | int | float) or pattern is None:
        return pattern
    return to_jsonable_python(pattern, fallback=lambda unknown: unknown)


def _refuse_nothing(name: str, value: Any) -> None:
    if value is None:
        raise ConfigurationError(
            f"{name} must not be None, lest a slip mean all jobs: leave it out if it does not matter"
        )
    if isinstance(value, str | list | tuple | Mapping | set | frozenset) and not value:
        raise ConfigurationError(
            f"{name} must not be empty: leave it out if it does not matter, got {value!r}"
        )


def _listed(value: Any, kind: type) -> list[Any]:
    """Take one as a list of one."""
    if isinstance(value, kind) or not isinstance(value, Iterable):
        return [value]
    return list(value)


def _priority(value: Any) -> int:
    if checks.count("priority", value, 0) > LOWEST_PRIORITY:
        raise ConfigurationError(f"priority must be 0 to {LOWEST_PRIORITY}, got {value!r}")
    return cast("int", value)


def _states(value: Any) -> frozenset[JobState]:
    states: set[JobState] = set()
    for one in _listed(value, str):
        if one in STATE_GROUPS:
            states |= STATE_GROUPS[one]
            continue
        try:
            states.add(JobState(one))
        except ValueError:
            known = list(dict.fromkeys([*map(str, JobState), *STATE_GROUPS]))
            raise ConfigurationError(f"there is no state {one!r}; {closest(str(one), known)}") from None
    return frozenset(states)


def _functions(value: Any) -> tuple[frozenset[str], dict[str, Signature], frozenset[str | None]]:
    names: set[str] = set()
    queues: set[str | None] = set()
    signatures: dict[str, Signature] = {}
    for one in [value] if callable(value) else _listed(value, str | Function):  # type: ignore[arg-type]
        if isinstance(one, str):
            names.add(one)
            queues.add(None)
            continue
        if not isinstance(one, Function) and not callable(one):
            raise ConfigurationError(f"function must be a function or its name, got {one!r}")
        function = one if isinstance(one, Function) else func(one)
        names.add(function.name)
        queues.add(function.queue if isinstance(function, Task) else None)
        signatures[function.name] = signature_of(function.coroutine)
    return frozenset(names), signatures, frozenset(queues)


def _refuse_unknown_arguments(
    functions: frozenset[str] = frozenset(),
    signatures: Mapping[str, Signature] = MappingProxyType({}),
    args: tuple[Any, ...] = (),
    kwargs: tuple[Any, ...] = (),
    **_: Any,
) -> None:
    """Where all functions are at hand, their arguments are known: a slip must not mean no job."""
    if not functions or len(signatures) < len(functions):
        return
    may_be_inside = any(one.may_take_one_dict() for one in signatures.values())
    for pattern in (*(() if may_be_inside else args), *kwargs):
        for name in pattern if isinstance(pattern, Mapping) else ():
            if not any(one.can_have(name) for one in signatures.values()):
                raise no_argument(name, signatures)


def no_argument(name: Any, signatures: Mapping[str, Signature]) -> ConfigurationError:
    """Say that none of these functions has an argument of this name, and which may have been meant."""
    known = list(dict.fromkeys(one for signature in signatures.values() for one in signature.names))
    there = closest(str(name), known) if known else "there are none"
    return ConfigurationError(f"{', '.join(sorted(signatures))} has no argument {name!r}; {there}")


def _patterns(name: str, value: Any, kinds: type | tuple[type, ...]) -> tuple[Any, ...]:
    patterns = [value] if isinstance(value, Mapping | tuple) else _listed(value, str)
    for one in patterns:
        if not isinstance(one, kinds):
            wanted = "a dict, a tuple" if name == "args" else "a dict"
            raise ConfigurationError(f"{name} must be {wanted}, or a list of them, got {one!r}")
        _refuse_nothing(f"a pattern in {name}", one)
    return tuple(patterns)
