"""A job to be enqueued: which function, with what, when and where. Nothing is enqueued here."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from copy import copy
from typing import Any, Concatenate, Generic, overload

from typing_extensions import Unpack

from ..errors import ConfigurationError, InvalidArguments
from ..typing import P, R, ResultT
from .arguments import Signature, signature_of
from .functions import Function, func, without_ctx
from .options import (
    LOWEST_PRIORITY,
    OPTIONS_OF_ARQ,
    PLAIN,
    JobOptions,
    Options,
    checked,
    merged,
    options_of_arq,
    slip_of_arq,
)
from .tasks import Task
from .unique import option as unique_option

__all__ = (
    "LOWEST_PRIORITY",
    "PLAIN",
    "Call",
    "JobOptions",
    "Options",
    "call",
    "checked",
    "defaults_of",
    "merged",
    "options_of_arq",
    "slip_of_arq",
)


class Call(Generic[ResultT]):
    """One call of a job function, to be enqueued by `pool.enqueue_many`. Made by `call`.

    Attributes:
        function: the name of the function.
        args, kwargs: what it is called with.
        signature: what is known of the function; None when only its name is.
        made_with: how it is enqueued; None is as `enqueue_many` is told.
        defaults: what its function says of all its jobs; None is nothing.
        target: the function itself; None when only its name is known.
    """

    __slots__ = ("args", "defaults", "function", "kwargs", "made_with", "signature", "target")

    def __init__(
        self,
        function: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        signature: Signature | None = None,
        made_with: Options | None = None,
        defaults: Options | None = None,
        target: Function[..., Any] | None = None,
    ) -> None:
        self.function = function
        self.args = args
        self.kwargs = kwargs
        self.signature = signature
        self.made_with = made_with
        self.defaults = defaults
        self.target = target

    def options(self, **options: Unpack[JobOptions]) -> Call[ResultT]:
        """Make the same call with options of its own; see `ArqRedis.options`.

        Raises:
            ConfigurationError: one of them cannot work.
        """
        own = checked(**options)
        return Call(self.function, self.args, self.kwargs, self.signature, own, self.defaults, self.target)

    def calling(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call[ResultT]:
        """Make a call of the same function, and enqueued alike, with other arguments."""
        made = copy(self)
        made.args, made.kwargs = args, kwargs
        return made

    def settled(self, common: Options) -> Options:
        """Tell how it is enqueued: its own options come first, then the common ones, then its function's.

        Raises:
            ConfigurationError: its function is at hand and no task, and how often it may fail was said.
        """
        if self.made_with is not None:
            common = merged(self.made_with, common)
        if common.max_attempts is not None and self.target is not None:
            self._must_be_a_task()
        return common if self.defaults is None else merged(common, self.defaults)

    def _must_be_a_task(self) -> None:
        if not isinstance(self.target, Task):
            raise ConfigurationError(
                f"max_attempts is for tasks, and {self.function} is a bare function, whose failures are"
                f" final: write @task, or func(..., max_tries=...) and raise Retry where it is to run again"
            )

    def known_attempts(self, settled: Options) -> dict[str, int]:
        """Tell what is written of its task's maximum of attempts, for those who look at the job. How often it
        may fail its worker knows, whose task may say otherwise by then. Nothing for a job with its own.
        """
        if settled.max_attempts is not None or not isinstance(self.target, Task):
            return {}
        return {"tm": self.target.max_attempts}

    def __repr__(self) -> str:
        return f"<call of {self.function}>"


@overload
def call(task: Function[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Call[R]: ...
@overload
def call(
    task: Callable[Concatenate[Any, P], Coroutine[Any, Any, R]], /, *args: P.args, **kwargs: P.kwargs
) -> Call[R]: ...
@overload
def call(task: Callable[Concatenate[Any, P], R], /, *args: P.args, **kwargs: P.kwargs) -> Call[R]: ...
@overload
def call(task: str, /, *args: Any, **kwargs: Any) -> Call[Any]: ...
def call(task: Any, /, *args: Any, **kwargs: Any) -> Call[Any]:
    """Write down a call of a job function, for `pool.enqueue_many`.

    Args:
        task: the function itself, what `func` made of it, or a name. Only a name is not checked.
        args: what to call it with, after `ctx`.
        kwargs: what to call it with, by name.

    Raises:
        InvalidArguments: the function cannot be called so.
        ConfigurationError: it is no function, or has no parameter for `ctx`, or no name that a worker could
            know it by, as a partial and a lambda have none.
    """
    _refuse_options_of_arq(task, kwargs)
    args = tuple(map(_lasting, args))
    kwargs = {name: _lasting(value) for name, value in kwargs.items()}
    if isinstance(task, str):
        if not task:
            raise ConfigurationError("a job needs the name of a function, got an empty text")
        return Call(task, args, kwargs)
    function = _function(task)
    signature = signature_of(function.coroutine)
    if signature.lacks_ctx:
        raise without_ctx(function)
    signature.check(function.name, args, kwargs)
    defaults = defaults_of(function) if isinstance(function, Task) else None
    return Call(function.name, args, kwargs, signature, defaults=defaults, target=function)


def defaults_of(task: Task[..., Any]) -> Options:
    """Tell what a task says of all its jobs. How often they may fail its worker knows."""
    return Options(
        queue=task.queue,
        priority=task.priority or None,
        tags=task.tags or None,
        meta=dict(task.meta) or None,
        unique=unique_option(task.unique),
    )


def _refuse_options_of_arq(task: Any, kwargs: dict[str, Any]) -> None:
    """An option of `enqueue_job` here is a slip of those who come from there, unless the function has it."""
    if OPTIONS_OF_ARQ.keys().isdisjoint(kwargs):
        return
    slip = min(kwargs.keys() & OPTIONS_OF_ARQ.keys())
    if not isinstance(task, str) and signature_of(_function(task).coroutine).takes(slip):
        return
    raise InvalidArguments(
        f"{slip} is an option of enqueue_job; say pool.options({OPTIONS_OF_ARQ[slip]}=...).enqueue(...)"
    )


def _lasting(value: Any) -> Any:
    """Read what can be read only once into a list: it is checked first, and written afterwards."""
    return list(value) if isinstance(value, Iterator) and not hasattr(value, "read") else value


def _function(task: Any) -> Function[..., Any]:
    if isinstance(task, Function):
        return task
    if not callable(task) or isinstance(task, type):
        raise ConfigurationError(
            f"a job is made of a function, what func() made of one, or a name, got {task!r}"
        )
    if getattr(task, "__name__", "") == "<lambda>":
        raise ConfigurationError(
            "a lambda has no name that a worker knows it by: give it one with func(..., name=...)"
        )
    return func(task)
