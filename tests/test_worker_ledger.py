"""A worker with a ledger: every job has its row, nothing runs twice, and no outage of SQL ends a worker."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from signal import Signals
from typing import Any

import pytest
from postgres import postgres_url  # noqa: F401 (a fixture)
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlite_threads import sqlite_threads_end  # noqa: F401 (a fixture)
from worker_ledger_toys import Switch, attempts_of, row_of, status_of
from worker_toys import Ctx, Gate, at_work, counts, end_of, enqueue

from arqlite import (
    PREVIOUS,
    ArqRedis,
    Cancel,
    Discard,
    Inspector,
    Retry,
    Snooze,
    Worker,
    call,
    chain,
    func,
    task,
)
from arqlite.engine import RedisEngine
from arqlite.errors import JobExecutionFailed, LedgerError
from arqlite.jobs import JobStatus
from arqlite.ledger import Ledger, configure_sqlite
from arqlite.telemetry import JobStopped, attached

MakeLedger = Callable[..., Ledger]


@pytest.fixture(params=["sqlite", "postgres"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    """An empty database; the test runs once on each kind."""
    if request.param == "sqlite":
        engine = configure_sqlite(create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'jobs.db'}"))
    else:
        schema = f"t{uuid.uuid4().hex}"
        url = request.getfixturevalue("postgres_url")
        engine = create_async_engine(url, connect_args={"server_settings": {"search_path": schema}})
        async with engine.begin() as connection:
            await connection.execute(text(f"CREATE SCHEMA {schema}"))
    yield engine
    await engine.dispose()


@pytest.fixture
def switch(database: AsyncEngine) -> Switch:
    """Stops the database."""
    return Switch(database)


@pytest.fixture
def behind(database: AsyncEngine) -> Ledger:
    """A ledger that follows."""
    return Ledger(database)


@pytest.fixture
def strict(database: AsyncEngine) -> Ledger:
    """A ledger that comes first."""
    return Ledger(database, mode="strict")


@pytest.fixture
def outsider(arq_redis: ArqRedis) -> ArqRedis:
    """A client that knows of no ledger, as that of another program."""
    return ArqRedis(arq_redis.connection_pool)


async def add(ctx: Ctx, one: int, other: int) -> int:
    return one + other


async def fail(ctx: Ctx) -> None:
    raise ValueError("boom")


async def forget_owners(pool: ArqRedis) -> None:
    """Let the lease of every session be over, as if their workers had been killed."""
    engine = RedisEngine(pool, "arq:queue")
    sessions: list[Any] = await pool.zrange(engine.keys.live, 0, -1)
    for session in sessions:
        await pool.zadd(engine.keys.live, {session: 1})
    await engine.rescue("")
    await engine.close()


# -- rows


async def test_every_job_has_its_row(arq_redis: ArqRedis, make_worker: Any, behind: Ledger) -> None:
    """A function that knows nothing of a ledger has rows as soon as its worker is given one."""
    good = await enqueue(arq_redis, "add", 1, 2)
    bad = await enqueue(arq_redis, "fail")
    await make_worker([add, fail], ledger=behind).async_run()

    row = await row_of(behind, good.job_id)
    assert row is not None
    assert (row.status, row.output_payload, row.function, row.queue) == ("SUCCESS", 3, "add", "arq:queue")
    row = await row_of(behind, bad.job_id)
    assert row is not None
    assert (row.status, row.state, row.cause) == ("FAILED", "discarded", "ERROR")
    assert (row.error_payload["type"], row.error_payload["message"]) == ("ValueError", "boom")


async def test_url_is_a_ledger(arq_redis: ArqRedis, make_worker: Any, tmp_path: Path) -> None:
    """A worker that is given the URL of a database makes its ledger of it, and closes it."""
    job = await enqueue(arq_redis, "add", 1, 2)
    worker: Worker = make_worker([add], ledger=f"sqlite:///{tmp_path / 'own.db'}")
    await worker.async_run()

    ledger: Ledger = worker.options.ledger
    assert await status_of(ledger, job.job_id) == "SUCCESS"
    await worker.close()


async def test_pool_of_a_worker_has_its_ledger(arq_redis: ArqRedis, make_worker: Any, behind: Ledger) -> None:
    """What jobs enqueue has rows, too: their client knows the ledger."""
    seen: list[Any] = []

    async def look(ctx: Ctx) -> None:
        seen.append(ctx["redis"].ledger)

    await enqueue(arq_redis, "look")
    await make_worker([func(look, name="look")], ledger=behind).async_run()

    assert seen == [behind]


async def test_workers_share_a_ledger(arq_redis: ArqRedis, make_worker: Any, behind: Ledger) -> None:
    """Two workers of one process may have one ledger; each records its own queue."""
    one = await enqueue(arq_redis, "add", 1, 2)
    other = await enqueue(arq_redis, "add", 3, 4, _queue_name="other")
    workers = [
        make_worker([add], ledger=behind, queue_name=name, health_check_key=name + "h")
        for name in ("arq:queue", "other")
    ]
    await asyncio.gather(*(worker.async_run() for worker in workers))

    rows = [await row_of(behind, job.job_id) for job in (one, other)]
    assert [(row.queue, row.output_payload) for row in rows if row] == [("arq:queue", 3), ("other", 7)]


# -- causes


@pytest.mark.parametrize("mode", ["behind", "strict"])
async def test_workers_of_one_queue_in_one_process_count_each_run_once(
    arq_redis: ArqRedis, make_worker: Any, database: AsyncEngine, eventually: Any, mode: Any
) -> None:
    """Each worker records what it ran, and one of them what none of them ran and what was done by hand."""
    ledger = Ledger(database, mode=mode)
    for number in range(20):
        await enqueue(arq_redis, "add", number, 1)
    late = await enqueue(arq_redis, "add", 1, 1, _defer_by=3600)
    workers = [make_worker([add], ledger=ledger, burst=False, max_jobs=2) for _ in range(2)]

    async with at_work(workers[0]), at_work(workers[1]):
        await eventually(lambda: sum(counts(worker)[0] for worker in workers) == 20)
        await Inspector(arq_redis, by="ada").cancel_jobs("arq:queue", ids=[late.job_id])

    [ended] = await ledger.ended()
    audit = await ledger.audit()
    assert ended.counts == {"completed": 20, "cancelled": 1}
    assert [(entry.action, entry.job_id) for entry in audit.items] == [("job.cancel", late.job_id)]
    assert (await attempts_of(ledger, late.job_id)) == []


async def snooze_once(ctx: Ctx) -> None:
    if not ctx["job"].snoozes:
        raise Snooze(0.001)


async def retry_once(ctx: Ctx) -> None:
    if ctx["job_try"] == 1:
        raise Retry


async def cancel(ctx: Ctx) -> None:
    raise Cancel("not needed")


async def discard(ctx: Ctx) -> None:
    raise Discard("useless")


async def for_ever(ctx: Ctx) -> None:
    await asyncio.Event().wait()


@task(timeout=0.01, max_attempts=2, backoff=lambda job: 0.0, name="too_long")
async def too_long(ctx: Ctx) -> None:
    await asyncio.Event().wait()


async def whole(ctx: Ctx, number: int) -> None: ...


@pytest.mark.parametrize(
    ("function", "args", "told"),
    [
        (func(add, name="f"), (1, 2), [("completed", "")]),
        (func(fail, name="f"), (), [("discarded", "ERROR")]),
        (func(cancel, name="f"), (), [("cancelled", "CANCELLED")]),
        (func(discard, name="f"), (), [("discarded", "ERROR")]),
        (func(for_ever, name="f", timeout=0.01), (), [("discarded", "TIMEOUT")]),
        (too_long, (), [("retryable", "TIMEOUT"), ("discarded", "TIMEOUT")]),
        (func(retry_once, name="f"), (), [("retryable", "RETRY"), ("completed", "")]),
        (func(snooze_once, name="f"), (), [("snoozed", "SNOOZE"), ("completed", "")]),
        (func(whole, name="f"), ("seven",), [("discarded", "REFUSED")]),
        (func(retry_once, name="f", max_tries=1), (), [("retryable", "RETRY"), ("discarded", "ERROR")]),
    ],
)
async def test_causes(
    arq_redis: ArqRedis, make_worker: Any, function: Any, args: Any, told: list[tuple[str, str]]
) -> None:
    """Each run tells why it did not end well, whatever becomes of its job."""
    seen: list[JobStopped] = []
    name = "too_long" if function is too_long else "f"
    await enqueue(arq_redis, name, *args)
    with attached(JobStopped, seen.append):
        await make_worker([function], strict_arguments=True).async_run()

    assert [(event.state, event.cause) for event in seen] == told


async def test_cause_of_an_expired_job(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A job that was not started in time has expired."""
    seen: list[JobStopped] = []
    await enqueue(arq_redis, "add", 1, 2, _expires=0.001)
    await asyncio.sleep(0.01)
    with attached(JobStopped, seen.append):
        await make_worker([add]).async_run()

    assert [(event.state, event.cause) for event in seen] == [("discarded", "EXPIRED")]


async def test_cause_of_a_shutdown(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A job that its worker gave back at its shutdown waits again, and that is why."""
    seen: list[JobStopped] = []
    gate = Gate()
    await enqueue(arq_redis, "gate")
    with attached(JobStopped, seen.append):
        async with at_work(make_worker([func(gate, name="gate")])):
            await gate.started.wait()

    assert [(event.state, event.cause) for event in seen] == [("available", "SHUTDOWN")]


async def test_cause_of_a_lost_lease(arq_redis: ArqRedis, make_worker: Any, eventually: Any) -> None:
    """A job whose lease was lost is somebody else's, and that is why its run came to nothing."""
    seen: list[JobStopped] = []
    gate = Gate()
    await enqueue(arq_redis, "gate")
    with attached(JobStopped, seen.append):
        async with at_work(make_worker([func(gate, name="gate")], lease=0.5)):
            await gate.started.wait()
            gate.open.clear()
            await forget_owners(arq_redis)
            await eventually(lambda: seen)

            assert (seen[0].state, seen[0].cause) == ("available", "LOST")


async def test_cause_of_an_aborted_job(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Jobs that somebody cancelled, running or not, have that as their cause."""
    seen: list[JobStopped] = []
    gate = Gate()
    job = await enqueue(arq_redis, "gate")
    waiting = await enqueue(arq_redis, "gate", _defer_by=60)
    with attached(JobStopped, seen.append):
        async with at_work(make_worker([func(gate, name="gate")], allow_abort_jobs=True)):
            await gate.started.wait()
            assert await job.abort(timeout=5)
            assert await waiting.abort(timeout=5)

    assert [(event.state, event.cause) for event in seen] == [("cancelled", "CANCELLED")] * 2


async def test_cause_of_a_poisonous_job(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A job that took its workers down is given up, and its cause is what became of them."""
    seen: list[JobStopped] = []
    job = await enqueue(arq_redis, "add", 1, 2)
    await arq_redis.hset(RedisEngine(arq_redis, "arq:queue").keys.tries, job.job_id, "0:3:0:0:0:0:0")
    with attached(JobStopped, seen.append):
        await make_worker([add]).async_run()

    assert [(event.state, event.cause, event.crashes) for event in seen] == [("discarded", "LOST", 3)]


async def test_rows_tell_causes(arq_redis: ArqRedis, make_worker: Any, behind: Ledger) -> None:
    """Rows and attempts have the causes that were told."""
    job = await enqueue(arq_redis, "too_long")
    await make_worker([too_long], ledger=behind).async_run()

    row = await row_of(behind, job.job_id)
    assert row is not None
    assert (row.status, row.state, row.cause, row.attempt) == ("FAILED", "discarded", "TIMEOUT", 2)
    assert await attempts_of(behind, job.job_id) == [(1, "retryable", "TIMEOUT"), (2, "discarded", "TIMEOUT")]


# -- strict


async def test_ledger_has_the_outcome_before_redis_forgets(
    arq_redis: ArqRedis, make_worker: Any, strict: Ledger
) -> None:
    """In strict mode the row is final when the job's end is stored in Redis."""
    seen: list[str | None] = []

    async def look(ctx: Ctx) -> None:
        seen.append(await status_of(strict, ctx["job_id"]))

    job = await enqueue(arq_redis, "add", 1, 2)
    await make_worker([add], ledger=strict, after_job_end=look).async_run()

    assert seen == ["SUCCESS"]
    assert await job.result() == 3


async def test_strict_keeps_ends_until_the_database_is_back(
    outsider: ArqRedis, make_worker: Any, strict: Ledger, switch: Switch, eventually: Any
) -> None:
    """While the database is stopped no end is delivered and nothing is claimed; then all is, and ran once."""
    gate = Gate()
    job = await enqueue(outsider, "gate", _job_id="first")
    worker: Worker = make_worker([func(gate, name="gate")], ledger=strict, max_jobs=2)
    async with at_work(worker) as working:
        await gate.started.wait()
        await eventually(lambda: status_is(strict, "first", "RUNNING"))
        switch.is_off = True
        gate.open.set()
        await eventually(lambda: gate.ended)
        await eventually(lambda: worker._crew is not None and worker._crew.producer._want() == 0)
        later = await enqueue(outsider, "gate", _job_id="later")

        assert await job.status() is JobStatus.in_progress
        assert await later.status() is JobStatus.queued
        assert not working.done()

        switch.is_off = False
        assert await job.result(timeout=5) == "through"
        assert await later.result(timeout=5) == "through"

    assert len(gate.calls) == 2
    assert [await status_of(strict, job_id) for job_id in ("first", "later")] == ["SUCCESS", "SUCCESS"]


async def status_is(ledger: Ledger, job_id: str, status: str) -> bool:
    try:
        return await status_of(ledger, job_id) == status
    except DBAPIError:  # there is no table yet
        return False


async def test_strict_gives_ends_up_at_a_shutdown(
    outsider: ArqRedis,
    make_worker: Any,
    strict: Ledger,
    switch: Switch,
    eventually: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A worker that is told to end while the database is stopped ends, and no job is lost."""
    monkeypatch.setattr("arqlite.crew._FLUSH_PATIENCE_S", 0.2)
    monkeypatch.setattr("arqlite.books.FLUSH_TIMEOUT_S", 0.2)
    gate = Gate()
    job = await enqueue(outsider, "gate", _job_id="g")
    async with at_work(make_worker([func(gate, name="gate")], ledger=strict)):
        await gate.started.wait()
        await eventually(lambda: status_is(strict, "g", "RUNNING"))
        switch.is_off = True
        gate.open.set()
        await eventually(lambda: gate.ended)

    assert any("did not take the ends of 1 jobs" in message for message in caplog.messages)
    switch.is_off = False
    await make_worker([func(gate, name="gate")], ledger=strict).async_run()
    assert await job.result(timeout=5) == "through"
    assert await status_of(strict, "g") == "SUCCESS"


# -- nothing runs twice


@pytest.mark.parametrize("ending", ["completed", "discarded", "cancelled"])
async def test_job_that_is_over_by_its_row_does_not_run_again(
    arq_redis: ArqRedis, make_worker: Any, strict: Ledger, eventually: Any, ending: str
) -> None:
    """A worker dies between commit and acknowledgement: the next one tells Redis that the job is over."""
    runs: list[str] = []

    async def work(ctx: Ctx) -> str:
        runs.append(ctx["job_id"])
        if ending == "discarded":
            raise ValueError("boom")
        if ending == "cancelled":
            raise Cancel
        return "done"

    job = await enqueue(arq_redis, "work", _job_id="w")
    dying: Worker = make_worker([func(work, name="work")], ledger=strict)
    async with at_work(dying):
        await eventually(lambda: dying._crew is not None and dying._crew.producer.session)
        assert dying._crew is not None
        gate: Any = dying._crew._books.acker
        gate._pass = lambda group: None  # it has the commit, and gets no further
        await eventually(lambda: status_is(strict, "w", _STATUS[ending]))
        dying._crew.producer.stop_claiming()
        await forget_owners(arq_redis)
        gate.clear()

        await make_worker([func(work, name="work")], ledger=strict).async_run()

    assert runs == ["w"]
    end = await end_of(job)
    assert end.success is (ending == "completed")
    match ending:
        case "completed":
            assert end.result == "done"
        case "discarded":
            assert str(end.result) == "ValueError: boom"
        case _:
            assert isinstance(end.result, asyncio.CancelledError)


_STATUS = {"completed": "SUCCESS", "discarded": "FAILED", "cancelled": "CANCELLED"}


async def test_older_redis_runs_nothing_again(arq_redis: ArqRedis, make_worker: Any, behind: Ledger) -> None:
    """A job that an older state of Redis brings back, and that is over by its row, is not run again."""
    runs: list[str] = []

    async def work(ctx: Ctx) -> str:
        runs.append(ctx["job_id"])
        return "done"

    keys = RedisEngine(arq_redis, "arq:queue").keys
    job = await enqueue(arq_redis, "work", _job_id="w")
    record = await arq_redis.hget(keys.jobs, "w")
    [(_, score)] = await arq_redis.zrange(keys.ready, 0, -1, withscores=True)
    await make_worker([func(work, name="work")], ledger=behind).async_run()
    await arq_redis.hset(keys.jobs, "w", record)
    await arq_redis.zadd(keys.ready, {"w": score})
    await arq_redis.delete(keys.marker)

    await make_worker([func(work, name="work")], ledger=behind).async_run()

    assert runs == ["w"]
    assert await job.result() == "done"


async def test_later_job_of_the_same_id_runs(arq_redis: ArqRedis, make_worker: Any, behind: Ledger) -> None:
    """A row of an earlier job does not keep a later one of its id from running."""
    for _ in range(2):
        job = await enqueue(arq_redis, "add", 1, 2, _job_id="again")
        worker = make_worker([func(add, name="add", keep_result=0)], ledger=behind)
        await worker.async_run()
        assert counts(worker) == (1, 0, 0)
        await arq_redis.hdel(RedisEngine(arq_redis, "arq:queue").keys.jobs, job.job_id)
        await asyncio.sleep(0.002)


async def test_trouble_with_redis_is_a_doubt(
    arq_redis: ArqRedis, make_worker: Any, behind: Ledger, eventually: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a broken connection or a lost lease Redis is not believed before it is compared with the rows."""
    worker: Worker = make_worker([add], ledger=behind, lease=0.5)
    async with at_work(worker):
        await eventually(lambda: worker._crew is not None and worker._crew.producer.session)
        assert worker._crew is not None
        trust, producer = worker._crew._books.trust, worker._crew.producer
        await eventually(lambda: trust.is_firm, 20)

        async def broken(*_: Any) -> None:
            monkeypatch.undo()
            raise ConnectionError

        doubts = trust.doubts
        monkeypatch.setattr(worker._crew.engine, "turn", broken)
        producer.look_at_orders()
        await eventually(lambda: trust.doubts > doubts)
        await eventually(lambda: trust.is_firm, 20)

        doubts = trust.doubts
        await forget_owners(arq_redis)
        await eventually(lambda: trust.doubts > doubts)


async def test_job_that_is_refused_ends(
    arq_redis: ArqRedis, make_worker: Any, behind: Ledger, eventually: Any
) -> None:
    """A job that must not be started any more ends as soon as the ledger knows nothing better of it."""
    async with at_work(make_worker([add], ledger=behind)):
        job = await enqueue(arq_redis, "add", 1, 2, _defer_by=0.2)
        await arq_redis.hset(RedisEngine(arq_redis, "arq:queue").keys.tries, job.job_id, "0:3:0:0:0:0:0")
        with pytest.raises(JobExecutionFailed, match="worker died 3 times"):
            await job.result(timeout=5)
        await eventually(lambda: status_is(behind, job.job_id, "FAILED"))

    row = await row_of(behind, job.job_id)
    assert row is not None
    assert (row.cause, row.crashes) == ("LOST", 3)


async def test_job_that_was_retried_by_hand_runs(
    arq_redis: ArqRedis, make_worker: Any, strict: Ledger
) -> None:
    """A job that somebody lets run again is over by its row, and runs all the same."""
    runs: list[str] = []

    async def work(ctx: Ctx) -> None:
        runs.append(ctx["job_id"])

    job = await enqueue(arq_redis, "work")
    await make_worker([func(work, name="work")], ledger=strict).async_run()
    assert await Inspector(arq_redis).retry_job(job.job_id)

    await make_worker([func(work, name="work")], ledger=strict).async_run()

    assert len(runs) == 2
    assert await status_of(strict, job.job_id) == "SUCCESS"


async def test_steps_of_a_workflow_have_their_rows(
    arq_redis: ArqRedis, make_worker: Any, strict: Ledger
) -> None:
    """The rows that a workflow had from the beginning tell of its steps what rows of other jobs tell."""
    await strict.upgrade()
    arq_redis.ledger = strict
    run = await arq_redis.enqueue_workflow(chain(call(add, 1, 2), call(add, PREVIOUS, 4)))
    await make_worker([add], ledger=strict).async_run()

    assert await run.result() == 7
    steps = (await strict.jobs()).items
    assert sorted((row.args, row.output_payload, str(row.status)) for row in steps) == [
        ([1, 2], 3, "SUCCESS"),
        ([3, 4], 7, "SUCCESS"),
    ]
    assert all(row.record is not None and row.pushed_at is not None for row in steps)


# -- outages


async def test_outage_costs_no_job(
    outsider: ArqRedis, make_worker: Any, behind: Ledger, switch: Switch, eventually: Any
) -> None:
    """A ledger that follows never holds a job up: jobs run while it is away, and have their rows later."""
    runs: list[str] = []

    async def work(ctx: Ctx) -> None:
        runs.append(ctx["job_id"])

    async with at_work(make_worker([func(work, name="work")], ledger=behind)) as working:
        first = await enqueue(outsider, "work")
        await eventually(lambda: status_is(behind, first.job_id, "SUCCESS"))
        switch.is_off = True
        jobs = [await enqueue(outsider, "work") for _ in range(20)]
        await eventually(lambda: len(runs) == 21)
        assert all([await job.status() is JobStatus.complete for job in jobs])
        assert not working.done()

        switch.is_off = False
        for job in jobs:
            await eventually(lambda job=job: status_is(behind, job.job_id, "SUCCESS"))

    assert len(runs) == 21


@pytest.mark.parametrize("mode", ["behind", "strict"])
async def test_worker_is_healthy_without_its_database(
    arq_redis: ArqRedis,
    outsider: ArqRedis,
    make_worker: Any,
    database: AsyncEngine,
    switch: Switch,
    eventually: Any,
    mode: Any,
) -> None:
    """A check of a worker's health stays green while its ledger is away: no restart would help."""
    ledger = Ledger(database, mode=mode)
    async with at_work(make_worker([add], ledger=ledger, health_check_interval=0.05)) as working:
        job = await enqueue(outsider, "add", 1, 2)
        await eventually(lambda: status_is(ledger, job.job_id, "SUCCESS"))
        switch.is_off = True
        health = await ledger.health()
        await arq_redis.delete("arq:queue:health-check")
        await eventually(lambda: arq_redis.get("arq:queue:health-check"))
        size = await RedisEngine(arq_redis, "arq:queue").size()
        switch.is_off = False

        assert (health.is_up, size.sessions, working.done()) == (False, 1, False)
        assert "the database is stopped" in (health.error or "")
        assert (await ledger.health()).is_up


async def test_worker_starts_without_its_database(
    outsider: ArqRedis,
    make_worker: Any,
    behind: Ledger,
    switch: Switch,
    eventually: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A worker whose ledger is away at its start works all the same, says so once, and makes up for it."""
    monkeypatch.setattr("arqlite.books._START_PATIENCE_S", 0.1)
    switch.is_off = True
    async with at_work(make_worker([add], ledger=behind)):
        job = await enqueue(outsider, "add", 1, 2)
        assert await job.result(timeout=5) == 3

        switch.is_off = False
        await eventually(lambda: status_is(behind, job.job_id, "SUCCESS"))

    assert sum("the ledger is away, jobs run all the same" in message for message in caplog.messages) == 1


async def test_strict_worker_waits_for_its_database(
    outsider: ArqRedis, make_worker: Any, strict: Ledger, switch: Switch, eventually: Any
) -> None:
    """A strict worker whose ledger is away at its start claims nothing until it is there."""
    switch.is_off = True
    job = await enqueue(outsider, "add", 1, 2)
    async with at_work(make_worker([add], ledger=strict)) as working:
        await eventually(lambda: switch.tries > 1)
        assert await job.status() is JobStatus.queued
        assert not working.done()

        switch.is_off = False
        assert await job.result(timeout=5) == 3


@pytest.mark.parametrize("mode", ["strict", "behind"])
async def test_worker_waits_for_tables_that_another_process_holds(
    outsider: ArqRedis,
    make_worker: Any,
    database: AsyncEngine,
    eventually: Any,
    monkeypatch: pytest.MonkeyPatch,
    mode: Any,
) -> None:
    """Tables that cannot be had at the start, for somebody upgrades them for long, end no worker."""
    monkeypatch.setattr(Ledger.upgrade, "__kwdefaults__", {"timeout": 0.05})
    monkeypatch.setattr("arqlite.books._START_PATIENCE_S", 0.1)
    ledger = Ledger(database, mode=mode)
    tries = []
    real = Ledger.upgrade

    async def upgrade(self: Ledger) -> None:
        tries.append(self)
        await real(self)

    monkeypatch.setattr(Ledger, "upgrade", upgrade)
    async with database.connect() as other:
        if other.dialect.name == "sqlite":
            await other.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            await other.execute(text(f"SELECT pg_advisory_xact_lock({0x617271_6C697465})"))
        async with at_work(make_worker([add], ledger=ledger)) as working:
            await eventually(lambda: len(tries) > 2)
            assert not working.done()
            await other.rollback()

            job = await enqueue(outsider, "add", 1, 2)
            assert await job.result(timeout=5) == 3
            await eventually(lambda: status_is(ledger, job.job_id, "SUCCESS"))


async def test_strict_worker_that_waits_hears_signals(
    arq_redis: ArqRedis, make_worker: Any, strict: Ledger, switch: Switch, eventually: Any
) -> None:
    """A strict worker that waits for its ledger can be told to end."""
    switch.is_off = True
    worker: Worker = make_worker([add], ledger=strict)
    async with at_work(worker) as working:
        await eventually(lambda: switch.tries > 1)
        worker.handle_sig(Signals.SIGTERM)
        await asyncio.wait_for(asyncio.shield(working), 5)


async def test_strict_does_not_start_in_doubt(
    outsider: ArqRedis, make_worker: Any, strict: Ledger, switch: Switch, eventually: Any
) -> None:
    """In strict mode a job that may be over waits until the ledger can tell."""
    await make_worker([add], ledger=strict).async_run()
    async with at_work(make_worker([add], ledger=strict)) as working:
        worker_looks = asyncio.Event()
        switch.is_off = True
        job = await enqueue(outsider, "add", 1, 2)
        await eventually(lambda: switch.tries > 2)
        worker_looks.set()
        assert await job.status() in (JobStatus.in_progress, JobStatus.queued)
        assert not working.done()

        switch.is_off = False
        assert await job.result(timeout=5) == 3


async def test_job_that_waits_for_the_ledger_can_be_aborted_and_given_back(
    outsider: ArqRedis, make_worker: Any, strict: Ledger, switch: Switch, eventually: Any
) -> None:
    """A job that waits for the ledger before its start is cancelled like any, and goes back at a shutdown."""
    worker: Worker = make_worker([add], ledger=strict, allow_abort_jobs=True)
    async with at_work(worker):
        await eventually(lambda: worker._crew is not None and worker._crew.producer.session)
        assert worker._crew is not None
        producer: Any = worker._crew.producer
        switch.is_off = True
        kept = await enqueue(outsider, "add", 1, 2)
        aborted = await enqueue(outsider, "add", 1, 2)
        await eventually(lambda: len(producer._precheck) == 2)
        abortion = asyncio.create_task(aborted.abort(timeout=10))
        await eventually(lambda: len(producer._precheck) == 1)
        switch.is_off = False
        assert await abortion
        assert await kept.result(timeout=5) == 3


@pytest.mark.parametrize("mode", ["behind", "strict"])
async def test_worker_refuses_tables_that_it_cannot_use(
    arq_redis: ArqRedis, make_worker: Any, database: AsyncEngine, mode: Any
) -> None:
    """A worker that is not to make the tables does not start without them, and its jobs wait."""
    job = await enqueue(arq_redis, "add", 1, 2)
    with pytest.raises(LedgerError, match="arqlite db upgrade"):
        await make_worker([add], ledger=Ledger(database, mode=mode, upgrade=False)).async_run()

    assert await job.status() is JobStatus.queued


# -- what is given for a ledger


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("strict", "give it the database, and its mode to the ledger: Ledger(url, mode='strict')"),
        ("jobs.db", "the URL of a database such as 'sqlite:///jobs.db', got 'jobs.db'"),
        (True, "an AsyncEngine, got True"),
        (Ledger, "an AsyncEngine, got <class"),
        ("oracle_of_delphi://host/db", "is the URL of no database that can be used"),
    ],
)
def test_what_is_no_ledger_is_told_in_words(given: Any, words: str) -> None:
    """Whoever gives something else than a ledger is told what to give."""
    with pytest.raises(Exception, match="ledger") as caught:
        Worker([add], ledger=given)

    assert words in str(caught.value)


def test_password_of_a_url_is_not_told() -> None:
    """A URL that cannot work is refused without the password in it."""
    with pytest.raises(Exception, match="ledger") as caught:
        Worker([add], ledger="oracle_of_delphi://me:secret@host/db")

    assert "secret" not in str(caught.value)
