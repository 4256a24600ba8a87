"""What a worker can run: a name, the function behind it, and its limits."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Concatenate, Generic, overload

from ..errors import ConfigurationError
from ..typing import ArgsT, P, R, ResultT, SecondsTimedelta
from ..utils import import_string
from . import checks


@dataclass
class Function(Generic[ArgsT, ResultT]):
    """A registered job function. None always means "as the worker has it".

    `Function[[int, str], bool]` is one that takes an int and a text beside `ctx` and gives a bool.

    Attributes:
        name: what jobs name it by.
        coroutine: what is called, with `ctx` first: a coroutine function, or a plain function, which runs
            in a thread.
        timeout_s: seconds that one run may take; infinity is no limit.
        keep_result_s: seconds that its results are kept, 0 for not at all.
        keep_result_forever: whether its results never expire.
        max_tries: how often a job may be tried, the first time included.
        cpu: whether it is a plain function that runs in a process of its own instead of a thread.
        max_jobs: how many of its jobs one worker runs at once.
        strict_arguments: whether a job whose arguments do not fit its annotations fails.
        keeps_to_own_rules: whether only whoever made it may say how it runs, as with a `Task`.
    """

    keeps_to_own_rules: ClassVar[bool] = False

    name: str
    coroutine: Callable[..., Any]
    timeout_s: float | None
    keep_result_s: float | None
    keep_result_forever: bool | None
    max_tries: int | None
    cpu: bool = False
    max_jobs: int | None = None
    strict_arguments: bool | None = None


@dataclass
class CronFunction(Function):
    """What a cron job runs; log lines name it without the job's id."""


@overload
def func(
    coroutine: Function[P, R],
    *,
    name: str | None = None,
    keep_result: SecondsTimedelta | None = None,
    timeout: SecondsTimedelta | None = None,
    keep_result_forever: bool | None = None,
    max_tries: int | None = None,
    cpu: bool = False,
    max_jobs: int | None = None,
    strict_arguments: bool | None = None,
) -> Function[P, R]: ...
@overload
def func(
    coroutine: str,
    *,
    name: str | None = None,
    keep_result: SecondsTimedelta | None = None,
    timeout: SecondsTimedelta | None = None,
    keep_result_forever: bool | None = None,
    max_tries: int | None = None,
    cpu: bool = False,
    max_jobs: int | None = None,
    strict_arguments: bool | None = None,
) -> Function[..., Any]: ...
@overload
def func(
    coroutine: Callable[Concatenate[Any, P], Coroutine[Any, Any, R]],
    *,
    name: str | None = None,
    keep_result: SecondsTimedelta | None = None,
    timeout: SecondsTimedelta | None = None,
    keep_result_forever: bool | None = None,
    max_tries: int | None = None,
    cpu: bool = False,
    max_jobs: int | None = None,
    strict_arguments: bool | None = None,
) -> Function[P, R]: ...
@overload
def func(
    coroutine: Callable[Concatenate[Any, P], R],
    *,
    name: str | None = None,
    keep_result: SecondsTimedelta | None = None,
    timeout: SecondsTimedelta | None = None,
    keep_result_forever: bool | None = None,
    max_tries: int | None = None,
    cpu: bool = False,
    max_jobs: int | None = None,
    strict_arguments: bool | None = None,
) -> Function[P, R]: ...
def func(
    coroutine: str | Function[..., Any] | Callable[..., Any],
    *,
    name: str | None = None,
    keep_result: SecondsTimedelta | None = None,
    timeout: SecondsTimedelta | None = None,
    keep_result_forever: bool | None = None,
    max_tries: int | None = None,
    cpu: bool = False,
    max_jobs: int | None = None,
    strict_arguments: bool | None = None,
) -> Function[..., Any]:
    """Wrap a job function to give it a name or limits of its own.

    Args:
        coroutine: a coroutine function; a plain function, which runs in a thread; a `Function`, such as
            a task, which is returned as it is, and of a task nothing may be said here; or a dotted path to
            any of them.
        name: what jobs name it by; the path or the function's `__qualname__` by default.
        keep_result: seconds or timedelta to keep results, overriding the worker's.
        timeout: seconds or timedelta one run may take, overriding the worker's; infinity is no limit.
        keep_result_forever: whether results never expire, overriding the worker's.
        max_tries: tries, the first included, overriding the worker's.
        cpu: run this plain function in a process instead of a thread.
        max_jobs: how many of its jobs one worker runs at once; the others wait and hold up nobody.
        strict_arguments: whether a job whose arguments do not fit the function's annotations fails,
            overriding the worker's; otherwise such an argument arrives as it came.

    Raises:
        RuntimeError: it is no function.
        ImportError: the path leads nowhere.
        ConfigurationError: a limit cannot work, `cpu` was asked for a coroutine function, or an option is
            given for a task, which has its own.
    """
    target = import_string(coroutine) if isinstance(coroutine, str) else coroutine
    if isinstance(target, Function):
        if target.keeps_to_own_rules:
            _refuse_other_rules(
                target, name=name, keep_result=keep_result, timeout=timeout, max_tries=max_tries,
                cpu=cpu or None, keep_result_forever=keep_result_forever, max_jobs=max_jobs,
                strict_arguments=strict_arguments,
            )  # fmt: skip
        return target
    if isinstance(coroutine, str):
        name = name or coroutine
    if not callable(target) or isinstance(target, type):
        raise RuntimeError(f"{target} is not a coroutine function")  # noqa: TRY004 (what arq raises)
    if inspect.isgeneratorfunction(target) or inspect.isasyncgenfunction(target):
        raise RuntimeError(f"{target} is not a coroutine function, but a generator: it would never run")
    if cpu and is_coroutine_function(target):
        raise ConfigurationError(f"cpu=True is for plain functions, and {target} is a coroutine function")
    return Function(
        name or name_of(target),
        target,
        None if timeout is None else checks.time_limit("timeout", timeout),
        None if keep_result is None else checks.seconds("keep_result", keep_result, 0),
        keep_result_forever,
        None if max_tries is None else checks.count("max_tries", max_tries, 1),
        cpu,
        None if max_jobs is None else checks.count("max_jobs", max_jobs, 1),
        strict_arguments,
    )


def _refuse_other_rules(task: Function[..., Any], **options: Any) -> None:
    """What is said of a task is said where it is made: here it would go unheard."""
    for option, value in options.items():
        if value is not None:
            there = "max_attempts" if option == "max_tries" else option
            raise ConfigurationError(
                f"{task.name} is a task with rules of its own: say {there}=... at @task, got"
                f" {option}={value!r}"
            )


def without_ctx(function: Function[..., Any]) -> ConfigurationError:
    """Say of a function that has no place for `ctx` what it lacks."""
    short = function.name.rpartition(".")[2]
    return ConfigurationError(
        f"{function.name} has no parameter for ctx: a job function takes it first, as in {short}(ctx, ...)"
    )


def name_of(target: Any) -> str:
    """Tell what jobs name a function by, unless it is given a name.

    Raises:
        ConfigurationError: it has none: a partial, or an object that can be called.
    """
    name = getattr(target, "__qualname__", None)
    if not isinstance(name, str):
        raise ConfigurationError(f"{target!r} has no name of its own: give it one with func(..., name=...)")
    return name


def is_coroutine_function(target: Any) -> bool:
    """Tell whether calling this gives a coroutine; partials, job functions and callable objects count."""
    if isinstance(target, Function):
        return is_coroutine_function(target.coroutine)
    while hasattr(target, "func") and not inspect.isfunction(target):
        target = target.func
    if inspect.iscoroutinefunction(target):
        return True
    return not inspect.isroutine(target) and inspect.iscoroutinefunction(type(target).__call__)


def by_name(functions: Iterable[Function[..., Any]]) -> dict[str, Function[..., Any]]:
    """Make the table that a worker looks functions up in.

    Raises:
        ConfigurationError: two different functions claim one name.
    """
    table: dict[str, Function[..., Any]] = {}
    for function in functions:
        other = table.get(function.name)
        if other is not None and other.coroutine is not function.coroutine:
            raise ConfigurationError(
                f'two functions are named "{function.name}"; give one of them another name'
            )
        table[function.name] = function
    return table
