"""Leases, through whole workers: kept under a blocked loop, lost without harm, given over in time."""

from __future__ import annotations

import asyncio
import signal
import time
from typing import Any

import pytest
from worker_toys import Ctx, Gate, at_work, counts, enqueue, lines

from arqlite import ArqRedis, func
from arqlite.engine import RedisEngine
from arqlite.telemetry import JobStopped, attach, detach

LEASE = 0.5


async def kill_session(pool: ArqRedis) -> None:
    """Let the lease of every session be over and rescued, as if their workers had been frozen."""
    engine = RedisEngine(pool, "arq:queue")
    sessions: list[Any] = await pool.zrange(engine.keys.live, 0, -1)
    for session in sessions:
        await pool.zadd(engine.keys.live, {session: 1})
    await engine.rescue("")
    await engine.close()


async def test_blocked_loop_keeps_its_lease(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A job that blocks the event loop for longer than the lease is not run a second time elsewhere."""
    runs: list[str] = []

    async def block(ctx: Ctx) -> str:
        runs.append(ctx["job_id"])
        # Blocking is what is tested; the other worker must look in from a loop of its own.
        time.sleep(LEASE * 2.5)  # noqa: ASYNC251
        return "done"

    job = await enqueue(arq_redis, "block")
    engine = RedisEngine(arq_redis, "arq:queue")
    worker = make_worker([func(block, name="block")], lease=LEASE)
    done = await asyncio.gather(worker.run_check(), _rescue_in_a_thread(arq_redis, engine))

    assert done[1] == {}
    assert runs == [job.job_id]
    assert await job.result() == "done"
    assert counts(worker) == (1, 0, 0)
    await engine.close()


async def _rescue_in_a_thread(pool: ArqRedis, engine: RedisEngine) -> dict[str, int]:
    """Look for dead workers from another thread, as another process would, while this loop is blocked."""
    from arqlite.engine.scripts import load
    from arqlite.engine.twin import blocking_twin

    script = load("rescue")
    keys = {name: getattr(engine.keys, name) for name in script.contract.keys}
    args = {"base": engine.keys.base, "channel": engine.keys.finished_channel, "sid": "other", "limit": 1000}
    call = script.arguments(keys, {**args, "body": b"C", "ttl_ms": 1000})

    def look() -> dict[str, int]:
        twin: Any = blocking_twin(pool, 2)
        moved: dict[str, int] = {}
        deadline = time.monotonic() + LEASE * 2
        while time.monotonic() < deadline:
            _, *pairs = twin.eval(script.source, *call)
            moved |= dict(zip(pairs[::2], pairs[1::2], strict=True))
            time.sleep(0.01)
        twin.close()
        return moved

    return await asyncio.to_thread(look)


async def test_lost_lease_cancels_and_writes_nothing(
    arq_redis: ArqRedis, make_worker: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A worker whose lease was lost cancels its jobs, writes nothing of them, and goes on anew."""
    gate = Gate()
    job = await enqueue(arq_redis, "gate", _job_id="g")
    worker = make_worker([func(gate, name="gate")], lease=LEASE, max_tries=1)
    async with at_work(worker):
        await gate.started.wait()
        gate.started.clear()
        await kill_session(arq_redis)

        await asyncio.wait_for(gate.started.wait(), 5)
        gate.open.set()
        assert await job.result(timeout=5) == "through"

    assert gate.ended == ["cancelled", "returned"]
    assert [ctx["job_try"] for ctx in gate.calls] == [1, 2]
    assert counts(worker) == (1, 0, 0)
    assert any("its jobs are cancelled here and run elsewhere" in line for line in lines(caplog))


async def test_late_end_is_not_written(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A run that outlives its lease and returns is not acknowledged; the newer run's result stands."""
    started = asyncio.Event()

    async def stubborn(ctx: Ctx) -> str:
        started.set()
        if ctx["job_try"] == 2:
            return "newer"
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "late"
        return "never"

    job = await enqueue(arq_redis, "stubborn")
    worker = make_worker([func(stubborn, name="stubborn")], lease=LEASE)
    async with at_work(worker):
        await started.wait()
        await kill_session(arq_redis)
        assert await job.result(timeout=5) == "newer"

    assert counts(worker) == (1, 0, 0)


async def test_lost_lease_gives_slots_back_where_a_hook_waits(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Where `after_job_end` waits for acknowledgements, one without a lease gives its slot back."""
    gate, calls = Gate(), list[int]()

    async def after(ctx: Ctx) -> None:
        calls.append(ctx["job_try"])

    job = await enqueue(arq_redis, "gate")
    worker = make_worker([func(gate, name="gate")], lease=LEASE, max_jobs=1, after_job_end=after)
    async with at_work(worker):
        await gate.started.wait()
        gate.started.clear()
        await kill_session(arq_redis)
        await asyncio.wait_for(gate.started.wait(), 5)
        gate.open.set()
        assert await job.result(timeout=5) == "through"

    assert gate.ended == ["cancelled", "returned"]
    assert calls == [2]
    assert not worker.has_stubborn_jobs


async def test_dead_workers_jobs_run_elsewhere_in_time(arq_redis: ArqRedis, make_worker: Any) -> None:
    """The jobs of a worker that vanished run elsewhere as soon as its lease is over."""
    engine = RedisEngine(arq_redis, "arq:queue")
    job = await enqueue(arq_redis, "ok")
    await engine.open("vanished", int(LEASE * 1000))
    assert len((await engine.turn("vanished", 5, {}, ())).job_ids) == 1

    async def ok(ctx: Ctx) -> int:
        return int(ctx["job_try"])

    before = time.monotonic()
    async with at_work(make_worker([func(ok, name="ok")], lease=LEASE)):
        assert await job.result(timeout=5) == 2

    assert time.monotonic() - before < LEASE + 2
    await engine.close()


async def test_job_deleted_by_hand_blocks_nobody(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A job whose record somebody deleted is put away, and the burst ends."""
    gone, job = await enqueue(arq_redis, "ok"), await enqueue(arq_redis, "ok")
    await arq_redis.hdel("aq:{arq:queue}:jobs", gone.job_id)

    async def ok(ctx: Ctx) -> str:
        return "ok"

    assert await asyncio.wait_for(make_worker([func(ok, name="ok")]).run_check(), 10) == 1
    assert await job.result() == "ok"


@pytest.mark.parametrize("max_jobs", [1, 3, 100])
async def test_many_short_jobs(arq_redis: ArqRedis, make_worker: Any, max_jobs: int) -> None:
    """Many short jobs run once each, in turns that carry many ends at once."""
    seen: list[int] = []

    async def note(ctx: Ctx, n: int) -> None:
        seen.append(n)

    await arq_redis.enqueue_many([("note", (n,)) for n in range(400)])
    worker = make_worker([func(note, name="note")], max_jobs=max_jobs)

    assert await worker.run_check() == 400
    assert sorted(seen) == list(range(400))
    if max_jobs == 1:
        assert seen == sorted(seen)


@pytest.mark.real
async def test_worker_survives_killed_connections(
    arq_redis: ArqRedis, make_worker: Any, request: Any
) -> None:
    """A server that closes all connections ends no worker; jobs enqueued later run."""

    async def ok(ctx: Ctx) -> str:
        return "ok"

    worker = make_worker([func(ok, name="ok")])
    async with at_work(worker):
        assert await (await enqueue(arq_redis, "ok")).result(timeout=5) == "ok"
        if request.node.callspec.params["arq_redis"] == "real":
            await arq_redis.client_kill_filter(_type="normal", skipme=True)
            await arq_redis.client_kill_filter(_type="pubsub", skipme=True)
        assert await (await enqueue(arq_redis, "ok")).result(timeout=10) == "ok"

    assert counts(worker) == (2, 0, 0)


async def test_cancelled_job_of_a_worker_that_died_is_told_of(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A job whose worker died before it heard that it is to cancel it runs nowhere, and telemetry is told."""
    told: list[JobStopped] = []
    engine = RedisEngine(arq_redis, "arq:queue")
    job = await enqueue(arq_redis, "gate")
    await engine.open("dead", 60_000)
    assert (await engine.turn("dead", 1, {}, ())).job_ids == [job.job_id.encode()]
    with pytest.raises(TimeoutError):
        await job.abort(timeout=0)
    attach("test", JobStopped, told.append)
    gate = Gate()
    try:
        await kill_session(arq_redis)
        await make_worker([func(gate, name="gate")]).main()
    finally:
        detach("test")

    assert gate.calls == []
    assert [(stop.job_id, stop.state, type(stop.error)) for stop in told] == [
        (job.job_id, "cancelled", asyncio.CancelledError)
    ]
    with pytest.raises(asyncio.CancelledError):
        await job.result(timeout=1)
    await engine.close()


async def test_worker_that_is_told_to_end_while_it_begins_leaves_no_session(
    arq_redis: ArqRedis, make_worker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session that was opened and not confirmed, since the worker was to end meanwhile, is ended, too."""
    opened = asyncio.Event()

    async def never(*_: Any) -> None:
        opened.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(RedisEngine, "join", never)
    worker = make_worker([func(Gate(), name="gate")], burst=False)
    working = asyncio.create_task(worker.async_run())
    await asyncio.wait_for(opened.wait(), 5)
    live = RedisEngine(arq_redis, "arq:queue").keys.live
    before = await arq_redis.zcard(live)

    worker.handle_sig(signal.SIGTERM)
    await asyncio.wait_for(asyncio.gather(working, return_exceptions=True), 5)

    assert (before, await arq_redis.zcard(live)) == (1, 0)
