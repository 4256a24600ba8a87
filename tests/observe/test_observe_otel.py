"""Traces and metrics by OpenTelemetry: spans of enqueuing and of runs, and how they belong together."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from observe_toys import ACT, Ctx, host_of, stopped
from opentelemetry import baggage, context, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from sqlite_threads import sqlite_threads_end  # noqa: F401 (a fixture)
from worker_toys import Gate, at_work, enqueue

from arqlite import ArqRedis, Inspector, call, chain, cron, func
from arqlite.ledger import Ledger
from arqlite.model import tracing
from arqlite.observe import OpenTelemetry
from arqlite.observe.otel import trace_enqueues
from arqlite.telemetry import JobsRescued, LeaderChanged, RedisFailed, execute

QUEUE = "arq:queue"


class Traces:
    """A provider whose spans can be looked at."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer = self.provider.get_tracer("test")

    def service(self, **options: Any) -> OpenTelemetry:
        return OpenTelemetry(tracer_provider=self.provider, metrics=False, **options)

    def of(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.exporter.get_finished_spans() if span.name == name]

    @property
    def sent(self) -> list[ReadableSpan]:
        return self.of(f"send {QUEUE}")

    @property
    def processed(self) -> list[ReadableSpan]:
        return self.of(f"process {QUEUE}")


@pytest.fixture
def traces() -> Iterator[Traces]:
    made = Traces()
    yield made
    made.provider.shutdown()


@pytest.fixture
def sending(traces: Traces) -> Iterator[None]:
    """Follow what the test enqueues."""
    stop = trace_enqueues(traces.provider)
    yield
    stop()


def id_of(span: ReadableSpan) -> tuple[int, int]:
    assert span.context is not None
    return span.context.trace_id, span.context.span_id


def linked(span: ReadableSpan) -> list[tuple[int, int]]:
    return [(link.context.trace_id, link.context.span_id) for link in span.links]


async def test_run_is_linked_to_its_enqueuing(
    arq_redis: ArqRedis, make_worker: Any, traces: Traces, sending: None
) -> None:
    """An enqueuing and a run are spans of the messaging conventions, and the run links to the enqueuing."""
    job = await enqueue(arq_redis, "act")

    await make_worker([ACT], services=[traces.service()]).async_run()

    [sent], [processed] = traces.sent, traces.processed
    assert (sent.kind, processed.kind) == (SpanKind.PRODUCER, SpanKind.CONSUMER)
    assert dict(sent.attributes or {}) == {
        "messaging.system": "arqlite",
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.destination.name": QUEUE,
        "messaging.message.id": job.job_id,
        "arqlite.function": "act",
        "arqlite.accepted": 1,
    }
    told = dict(processed.attributes or {})
    assert told.pop("messaging.client.id")
    assert told.pop("arqlite.wait_ms") >= 0  # type: ignore[operator]  # it is a number
    assert told == {
        "messaging.system": "arqlite",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": QUEUE,
        "messaging.message.id": job.job_id,
        "arqlite.function": "act",
        "arqlite.attempt": 1,
        "arqlite.priority": 0,
        "arqlite.state": "completed",
    }
    assert linked(processed) == [id_of(sent)]
    assert processed.parent is None
    assert id_of(processed)[0] != id_of(sent)[0]


async def test_run_as_a_child(arq_redis: ArqRedis, make_worker: Any, traces: Traces, sending: None) -> None:
    """If asked for, a run belongs to the trace of its enqueuing, and to that of who enqueued."""
    with traces.tracer.start_as_current_span("request") as request:
        await enqueue(arq_redis, "act")

    await make_worker([ACT], services=[traces.service(as_child=True)]).async_run()

    [sent], [processed] = traces.sent, traces.processed
    assert sent.parent is not None
    assert sent.parent.span_id == request.get_span_context().span_id
    assert processed.parent is not None
    assert (processed.parent.trace_id, processed.parent.span_id) == id_of(sent)
    assert processed.links == ()


async def test_job_of_a_job_belongs_to_the_run(
    arq_redis: ArqRedis, make_worker: Any, traces: Traces, sending: None
) -> None:
    """What a job enqueues is sent within its run, and its own spans are within it, too."""

    async def outer(ctx: Ctx) -> None:
        with traces.tracer.start_as_current_span("query"):
            await ctx["redis"].enqueue_job("act")

    await enqueue(arq_redis, "outer")

    await make_worker([ACT, func(outer, name="outer")], services=[traces.service()]).async_run()

    by_function = {dict(span.attributes or {})["arqlite.function"]: span for span in traces.processed}
    [query] = traces.of("query")
    inner_sent = next(span for span in traces.sent if span.parent is not None)
    assert query.parent is not None
    assert (query.parent.trace_id, query.parent.span_id) == id_of(by_function["outer"])
    assert inner_sent.parent is not None
    assert (inner_sent.parent.trace_id, inner_sent.parent.span_id) == id_of(query)
    assert linked(by_function["act"]) == [id_of(inner_sent)]


async def test_runs_do_not_leak_into_each_other(
    arq_redis: ArqRedis, make_worker: Any, traces: Traces
) -> None:
    """Runs begun in the wake of others see their own span, and after the last there is none."""
    seen: list[tuple[int, str]] = []

    async def look(ctx: Ctx) -> None:
        await asyncio.sleep(0)
        seen.append((trace.get_current_span().get_span_context().span_id, ctx["job_id"]))

    jobs = [await enqueue(arq_redis, "look") for _ in range(20)]
    await make_worker([func(look, name="look")], max_jobs=2, services=[traces.service()]).async_run()

    spans = {id_of(span)[1]: dict(span.attributes or {})["messaging.message.id"] for span in traces.processed}
    assert dict(seen) == spans
    assert set(spans.values()) == {job.job_id for job in jobs}
    assert not trace.get_current_span().get_span_context().is_valid


async def test_span_is_closed_behind_the_run(arq_redis: ArqRedis, make_worker: Any, traces: Traces) -> None:
    """Hooks around the run belong to it; what the worker does after its end is told does not."""
    seen: dict[str, bool] = {}

    def looking(name: str) -> Any:
        async def look(ctx: Ctx) -> None:
            seen[name] = trace.get_current_span().get_span_context().is_valid

        return look

    hooks = {name: looking(name) for name in ("on_job_start", "on_job_end", "after_job_end")}
    await enqueue(arq_redis, "act")
    await make_worker([ACT], services=[traces.service()], **hooks).async_run()

    assert seen == {"on_job_start": True, "on_job_end": True, "after_job_end": False}


async def test_failure_is_the_error_of_its_span(
    arq_redis: ArqRedis, make_worker: Any, traces: Traces
) -> None:
    """The span of a run that failed is in error, with the exception; what a job decides itself is none."""
    for action in ("fail", "cancel", "snooze"):
        await enqueue(arq_redis, "act", action)

    await make_worker([ACT], services=[traces.service()]).async_run()

    told = {}
    for span in traces.processed:
        told[dict(span.attributes or {})["arqlite.state"]] = span
    assert {state: span.status.status_code for state, span in told.items()} == {
        "discarded": StatusCode.ERROR,
        "cancelled": StatusCode.UNSET,
        "snoozed": StatusCode.UNSET,
        "completed": StatusCode.UNSET,
    }
    failed = told["discarded"]
    assert failed.status.description == "ValueError: boom"
    assert dict(failed.attributes or {})["error.type"] == "ValueError"
    assert dict(failed.attributes or {})["arqlite.cause"] == "ERROR"
    [event] = failed.events
    assert (event.attributes or {})["exception.message"] == "boom"
    assert "in act" in str((event.attributes or {})["exception.stacktrace"])


async def test_each_attempt_is_a_span(
    arq_redis: ArqRedis, make_worker: Any, traces: Traces, sending: None
) -> None:
    """A job that runs twice has two spans, both linked to the one enqueuing."""
    await enqueue(arq_redis, "act", "again")

    await make_worker([ACT], services=[traces.service()]).async_run()

    [sent] = traces.sent
    assert [dict(span.attributes or {})["arqlite.attempt"] for span in traces.processed] == [1, 2]
    assert [linked(span) for span in traces.processed] == [[id_of(sent)]] * 2


async def test_many_at_once_are_one_span(
    arq_redis: ArqRedis, make_worker: Any, traces: Traces, sending: None
) -> None:
    """Jobs enqueued in one call share a span, which says how many; all their runs link to it."""
    await arq_redis.enqueue_many([call("act"), call("act"), call("act")])

    await make_worker([ACT], services=[traces.service()]).async_run()

    [sent] = traces.sent
    told = dict(sent.attributes or {})
    assert (told["messaging.batch.message_count"], told["arqlite.accepted"]) == (3, 3)
    assert "messaging.message.id" not in told
    assert [linked(span) for span in traces.processed] == [[id_of(sent)]] * 3


async def test_many_to_several_queues(arq_redis: ArqRedis, traces: Traces, sending: None) -> None:
    """A call that goes to several queues names none of them."""
    await arq_redis.enqueue_many([call("act"), call("act").options(queue="mail")])

    [sent] = traces.of("send")
    assert "messaging.destination.name" not in dict(sent.attributes or {})


async def test_steps_of_a_workflow(
    arq_redis: ArqRedis, make_worker: Any, traces: Traces, sending: None
) -> None:
    """The steps of a workflow link to its enqueuing, those that wait for others, too."""
    await arq_redis.enqueue_workflow(chain(call("act"), call("act", "return")))

    await make_worker([ACT], services=[traces.service()]).async_run()

    [sent] = traces.sent
    assert [linked(span) for span in traces.processed] == [[id_of(sent)]] * 2


async def test_serializers_of_users_carry_it_too(
    arq_redis: ArqRedis, make_worker: Any, traces: Traces, sending: None
) -> None:
    """A job that the user's own serializer writes links to its enqueuing as any other."""
    pool = ArqRedis(arq_redis.connection_pool, job_serializer=pickle.dumps, job_deserializer=pickle.loads)
    await enqueue(pool, "act")
    how = {"job_serializer": pickle.dumps, "job_deserializer": pickle.loads}

    await make_worker([ACT], services=[traces.service()], **how).async_run()

    [sent], [processed] = traces.sent, traces.processed
    assert linked(processed) == [id_of(sent)]


async def test_job_whose_row_comes_first(
    arq_redis: ArqRedis, make_worker: Any, traces: Traces, sending: None, tmp_path: Path
) -> None:
    """A job that goes through the ledger first, and its second life by hand, link to the enqueuing."""
    ledger = Ledger(f"sqlite+aiosqlite:///{tmp_path / 'jobs.db'}", mode="strict")
    await ledger.upgrade()
    pool = ArqRedis(arq_redis.connection_pool, ledger=ledger)
    job = await enqueue(pool, "act", "fail")
    await make_worker([ACT], services=[traces.service()]).async_run()
    assert await Inspector(pool).retry_job(job.job_id)
    await make_worker([ACT], services=[traces.service()]).async_run()
    await pool.outbox.aclose()
    await ledger.aclose()

    [sent] = traces.sent
    assert [linked(span) for span in traces.processed] == [[id_of(sent)]] * 2


async def test_equal_job_is_no_failure_of_its_sender(
    arq_redis: ArqRedis, traces: Traces, sending: None
) -> None:
    """What two traces make of a unique job is the same job: the trace is no part of what it is known by."""
    unique = arq_redis.options(unique=True)
    first = await unique.enqueue("act", "return")
    second = await unique.enqueue("act", "return")

    assert (first.conflict, second.conflict, second.job_id) == (False, True, first.job_id)
    accepted = [dict(span.attributes or {})["arqlite.accepted"] for span in traces.sent]
    assert accepted == [1, 0]


async def test_refused_enqueuing_is_an_error(arq_redis: ArqRedis, traces: Traces, sending: None) -> None:
    """An enqueuing that raises is a span in error."""
    with pytest.raises(Exception, match="unable to serialize"):
        await arq_redis.enqueue_job("act", object())

    [sent] = traces.sent
    assert sent.status.status_code is StatusCode.ERROR


async def test_meta_is_the_users_own(arq_redis: ArqRedis, traces: Traces, sending: None) -> None:
    """What a job carries for tracers does not show in its meta."""
    job = await arq_redis.options(meta={"tenant": 7}).enqueue("act")

    view = await Inspector(arq_redis).job(job.job_id)
    assert view is not None
    assert view.meta == {"tenant": 7}


async def test_baggage_stays_at_home(arq_redis: ArqRedis, make_worker: Any, traces: Traces) -> None:
    """Baggage may hold secrets: it travels along only where both sides say so."""
    seen: list[object] = []

    async def look(ctx: Ctx) -> None:
        seen.append(baggage.get_baggage("tenant"))

    for travels in (False, True):
        stop = trace_enqueues(traces.provider, baggage=travels)
        token = context.attach(baggage.set_baggage("tenant", "acme"))
        await enqueue(arq_redis, "look")
        context.detach(token)
        stop()
        service = traces.service(baggage=travels)
        await make_worker([func(look, name="look")], services=[service]).async_run()

    assert seen == [None, "acme"]


async def test_without_an_sdk_nothing_is_carried(arq_redis: ArqRedis) -> None:
    """The API alone, which comes with other packages, makes no spans: jobs are written as ever."""
    stop = trace_enqueues()
    job = await enqueue(arq_redis, "act")
    stop()

    record = await arq_redis.hget(f"aq:{{{QUEUE}}}:jobs", job.job_id)  # type: ignore[misc]  # redis-py's own
    assert record is not None
    assert b'"tc"' not in record


async def test_worker_without_an_sdk(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A worker with the service runs its jobs also where nobody has set up an SDK."""
    job = await enqueue(arq_redis, "act")

    await make_worker([ACT], services=[OpenTelemetry()]).async_run()

    assert await job.result(timeout=5) == "done"
    assert not trace.get_current_span().get_span_context().is_valid


async def test_enqueuing_is_followed_while_anybody_does(traces: Traces) -> None:
    """Two who follow enqueuing need not know of each other: it ends with the last one, at whatever call."""
    first, second = trace_enqueues(traces.provider), trace_enqueues(traces.provider)
    first()
    first()
    assert len(tracing.tracers) == 1
    second()

    assert tracing.tracers == ()


async def test_cron_job_has_no_enqueuing(arq_redis: ArqRedis, make_worker: Any, traces: Traces) -> None:
    """A cron job is a span of its own, without a link."""

    async def tick(ctx: Ctx) -> None: ...

    worker = make_worker([], cron_jobs=[cron(tick, run_at_startup=True)], services=[traces.service()])
    await worker.async_run()

    [processed] = traces.processed
    assert (processed.links, processed.parent) == ((), None)


async def test_foreign_context_is_no_harm(arq_redis: ArqRedis, make_worker: Any, traces: Traces) -> None:
    """A job that carries nonsense runs, and its span has no link."""

    class Odd:
        def sending(self, queue: str, functions: Any) -> Any:
            from contextlib import nullcontext

            return nullcontext(lambda ids: None)

        def carried(self) -> dict[str, str]:
            return {"traceparent": "not a context", "tracestate": "\x00" * 2000}

    tracing.attach("odd", Odd())
    job = await enqueue(arq_redis, "act")
    tracing.detach("odd")
    await make_worker([ACT], services=[traces.service()]).async_run()

    assert await job.result(timeout=5) == "done"
    assert [span.links for span in traces.processed] == [()]


async def test_service_rests_between_two_looks() -> None:
    """A change of the leader is one more look, and not the end of all rest."""
    looks = 0

    class Counting(OpenTelemetry):
        async def tick(self) -> None:
            nonlocal looks
            looks += 1
            await super().tick()

    service = Counting(traces=False, metrics=False, interval=600)
    service.introduce(host_of())
    await service.start()
    await asyncio.sleep(0)
    execute(LeaderChanged("mail", "host:1:a", True))
    for _ in range(20):
        await asyncio.sleep(0)
    await service.stop()

    assert looks == 2


# -- metrics


def readings(reader: InMemoryMetricReader) -> dict[tuple[str, frozenset[tuple[str, Any]]], Any]:
    data = reader.get_metrics_data()
    found = {}
    for resource in data.resource_metrics if data is not None else ():
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                for point in metric.data.data_points:
                    labels = frozenset(dict(point.attributes or {}).items())
                    found[metric.name, labels] = getattr(point, "value", point)
    return found


def one(found: dict[tuple[str, frozenset[tuple[str, Any]]], Any], name: str, **labels: str) -> Any:
    return found.get((name, frozenset(labels.items())))


async def test_metrics_of_a_worker(arq_redis: ArqRedis, make_worker: Any, eventually: Any) -> None:
    """Runs, their times, and what the leader sees are there under dotted names, with the same labels."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    gate = Gate()
    service = OpenTelemetry(meter_provider=provider, traces=False, interval=0.02)
    worker = make_worker([ACT, func(gate, name="gate")], max_jobs=1, services=[service])
    for function in ("act", "gate", "act"):
        await enqueue(arq_redis, function)
    async with at_work(worker):
        await gate.started.wait()
        await eventually(lambda: service.figures is not None and service.figures.depth["executing"] == 1)
        found = readings(reader)
        gate.open.set()
    after = readings(reader)
    provider.shutdown()

    assert one(found, "arqlite.jobs", queue=QUEUE, task="act", state="completed") == 1
    assert one(found, "arqlite.job.duration", queue=QUEUE, task="act").count == 1
    assert one(found, "arqlite.job.wait", queue=QUEUE, task="gate") is None
    assert one(found, "arqlite.queue.depth", queue=QUEUE, state="executing") == 1
    assert one(found, "arqlite.queue.slots", queue=QUEUE) == 1
    assert one(found, "arqlite.queue.latency", queue=QUEUE) >= 0
    assert one(found, "arqlite.jobs.running", queue=QUEUE) == 1
    assert one(found, "arqlite.leader", queue=QUEUE) == 1
    assert one(found, "arqlite.ledger.buffer", queue=QUEUE) == 0
    assert one(found, "arqlite.loop.lag") >= 0
    assert one(after, "arqlite.jobs.running", queue=QUEUE) is None


async def test_counters_begin_at_nought() -> None:
    """Ends of functions and rescues are told before the first: or no rate would see the first ones."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    service = OpenTelemetry(meter_provider=provider, traces=False)
    service.introduce(host_of(queue="mail"))
    await service.start()
    found = readings(reader)
    await service.stop()
    provider.shutdown()

    ends = [
        one(found, "arqlite.jobs", queue="mail", task=task, state=state)
        for task in ("send", "other")
        for state in ("completed", "discarded", "retryable")
    ]
    assert ends == [0] * 6
    causes = ("crash", "shutdown", "poison")
    assert [one(found, "arqlite.rescued", queue="mail", cause=cause) for cause in causes] == [0] * 3


async def test_instruments_are_made_once() -> None:
    """Two workers of one process share the instruments of a provider, and each tells of itself."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    services = [OpenTelemetry(meter_provider=provider, traces=False) for _ in range(2)]
    for number, service in enumerate(services):
        service.introduce(host_of(session=f"host:1:{number}", running=lambda: 2))
        await service.start()
    execute(stopped(worker="host:1:0", started_ms=1000))
    execute(stopped(worker="host:1:1", started_ms=1000))
    execute(JobsRescued("mail", {"host:2:b": 3}))
    execute(RedisFailed("mail", "worker", OSError("away"), 0))
    found = readings(reader)
    for service in services:
        await service.stop()
    provider.shutdown()

    assert one(found, "arqlite.jobs", queue="mail", task="send", state="completed") == 2
    assert one(found, "arqlite.jobs.running", queue="mail") == 4
    assert one(found, "arqlite.rescued", queue="mail", cause="crash") == 3
    assert one(found, "arqlite.redis.errors", op="worker") == 1
