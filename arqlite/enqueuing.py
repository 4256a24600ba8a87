"""The verbs that enqueue, written once: for a pool, and for a pool with options."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextvars import ContextVar
from typing import Any, Concatenate, Protocol, TypeAlias, overload

from typing_extensions import Unpack

from .constants import expires_extra_ms as _default_expires_extra_ms
from .engine import ENQUEUE_CHUNK, EnqueueBatch, NewJob
from .errors import ConfigurationError
from .jobs import Job
from .model import calls as made
from .model import checks
from .model.calls import Call, JobOptions, Options
from .model.codec import Codec, queued_record
from .model.functions import Function
from .telemetry import JobEnqueued, execute, has_handlers
from .typing import Deserializer, P, R, Serializer
from .utils import new_job_id, timestamp_ms


class JobWriting(Protocol):
    """What writing a job needs to know; `ArqRedis` has it."""

    job_serializer: Serializer | None
    job_deserializer: Deserializer | None
    default_queue_name: str
    expires_extra_ms: int


class QueueClient(JobWriting, Protocol):
    """What enqueuing needs of a client; `ArqRedis` has it."""

    def queue(self, name: str) -> EnqueueBatch: ...  # noqa: D102 (told by its class)


Diversion: TypeAlias = Callable[[QueueClient, Call[Any], NewJob, str], Awaitable[Job[Any]]]
"""Takes a job that was written for a queue, instead of the queue, and gives the caller a handle on it."""

diversion: ContextVar[Diversion | None] = ContextVar("arqlite_diversion", default=None)
"""Where jobs go that are enqueued in this context; None is to their queues. The testing kit sets it."""


class Enqueuing:
    """What can enqueue jobs."""

    @overload
    async def enqueue(self, task: Function[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Job[R]: ...
    @overload
    async def enqueue(
        self,
        task: Callable[Concatenate[Any, P], Coroutine[Any, Any, R]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Job[R]: ...
    @overload
    async def enqueue(
        self, task: Callable[Concatenate[Any, P], R], /, *args: P.args, **kwargs: P.kwargs
    ) -> Job[R]: ...
    @overload
    async def enqueue(self, task: str, /, *args: Any, **kwargs: Any) -> Job[Any]: ...
    async def enqueue(self, task: Any, /, *args: Any, **kwargs: Any) -> Job[Any]:
        """Enqueue a job of a function that is at hand; type checkers check the call, and so does this.

        Args:
            task: the function itself, what `func` made of it, or a name. Only a name is not checked.
            args: what to call it with, after `ctx`.
            kwargs: what to call it with, by name; all names are the function's, none is an option.

        Returns:
            The job. Its result has the type that the function's annotation says. Where an id in use was
            asked for (`options(job_id=...)`), it is the job that has it, and `conflict` is True.

        Raises:
            InvalidArguments: the function cannot be called so; nothing was enqueued.
            SerializationError: an argument cannot be written; nothing was enqueued.
        """
        return await send(*self._target_with(made.call(task, *args, **kwargs)))

    @overload
    async def enqueue_many(
        self, calls: Iterable[Call[R]], *, _queue_name: str | None = None
    ) -> list[Job[R]]: ...
    @overload
    async def enqueue_many(
        self, calls: Iterable[tuple[Any, ...]], *, _queue_name: str | None = None
    ) -> list[Job[Any]]: ...
    async def enqueue_many(
        self, calls: Iterable[Call[Any] | tuple[Any, ...]], *, _queue_name: str | None = None
    ) -> list[Job[Any]]:
        """Enqueue many jobs at once; each chunk of 500 of a queue is stored as a whole or not at all.

        Args:
            calls: what `arqlite.call` makes, or tuples `(function, args, kwargs)` of which kwargs, or both,
                may be left out. Options of a call's own win.
            _queue_name: the queue of those that name none; the pool's default.

        Returns:
            The jobs in the order of the calls; `conflict` is True for one whose id is in use.

        Raises:
            InvalidArguments: a function cannot be called so; nothing was enqueued.
            SerializationError: an argument cannot be written; nothing was enqueued.
            redis.exceptions.RedisError: Redis failed; a note on the error tells how many jobs were stored.
        """
        client, options = self._target()
        if _queue_name is not None:
            options = options._replace(queue=_queue_name)
        return await send_many(client, [_call(one) for one in calls], options)

    def options(self, **options: Unpack[JobOptions]) -> Enqueuer:
        """Say how jobs are to be enqueued: `await pool.options(delay=60).enqueue(send, "a@b.c")`.

        Args:
            options: any of these:
                `delay`, seconds or a timedelta to wait first, at least 0;
                `at`, when to run it instead, a datetime (a naive one is local time);
                `queue`, its name, the pool's default if not given;
                `job_id`, an id of your own, so that the job is enqueued only once;
                `priority`, 0 (the default) runs first, 9 last, among equals the older job;
                `expires`, seconds or a timedelta after which it is not started any more;
                `first_try`, the number of its first try, 1 if not given;
                `max_attempts`, how often it may fail, as its task has it if not given;
                `tags`, a list of texts to find it by, in lower case and each once;
                `meta`, a dict of plain data that it carries beside its arguments;
                `unique`, a `Unique` that tells when it counts as a job that is there already.

        Raises:
            ConfigurationError: one of them is unknown or cannot work.
        """
        client, before = self._target()
        return Enqueuer(client, made.merged(made.checked(**options), before))

    def _target(self) -> tuple[QueueClient, Options]:
        """Tell where jobs go, and how."""
        raise NotImplementedError

    def _target_with(self, call: Call[R]) -> tuple[QueueClient, Call[R], Options]:
        client, options = self._target()
        return client, call, options


class Enqueuer(Enqueuing):
    """Enqueues jobs on a pool with the options it was made with; made by `ArqRedis.options`.

    Args:
        client: the pool.
        options: how.
    """

    def __init__(self, client: QueueClient, options: Options) -> None:
        self._client = client
        self._options = options

    def _target(self) -> tuple[QueueClient, Options]:
        return self._client, self._options


async def send(client: QueueClient, call: Call[R], options: Options) -> Job[R]:
    """Enqueue one call."""
    options = call.settled(options)
    new_job, queue = write_job(client, call, options)
    if (divert := diversion.get()) is not None:
        return await divert(client, call, new_job, queue)
    accepted = await client.queue(queue).enqueue(new_job)
    # Nobody else makes our ids: if one is known already, it is this very job, sent twice.
    conflict = not accepted and options.job_id is not None
    if not conflict and has_handlers(JobEnqueued):
        execute(JobEnqueued(queue, new_job.job_id, call.function))
    return Job.of_call(new_job.job_id, client, queue, call.signature, conflict=conflict)


async def send_many(client: QueueClient, calls: list[Call[Any]], common: Options) -> list[Job[Any]]:
    """Enqueue many calls, queue by queue."""
    made_of = [call.settled(common) for call in calls]
    new_jobs = [write_job(client, call, options) for call, options in zip(calls, made_of, strict=True)]
    if (divert := diversion.get()) is not None:
        return [await divert(client, call, *made) for call, made in zip(calls, new_jobs, strict=True)]
    places_of: dict[str, list[int]] = {}
    for place, (_, queue) in enumerate(new_jobs):
        places_of.setdefault(queue, []).append(place)
    refused: set[int] = set()
    stored = 0
    for queue, places in places_of.items():
        for start in range(0, len(places), ENQUEUE_CHUNK):
            chunk = places[start : start + ENQUEUE_CHUNK]
            try:
                in_use = await client.queue(queue).engine.enqueue([new_jobs[place][0] for place in chunk])
            except Exception as error:
                error.add_note(
                    f"{stored} of {len(calls)} jobs are stored; of the next {len(chunk)}, either all or none"
                )
                raise
            stored += len(chunk)
            refused |= {chunk[order] for order in in_use if made_of[chunk[order]].job_id is not None}
    tells = has_handlers(JobEnqueued)
    jobs: list[Job[Any]] = []
    for place, (call, (new_job, queue)) in enumerate(zip(calls, new_jobs, strict=True)):
        conflict = place in refused
        jobs.append(Job.of_call(new_job.job_id, client, queue, call.signature, conflict=conflict))
        if tells and not conflict:
            execute(JobEnqueued(queue, new_job.job_id, call.function))
    return jobs


def _call(given: Call[Any] | tuple[Any, ...]) -> Call[Any]:
    """Take a call as it is, and `(function, args, kwargs)` apart."""
    if isinstance(given, Call):
        return given
    if not isinstance(given, tuple) or not 1 <= len(given) <= 3:
        raise ConfigurationError(
            f"a call is what arqlite.call makes, or (function, args, kwargs), got {given!r}"
        )
    function, args, kwargs = (*given, (), {})[:3] if len(given) == 1 else (*given, {})[:3]
    checks.instance("args", args, (tuple, list), "a tuple or a list")
    checks.instance("kwargs", kwargs, dict, "a dict")
    return made.call(function, *args, **kwargs)


def write_job(client: JobWriting, call: Call[Any], options: Options) -> tuple[NewJob, str]:
    """Write a job down as its queue takes it, and tell which queue that is."""
    now_ms = timestamp_ms()
    extras: dict[str, Any] = {}
    when, due = "", now_ms
    if options.at_ms is not None:
        due = options.at_ms
        when = f"={due}"
    elif options.delay_ms:
        due = now_ms + options.delay_ms
        when = f"{options.delay_ms:+d}"
    if when:
        extras["at"] = due
        if due > checks.LAST_MS:
            raise ConfigurationError(
                f"a job cannot be deferred beyond the year 9999, got {(options.delay_ms or 0) / 1000} seconds"
            )
    if options.expires_ms is not None:
        extras["x"] = now_ms + options.expires_ms
    elif client.expires_extra_ms != _default_expires_extra_ms:
        extras["x"] = due + client.expires_extra_ms
    if options.job_id is not None:
        # Two callers may enqueue the same id in the same ms; only one of them may be told yes.
        extras["n"] = new_job_id()[11:]
    if options.priority:
        extras["p"] = options.priority
    if options.max_attempts is not None:
        extras["ma"] = options.max_attempts
    if options.tags:
        extras["g"] = options.tags
    if options.meta:
        extras["m"] = options.meta
    codec = Codec(client.job_serializer, client.job_deserializer)
    blob = codec.encode_job(call.function, call.args, call.kwargs, options.first_try, now_ms, **extras)
    new_job = NewJob(options.job_id or new_job_id(), when, queued_record(options.priority or 0, blob))
    return new_job, options.queue or client.default_queue_name
