"""The bridge: producers of arq, served by a worker of arqlite."""

from __future__ import annotations

import asyncio
import json
import pickle
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from migration_toys import QUEUE, Arq
from redis.exceptions import ConnectionError as RedisConnectionError

from arqlite import ArqRedis, Job, JobStatus, Worker, func, telemetry
from arqlite.clusters import cluster_client
from arqlite.connections import RedisSettings
from arqlite.embedded import EmbeddedServer
from arqlite.errors import ConfigurationError
from arqlite.migration import ArqBridge
from arqlite.migration.source import ArqQueue
from arqlite.migration.wire import HELD_SCORE, OUR_LOCK
from arqlite.utils import timestamp_ms

Make = Callable[..., Worker]
Eventually = Callable[..., Awaitable[Any]]
# On fakeredis the blocking pop of a worker that has ended may still take the token of the next one.
LOST_TOKEN_S = 15.0


class Odd(Exception):
    """An exception of the application."""


async def add(ctx: dict[str, Any], a: int = 1, b: int = 2) -> int:
    return a + b


async def boom(ctx: dict[str, Any]) -> None:
    raise Odd("no", 3)


async def pair(ctx: dict[str, Any]) -> Any:
    return (1, 2)


async def unspeakable(ctx: dict[str, Any]) -> Any:
    return object


async def forever(ctx: dict[str, Any]) -> None:
    await asyncio.Event().wait()


class Desk:
    """Where a producer of arq stands: it sees arq's keys and nothing else."""

    def __init__(self, arq: Arq) -> None:
        self.arq = arq

    async def result(self, job_id: str, read: Callable[[bytes], Any] = pickle.loads) -> Any:
        """Look once, as `Job.result` of arq does: it fails when neither a result nor the job is there."""
        async with self.arq.client.pipeline(transaction=True) as pipe:
            pipe.get(f"arq:result:{job_id}")
            pipe.zscore(self.arq.queue, job_id)
            body, score = await pipe.execute()
        assert body or score is not None, "arq would raise ResultNotFound"
        return read(body) if body else None

    async def abort(self, job_id: str) -> None:
        """Ask for an abort as `Job.abort` of arq does."""
        score = await self.arq.client.zscore(self.arq.queue, job_id)
        if score > timestamp_ms():
            await self.arq.client.zadd(self.arq.queue, {job_id: 1})
        await self.arq.client.zadd("arq:abort", {job_id: timestamp_ms()})


@pytest.fixture
def desk(arq: Arq) -> Desk:
    """A producer of arq."""
    return Desk(arq)


@asynccontextmanager
async def working(make: Make, bridge: ArqBridge, *functions: Any, **options: Any) -> AsyncIterator[Worker]:
    """Run a worker with a bridge, that has begun, while the block runs."""
    functions = functions or (add, boom, pair, unspeakable, forever)
    worker = make(functions, services=[bridge], burst=False, allow_abort_jobs=True, **options)
    begun = asyncio.Event()
    telemetry.attach("begun", [telemetry.WorkerStarted], lambda event: begun.set())
    running = asyncio.create_task(worker.async_run())
    try:
        await asyncio.wait_for(begun.wait(), 5)
        yield worker
    finally:
        telemetry.detach("begun")
        await worker.close()
        await asyncio.gather(running, return_exceptions=True)


def bridge(**options: Any) -> ArqBridge:
    return ArqBridge(**{"interval": 0.01, **options})


async def test_result_reaches_arqs_producer(
    arq: Arq, desk: Desk, make_worker: Make, eventually: Eventually
) -> None:
    """A job enqueued with arq runs in arqlite, and its result stands where arq's producer awaits it."""
    async with working(make_worker, bridge()):
        await arq.enqueue("a", "add", 3, b=4)
        envelope = await eventually(lambda: desk.result("a"))

    assert {name: envelope[name] for name in ("f", "a", "k", "s", "r", "t", "q", "id")} == {
        "f": "add", "a": (3,), "k": {"b": 4}, "s": True, "r": 7, "t": 1, "q": QUEUE, "id": "a",
    }  # fmt: skip
    assert envelope["et"] <= envelope["st"] <= envelope["ft"]
    assert 3_500_000 < await arq.client.pttl("arq:result:a") <= 3_600_000
    assert await arq.keys() - {f"{QUEUE}:health-check"} == {"arq:result:a"}


async def test_result_is_what_the_job_returned(
    arq: Arq, desk: Desk, make_worker: Make, eventually: Eventually
) -> None:
    """arq's producer gets a tuple as a tuple and an exception in its own class, as from arq."""
    async with working(make_worker, bridge()):
        for function in ("pair", "boom", "unspeakable"):
            await arq.enqueue(function, function)
        found = {
            name: await eventually(lambda name=name: desk.result(name))
            for name in ("pair", "boom", "unspeakable")
        }

    assert found["pair"]["r"] == (1, 2)
    assert (found["boom"]["s"], repr(found["boom"]["r"])) == (False, "Odd('no', 3)")
    assert (found["unspeakable"]["s"], type(found["unspeakable"]["r"])) == (False, RuntimeError)
    assert "unable to serialize result" in str(found["unspeakable"]["r"])


async def test_held_job_looks_running_to_arq(
    arq: Arq, make_worker: Make, eventually: Eventually, arq_redis: ArqRedis
) -> None:
    """While arqlite has a job, arq's workers leave it alone, its id is refused, its producer waits on."""
    async with working(make_worker, bridge()):
        await arq.enqueue("a", "add", defer_ms=100_000)
        await eventually(lambda: arq.client.exists("arq:in-progress:a"))
        score = await arq.client.zscore(QUEUE, "a")
        lock, body = await arq.client.get("arq:in-progress:a"), await arq.client.exists("arq:job:a")
        await eventually(lambda: _is(arq_redis, "a", JobStatus.deferred))

    assert (score, lock, body) == (HELD_SCORE, OUR_LOCK, 1)
    assert await arq.client.zrangebyscore(QUEUE, "-inf", timestamp_ms()) == []
    assert await arq.client.ttl("arq:job:a") == -1


@pytest.mark.parametrize("function", ["add", "forever"])
async def test_abort_of_arqs_producer(
    function: str, arq: Arq, desk: Desk, make_worker: Make, eventually: Eventually, arq_redis: ArqRedis
) -> None:
    """`Job.abort` of arq ends a job that waits in arqlite, and one that runs there."""
    async with working(make_worker, bridge()):
        await arq.enqueue("a", function, defer_ms=100_000 if function == "add" else 0)
        status = JobStatus.deferred if function == "add" else JobStatus.in_progress
        await eventually(lambda: _is(arq_redis, "a", status))
        await eventually(lambda: _has_score(arq, "a", HELD_SCORE))
        await desk.abort("a")
        envelope = await eventually(lambda: desk.result("a"))

    assert (envelope["s"], type(envelope["r"])) == (False, asyncio.CancelledError)
    assert await arq.client.zcard("arq:abort") == 0


async def test_result_that_is_not_kept(arq: Arq, make_worker: Make, eventually: Eventually) -> None:
    """With `keep_result=0` the job leaves arq without a result, as in arq."""
    async with working(make_worker, bridge(), keep_result=0):
        await arq.enqueue("a")
        await eventually(lambda: _is_gone(arq, "a"))

    assert await arq.client.exists("arq:result:a", "arq:job:a", "arq:in-progress:a") == 0


async def test_end_by_a_worker_without_a_bridge(
    arq: Arq, desk: Desk, make_worker: Make, eventually: Eventually, arq_redis: ArqRedis
) -> None:
    """A job that another worker ended, while no bridge was there, is given back by the next bridge."""
    async with working(make_worker, bridge(), add):
        await arq.enqueue("a", "add", 5, defer_ms=500)
        await eventually(lambda: _is(arq_redis, "a", JobStatus.deferred))
    await make_worker([add]).async_run()

    async with working(make_worker, bridge(), add):
        envelope = await eventually(lambda: desk.result("a"), within=LOST_TOKEN_S)

    assert (envelope["r"], envelope["a"]) == (7, (5,))


async def test_half_way_job_is_finished_by_the_next_bridge(
    arq: Arq, desk: Desk, make_worker: Make, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that a dying worker had taken, and not yet planted, is planted by the next one."""
    dying = bridge()
    async with working(make_worker, dying):
        assert dying._mover is not None
        monkeypatch.setattr(dying._mover.engine, "plant", _no_redis)
        await arq.enqueue("a")
        await eventually(lambda: arq.client.exists("arq:in-progress:a"))

    async with working(make_worker, bridge()):
        envelope = await eventually(lambda: desk.result("a"), within=LOST_TOKEN_S)

    assert envelope["r"] == 3


async def test_review_spares_what_is_on_its_way(
    arq: Arq, desk: Desk, make_worker: Make, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that one bridge has taken and not yet planted is not given back by another one as unknown."""
    slow = bridge()
    async with working(make_worker, slow):
        assert slow._mover is not None
        assert slow._answers is not None
        with monkeypatch.context() as patch:
            patch.setattr(slow._mover.engine, "plant", _no_redis)
            await arq.enqueue("a")
            await eventually(lambda: arq.client.exists("arq:in-progress:a"))
            await slow._answers.review()
        slow._reviewed_at = float("-inf")
        envelope = await eventually(lambda: desk.result("a"))

    assert envelope["r"] == 3


async def test_without_write_back_a_job_leaves_arq(
    arq: Arq, make_worker: Make, eventually: Eventually, arq_redis: ArqRedis
) -> None:
    """Without `write_back` nothing of a job stays in arq."""
    async with working(make_worker, bridge(write_back=False)):
        await arq.enqueue("a")
        await eventually(lambda: _is(arq_redis, "a", JobStatus.complete))

    assert await arq.keys() - {f"{QUEUE}:health-check"} == set()


async def test_what_cannot_be_taken_stays(
    arq: Arq, make_worker: Make, eventually: Eventually, caplog: pytest.LogCaptureFixture
) -> None:
    """Jobs of unknown functions and unreadable ones stay in arq untouched, told once."""
    await arq.enqueue("a", "nobody")
    await arq.enqueue("b", "add", object)
    async with working(make_worker, bridge()):
        await arq.enqueue("c", "add")
        await eventually(lambda: arq.client.exists("arq:result:c"))
        await arq.enqueue("d", "add")
        await eventually(lambda: arq.client.exists("arq:result:d"))

    assert await arq.client.exists("arq:job:a", "arq:job:b") == 2
    assert await arq.client.exists("arq:in-progress:a", "arq:in-progress:b") == 0
    assert caplog.text.count("job a:nobody stays in arq's queue") == 1
    assert caplog.text.count("job b:add stays in arq's queue: unable to serialize job") == 1


async def test_what_stays_is_not_read_at_every_look(
    arq: Arq, make_worker: Make, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Jobs of others in arq's queue are read once, and again when something changed or a pause is over."""
    monkeypatch.setattr("arqlite.migration.leftovers._FIRST_PAUSE_S", 3600.0)
    monkeypatch.setattr("arqlite.migration.bridge._NAMES", 2)
    reads: list[bytes] = []
    read = ArqQueue.read

    async def noted(self: ArqQueue, keys: Any) -> Any:
        reads.extend(keys)
        return await read(self, keys)

    monkeypatch.setattr(ArqQueue, "read", noted)
    for place in range(5):
        await arq.enqueue(f"{place}", "nobody")
    async with working(make_worker, bridge()):
        for job_id in "abc":
            await arq.enqueue(job_id)
            await eventually(lambda job_id=job_id: arq.client.exists(f"arq:result:{job_id}"))
        await arq.client.zadd(arq.queue, {"3": 7})
        await eventually(lambda: reads.count(b"3") == 2)
        await arq.enqueue("d")
        await eventually(lambda: arq.client.exists("arq:result:d"))

    assert [reads.count(b"%d" % place) for place in range(5)] == [1, 1, 1, 2, 1]


async def test_changed_arguments_are_told_once(
    arq: Arq, make_worker: Make, eventually: Eventually, caplog: pytest.LogCaptureFixture
) -> None:
    """A function whose arguments JSON changes is named once."""
    async with working(make_worker, bridge(), func(_echo, name="add")):
        for job_id in "ab":
            await arq.enqueue(job_id, "add", (1, 2))
            await eventually(lambda job_id=job_id: arq.client.exists(f"arq:result:{job_id}"))

    assert caplog.text.count("arguments of add change through JSON: tuple -> list") == 1


async def test_own_serializer(arq: Arq, desk: Desk, make_worker: Make, eventually: Eventually) -> None:
    """A producer with a serializer of its own is read and answered with it."""

    def write(envelope: dict[str, Any]) -> bytes:
        return json.dumps(envelope).encode()

    async with working(make_worker, bridge(deserializer=json.loads, serializer=write)):
        await arq.enqueue("a", "add", 3, write=write)
        envelope = await eventually(lambda: desk.result("a", json.loads))

    assert envelope["r"] == 5


@pytest.mark.real
async def test_arq_in_another_database(
    real_server: EmbeddedServer, make_worker: Make, eventually: Eventually
) -> None:
    """arq's data may be in another database or server than the worker's."""
    settings = RedisSettings.from_dsn(real_server.url(2))
    elsewhere = Arq(ArqRedis(unix_socket_path=settings.unix_socket_path, db=2))
    await elsewhere.client.flushdb()
    async with working(make_worker, bridge(redis_settings=settings)):
        await elsewhere.enqueue("a", "add", 3)
        envelope = await eventually(lambda: Desk(elsewhere).result("a"))

    assert envelope["r"] == 5
    assert await elsewhere.keys() == {"arq:result:a"}
    await elsewhere.client.aclose(close_connection_pool=True)


async def test_outage_is_survived(
    arq: Arq, desk: Desk, make_worker: Make, eventually: Eventually, caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """While Redis is away the bridge says so once and goes on afterwards."""
    caplog.set_level("INFO")
    crossing = bridge()
    async with working(make_worker, crossing):
        assert crossing._mover is not None
        source = crossing._mover.source
        looks: list[None] = []

        async def away(offset: int, limit: int) -> list[bytes]:
            looks.append(None)
            raise RedisConnectionError("gone")

        with monkeypatch.context() as patch:
            patch.setattr(source, "scored_page", away)
            await eventually(lambda: len(looks) >= 3)
        await arq.enqueue("a")
        await eventually(lambda: desk.result("a"))

    assert caplog.text.count("Redis is out of reach (gone)") == 1
    assert caplog.text.count("ArqBridge: Redis is back") == 1


async def test_result_that_cannot_be_written_at_all_holds_no_others(
    arq: Arq, desk: Desk, make_worker: Make, eventually: Eventually, caplog: pytest.LogCaptureFixture
) -> None:
    """A job whose envelope the serializer refuses altogether ends without a result; others get theirs."""

    def write(envelope: dict[str, Any]) -> bytes:
        if envelope["f"] == "pair":
            raise TypeError("no pairs")
        return pickle.dumps(envelope)

    for job_id in "abc":
        await arq.enqueue(job_id, "add" if job_id == "c" else "pair")
    async with working(make_worker, bridge(deserializer=pickle.loads, serializer=write)):
        envelope = await eventually(lambda: desk.result("c"))
        await eventually(lambda: _is_empty(arq))

    assert envelope["r"] == 3
    assert not await arq.client.exists("arq:result:a", "arq:result:b", "arq:in-progress:a", "arq:job:a")
    assert caplog.text.count("cannot write it (TypeError('no pairs'))") == 1


async def test_two_bridges_share_the_work(
    arq: Arq, make_worker: Make, eventually: Eventually, arq_redis: ArqRedis
) -> None:
    """Two workers with bridges on one queue take each job once."""
    ran: list[str] = []

    async def note(ctx: dict[str, Any]) -> None:
        ran.append(ctx["job_id"])

    job = func(note, name="add", keep_result=0)
    ids = sorted(f"j{number}" for number in range(300))
    async with working(make_worker, bridge(), job), working(make_worker, bridge(), job):
        for job_id in ids:
            await arq.enqueue(job_id)
        await eventually(lambda: _is_empty(arq), within=20)

    assert sorted(ran) == ids


async def test_job_taken_by_another_bridge_just_now_is_not_aborted(
    arq: Arq, make_worker: Make, arq_redis: ArqRedis, eventually: Eventually
) -> None:
    """A job that stood among the due ones when it was listed, and is held when it is read, is left alone."""
    crossing = bridge()
    async with working(make_worker, crossing):
        await arq.enqueue("a", "forever")
        await eventually(lambda: _is(arq_redis, "a", JobStatus.in_progress))
        assert crossing._mover is not None
        [waiting] = await crossing._mover.source.read([b"a"])
        step = await crossing._mover.move([b"a"])

    assert (waiting.score, waiting.lock) == (HELD_SCORE, OUR_LOCK)
    assert [left.hold for left in step.left] == ["running"]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"interval": 0}, "interval must be more than 0"),
        ({"queue": 5}, "queue must be a text"),
        ({"redis_settings": "redis://x"}, "redis_settings must be RedisSettings"),
        ({"deserializer": json.loads}, "needs a serializer, too"),
        ({"serializer": pickle.dumps}, "needs a deserializer, too"),
    ],
)
def test_bad_option_is_refused(options: dict[str, Any], complaint: str) -> None:
    """An option that cannot work is refused where it is written."""
    with pytest.raises(ConfigurationError, match=complaint):
        ArqBridge(**options)


async def test_bridge_needs_a_worker() -> None:
    """A bridge that is started on its own says where it belongs."""
    with pytest.raises(ConfigurationError, match=r"WorkerSettings\.services"):
        await ArqBridge().start()


async def _echo(ctx: dict[str, Any], *args: Any) -> Any:
    return args


async def _no_redis(*args: Any) -> Any:
    raise RedisConnectionError("gone")


async def _is(pool: ArqRedis, job_id: str, status: JobStatus) -> bool:
    return await Job(job_id, pool).status() is status


async def _has_score(arq: Arq, job_id: str, score: float) -> bool:
    return bool(await arq.client.zscore(arq.queue, job_id) == score)


async def _is_gone(arq: Arq, job_id: str) -> bool:
    return await arq.client.zscore(arq.queue, job_id) is None


async def _is_empty(arq: Arq) -> bool:
    return await arq.client.zcard(arq.queue) == 0


def test_cluster_has_no_queue_of_arq() -> None:
    """Who brings a worker into a cluster is told that arq's queue is somewhere else."""
    client = cluster_client([("127.0.0.1", 1)], QUEUE, {})

    with pytest.raises(
        ConfigurationError, match=r"no queue in a Redis Cluster.*redis_settings of the server"
    ):
        ArqQueue(client, QUEUE)
