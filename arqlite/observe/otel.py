"""Traces and metrics of jobs by OpenTelemetry; needs its API only, and does nothing until an SDK is set up.

class WorkerSettings:
    services = [OpenTelemetry()]     # consumer spans, metrics, and producer spans of what jobs enqueue

stop = trace_enqueues()              # in programs that only enqueue
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from ..errors import MissingExtra
from ..telemetry import JobException, JobStarted, JobStopped, attach, detach
from ..typing import SecondsTimedelta

try:
    from opentelemetry import metrics as otel_metrics
    from opentelemetry import trace as otel_trace
except ImportError as error:
    raise MissingExtra("OpenTelemetry", "otel") from error

from ..model import tracing
from .otelmeters import Meters, meters_of
from .oteltracing import Consumer, Producer
from .watching import Watch

__all__ = ("OpenTelemetry", "trace_enqueues")

_TRACER_ID = "opentelemetry"
_numbers = itertools.count(1)
_followers: set[object] = set()


class OpenTelemetry(Watch):
    """Follows the jobs of a worker.

    Each run is a span of kind CONSUMER, `process <queue>`; each enqueuing one of kind PRODUCER, `send
    <queue>`. The job carries the context of the latter in its envelope, not in its `meta`. Both follow the
    semantic conventions of messaging. Metrics have the meaning of those of `Prometheus`.

    Args:
        tracer_provider, meter_provider: where they go; None is the process's own.
        traces, metrics: whether there are any.
        as_child: whether a run belongs to the trace of its enqueuing. Otherwise it begins one of its own,
            linked to the other: jobs may wait for days, and one enqueuing may make thousands.
        baggage: whether baggage travels along. It may hold what others must not see, so not by default.
        interval, queue_label: as for `Prometheus`.
    """

    def __init__(
        self,
        *,
        tracer_provider: Any = None,
        meter_provider: Any = None,
        traces: bool = True,
        metrics: bool = True,
        as_child: bool = False,
        baggage: bool = False,
        interval: SecondsTimedelta = 5.0,
        queue_label: str | None = None,
    ) -> None:
        super().__init__(interval, queue_label)
        self._tracer_provider = tracer_provider
        self._meter_provider = meter_provider
        self._has_metrics = metrics
        self._baggage = baggage
        self._traces = traces
        self._consumer = Consumer(_tracer(tracer_provider), as_child=as_child, baggage=baggage)
        self._spans_id = f"arqlite.otel:{next(_numbers)}"
        self._meters: Meters | None = None
        self._stop_following: Callable[[], None] | None = None

    async def start(self) -> None:
        """Begin to follow."""
        if self._traces and self._stop_following is None:
            self._stop_following = trace_enqueues(self._tracer_provider, baggage=self._baggage)
            attach(self._spans_id, [JobStarted, JobException, JobStopped], self._follow)
        if self._has_metrics and self._meters is None:
            self._meters = meters_of(self._meter_provider or otel_metrics.get_meter_provider())
            self._meters.join(self)
        await super().start()

    async def stop(self) -> None:
        """Follow no longer."""
        await super().stop()
        detach(self._spans_id)
        stop_following, self._stop_following = self._stop_following, None
        if stop_following is not None:
            stop_following()
        meters, self._meters = self._meters, None
        if meters is not None:
            meters.leave(self)

    async def tick(self) -> None:
        """Look at the queue, if anybody is to hear of it."""
        if self._meters is not None:
            await super().tick()

    def ended(self, task: str, state: str, run_s: float | None, wait_s: float | None) -> None:
        """Count a run, or an end without one."""
        if self._meters is not None:
            self._meters.ended(self.queue, task, state, run_s, wait_s)

    def rescued(self, cause: str, count: int) -> None:
        """Count jobs that were put back, or given up."""
        if self._meters is not None:
            self._meters.rescued(self.queue, cause, count)

    def redis_failed(self, operation: str) -> None:
        """Count an attempt that failed."""
        if self._meters is not None:
            self._meters.redis_failed(operation)

    def _follow(self, event: JobStarted | JobException | JobStopped) -> None:
        if not self.is_own(event.queue, event.worker):
            return
        if isinstance(event, JobStarted):
            self._consumer.began(event)
        elif isinstance(event, JobException):
            self._consumer.failed(event)
        else:
            self._consumer.ended(event)


def trace_enqueues(tracer_provider: Any = None, *, baggage: bool = False) -> Callable[[], None]:
    """Have a span for each enqueuing of this process, and jobs carry its context. Workers with the service
    `OpenTelemetry` do this by themselves.

    Args:
        tracer_provider: where spans go; None is the process's own.
        baggage: whether baggage travels along, too.

    Returns:
        A function that ends it.
    """
    follower = object()
    _followers.add(follower)
    tracing.attach(_TRACER_ID, Producer(_tracer(tracer_provider), baggage=baggage))

    def stop() -> None:
        _followers.discard(follower)
        if not _followers:
            tracing.detach(_TRACER_ID)

    return stop


def _tracer(provider: Any) -> otel_trace.Tracer:
    from ..version import VERSION

    return otel_trace.get_tracer("arqlite", VERSION, tracer_provider=provider)
