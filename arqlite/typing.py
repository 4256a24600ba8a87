"""Protocols and aliases for annotations. Names nothing concrete of arqlite, so everybody may import it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any, Literal, Protocol, TypeAlias

from typing_extensions import ParamSpec, TypeVar

__all__ = (
    "WEEKDAYS",
    "Deserializer",
    "OptionType",
    "SecondsTimedelta",
    "Serializer",
    "StartupShutdown",
    "WeekdayOptionType",
    "WorkerCoroutine",
    "WorkerSettingsBase",
    "WorkerSettingsType",
)

P = ParamSpec("P")
"""The arguments of a job function, `ctx` left out."""
R = TypeVar("R")
"""What a job function gives."""
# The same for classes, where a plain `Job` means `Job[Any]`. Functions must not have the defaults: mypy
# would fall back on them where it has several overloads to choose from.
ArgsT = ParamSpec("ArgsT", default=...)
ResultT = TypeVar("ResultT", default=Any, covariant=True)

OptionType: TypeAlias = "None | set[int] | list[int] | tuple[int, ...] | int"
"""A cron field: any (None), one value or several."""
WeekdayOptionType: TypeAlias = "OptionType | Literal['mon', 'tues', 'wed', 'thurs', 'fri', 'sat', 'sun']"
"""A cron weekday: 0-6 from Monday, or a name."""
WEEKDAYS = "mon", "tues", "wed", "thurs", "fri", "sat", "sun"

SecondsTimedelta: TypeAlias = int | float | timedelta
"""A span: a number of seconds or a timedelta."""

Serializer: TypeAlias = Callable[[dict[str, Any]], bytes]
"""Turns the envelope of a job or a result into bytes."""
Deserializer: TypeAlias = Callable[[bytes], dict[str, Any]]
"""Turns those bytes back into the envelope."""


class WorkerCoroutine(Protocol):
    """A job function: takes `ctx`, then the arguments given at enqueue."""

    __qualname__: str

    async def __call__(self, ctx: dict[Any, Any], *args: Any, **kwargs: Any) -> Any:  # noqa: D102 (told by its class)
        ...


class StartupShutdown(Protocol):
    """A hook: takes `ctx`."""

    __qualname__: str

    async def __call__(self, ctx: dict[Any, Any]) -> Any:  # noqa: D102 (told by its class)
        ...


class WorkerSettingsBase(Protocol):
    """The least a settings class has to have; everything else is optional."""

    functions: Sequence[WorkerCoroutine | Any]
    cron_jobs: Sequence[Any] | None
    on_startup: StartupShutdown | None
    on_shutdown: StartupShutdown | None


WorkerSettingsType: TypeAlias = "dict[str, Any] | type[Any] | object"
"""What `run_worker` accepts: a settings class (its bases count), an instance of one, or a dict."""

AsyncHook: TypeAlias = Callable[[dict[Any, Any]], Awaitable[Any]]
