"""Events of a worker's life beside its jobs: shutdowns, services, cron jobs, reports that are under way."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from signal import Signals
from typing import Any, ClassVar

import pytest
from worker_toys import Ctx, Gate, at_work, enqueue, lines

from arqlite import ArqRedis, cron, func
from arqlite.engine import Rescued
from arqlite.jobs import JobStatus
from arqlite.runtime.lifeline import Lifeline
from arqlite.runtime.pruner import Pruner
from arqlite.telemetry import (
    CronFired,
    JobsPruned,
    JobsRescued,
    JobStarted,
    JobStopped,
    QueueShutdown,
    ServiceFailed,
    ServiceStopped,
    attached,
    report_errors,
    span,
)


@pytest.fixture
def events() -> Iterator[list[Any]]:
    """Everything that happens during the test, in order."""
    seen: list[Any] = []
    with attached("*", seen.append):
        yield seen


def of(kind: type, events: list[Any]) -> list[Any]:
    return [event for event in events if type(event) is kind]


async def ok(ctx: Ctx) -> None: ...


# -- shutdowns


async def test_shutdown_names_who_was_still_running(
    arq_redis: ArqRedis, make_worker: Any, events: list[Any]
) -> None:
    """After its patience a shutdown tells which jobs were still running; those never report success."""
    gate = Gate()
    short = await enqueue(arq_redis, "ok", _job_id="short")
    long = await enqueue(arq_redis, "gate", _job_id="long")
    worker = make_worker([func(gate, name="gate"), ok], job_completion_wait=0.01)
    async with at_work(worker):
        await gate.started.wait()
        await short.result(timeout=5)

    [shutdown] = of(QueueShutdown, events)
    assert (shutdown.queue, shutdown.orphaned) == ("arq:queue", ("long",))
    assert 10 <= shutdown.elapsed_ms < 5000
    assert shutdown.worker == of(JobStarted, events)[0].worker
    assert {stop.job_id: stop.state for stop in of(JobStopped, events)} == {
        "short": "completed",
        "long": "available",
    }
    assert await long.status() is JobStatus.queued


async def test_shutdown_of_an_idle_worker(make_worker: Any, events: list[Any]) -> None:
    """A worker without jobs waits for nothing, and nobody is left."""
    async with at_work(make_worker([ok], job_completion_wait=3600)):
        pass

    [shutdown] = of(QueueShutdown, events)
    assert shutdown.orphaned == ()
    assert shutdown.elapsed_ms < 500


async def test_shutdown_starts_nothing_new(arq_redis: ArqRedis, make_worker: Any, events: list[Any]) -> None:
    """From the signal on no job is started, neither one that waits nor one that comes."""
    gate = Gate()
    await enqueue(arq_redis, "gate", _job_id="runs")
    worker = make_worker([func(gate, name="gate"), ok], max_jobs=1, job_completion_wait=10)
    async with at_work(worker):
        await gate.started.wait()
        waits = await enqueue(arq_redis, "ok", _job_id="waits")
        worker.handle_sig_wait_for_completion(Signals.SIGTERM)
        comes = await enqueue(arq_redis, "ok", _job_id="comes")
        gate.open.set()

    assert [event.job_id for event in of(JobStarted, events)] == ["runs"]
    assert [await job.status() for job in (waits, comes)] == [JobStatus.queued] * 2
    assert of(QueueShutdown, events)[0].orphaned == ()


async def test_queues_of_a_process_share_one_patience(
    arq_redis: ArqRedis, make_worker: Any, events: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Two queues that end together wait side by side: each for its own patience, not one after the other."""
    caplog.set_level(logging.INFO)
    gates = [Gate(), Gate()]
    workers = []
    for number, gate in enumerate(gates):
        await enqueue(arq_redis, "gate", _queue_name=f"q{number}")
        workers.append(
            make_worker(
                [func(gate, name="gate")], queue_name=f"q{number}", max_jobs=1, job_completion_wait=0.2
            )
        )
    third = await enqueue(arq_redis, "gate", _queue_name="q0", _job_id="third")
    async with at_work(workers[0]) as first, at_work(workers[1]) as second:
        await asyncio.gather(*(gate.started.wait() for gate in gates))
        for worker in workers:
            worker.handle_sig_wait_for_completion(Signals.SIGTERM)
        await asyncio.wait_for(asyncio.gather(first, second), 10)

    shutdowns = of(QueueShutdown, events)
    assert {shutdown.queue for shutdown in shutdowns} == {"q0", "q1"}
    assert all(shutdown.elapsed_ms >= 200 for shutdown in shutdowns)
    said = [line.partition(" ◆")[0] for line in lines(caplog) if line.startswith("shutdown")]
    assert said == ["shutdown on SIGTERM"] * 2 + ["shutdown on SIGTERM, wait complete"] * 2
    assert "third" not in {event.job_id for event in of(JobStarted, events)}
    assert await third.status() is JobStatus.queued


# -- services


async def test_rescue_tells_jobs_by_worker(events: list[Any], eventually: Any) -> None:
    """The rescue of a dead worker's jobs is told, and its round with how many they were."""

    class OneDead:
        queue = "q"
        dead: ClassVar[list[dict[str, int]]] = [{"host:1:a": 2, "host:2:b": 1}]

        async def rescue(self, session: str) -> Rescued:
            return Rescued(self.dead.pop(), 0) if self.dead else Rescued({}, -1)

    engine: Any = OneDead()
    lifeline = Lifeline(engine, lambda: "me", lambda: 0.0)
    await lifeline.start()
    await eventually(lambda: len(of(ServiceStopped, events)) == 2)
    await lifeline.stop()

    assert of(JobsRescued, events) == [JobsRescued("q", {"host:1:a": 2, "host:2:b": 1})]
    assert [event.meta for event in of(ServiceStopped, events)][:2] == [{"rescued": 3}, {"rescued": 0}]


async def test_pruning_tells_its_count(events: list[Any]) -> None:
    """Forgotten jobs are told as a number, by the round of the pruner, too; an empty round is no pruning."""

    class Two:
        queue = "q"
        left = 2

        async def prune(self, limit: int) -> int:
            count, self.left = self.left, 0
            return count

    engine: Any = Two()
    pruner = Pruner(engine)
    await pruner.tick_told()
    await pruner.tick_told()

    assert of(JobsPruned, events) == [JobsPruned("q", 2)]
    assert [event.meta for event in of(ServiceStopped, events)] == [{"pruned": 2}, {"pruned": 0}]


async def test_trouble_with_redis_is_a_failed_round(events: list[Any]) -> None:
    """A round that Redis did not allow is told as failed, with the error, and the service lives on."""

    class Away:
        queue = "q"

        async def prune(self, limit: int) -> int:
            raise OSError("away")

    engine: Any = Away()
    pruner = Pruner(engine)
    await pruner.tick_told()

    [failed] = of(ServiceFailed, events)
    assert (failed.service, str(failed.error)) == ("Pruner", "away")


async def test_cron_tells_what_it_fired(
    arq_redis: ArqRedis, make_worker: Any, events: list[Any], eventually: Any
) -> None:
    """A cron job that was enqueued is told, with the job's id, and is the job that runs then."""
    worker = make_worker([], cron_jobs=[cron(ok, name="report", run_at_startup=True, minute=99 % 60)])
    await worker.run_check()

    fired = of(CronFired, events)
    assert [(event.queue, event.cron) for event in fired][:1] == [("arq:queue", "report")]
    assert fired[0].job_id in {event.job_id for event in of(JobStarted, events)}
    assert 0 <= of(JobStarted, events)[0].at_ms - fired[0].tick_ms < 5000


async def test_services_of_a_worker_tell_their_queue(make_worker: Any, events: list[Any]) -> None:
    """The rounds of a worker's own services name the queue."""
    await make_worker([ok], queue_name="mail").run_check()

    assert {(event.service, event.queue) for event in of(ServiceStopped, events)} >= {
        ("HealthRecorder", "mail"),
    }


async def test_span_within_a_job_tells_its_queue(
    arq_redis: ArqRedis, make_worker: Any, events: list[Any]
) -> None:
    """A job may tell of a stretch of its work, too."""

    async def count(ctx: Ctx) -> None:
        with span("count"):
            pass

    await enqueue(arq_redis, "count", _queue_name="mail")
    await make_worker([func(count, name="count")], queue_name="mail").run_check()

    assert [event.queue for event in of(ServiceStopped, events) if event.service == "count"] == ["mail"]


# -- reports


async def test_worker_that_ends_waits_for_its_reports(arq_redis: ArqRedis, make_worker: Any) -> None:
    """The report of the last job of a burst is sent before the worker is gone."""
    sent: list[str] = []

    async def fail(ctx: Ctx) -> None:
        raise ValueError("boom")

    async def send(report: Any) -> None:
        await asyncio.sleep(0.05)
        sent.append(f"{report.job.function}: {report.error}")

    stop = report_errors(send)
    await enqueue(arq_redis, "fail")
    await make_worker([func(fail, name="fail")]).async_run()
    stop()

    assert sent == ["fail: boom"]
