"""How many jobs of a queue may run at once, and how many may start in a while, over all its workers."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from pydantic_core import from_json, to_json

from ..errors import ConfigurationError
from ..typing import SecondsTimedelta
from . import checks

PartitionBy: TypeAlias = str | Sequence[str]
"""What tells jobs apart that have a limit each: a field such as `args.tenant_id`, or several of them."""

_FIELD = re.compile(r"^(?:function|(?:args|meta)(?:\.[^.\s]+)*)$")
_LONGEST_LANE = 200
_MOST = 1_000_000_000
_LONGEST_PERIOD_S = 400 * 86_400
NO_LIMIT = "-"


@dataclass(frozen=True)
class GlobalLimit:
    """How many jobs of a queue run at once, over all its workers.

    Args:
        allowed: so many; at least 1.
        partition_by: what tells jobs apart that have this limit each: `args.tenant_id`, `meta.region`, with
            more dots to reach deeper, `function`, or a list of these. None: all jobs share it.

    Raises:
        ConfigurationError: one of them cannot work.
    """

    allowed: int
    partition_by: PartitionBy | None = None

    def __post_init__(self) -> None:
        _count("global_limit", self.allowed)
        object.__setattr__(self, "partition_by", _fields("global_limit", self.partition_by))

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of `partition_by`, in order."""
        return tuple(self.partition_by or ())

    def encode(self) -> str:
        """Write it as the queue keeps it."""
        return f"{self.allowed} {_written(self.fields)}".rstrip()

    @property
    def words(self) -> str:
        """What it says, for people: `2, by args.tenant`."""
        return f"{self.allowed}{_by(self.fields)}"


@dataclass(frozen=True)
class RateLimit:
    """How many jobs of a queue start within any span of time, over all its workers.

    A start counts from its claim until `period` after it has begun; no window of that length, wherever it
    is laid, holds more than `allowed` starts.

    Args:
        allowed: so many; at least 1.
        period: seconds or a timedelta; at least a millisecond, at most 400 days.
        partition_by: see `GlobalLimit`.

    Raises:
        ConfigurationError: one of them cannot work.
    """

    allowed: int
    period: SecondsTimedelta
    partition_by: PartitionBy | None = None

    def __post_init__(self) -> None:
        _count("rate_limit", self.allowed)
        period = checks.seconds("the period of rate_limit", self.period, 0.001)
        if period > _LONGEST_PERIOD_S:
            raise ConfigurationError(
                f"the period of rate_limit must be at most 400 days, got {self.period!r}"
            )
        object.__setattr__(self, "period", period)
        object.__setattr__(self, "partition_by", _fields("rate_limit", self.partition_by))

    @property
    def period_ms(self) -> int:
        """The period in ms, at least 1."""
        assert isinstance(self.period, int | float)  # noqa: S101 (settled in __post_init__)
        return max(round(self.period * 1000), 1)

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of `partition_by`, in order."""
        return tuple(self.partition_by or ())

    def encode(self) -> str:
        """Write it as the queue keeps it."""
        return f"{self.allowed} {self.period_ms} {_written(self.fields)}".rstrip()

    @property
    def words(self) -> str:
        """What it says, for people: `10 per 0.5 s, by args.tenant`."""
        return f"{self.allowed} per {self.period_ms / 1000:g} s{_by(self.fields)}"


def global_limit(value: Any) -> GlobalLimit | None:
    """Take a global limit as users write it: a number or a `GlobalLimit`.

    Raises:
        ConfigurationError: it is something else.
    """
    if value is None or isinstance(value, GlobalLimit):
        return value
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigurationError(f"global_limit must be a whole number or a GlobalLimit, got {value!r}")
    return GlobalLimit(value)


def rate_limit(value: Any) -> RateLimit | None:
    """Take a rate limit as users write it: a pair of a number and a period, or a `RateLimit`.

    Raises:
        ConfigurationError: it is something else.
    """
    if value is None or isinstance(value, RateLimit):
        return value
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise ConfigurationError(
            f"rate_limit must be a pair (how many jobs, in how many seconds) or a RateLimit, got {value!r}"
        )
    return RateLimit(*value)


def node(value: Any) -> str:
    """Take the name of a node.

    Raises:
        ConfigurationError: it is no text, or empty.
    """
    if not isinstance(value, str) or not value:
        raise ConfigurationError(f"node must be a text that is not empty, got {value!r}")
    return value


def must_agree(overall: GlobalLimit | None, rate: RateLimit | None) -> None:
    """Make sure that two limits can be kept together.

    Raises:
        ConfigurationError: they are partitioned by different fields.
    """
    fields = [limit.fields for limit in (overall, rate) if limit is not None and limit.fields]
    if len(set(fields)) > 1:
        raise disagreement(*fields)


def disagreement(overall: Sequence[str], rate: Sequence[str]) -> ConfigurationError:
    """Say in words that two limits are partitioned differently."""
    return ConfigurationError(
        "global_limit and rate_limit of one queue must be partitioned by the same fields, got "
        f"{list(overall)} and {list(rate)}"
    )


def encoded(limit: GlobalLimit | RateLimit | None) -> str:
    """Write a limit as the queue keeps it; empty without one."""
    return "" if limit is None else limit.encode()


def decode_global(text: str | None) -> GlobalLimit | None:
    """Read what `GlobalLimit.encode` wrote; None where there is no limit."""
    if not text or text == NO_LIMIT:
        return None
    allowed, _, fields = text.partition(" ")
    return GlobalLimit(int(allowed), _read(fields))


def decode_rate(text: str | None) -> RateLimit | None:
    """Read what `RateLimit.encode` wrote; None where there is no limit."""
    if not text or text == NO_LIMIT:
        return None
    allowed, period_ms, *fields = text.split(" ", 2)
    return RateLimit(int(allowed), int(period_ms) / 1000, _read("".join(fields)))


def in_words(name: str, text: str | None) -> str:
    """Tell for people what `encode` of a limit wrote; `none` where there is no limit."""
    limit = decode_global(text) if name == "global_limit" else decode_rate(text)
    return "none" if limit is None else limit.words


class Partition(NamedTuple):
    """By which fields the jobs of a queue are told apart.

    Attributes:
        generation: counts the changes of the fields; a lane is one of its generation.
        fields: what tells jobs apart.
    """

    generation: int
    fields: tuple[str, ...]

    @classmethod
    def decode(cls, generation: int, text: str) -> Partition:
        """Read how the queue writes the fields."""
        return cls(generation, _read(text) or ())

    def lane_of(self, function: str, args: Callable[[], Mapping[str, Any]], meta: Mapping[str, Any]) -> str:
        """Name the lane of a job: jobs of one lane share their limits.

        Args:
            function: the name of its function.
            args: gives its arguments by name.
            meta: what it carries.
        """
        values = [_value(field, function, args, meta) for field in self.fields]
        lane = json.dumps(values, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        if len(lane.encode(errors="replace")) > _LONGEST_LANE:
            lane = hashlib.sha256(lane.encode(errors="replace")).hexdigest()
        return f"{self.generation}:{lane}"


def _value(field: str, function: str, args: Callable[[], Mapping[str, Any]], meta: Mapping[str, Any]) -> Any:
    """Look a field up; what is not there is None, and all jobs without it share a lane."""
    first, *path = field.split(".")
    if first == "function":
        return function
    value: Any = args() if first == "args" else meta
    for name in path:
        if isinstance(value, list | tuple) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        elif isinstance(value, Mapping):
            value = value.get(name)
        else:
            value = getattr(value, name, None) if not name.startswith("_") else None
    return _plain(value)


def _plain(value: Any) -> Any:
    """Write a value so that equal ones are written alike, be it a model, an id or a date."""
    try:
        return from_json(to_json(value, fallback=repr))
    except ValueError:  # a text that is no Unicode, or what holds itself
        return repr(value)


def _count(name: str, allowed: Any) -> None:
    if checks.count(name, allowed, 1) > _MOST:
        raise ConfigurationError(f"{name} must be at most {_MOST}, got {allowed!r}")


def _fields(name: str, given: Any) -> tuple[str, ...] | None:
    """Take the fields of `partition_by` as a tuple; None without any."""
    if given is None:
        return None
    fields = (given,) if isinstance(given, str) else given
    if not isinstance(fields, tuple | list) or not fields or len(set(map(repr, fields))) < len(fields):
        raise ConfigurationError(
            f"partition_by of {name} must be a field or a list of different fields, got {given!r}"
        )
    for field in fields:
        if not isinstance(field, str) or not _FIELD.match(field):
            raise ConfigurationError(
                f'partition_by of {name} must name "function", "args", "meta", or something in them such as'
                f' "args.tenant_id", got {field!r}'
            )
    return tuple(fields)


def _by(fields: Sequence[str]) -> str:
    return f", by {' and '.join(fields)}" if fields else ""


def _written(fields: Sequence[str]) -> str:
    return json.dumps(list(fields)) if fields else ""


def _read(text: str) -> tuple[str, ...] | None:
    return tuple(json.loads(text)) if text else None
