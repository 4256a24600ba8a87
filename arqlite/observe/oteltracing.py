"""Spans of jobs: of their enqueuing, and of each of their runs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence

from opentelemetry import context as otel_context
from opentelemetry import trace as otel_trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.propagators.textmap import TextMapPropagator
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from ..model.context import running_job
from ..model.tracing import Accepted
from ..telemetry import JobException, JobStarted, JobStopped
from ..telemetry.wording import words_of

_NO_PARENT = Context()


def propagator_of(*, baggage: bool) -> TextMapPropagator:
    """Tell how a context is written into a job; both ends are arqlite's, whatever the process speaks else."""
    trace_context = TraceContextTextMapPropagator()
    return CompositePropagator([trace_context, W3CBaggagePropagator()]) if baggage else trace_context


class Producer:
    """Makes a span of each enqueuing; a tracer of `model.tracing`.

    Args:
        tracer: who makes spans.
        baggage: whether baggage travels along.
    """

    def __init__(self, tracer: otel_trace.Tracer, *, baggage: bool) -> None:
        self._tracer = tracer
        self._propagator = propagator_of(baggage=baggage)

    @contextlib.contextmanager
    def sending(self, queue: str, functions: Sequence[str]) -> Iterator[Accepted]:
        """Have a span open while jobs are enqueued."""
        attributes: dict[str, str | int] = {
            "messaging.system": "arqlite",
            "messaging.operation.name": "send",
            "messaging.operation.type": "send",
        }
        if queue:
            attributes["messaging.destination.name"] = queue
        if len(functions) > 1:
            attributes["messaging.batch.message_count"] = len(functions)
        if len(set(functions)) == 1:
            attributes["arqlite.function"] = functions[0]
        name = f"send {queue}" if queue else "send"
        with self._tracer.start_as_current_span(name, kind=SpanKind.PRODUCER, attributes=attributes) as span:

            def accepted(job_ids: Sequence[str]) -> None:
                span.set_attribute("arqlite.accepted", len(job_ids))
                if len(functions) == len(job_ids) == 1:
                    span.set_attribute("messaging.message.id", job_ids[0])

            yield accepted

    def carried(self) -> Mapping[str, str]:
        """Tell the context of the span that is open."""
        carrier: dict[str, str] = {}
        self._propagator.inject(carrier)
        return carrier


class Consumer:
    """Makes a span of each run, from the events of its start and its end.

    Args:
        tracer: who makes spans.
        as_child: whether a run belongs to the trace of its enqueuing.
        baggage: whether baggage travels along.
    """

    def __init__(self, tracer: otel_trace.Tracer, *, as_child: bool, baggage: bool) -> None:
        self._tracer = tracer
        self._as_child = as_child
        self._propagator = propagator_of(baggage=baggage)
        self._open: dict[tuple[str, str, str], tuple[Span, Context]] = {}

    def began(self, event: JobStarted) -> None:
        """Open a span, in the task of the run: what that does belongs to it."""
        job = running_job.get()
        carried = self._propagator.extract(dict(job.carried) if job is not None else {}, _NO_PARENT)
        origin = otel_trace.get_current_span(carried).get_span_context()
        links = [Link(origin)] if origin.is_valid else []
        # The parent says whose trace it is; baggage comes along either way.
        alone = otel_trace.set_span_in_context(otel_trace.INVALID_SPAN, carried)
        parent = carried if self._as_child else alone
        span = self._tracer.start_span(
            f"process {event.queue}",
            context=parent,
            kind=SpanKind.CONSUMER,
            links=[] if self._as_child else links,
            attributes=_attributes(event),
        )
        before = otel_context.get_current()
        otel_context.attach(otel_trace.set_span_in_context(span, carried))
        self._open[_key(event)] = (span, before)

    def failed(self, event: JobException) -> None:
        """Note why a run failed."""
        found = self._open.get(_key(event))
        if found is None:
            return  # it failed without a run
        span, error = found[0], event.error
        span.set_attribute("error.type", type(error).__qualname__)
        span.set_status(Status(StatusCode.ERROR, words_of(error)))
        span.record_exception(error, {"exception.escaped": True})

    def ended(self, event: JobStopped) -> None:
        """Close the span of a run."""
        found = self._open.pop(_key(event), None)
        if found is None:
            return
        span, before = found
        span.set_attribute("arqlite.state", event.state)
        if event.cause:
            span.set_attribute("arqlite.cause", event.cause)
        span.end()
        # What the worker does next in this task is not the job's. No token is given back, since an end may be
        # told in another task than the start.
        if otel_trace.get_current_span() is span:
            otel_context.attach(before)


def _key(event: JobStarted | JobException | JobStopped) -> tuple[str, str, str]:
    return event.queue, event.job_id, event.worker


def _attributes(event: JobStarted) -> dict[str, str | int]:
    return {
        "messaging.system": "arqlite",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": event.queue,
        "messaging.message.id": event.job_id,
        "messaging.client.id": event.worker,
        "arqlite.function": event.function,
        "arqlite.attempt": event.counted_attempt or event.attempt,
        "arqlite.priority": event.priority,
        "arqlite.wait_ms": max(event.at_ms - (event.scheduled_ms or event.at_ms), 0),
    }
