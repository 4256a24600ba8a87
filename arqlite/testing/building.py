"""A job as a worker would be given it, without a queue."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from .. import constants
from ..client import ArqRedis
from ..engine import NewJob
from ..errors import ConfigurationError, InvalidArguments
from ..model import calls, checks
from ..model.arguments import signature_of
from ..model.attempts import decode_attempts, encode_attempt
from ..model.calls import Call, JobOptions
from ..model.codec import Codec, blob_of
from ..model.functions import Function
from ..model.memory import Memory
from ..model.records import JobView
from ..model.states import JobState
from ..model.unique import Unique
from ..offering import Offer, codec_of
from ..typing import Deserializer, SecondsTimedelta, Serializer
from ..utils import timestamp_ms
from .listing import view_of


@dataclass(slots=True)
class Blank:
    """What writing a job needs of a client, where there is none."""

    job_serializer: Serializer | None = None
    job_deserializer: Deserializer | None = None
    default_queue_name: str = constants.default_queue_name
    expires_extra_ms: int = constants.expires_extra_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltJob(JobView):
    """A job that was built and is not stored anywhere; `perform_job` runs it.

    Attributes:
        record: as a queue would keep it.
        past: what a queue would remember of its earlier runs.
        failures: what it would keep of those that failed.
        target: its function; None when it was built by name.
        codec: how it is written.
    """

    record: bytes = field(repr=False)
    past: Memory = field(repr=False)
    failures: tuple[bytes, ...] = field(repr=False)
    target: Function[..., Any] | None = field(repr=False)
    codec: Codec = field(repr=False)


def build_job(
    task: str | Call[Any] | Function[..., Any] | Callable[..., Any],
    /,
    *args: Any,
    attempt: int | None = None,
    errors: Sequence[BaseException] = (),
    pool: ArqRedis | None = None,
    delay: SecondsTimedelta | None = None,
    at: datetime | None = None,
    queue: str | None = None,
    job_id: str | None = None,
    priority: int | None = None,
    expires: SecondsTimedelta | None = None,
    max_attempts: int | None = None,
    tags: Sequence[str] | None = None,
    meta: Mapping[str, Any] | None = None,
    unique: Unique | None = None,
    **kwargs: Any,
) -> BuiltJob:
    """Build a job as a worker would be given it: checked, and with arguments and meta as JSON has them.

    Args:
        task: the function itself, what `func` or `task` made of it, its name, or what `arqlite.call` made.
        args: what to call it with, after `ctx`.
        attempt: which attempt it is, from 1; the one after those that failed if it is not given.
        errors: what the attempts before failed with, the first one first; the job finds them in its `errors`.
        pool: whose serializers and default queue to use; JSON and arqlite's by default. Not spoken to.
        delay, at, queue, job_id, priority, expires, max_attempts, tags, meta, unique: as for
            `ArqRedis.options`. The id is a new one if none is given.
        kwargs: what to call it with, by name. Where a parameter of the function has the name of an option
            here, give the arguments with `arqlite.call`.

    Raises:
        InvalidArguments: the function cannot be called so.
        ConfigurationError: it is no function, or an option cannot work.
        SerializationError: an argument cannot be written.
    """
    if attempt is not None:
        checks.count("attempt", attempt, 1)
    if not all(isinstance(error, BaseException) for error in errors):
        raise ConfigurationError(f"errors must be exceptions, got {errors!r}")
    given = {
        "delay": delay, "at": at, "queue": queue, "job_id": job_id, "priority": priority, "expires": expires,
        "max_attempts": max_attempts, "tags": tags, "meta": meta, "unique": unique,
    }  # fmt: skip
    own = {name: value for name, value in given.items() if value is not None}
    call = task if isinstance(task, Call) else calls.call(task, *args, **kwargs)
    if isinstance(task, Call) and (args or kwargs):
        raise InvalidArguments(f"{task!r} has its arguments already; give it none beside")
    if not isinstance(task, Call) and call.target is not None:
        _refuse_two_meanings(
            call.target, {*own, *(["attempt"] if attempt else ()), *(["errors"] if errors else ())}
        )
    client = Blank() if pool is None else pool
    offer = Offer(client, codec_of(client), call, calls.checked(**cast("JobOptions", own)))
    return _built(client, call, offer.job, offer.queue, attempt or len(errors) + 1, errors)


def _built(
    client: Any,
    call: Call[Any],
    new_job: NewJob,
    queue: str,
    attempt: int,
    errors: Sequence[BaseException],
) -> BuiltJob:
    codec = Codec(client.job_serializer, client.job_deserializer)
    past = Memory(tries=attempt - 1)
    envelope = codec.decode_job(blob_of(new_job.record))
    failures = tuple(
        encode_attempt(number, envelope["et"], envelope["et"], error, "testing")
        for number, error in enumerate(errors, max(attempt - len(errors), 1))
    )
    due_ms = int(envelope.get("at") or envelope["et"])
    state = JobState.SCHEDULED if due_ms > timestamp_ms() else JobState.AVAILABLE
    view = view_of(new_job.job_id, queue, envelope, past, state, due_ms, attempt=attempt)
    shown = {name: getattr(view, name) for name in JobView.__dataclass_fields__}
    shown["errors"] = decode_attempts(failures, envelope["et"])
    return BuiltJob(
        **shown, record=new_job.record, past=past, failures=failures, target=call.target, codec=codec
    )


def _refuse_two_meanings(target: Function[..., Any], options: set[str]) -> None:
    signature = signature_of(target.coroutine)
    both = sorted(name for name in options if signature.takes(name))
    if both:
        raise InvalidArguments(
            f"{both[0]} is both a parameter of {target.name} and an option of the job: "
            f"give the arguments with arqlite.call({target.name}, {both[0]}=...)",
            function=target.name,
        )
