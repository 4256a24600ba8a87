"""What a worker can run: a name, the coroutine behind it, and its limits."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ..errors import ConfigurationError
from ..typing import SecondsTimedelta, WorkerCoroutine
from ..utils import import_string
from . import checks


@dataclass
class Function:
    """A registered job function. None always means "as the worker has it".

    Attributes:
        name: what jobs name it by.
        coroutine: what is called, with `ctx` first.
        timeout_s: seconds that one run may take; infinity is no limit.
        keep_result_s: seconds that its results are kept, 0 for not at all.
        keep_result_forever: whether its results never expire.
        max_tries: how often a job may be tried, the first time included.
    """

    name: str
    coroutine: WorkerCoroutine | Callable[..., Any]
    timeout_s: float | None
    keep_result_s: float | None
    keep_result_forever: bool | None
    max_tries: int | None


@dataclass
class CronFunction(Function):
    """What a cron job runs; log lines name it without the job's id."""


def func(
    coroutine: str | Function | WorkerCoroutine | Callable[..., Any],
    *,
    name: str | None = None,
    keep_result: SecondsTimedelta | None = None,
    timeout: SecondsTimedelta | None = None,
    keep_result_forever: bool | None = None,
    max_tries: int | None = None,
) -> Function:
    """Wrap a job function to give it a name or limits of its own.

    Args:
        coroutine: a coroutine function, a dotted path to one, or a `Function`, which is returned as it is.
        name: what jobs name it by; the path or the function's `__qualname__` by default.
        keep_result: seconds or timedelta to keep results, overriding the worker's.
        timeout: seconds or timedelta one run may take, overriding the worker's; infinity is no limit.
        keep_result_forever: whether results never expire, overriding the worker's.
        max_tries: tries, the first included, overriding the worker's.

    Raises:
        RuntimeError: it is no coroutine function.
        ImportError: the path leads nowhere.
        ConfigurationError: a limit cannot work.
    """
    if isinstance(coroutine, Function):
        return coroutine
    if isinstance(coroutine, str):
        name = name or coroutine
        target = import_string(coroutine)
    else:
        target = coroutine
    if not is_coroutine_function(target):
        raise RuntimeError(f"{target} is not a coroutine function")
    return Function(
        name or target.__qualname__,
        target,
        None if timeout is None else checks.time_limit("timeout", timeout),
        None if keep_result is None else checks.seconds("keep_result", keep_result, 0),
        keep_result_forever,
        None if max_tries is None else checks.count("max_tries", max_tries, 1),
    )


def is_coroutine_function(target: Any) -> bool:
    """Tell whether calling this gives a coroutine; partials and callable objects count."""
    while hasattr(target, "func") and not inspect.isfunction(target):
        target = target.func
    if inspect.iscoroutinefunction(target):
        return True
    return not inspect.isroutine(target) and inspect.iscoroutinefunction(type(target).__call__)


def by_name(functions: Iterable[Function]) -> dict[str, Function]:
    """Make the table that a worker looks functions up in.

    Raises:
        ConfigurationError: two different functions claim one name.
    """
    table: dict[str, Function] = {}
    for function in functions:
        other = table.get(function.name)
        if other is not None and other.coroutine is not function.coroutine:
            raise ConfigurationError(
                f'two functions are named "{function.name}"; give one of them another name'
            )
        table[function.name] = function
    return table
