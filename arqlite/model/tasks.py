"""Functions with Oban's rules: what fails is tried again, with back-off, until its attempts are used up."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Concatenate, Protocol, TypedDict, overload

from pydantic_core import to_json
from typing_extensions import Unpack

from ..errors import ConfigurationError
from ..typing import ArgsT, P, R, ResultT, SecondsTimedelta
from . import checks
from .arguments import names_of, takes
from .backoff import Backoff, checked_backoff
from .fingerprint import check_keys
from .functions import Function, is_coroutine_function, name_of
from .slips import meant
from .unique import Unique, UniqueOption, option, rule

DEFAULT_MAX_ATTEMPTS = 20

Errors = type[BaseException] | Sequence[type[BaseException]]


@dataclass
class Task(Function[ArgsT, ResultT]):
    """A job function by Oban's rules, made by `task`.

    Attributes:
        queue: where its jobs go; None is the pool's default.
        max_attempts: how often a job may fail, the last time included.
        priority: 0 runs first, 9 last.
        backoff: how long a job that failed waits; None is Oban's formula.
        unique: when a job counts as one that is there already.
        tags, meta: what its jobs carry.
        retry_on: errors after which it is tried again, None all of them.
        discard_on: errors after which it is not.
        on_discard: called with the job and its last error when it has failed for good.
    """

    keeps_to_own_rules: ClassVar[bool] = True

    queue: str | None = None
    max_attempts: int = DEFAULT_MAX_ATTEMPTS
    priority: int = 0
    backoff: Backoff | None = None
    unique: Unique | None = None
    tags: tuple[str, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)
    retry_on: tuple[type[BaseException], ...] | None = None
    discard_on: tuple[type[BaseException], ...] = ()
    on_discard: Callable[..., Any] | None = None

    def __post_init__(self) -> None:
        functools.update_wrapper(self, self.coroutine, updated=())

    def __call__(self, ctx: Any, *args: ArgsT.args, **kwargs: ArgsT.kwargs) -> Any:
        """Call the function itself; nothing is enqueued."""
        return self.coroutine(ctx, *args, **kwargs)

    def __reduce__(self) -> str | tuple[Any, ...]:
        # Its module has it under the function's name: others find it there, as they would the function.
        name = getattr(self, "__qualname__", None)
        return name if isinstance(name, str) else object.__reduce_ex__(self, 2)

    def __repr__(self) -> str:
        return f"<task {self.name}>"


class TaskOptions(TypedDict, total=False):
    """What may be said of a task, see `task`."""

    name: str | None
    queue: str | None
    max_attempts: int
    priority: int
    timeout: SecondsTimedelta | None
    backoff: Backoff | None
    unique: UniqueOption
    tags: Sequence[str]
    meta: Mapping[str, Any]
    retry_on: Errors | None
    discard_on: Errors
    on_discard: Callable[..., Any] | None
    keep_result: SecondsTimedelta | None
    keep_result_forever: bool | None
    cpu: bool
    max_jobs: int | None
    strict_arguments: bool | None


class TaskMaker(Protocol):
    """What `task(...)` gives: it makes a task of a function."""

    @overload
    def __call__(self, function: Callable[Concatenate[Any, P], Coroutine[Any, Any, R]], /) -> Task[P, R]: ...
    @overload
    def __call__(self, function: Callable[Concatenate[Any, P], R], /) -> Task[P, R]: ...


@overload
def task(function: Callable[Concatenate[Any, P], Coroutine[Any, Any, R]], /) -> Task[P, R]: ...
@overload
def task(function: Callable[Concatenate[Any, P], R], /) -> Task[P, R]: ...
@overload
def task(**options: Unpack[TaskOptions]) -> TaskMaker: ...
def task(function: Any = None, /, **options: Any) -> Any:
    """Make a job function one by Oban's rules: `@task` or `@task(max_attempts=5, ...)`.

    A job of it that fails, or is over its time, is tried again with back-off until its attempts are used up;
    then it is discarded. The task is enqueued, and goes into `functions` of a worker, as the function would;
    called, it calls the function.

    Args:
        function: a coroutine function, or a plain one, which runs in a thread; both take `ctx` first.
        name: what jobs name it by; its `__qualname__` by default.
        queue: the queue of its jobs; the pool's default by default.
        max_attempts: how often a job may be tried, the first time included; 20.
        priority: 0 (first, the default) to 9 (last), among the jobs of one queue.
        timeout: seconds or timedelta one run may take. None, the default, and infinity are no limit: a
            worker's `job_timeout` is for functions without `@task`.
        backoff: how long a job waits after it failed: seconds, a list of them for one attempt after the
            other (the last goes on), or a plain function of the failed job (`attempt`, `max_attempts`,
            `error`, ...) that gives seconds. None is Oban's formula: 17, 19, 23, 31 ... s, and up to a tenth
            more.
        unique: a `Unique` that tells when a job is there already, or a dict of its options; True is its
            defaults, but for ever.
        tags, meta: what its jobs carry; a job may have others.
        retry_on: an error class or several: only these are tried again. None is all of them.
        discard_on: an error class or several that are not tried again; comes before `retry_on`.
        on_discard: `f(job, error)`, a coroutine or plain function, called when a job has failed for good.
        keep_result: seconds or timedelta to keep results, overriding the worker's.
        keep_result_forever: whether results never expire, overriding the worker's.
        cpu: run this plain function in a process instead of a thread.
        max_jobs: how many of its jobs one worker runs at once; the others wait and hold up nobody.
        strict_arguments: whether a job whose arguments do not fit the function's annotations fails at once,
            overriding the worker's.

    Raises:
        ConfigurationError: an option is unknown or cannot work, or this is no function.
    """
    checked = _checked(options)
    if function is None:
        return functools.partial(_made, checked)
    return _made(checked, function)


def _made(options: dict[str, Any], function: Any) -> Task[..., Any]:
    if isinstance(function, Function):
        raise ConfigurationError(f"{function.name} is a job function already; @task takes a plain function")
    if not callable(function) or isinstance(function, type):
        raise ConfigurationError(f"@task takes a function, got {function!r}")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise ConfigurationError(f"@task takes a function, and {function!r} is a generator: it never runs")
    if not takes(function, 1, at_least=True):
        raise ConfigurationError(
            f"{function!r} has no parameter for ctx: a job function takes it first, as in f(ctx, ...)"
        )
    if options.get("cpu") and is_coroutine_function(function):
        raise ConfigurationError(f"cpu=True is for plain functions, and {function!r} is a coroutine function")
    name = options.get("name") or name_of(function)
    if (unique := options.get("unique")) is not None and unique.keys:
        check_keys(unique, name, names_of(function))
    return Task(**{**_UNSAID, **options, "name": name, "coroutine": function})


_UNSAID = {"timeout_s": None, "keep_result_s": None, "keep_result_forever": None, "max_tries": None}
# An option that the task has under another name.
_FIELDS = {"timeout": "timeout_s", "keep_result": "keep_result_s"}


def _checked(options: Mapping[str, Any]) -> dict[str, Any]:
    """Check what was said of a task; what was not said has its default elsewhere."""
    for name in options:
        if name not in _CHECKS:
            raise _unknown(name)
    return {_FIELDS.get(name, name): _CHECKS[name](name, value) for name, value in options.items()}


_OF_QUEUES = "so in the settings of the queue's workers: it holds for all their jobs together"
_WORDS_OF_OTHERS = {
    **dict.fromkeys(("limit", "concurrency"), "max_jobs"),
    **dict.fromkeys(("global_limit", "rate_limit", "partition_by"), _OF_QUEUES),
    **dict.fromkeys(("max_tries", "max_retries", "retries"), "max_attempts"),
    **dict.fromkeys(("keep_completed", "result_ttl"), "keep_result"),
    **dict.fromkeys(("queue_name", "_queue_name"), "queue"),
    **dict.fromkeys(("job_timeout", "time_limit"), "timeout"),
    **dict.fromkeys(("autoretry_for",), "retry_on"),
    "keep_discarded": "keep_discarded in the settings of a worker",
    "keep_cancelled": "keep_cancelled in the settings of a worker",
}


def _unknown(name: str) -> ConfigurationError:
    hint = meant(name, _CHECKS, _WORDS_OF_OTHERS) or f"there are {', '.join(_CHECKS)}"
    return ConfigurationError(f"there is no option {name!r} of a task; {hint}")


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ConfigurationError(f"{name} must be a text that is not empty, got {value!r}")
    return value


def _flag(name: str, value: Any) -> bool:
    checks.instance(name, value, bool, "True or False")
    return bool(value)


def _errors(name: str, value: Any) -> tuple[type[BaseException], ...]:
    classes = (value,) if isinstance(value, type) else value
    if isinstance(classes, Iterable) and not isinstance(classes, str):
        classes = tuple(classes)
        if all(isinstance(one, type) and issubclass(one, BaseException) for one in classes):
            return classes
    raise ConfigurationError(f"{name} must be an exception class or several of them, got {value!r}")


def _unique(_name: str, value: Any) -> Unique | None:
    unique = rule(option(value))
    if unique is not None and unique.replace and unique.action != "replace":
        raise ConfigurationError(
            f"unique has replace={unique.replace!r}, and on_conflict={unique.on_conflict!r} never replaces:"
            " leave one of them out"
        )
    return unique


def _meta(_name: str, value: Any) -> dict[str, Any]:
    meta = checks.meta(value)
    try:
        to_json(meta)
    except ValueError as error:
        raise ConfigurationError(f"meta must be plain data, and JSON cannot write it: {error}") from error
    return meta


def _callback(name: str, value: Any) -> Callable[..., Any]:
    checks.function(name, value)
    if not takes(value, 2):
        raise ConfigurationError(f"{name} is called with the job and its last error, got {value!r}")
    return value  # type: ignore[no-any-return]


def _backoff(_name: str, value: Any) -> Backoff | None:
    backoff = checked_backoff(value)
    if callable(backoff) and is_coroutine_function(backoff):
        raise ConfigurationError("backoff must be a plain function: it only counts, it waits for nothing")
    if callable(backoff) and not takes(backoff, 1):
        raise ConfigurationError(f"backoff is called with the failed job alone, got {backoff!r}")
    return backoff


Check = Callable[[str, Any], Any]


def _or_none(check: Check) -> Check:
    return lambda name, value: None if value is None else check(name, value)


def _count(name: str, value: Any) -> int:
    return checks.count(name, value, 1)


_CHECKS: dict[str, Check] = {
    "name": _or_none(_text),
    "queue": _or_none(_text),
    "max_attempts": _count,
    "priority": checks.priority,
    "timeout": _or_none(checks.time_limit),
    "backoff": _backoff,
    "unique": _or_none(_unique),
    "tags": lambda _, value: checks.tags(value),
    "meta": _meta,
    "retry_on": _or_none(_errors),
    "discard_on": _errors,
    "on_discard": _or_none(_callback),
    "keep_result": _or_none(lambda name, value: checks.seconds(name, value, 0)),
    "keep_result_forever": _or_none(_flag),
    "cpu": _flag,
    "max_jobs": _or_none(_count),
    "strict_arguments": _or_none(_flag),
}


def rules_of(functions: Iterable[Function[..., Any]]) -> str:
    """Tell in one line by which rules functions run again; empty when all of them go by arq's."""
    functions = list(functions)
    tasks = [function for function in functions if isinstance(function, Task)]
    others = [function.name for function in functions if not isinstance(function, Task)]
    if not tasks:
        return ""
    attempts = ", ".join(f"{one.name} ({_counted(one.max_attempts, 'attempt')})" for one in tasks)
    told = f"{_counted(len(tasks), 'task')} by Oban's rules (what fails is tried again): {attempts}"
    if not others:
        return told
    return f"{_counted(len(others), 'function')} by arq's rules (only Retry is): {', '.join(others)}; {told}"


def elsewhere(functions: Iterable[Function[..., Any]], queue: str) -> str:
    """Tell in one line which tasks send their jobs past a worker of this queue; empty when none does."""
    away = [one for one in functions if isinstance(one, Task) and one.queue not in (None, queue)]
    if not away:
        return ""
    named = ", ".join(f"{one.name} ({one.queue})" for one in away)
    return (
        f"this worker serves {queue}; the jobs of {_counted(len(away), 'task')} go elsewhere, where they need"
        f" a worker of their own: {named}"
    )


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
