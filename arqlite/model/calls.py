"""A job to be enqueued: which function, with what, when and where. Nothing is enqueued here."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from copy import copy
from datetime import datetime
from typing import Any, Concatenate, Generic, NamedTuple, TypedDict, overload

from typing_extensions import Unpack

from ..errors import ConfigurationError, InvalidArguments
from ..typing import P, R, ResultT, SecondsTimedelta
from ..utils import to_ms
from . import checks
from .arguments import Signature, signature_of
from .functions import Function, func
from .tasks import Task
from .unique import UniqueOption
from .unique import merged as merged_unique
from .unique import option as unique_option

# `_deferby` is nearly `_defer_by`; `_job` need not be meant for `_job_id`.
_NEARLY = 0.85
LOWEST_PRIORITY = checks.LOWEST_PRIORITY


class JobOptions(TypedDict, total=False):
    """What a caller may say of a job, see `ArqRedis.options`."""

    delay: SecondsTimedelta | None
    at: datetime | None
    queue: str | None
    job_id: str | None
    priority: int | None
    expires: SecondsTimedelta | None
    first_try: int | None
    max_attempts: int | None
    tags: Sequence[str] | None
    meta: Mapping[str, Any] | None
    unique: UniqueOption


class Options(NamedTuple):
    """How a job is enqueued, checked.

    Attributes:
        delay_ms: how long to wait from now, negative for what was due before; None is not at all.
        at_ms: when it is due, in ms since 1970; None is now.
        queue: the queue; None is the pool's default.
        job_id: an id of the caller's own; None makes one.
        priority: 0 runs first, 9 last; None is 0.
        expires_ms: how long from now it may be started; None is for ever.
        first_try: the number of its first try; None is 1.
        max_attempts: how often it may fail; None is as its function has it.
        tags, meta: what it carries.
        unique: when it counts as a job that is there already; None is not said, False is never.
    """

    delay_ms: int | None = None
    at_ms: int | None = None
    queue: str | None = None
    job_id: str | None = None
    priority: int | None = None
    expires_ms: int | None = None
    first_try: int | None = None
    max_attempts: int | None = None
    tags: tuple[str, ...] | None = None
    meta: dict[str, Any] | None = None
    unique: UniqueOption = None


PLAIN = Options()


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
        """Tell how it is enqueued: its own options come first, then the common ones, then its function's."""
        if self.made_with is not None:
            common = merged(self.made_with, common)
        return common if self.defaults is None else merged(common, self.defaults)

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
        ConfigurationError: it is no function.
    """
    _refuse_options_of_arq(task, kwargs)
    args = tuple(map(_lasting, args))
    kwargs = {name: _lasting(value) for name, value in kwargs.items()}
    if isinstance(task, str):
        return Call(task, args, kwargs)
    function = _function(task)
    signature = signature_of(function.coroutine)
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


def checked(**given: Unpack[JobOptions]) -> Options:
    """Check the options of a job.

    Raises:
        ConfigurationError: one of them is unknown or cannot work.
    """
    unknown = given.keys() - JobOptions.__annotations__.keys()
    if unknown:
        raise ConfigurationError(_no_such_option(min(unknown)))
    delay, at, queue = given.get("delay"), given.get("at"), given.get("queue")
    job_id, expires, first_try = given.get("job_id"), given.get("expires"), given.get("first_try")
    if delay is not None and at is not None:
        raise ConfigurationError("use either delay or at or neither, not both")
    if (
        delay is not None
        and expires is not None
        and checks.seconds("delay", delay) >= checks.seconds("expires", expires)
    ):
        raise ConfigurationError(
            f"a job that waits {delay!r} and expires after {expires!r} would never run; both count from now"
        )
    max_attempts, tags, meta = given.get("max_attempts"), given.get("tags"), given.get("meta")
    priority = given.get("priority")
    if queue is not None:
        checks.instance("queue", queue, str, "a text")
        if not queue:
            raise ConfigurationError("queue must not be empty; None is the pool's default")
    return Options(
        None if delay is None else to_ms(checks.seconds("delay", delay)),
        None if at is None else checks.moment_ms("at", at),
        queue,
        None if job_id is None else checks.job_id(job_id),
        None if priority is None else checks.priority("priority", priority),
        None if expires is None else to_ms(checks.time_limit("expires", expires)),
        None if first_try is None else checks.count("first_try", first_try, 1),
        None if max_attempts is None else checks.count("max_attempts", max_attempts, 1),
        None if tags is None else checks.tags(tags),
        None if meta is None else checks.meta(meta),
        unique_option(given.get("unique")),
    )


def merged(own: Options, common: Options) -> Options:
    """Add to some options what only the common ones say; a moment of one's own replaces a delay.

    Raises:
        ConfigurationError: what they say of `unique` does not go together.
    """
    if own == PLAIN:
        return common
    if own.delay_ms is not None or own.at_ms is not None:
        common = common._replace(delay_ms=None, at_ms=None)
    both = Options._make(shared if mine is None else mine for mine, shared in zip(own, common, strict=True))
    if own.unique is None or common.unique is None:
        return both
    return both._replace(unique=merged_unique(own.unique, common.unique))


def options_of_arq(
    job_id: str | None,
    queue: str | None,
    defer_until: datetime | None,
    defer_by: SecondsTimedelta | None,
    expires: SecondsTimedelta | None,
    job_try: int | None,
) -> Options:
    """Check the options of a job as arq's `enqueue_job` takes them: 0 and '' are as good as None.

    Raises:
        RuntimeError: it is deferred twice.
        ConfigurationError: one of them cannot work.
    """
    if defer_until and defer_by:
        raise RuntimeError("use either 'defer_until' or 'defer_by' or neither, not both")
    if queue is not None:
        checks.instance("_queue_name", queue, str, "a text")
    return Options(
        to_ms(checks.seconds("_defer_by", defer_by)) if defer_by else None,
        None if defer_until is None else checks.moment_ms("_defer_until", defer_until),
        queue or None,
        checks.job_id(job_id) if job_id else None,
        None,
        to_ms(checks.seconds("_expires", expires)) if expires else None,
        None if job_try is None else checks.count("_job_try", job_try, 1),
    )


def slip_of_arq(name: str) -> str:
    """Say what is meant by an argument of `enqueue_job` that looks like an option; empty when it does not."""
    if not name.startswith("_") or name.startswith("__"):
        return ""
    near = difflib.get_close_matches(name, _OPTIONS_OF_ARQ, 1, _NEARLY)
    if near:
        return f"did you mean {near[0]}?"
    plain = name[1:]
    option = plain if plain in JobOptions.__annotations__ else _WORDS_OF_OTHERS.get(plain)
    if option is None:
        return ""
    arq = next((ours for ours, theirs in _OPTIONS_OF_ARQ.items() if theirs == option), None)
    return f"did you mean {arq}?" if arq else f"say pool.options({option}=...).enqueue(...)"


def _refuse_options_of_arq(task: Any, kwargs: dict[str, Any]) -> None:
    """An option of `enqueue_job` here is a slip of those who come from there, unless the function has it."""
    if _OPTIONS_OF_ARQ.keys().isdisjoint(kwargs):
        return
    slip = min(kwargs.keys() & _OPTIONS_OF_ARQ.keys())
    if not isinstance(task, str) and signature_of(_function(task).coroutine).takes(slip):
        return
    raise InvalidArguments(
        f"{slip} is an option of enqueue_job; say pool.options({_OPTIONS_OF_ARQ[slip]}=...).enqueue(...)"
    )


def _no_such_option(name: str) -> str:
    known = list(JobOptions.__annotations__)
    meant = _WORDS_OF_OTHERS.get(name.strip("_")) or next(
        iter(difflib.get_close_matches(name, known, 1)), None
    )
    hint = f", did you mean {meant!r}" if meant else ""
    return f"there is no option {name!r} of a job{hint}; there are {', '.join(known)}"


_WORDS_OF_OTHERS = {
    **dict.fromkeys(("schedule_in", "scheduled_in", "defer_by", "countdown", "in"), "delay"),
    **dict.fromkeys(("schedule_at", "scheduled_at", "defer_until", "eta"), "at"),
    **dict.fromkeys(("max_tries", "max_retries"), "max_attempts"),
    **dict.fromkeys(("queue_name", "worker_queue"), "queue"),
    **dict.fromkeys(("id", "task_id"), "job_id"),
    "job_try": "first_try",
}

_OPTIONS_OF_ARQ = {
    "_job_id": "job_id",
    "_queue_name": "queue",
    "_defer_until": "at",
    "_defer_by": "delay",
    "_expires": "expires",
    "_job_try": "first_try",
}


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
    return func(task)
