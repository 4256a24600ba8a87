"""Metrics for Prometheus: what is counted, under which names, and who tells what."""

from __future__ import annotations

import asyncio
import socket
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from observe_toys import ACT, host_of, samples_of, stopped, value
from redis.exceptions import ConnectionError as RedisConnectionError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlite_threads import sqlite_threads_end  # noqa: F401 (a fixture)
from worker_ledger_toys import Switch
from worker_toys import Gate, at_work, enqueue

from arqlite import ArqRedis, func
from arqlite.errors import ConfigurationError
from arqlite.ledger import Ledger, configure_sqlite
from arqlite.observe import Prometheus
from arqlite.observe.catalogue import METRICS
from arqlite.observe.prometheus import CONTENT_TYPE, expose_all
from arqlite.telemetry import JobsRescued, RedisFailed, execute

QUEUE = "arq:queue"


def completed(page: bytes, queue: str = "mail", task: str = "send") -> float | None:
    return value(page, "arqlite_jobs_total", queue=queue, task=task, state="completed")


async def begun(service: Prometheus, **host: Any) -> Prometheus:
    """Let a service work for a worker that is none."""
    service.introduce(host_of(**host))
    await service.start()
    return service


async def test_ends_are_counted_by_what_became_of_them(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Each end of a run counts under its queue, its function and its state."""
    metrics = Prometheus()
    for action in ("return", "return", "fail", "again", "snooze", "cancel", "discard"):
        await enqueue(arq_redis, "act", action)

    await make_worker([ACT], services=[metrics]).async_run()

    counted = {
        dict(labels)["state"]: count
        for (name, labels), count in samples_of(metrics.expose()).items()
        if name == "arqlite_jobs_total" and dict(labels)["task"] == "act"
    }
    assert counted == {"completed": 4, "discarded": 2, "retryable": 1, "snoozed": 1, "cancelled": 1}
    assert value(metrics.expose(), "arqlite_jobs_total", queue=QUEUE, task="act", state="completed") == 4


async def test_counters_begin_at_nought() -> None:
    """Ends of all functions that are known are told before the first: or no rate would see the first ones."""
    metrics = await begun(Prometheus(), queue="mail", functions=("send", "sort"))
    first = metrics.expose()
    execute(stopped(queue="mail", function="send", state="discarded", started_ms=1000))
    after = metrics.expose()
    await metrics.stop()

    counted = {
        (dict(labels)["task"], dict(labels)["state"]): count
        for (name, labels), count in samples_of(first).items()
        if name == "arqlite_jobs_total"
    }
    ends = ("completed", "discarded", "retryable")
    assert counted == {(task, state): 0 for task in ("send", "sort", "other") for state in ends}
    assert value(after, "arqlite_jobs_total", queue="mail", task="send", state="discarded") == 1
    causes = [
        value(first, "arqlite_rescued_total", queue="mail", cause=cause) for cause in ("crash", "poison")
    ]
    assert causes == [0, 0]


async def test_times_of_runs_and_waits(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Every run is in both histograms, in a bucket that it fits; a wait begins when a job was due."""
    metrics = Prometheus()
    await enqueue(arq_redis, "act", _defer_by=-20)
    await enqueue(arq_redis, "act")

    await make_worker([ACT], services=[metrics]).async_run()

    page = metrics.expose()
    labels = {"queue": QUEUE, "task": "act"}
    assert value(page, "arqlite_job_duration_seconds_count", **labels) == 2
    assert value(page, "arqlite_job_wait_seconds_count", **labels) == 2
    assert value(page, "arqlite_job_wait_seconds_bucket", **labels, le="10.0") == 1
    assert value(page, "arqlite_job_wait_seconds_bucket", **labels, le="+Inf") == 2
    waited = value(page, "arqlite_job_wait_seconds_sum", **labels)
    assert waited is not None
    assert 20 <= waited < 60


async def test_job_without_a_run_has_no_times(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A job that is refused counts as an end, and in no histogram."""
    metrics = Prometheus()
    await enqueue(arq_redis, "act", _job_try=9)

    await make_worker([ACT], services=[metrics]).async_run()

    page = metrics.expose()
    assert value(page, "arqlite_jobs_total", queue=QUEUE, task="act", state="discarded") == 1
    assert value(page, "arqlite_job_duration_seconds_count", queue=QUEUE, task="act") is None


async def test_unknown_functions_are_one_label(arq_redis: ArqRedis, make_worker: Any) -> None:
    """However many functions are enqueued that no worker knows, they add one label."""
    metrics = Prometheus()
    for number in range(3):
        await enqueue(arq_redis, f"typo{number}")

    await make_worker([ACT], services=[metrics], unknown_function_ttl=0).async_run()

    assert value(metrics.expose(), "arqlite_jobs_total", queue=QUEUE, task="other", state="discarded") == 3


async def test_leader_alone_tells_of_the_queue(
    arq_redis: ArqRedis, make_worker: Any, eventually: Any
) -> None:
    """Of two workers one tells of the queue, so that the sum is the truth; each tells what it does itself."""
    gate = Gate()
    services = [Prometheus(interval=0.02), Prometheus(interval=0.02)]
    workers = [make_worker([func(gate, name="gate")], max_jobs=1, services=[service]) for service in services]
    async with at_work(workers[0]), at_work(workers[1]):
        await eventually(lambda: any(worker.is_leader for worker in workers))
        leading, other = services if workers[0].is_leader else reversed(services)
        for _ in range(4):
            await enqueue(arq_redis, "gate")
        await enqueue(arq_redis, "gate", _defer_by=60)

        def depth(service: Prometheus, state: str) -> float | None:
            return value(service.expose(), "arqlite_queue_depth", queue=QUEUE, state=state)

        await eventually(lambda: depth(leading, "executing") == 2 and depth(leading, "available") == 2)
        await eventually(lambda: value(leading.expose(), "arqlite_queue_slots", queue=QUEUE) == 2)
        await eventually(lambda: depth(leading, "scheduled") == 1)
        latency = "arqlite_queue_latency_seconds"
        await eventually(lambda: (value(leading.expose(), latency, queue=QUEUE) or 0) > 0)
        assert value(leading.expose(), "arqlite_leader", queue=QUEUE) == 1
        assert value(other.expose(), "arqlite_leader", queue=QUEUE) == 0
        assert depth(other, "available") is None
        assert value(other.expose(), "arqlite_queue_slots", queue=QUEUE) is None
        running = [value(one.expose(), "arqlite_jobs_running", queue=QUEUE) for one in services]
        assert running == [1, 1]
        gate.open.set()
        await eventually(lambda: depth(leading, "executing") == 0)

    counted = [completed(one.expose(), QUEUE, "gate") for one in services]
    assert sum(filter(None, counted)) == 4
    assert all(counted)


async def test_follower_tells_of_the_queue_when_the_leader_has_gone(
    arq_redis: ArqRedis, make_worker: Any, eventually: Any
) -> None:
    """Who begins to lead looks at the queue at once, and not only after its interval."""
    first, second = Prometheus(interval=600), Prometheus(interval=600)
    leader = make_worker([ACT], services=[first], lease=1800)
    async with at_work(leader):
        await eventually(lambda: value(first.expose(), "arqlite_queue_slots", queue=QUEUE))
        follower = make_worker([ACT], services=[second], lease=1800)
        async with at_work(follower):
            await leader.close()
            await eventually(lambda: value(second.expose(), "arqlite_queue_slots", queue=QUEUE))


async def test_paused_worker_has_no_slots(make_worker: Any, eventually: Any) -> None:
    """Slots are those that can be used: a paused worker has none."""
    metrics = Prometheus(interval=0.02)
    async with at_work(make_worker([ACT], services=[metrics], paused=True)):
        await eventually(lambda: value(metrics.expose(), "arqlite_queue_slots", queue=QUEUE) == 0)


async def test_rescues_by_their_cause(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A job that its worker gives back at its end counts as rescued by a shutdown."""
    gate = Gate()
    metrics = Prometheus()
    await enqueue(arq_redis, "gate")
    async with at_work(make_worker([func(gate, name="gate")], services=[metrics])):
        await gate.started.wait()

    page = metrics.expose()
    assert value(page, "arqlite_rescued_total", queue=QUEUE, cause="shutdown") == 1
    assert value(page, "arqlite_rescued_total", queue=QUEUE, cause="crash") == 0


async def test_crashes_and_poison() -> None:
    """Jobs of dead workers count as crashes, and one that is given up after too many of them as poison."""
    metrics = await begun(Prometheus())
    execute(JobsRescued("mail", {"host:2:b": 3, "host:3:c": 1}))
    execute(stopped(worker="host:1:a", state="discarded", cause="LOST", started_ms=0))
    execute(JobsRescued("other queue", {"host:4:d": 5}))
    await metrics.stop()

    page = metrics.expose()
    assert value(page, "arqlite_rescued_total", queue="mail", cause="crash") == 4
    assert value(page, "arqlite_rescued_total", queue="mail", cause="poison") == 1


async def test_others_in_the_process_tell_their_own(arq_redis: ArqRedis) -> None:
    """Ends of another worker, of the same queue or of another, are not counted."""
    metrics = await begun(Prometheus())
    for fields in ({"worker": "host:1:a"}, {"worker": "host:2:b"}, {"queue": "else", "worker": "host:1:a"}):
        execute(stopped(function="send", started_ms=1000, **fields))
    await metrics.stop()

    assert completed(metrics.expose(), "mail") == 1


async def test_ends_of_an_old_session_count() -> None:
    """A worker that has a new session since still counts the runs that it began in the old one."""
    sessions = ["host:1:a"]
    metrics = await begun(Prometheus())
    metrics.dismiss()
    host = host_of()
    metrics.introduce(type(host)(None, "mail", host.functions, None, None, session=lambda: sessions[-1]))
    for session in ("host:1:a", "host:1:b", "host:1:a"):
        sessions.append(session if session not in sessions else sessions[-1])
        execute(stopped(function="send", started_ms=1000, worker=session))
    await metrics.stop()

    assert completed(metrics.expose(), "mail") == 3


async def test_failed_attempts_to_reach_redis() -> None:
    """Each attempt that failed counts by what it was for."""
    metrics = await begun(Prometheus())
    for operation in ("heartbeat", "heartbeat", "worker"):
        execute(RedisFailed("mail", operation, RedisConnectionError("away"), 0))
    await metrics.stop()

    assert value(metrics.expose(), "arqlite_redis_errors_total", op="heartbeat") == 2
    assert value(metrics.expose(), "arqlite_redis_errors_total", op="worker") == 1


async def test_worker_that_cannot_reach_redis(
    make_worker: Any, eventually: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a worker's heartbeat, in its thread, and its other parts fail at counts for its own queue."""
    metrics = Prometheus(interval=0.02)
    worker = make_worker([ACT], services=[metrics], lease=0.3)
    async with at_work(worker):
        await eventually(lambda: value(metrics.expose(), "arqlite_queue_slots", queue=QUEUE))

        def beat(*_: Any) -> None:
            raise RedisConnectionError("away")

        async def survey() -> None:
            raise RedisConnectionError("away")

        monkeypatch.setattr("arqlite.engine.RedisEngine.survey", lambda self: survey())
        monkeypatch.setattr(worker._crew.engine, "beat", beat)
        for operation in ("heartbeat", "prometheus"):
            await eventually(
                lambda op=operation: value(metrics.expose(), "arqlite_redis_errors_total", op=op)
            )
        assert value(metrics.expose(), "arqlite_queue_slots", queue=QUEUE) is None
        monkeypatch.undo()
        await eventually(lambda: value(metrics.expose(), "arqlite_queue_slots", queue=QUEUE))


async def test_ledger_that_is_behind() -> None:
    """What waits to be written is told as it is now, whatever is written or not."""
    backlog = [(0, 0.0)]
    metrics = await begun(Prometheus(), backlog=lambda: backlog[0])
    backlog[0] = (17, 2.5)

    page = metrics.expose()
    await metrics.stop()
    assert value(page, "arqlite_ledger_buffer", queue="mail") == 17
    assert value(page, "arqlite_ledger_lag_seconds", queue="mail") == 2.5


async def test_ledger_that_is_away(
    arq_redis: ArqRedis, make_worker: Any, eventually: Any, tmp_path: Path
) -> None:
    """While the database is away the backlog of a worker grows older, and it is gone when that is back."""
    database = configure_sqlite(create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'jobs.db'}"))
    switch = Switch(database)
    metrics = Prometheus()
    outsider = ArqRedis(arq_redis.connection_pool)
    async with at_work(make_worker([ACT], services=[metrics], ledger=Ledger(database))):

        def told(name: str) -> float:
            return value(metrics.expose(), name, queue=QUEUE) or 0

        await (await enqueue(outsider, "act")).result(timeout=5)
        await eventually(lambda: told("arqlite_ledger_buffer") == 0)
        switch.is_off = True
        await (await enqueue(outsider, "act")).result(timeout=5)
        await eventually(lambda: told("arqlite_ledger_buffer") > 0)
        await eventually(lambda: told("arqlite_ledger_lag_seconds") > 0.1)
        switch.is_off = False
        await eventually(lambda: told("arqlite_ledger_buffer") == told("arqlite_ledger_lag_seconds") == 0, 15)
    await database.dispose()


def test_names_are_those_that_were_promised() -> None:
    """Names and labels are what dashboards and alerts are made of: a change here breaks them."""
    assert {metric.exported_name: metric.labels for metric in METRICS} == {
        "arqlite_jobs_total": ("queue", "task", "state"),
        "arqlite_job_duration_seconds": ("queue", "task"),
        "arqlite_job_wait_seconds": ("queue", "task"),
        "arqlite_queue_depth": ("queue", "state"),
        "arqlite_queue_latency_seconds": ("queue",),
        "arqlite_queue_slots": ("queue",),
        "arqlite_jobs_running": ("queue",),
        "arqlite_rescued_total": ("queue", "cause"),
        "arqlite_loop_lag_seconds": (),
        "arqlite_ledger_lag_seconds": ("queue",),
        "arqlite_ledger_buffer": ("queue",),
        "arqlite_redis_errors_total": ("op",),
        "arqlite_leader": ("queue",),
    }


def test_service_without_a_worker_has_a_page() -> None:
    """Before its worker has begun it tells nothing but names, and no error."""
    assert samples_of(Prometheus().expose()) == {}
    assert b"# TYPE arqlite_jobs_total counter" in Prometheus().expose()


# -- its port


def get(port: int | None) -> tuple[str, bytes]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        return answer.headers["Content-Type"], answer.read()


async def test_page_at_a_port() -> None:
    """`GET /metrics` gives what `expose` does, in the type that Prometheus knows, until the service stops."""
    metrics = await begun(Prometheus(port=0))
    port = metrics.port
    execute(stopped(function="send", started_ms=1000, worker="host:1:a"))

    kind, page = await asyncio.to_thread(get, port)
    await metrics.stop()

    assert kind == CONTENT_TYPE or kind.startswith("text/plain; version=")
    assert completed(page, "mail") == 1
    assert metrics.port is None
    with pytest.raises(OSError, match="refused"):
        await asyncio.to_thread(get, port)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_workers_of_a_process_share_a_port() -> None:
    """Two services that name one port answer there together, and the last one closes it."""
    port = free_port()
    one = await begun(Prometheus(port=port), session="host:1:a")
    two = await begun(Prometheus(port=port, queue_label="letters"), session="host:1:b")
    for worker in ("host:1:a", "host:1:b", "host:1:b"):
        execute(stopped(function="send", started_ms=1000, worker=worker))

    _, page = await asyncio.to_thread(get, port)
    await one.stop()
    _, rest = await asyncio.to_thread(get, port)
    await two.stop()

    counted = [completed(page, queue) for queue in ("mail", "letters")]
    assert counted == [1, 2]
    assert completed(rest, "mail") is None
    with pytest.raises(OSError, match="refused"):
        await asyncio.to_thread(get, port)
    again = await begun(Prometheus(port=port))
    await again.stop()


async def test_services_as_one_page() -> None:
    """Counts of two workers of one queue are added up, and what both see of one thing is told once."""
    one = await begun(Prometheus(), session="host:1:a", is_leader=lambda: True, backlog=lambda: (2, 1.0))
    two = await begun(Prometheus(), session="host:1:b", backlog=lambda: (3, 4.0))
    for worker in ("host:1:a", "host:1:b"):
        execute(stopped(function="send", started_ms=1000, duration_ms=100, worker=worker))

    execute(JobsRescued("mail", {"host:2:b": 3}))
    execute(stopped(worker="", state="cancelled", function=""))
    execute(RedisFailed("mail", "cron", RedisConnectionError("away"), 0))

    page = expose_all([one, two])
    await one.stop()
    await two.stop()

    assert value(page, "arqlite_rescued_total", queue="mail", cause="crash") == 3
    assert value(page, "arqlite_redis_errors_total", op="cron") == 1
    assert value(page, "arqlite_jobs_total", queue="mail", task="other", state="cancelled") == 1

    assert completed(page, "mail") == 2
    assert value(page, "arqlite_job_duration_seconds_sum", queue="mail", task="send") == 0.2
    assert value(page, "arqlite_job_duration_seconds_bucket", queue="mail", task="send", le="0.05") == 0
    assert value(page, "arqlite_job_duration_seconds_bucket", queue="mail", task="send", le="0.1") == 2
    assert value(page, "arqlite_ledger_buffer", queue="mail") == 5
    assert value(page, "arqlite_ledger_lag_seconds", queue="mail") == 4
    assert value(page, "arqlite_leader", queue="mail") == 1


async def test_port_of_another_process() -> None:
    """A port that is taken is told in words, with what to do."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        metrics = Prometheus(port=port)
        metrics.introduce(host_of())

        with pytest.raises(ConfigurationError, match=rf"cannot listen at 127.0.0.1:{port} .*port of its own"):
            await metrics.start()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"port": "9100"}, "port of Prometheus must be a whole number from 0 to 65535, got '9100'"),
        ({"port": 70_000}, "from 0 to 65535, got 70000"),
        ({"port": True}, "got True"),
        ({"port": 1, "host": ""}, "host of Prometheus must be an address"),
        ({"buckets": ()}, "buckets of Prometheus must be numbers of seconds in rising order"),
        ({"buckets": (1, 1)}, "in rising order"),
        ({"buckets": ("1",)}, "in rising order"),
        ({"interval": 0}, "interval of Prometheus must be more than 0"),
    ],
)
def test_what_cannot_work_is_refused(options: dict[str, Any], words: str) -> None:
    """Arguments that cannot work are refused where they are written."""
    with pytest.raises(ConfigurationError, match=words):
        Prometheus(**options)


async def test_another_queue_is_counted_anew() -> None:
    """A service that gets a worker of another queue begins at nought: its counts are no longer true."""
    metrics = await begun(Prometheus())
    execute(stopped(function="send", started_ms=1000, worker="host:1:a"))
    await metrics.stop()
    metrics.dismiss()

    metrics.introduce(host_of(queue="letters"))

    assert completed(metrics.expose(), "letters") is None
