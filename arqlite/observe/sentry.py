"""Sentry hears of failed jobs, of cron jobs that come or do not, and of traces.

sentry_sdk.init(dsn=...)

class WorkerSettings:
    services = [Sentry()]
"""

from __future__ import annotations

import contextlib
import itertools
import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic_core import to_jsonable_python

from ..console import REDACTED_KEYS
from ..errors import Cancel, ConfigurationError, MissingExtra
from ..model import tracing
from ..model.arguments import signature_of
from ..model.context import running_job
from ..model.functions import Function
from ..model.tracing import Accepted
from ..service import Host, Service
from ..telemetry import JobException, JobStarted, JobStopped, attach, detach
from .crontabs import five_fields

try:
    import sentry_sdk
    from sentry_sdk.crons import capture_checkin
    from sentry_sdk.utils import event_from_exception
except ImportError as error:
    raise MissingExtra("Sentry", "sentry") from error

__all__ = ("Sentry", "trace_enqueues")

HIDDEN = "[Filtered]"

_TRACER_ID = "sentry"
_ORIGIN = "auto.queue.arqlite"
# Kept apart from the baggage of others.
_TRACE, _BAGGAGE = "sentry-trace", "sentry-baggage"
_STATUS = {"completed": "ok", "cancelled": "cancelled", "discarded": "internal_error"}
_CHECKED_IN = {"completed": "ok", "discarded": "error", "cancelled": "error"}
_AGAIN = "aborted"
_DEEPEST = 8
_NOT_IN_A_SLUG = re.compile(r"[^a-z0-9_-]+")
_numbers = itertools.count(1)
_followers: set[object] = set()


class Sentry(Service):
    """Reports what fails in a worker, with its job; needs `sentry_sdk.init` somewhere before.

    What jobs decide themselves (`Retry`, `Snooze`, `Cancel`, `Discard`) is no failure, and neither are jobs
    that are cancelled or given back. Each run has a scope of its own: what it tags and its breadcrumbs are
    not its neighbours'.

    Args:
        only_last: whether only failures are reported after which the job does not run again.
        ignore: exceptions that are expected, and not reported.
        send_args: whether arguments are shown, those left out whose names are in `redact`; None is as
            `send_default_pii` of Sentry's options has it.
        redact: parts of names whose values are not shown; None is `arqlite.console.REDACTED_KEYS`.
        monitors: whether cron jobs check in: `in_progress` at the start, `ok` or `error` at the end, under
            their names. Sentry then knows their schedules, and tells of those that did not come.
        traces: whether runs are transactions that continue the trace of their enqueuing.

    Raises:
        ConfigurationError: one of the arguments cannot work.
    """

    def __init__(
        self,
        *,
        only_last: bool = False,
        ignore: type[BaseException] | tuple[type[BaseException], ...] = (),
        send_args: bool | None = None,
        redact: Iterable[str] | None = None,
        monitors: bool = True,
        traces: bool = True,
    ) -> None:
        super().__init__()
        self._ignored = ignore if isinstance(ignore, tuple) else (ignore,)
        for one in self._ignored:
            if not (isinstance(one, type) and issubclass(one, BaseException)):
                raise ConfigurationError(f"ignore must be a tuple of exception classes, got {one!r}")
        if isinstance(redact, str):
            raise ConfigurationError(f"redact must be a list of parts of names, got {redact!r}")
        self._redact = tuple(part.lower() for part in (REDACTED_KEYS if redact is None else redact))
        self._only_last = only_last
        self._send_args = send_args
        self._monitors = monitors
        self._traces = traces
        self._queue = ""
        self._session: Callable[[], str] = str
        self._sessions: set[str] = set()
        self._open: dict[tuple[str, str], tuple[contextlib.ExitStack, Any]] = {}
        self._handler_id = f"arqlite.sentry:{next(_numbers)}"
        self._stop_following: Callable[[], None] | None = None

    def join(self, host: Host) -> None:
        """Hear of the worker."""
        self._queue, self._session = host.queue, host.session
        self._sessions.clear()

    async def start(self) -> None:
        """Begin to report."""
        attach(self._handler_id, [JobStarted, JobException, JobStopped], self._hear)
        if self._traces and self._stop_following is None:
            self._stop_following = trace_enqueues()

    async def stop(self) -> None:
        """Report no longer; what was reported is sent by Sentry itself."""
        detach(self._handler_id)
        stop_following, self._stop_following = self._stop_following, None
        if stop_following is not None:
            stop_following()

    def _hear(self, event: JobStarted | JobException | JobStopped) -> None:
        if not self._is_own(event):
            return
        if isinstance(event, JobStarted):
            self._began(event)
        elif isinstance(event, JobException):
            self._failed(event)
        else:
            self._ended(event)

    def _is_own(self, event: JobStarted | JobException | JobStopped) -> bool:
        if event.queue != self._queue:
            return False
        if event.worker not in self._sessions:
            self._sessions.add(self._session())
        return event.worker in self._sessions

    def _began(self, event: JobStarted) -> None:
        """Open a scope, in the task of the run: what that does belongs to it."""
        stack = contextlib.ExitStack()
        scope = stack.enter_context(sentry_sdk.isolation_scope())
        # At once: whatever goes wrong from here on, the scope ends with the run.
        self._open[event.job_id, event.worker] = (stack, None)
        scope.clear_breadcrumbs()
        scope.set_transaction_name(event.function, source="task")
        self._describe(scope, event)
        if self._traces:
            transaction = _continued(event)
            stack.enter_context(
                sentry_sdk.start_transaction(transaction, custom_sampling_context={"arqlite_job": event})
            )
            self._open[event.job_id, event.worker] = (stack, transaction)
        if self._monitors:
            _check_in(event, "in_progress")

    def _failed(self, event: JobException) -> None:
        if isinstance(event.error, self._ignored) or (self._only_last and not event.is_last):
            return
        client = sentry_sdk.get_client()
        if not client.is_active():
            return
        told, hint = event_from_exception(
            event.error,
            client_options=client.options,
            mechanism={"type": "arqlite", "handled": False},
        )
        with sentry_sdk.new_scope() as scope:
            scope.set_transaction_name(event.function, source="task")
            self._describe(scope, event)
            scope.set_tag("arqlite.is_last", str(event.is_last).lower())
            sentry_sdk.capture_event(told, hint=hint)

    def _ended(self, event: JobStopped) -> None:
        stack, transaction = self._open.pop((event.job_id, event.worker), (None, None))
        if self._monitors and event.state in _CHECKED_IN:
            # A job that finds that it is not needed has come all the same.
            status = "ok" if isinstance(event.error, Cancel) else _CHECKED_IN[event.state]
            _check_in(event, status, event.duration_ms / 1000)
        if transaction is not None:
            transaction.set_status(_STATUS.get(event.state, _AGAIN))
            transaction.set_tag("arqlite.state", event.state)
        if stack is not None:
            stack.close()

    def _describe(self, scope: Any, event: JobStarted | JobException) -> None:
        scope.set_tag("arqlite.queue", event.queue)
        scope.set_tag("arqlite.function", event.function)
        scope.set_tag("arqlite.job_id", event.job_id)
        args, kwargs = self._arguments(event)
        scope.set_context(
            "arqlite job",
            {
                "id": event.job_id,
                "queue": event.queue,
                "function": event.function,
                "attempt": event.counted_attempt or event.attempt,
                "max_attempts": event.max_attempts,
                "priority": event.priority,
                "tags": list(event.tags),
                "worker": event.worker,
                "args": args,
                "kwargs": kwargs,
            },
        )

    def _arguments(self, event: JobStarted | JobException) -> tuple[Any, Any]:
        """Tell the arguments as far as they may be shown; those without a known name may be anything."""
        sends = self._send_args
        if sends is None:
            sends = sentry_sdk.get_client().should_send_default_pii()
        if not sends:
            return HIDDEN, HIDDEN
        names = _parameters_of(event)
        args = [
            self._shown(names[place], value) if place < len(names) else HIDDEN
            for place, value in enumerate(event.args)
        ]
        return args, {name: self._shown(name, value) for name, value in event.kwargs.items()}

    def _shown(self, name: str, value: Any, depth: int = 0) -> Any:
        if depth > _DEEPEST or any(part in name.lower() for part in self._redact):
            return HIDDEN
        if isinstance(value, Mapping):
            return {str(key): self._shown(str(key), inner, depth + 1) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self._shown("", inner, depth + 1) for inner in value]
        if value is None or isinstance(value, str | int | float):
            return value
        try:  # a model, say, whose fields may be secret
            plain = to_jsonable_python(value)
        except Exception:  # noqa: BLE001 (an application's own class may raise anything)
            return f"<{type(value).__name__}>"
        return self._shown("", plain, depth + 1)


def trace_enqueues() -> Callable[[], None]:
    """Have jobs that this process enqueues carry its trace, and a span of each enqueuing. Workers with the
    service `Sentry` do this by themselves.

    Returns:
        A function that ends it.
    """
    follower = object()
    _followers.add(follower)
    tracing.attach(_TRACER_ID, _Producer())

    def stop() -> None:
        _followers.discard(follower)
        if not _followers:
            tracing.detach(_TRACER_ID)

    return stop


class _Producer:
    """A tracer of `model.tracing`."""

    @contextlib.contextmanager
    def sending(self, queue: str, functions: Sequence[str]) -> Iterator[Accepted]:
        """Have a span open while jobs are enqueued."""
        name = functions[0] if len(set(functions)) == 1 else queue or "jobs"
        with sentry_sdk.start_span(op="queue.publish", name=name, origin=_ORIGIN) as span:
            span.set_data("messaging.system", "arqlite")
            if queue:
                span.set_data("messaging.destination.name", queue)

            def accepted(job_ids: Sequence[str]) -> None:
                if len(functions) == len(job_ids) == 1:
                    span.set_data("messaging.message.id", job_ids[0])

            yield accepted

    def carried(self) -> Mapping[str, str]:
        """Tell the trace that goes on in the job."""
        found = {_TRACE: sentry_sdk.get_traceparent(), _BAGGAGE: sentry_sdk.get_baggage()}
        return {name: value for name, value in found.items() if value}


def _continued(event: JobStarted) -> Any:
    job = running_job.get()
    carried = {} if job is None else job.carried
    transaction = sentry_sdk.continue_trace(
        {"sentry-trace": carried.get(_TRACE, ""), "baggage": carried.get(_BAGGAGE, "")},
        op="queue.process",
        name=event.function,
        source="task",
        origin=_ORIGIN,
    )
    transaction.set_data("messaging.system", "arqlite")
    transaction.set_data("messaging.destination.name", event.queue)
    transaction.set_data("messaging.message.id", event.job_id)
    retries = max((event.counted_attempt or event.attempt) - 1, 0)
    transaction.set_data("messaging.message.retry.count", retries)
    transaction.set_data("messaging.message.receive.latency", max(event.at_ms - event.scheduled_ms, 0))
    return transaction


def _check_in(event: JobStarted | JobStopped, status: str, duration_s: float | None = None) -> None:
    """Check in for a cron job; others have no name in their meta. All attempts of a job are one check-in."""
    meta = event.meta
    if not meta.get("cron") or not isinstance(meta.get("cron_name"), str):
        return
    schedule = five_fields(str(meta.get("cron_expr", "")))
    if isinstance(event, JobStopped) and not event.started_ms:
        duration_s = None
    zone = meta.get("cron_tz")
    config: dict[str, Any] | None = None
    if schedule is not None:
        config = {"schedule": {"type": "crontab", "value": schedule}}
        if zone and zone != "local":
            config["timezone"] = zone
    capture_checkin(
        monitor_slug=_slug(meta["cron_name"]),
        check_in_id=uuid.uuid5(uuid.NAMESPACE_URL, f"arqlite:{event.queue}:{event.job_id}").hex,
        status=status,
        duration=duration_s,
        monitor_config=config,  # type: ignore[arg-type]  # its types are open dicts, ours is one
    )


def _slug(name: str) -> str:
    """Make of a name what Sentry takes as one: small letters, digits, `-` and `_`, at most 50."""
    return _NOT_IN_A_SLUG.sub("-", name.lower()).strip("-")[:50] or "cron"


def _parameters_of(event: JobStarted | JobException) -> Sequence[str]:
    """Tell what the function calls its positional arguments; nothing where it is not at hand."""
    job = running_job.get()
    target = getattr(job, "target", None)
    if job is None or job.job_id != event.job_id or not isinstance(target, Function):
        return ()
    return signature_of(target.coroutine).parameter_names
