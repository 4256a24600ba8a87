"""A real Redis Cluster: queues on several nodes, a node that dies, a slot that moves."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from chaos_account import close_books, left_in_redis, result_of
from chaos_cluster import Cluster
from chaos_fleet import Fleet
from chaos_server import ChaosServer
from chaos_trace import Trace
from chaos_wait import until
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from arqlite import create_pool
from arqlite.connections import ArqRedis, ClusterSettings, RedisSettings
from arqlite.engine.shards import slot_of
from arqlite.errors import ConfigurationError
from arqlite.inspector import Inspector

QUEUE = "arq:queue"
ELSEWHERE = "a"  # on another node than the default queue, as long as there are three
WITHIN_S = 60.0


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """Three masters."""
    cluster = Cluster(tmp_path / "cluster")
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture
def server(cluster: Cluster) -> Cluster:
    """Pool and fleet of all chaos tests know a server by its URL: here it is that of the cluster."""
    return cluster


async def test_queues_are_worked_off_wherever_they_are(
    cluster: Cluster, pool: ArqRedis, fleet: Fleet, trace: Trace
) -> None:
    """Jobs of queues on two nodes run once each, also longer than a lease; both are seen and steered."""
    assert cluster.owner_of(slot_of(QUEUE)) is not cluster.owner_of(slot_of(ELSEWHERE))
    await fleet.start(1, lease=1.0)
    fleet.hire(lease=1.0, queue_name=ELSEWHERE)
    long = await pool.enqueue_job("nap", 3.0)
    jobs = [
        await pool.enqueue_job("nap", _queue_name=queue) for queue in (QUEUE, ELSEWHERE) for _ in range(50)
    ]

    for job in [long, *jobs]:
        assert job is not None
        await job.result(timeout=30)
    waiting = await pool.enqueue_job("nap", _queue_name=ELSEWHERE, _defer_by=60)
    assert waiting is not None
    assert await waiting.abort(timeout=10)
    await Inspector(pool).pause_queue(ELSEWHERE)
    queues = {queue.queue: queue.paused for queue in await Inspector(pool).check_all_queues()}

    assert queues == {QUEUE: False, ELSEWHERE: True}
    assert all(len(runs) == 1 for runs in trace.by_job().values())
    assert len(trace.by_job()) == 101


async def test_failover_of_a_node_loses_nothing(
    cluster: Cluster, pool: ArqRedis, fleet: Fleet, trace: Trace
) -> None:
    """The node of a queue dies and its replica takes over: the same workers and the same client go on."""
    master = cluster.owner_of(slot_of(QUEUE))
    cluster.add_replica(master)
    jobs = await pool.enqueue_many([("nap", (0.05,))] * 300)
    ids = [job.job_id for job in jobs if job is not None]
    cluster.wait_until_replicated(master)
    pids = await fleet.start(2, lease=2.0, max_jobs=5)
    await until(lambda: len(trace.finished()) > 50, WITHIN_S, "some are over")

    killed_at = cluster.kill(master)
    await until(lambda: trace.finished() >= set(ids), WITHIN_S, f"all are over\n{fleet.logs()}")
    late = await pool.enqueue_job("nap")
    assert late is not None
    await late.result(timeout=30)

    account = close_books(ids, trace, fleet.killed, [(killed_at, trace.of(late.job_id)[0].started)])
    assert account.lost == set()
    assert account.unexplained == []
    assert cluster.owner_of(slot_of(QUEUE)) in cluster.replicas
    assert all(fleet.is_alive(pid) for pid in pids)


async def test_frozen_node_is_left(cluster: Cluster, pool: ArqRedis, fleet: Fleet, trace: Trace) -> None:
    """A node that accepts connections and says nothing holds nobody up once its replica has taken over."""
    master = cluster.owner_of(slot_of(QUEUE))
    cluster.add_replica(master)
    jobs = await pool.enqueue_many([("nap", (0.05,))] * 100)
    ids = [job.job_id for job in jobs if job is not None]
    cluster.wait_until_replicated(master)
    await fleet.start(1, lease=5.0, max_jobs=5)
    await until(lambda: len(trace.finished()) > 20, WITHIN_S, "some are over")

    cluster.freeze(master)
    try:
        await until(lambda: trace.finished() >= set(ids), WITHIN_S, f"all are over\n{fleet.logs()}")
        with contextlib.suppress(RedisTimeoutError):  # over a connection that the node had before
            await pool.enqueue_job("nap")
        late = await pool.enqueue_job("nap")
        other = await create_pool(RedisSettings.from_dsn(cluster.url()))
        await other.aclose(close_connection_pool=True)
    finally:
        cluster.thaw(master)

    assert late is not None
    assert close_books(ids, trace, fleet.killed).lost == set()


async def test_slot_that_moves_takes_its_queue_along(
    cluster: Cluster, pool: ArqRedis, fleet: Fleet, trace: Trace
) -> None:
    """A slot is moved to another node under load: workers and client follow, and each job runs."""
    origin = cluster.owner_of(slot_of(QUEUE))
    target = next(node for node in cluster.masters if node is not origin)
    pids = await fleet.start(2, lease=5.0, max_jobs=5)
    jobs = await pool.enqueue_many([("nap", (0.05,))] * 300)
    ids = [job.job_id for job in jobs if job is not None]
    await until(lambda: len(trace.finished()) > 50, WITHIN_S, "some are over")

    # Nobody who enqueues hears of it, but that it takes a while.
    cluster.begin_to_move(slot_of(QUEUE), target)
    meanwhile = asyncio.create_task(pool.enqueue_job("nap"))
    await asyncio.sleep(0)
    cluster.finish_move(slot_of(QUEUE), origin, target)
    during = await meanwhile
    assert during is not None
    await until(lambda: trace.finished() >= set(ids), WITHIN_S, f"all are over\n{fleet.logs()}")
    late = await pool.enqueue_job("nap")
    assert late is not None
    await late.result(timeout=30)

    account = close_books(ids, trace, fleet.killed)
    assert (account.lost, account.most_at_once, account.repeats) == (set(), 1, 0)
    assert trace.of(during.job_id)
    assert cluster.owner_of(slot_of(QUEUE)) is target
    assert all([(await result_of(pool, job_id)).success for job_id in ids])
    assert await left_in_redis(pool, ids) == {}
    assert all(fleet.is_alive(pid) for pid in pids)


async def test_other_keys_need_few_connections(cluster: Cluster, pool: ArqRedis) -> None:
    """What a job keeps in the cluster goes to the node of each key, and takes no connection per slot."""
    for number in range(300):
        await pool.set(f"cache:{number}", number)

    assert [await pool.get(f"cache:{number}") for number in (0, 150, 299)] == [b"0", b"150", b"299"]
    assert len([key async for key in pool.scan_iter(match="cache:*")]) == 300
    assert sum(int(node.ask("INFO", "clients")["connected_clients"]) for node in cluster.masters) < 12
    await pool.aclose(close_connection_pool=True)
    assert sum(int(node.ask("INFO", "clients")["connected_clients"]) for node in cluster.masters) == 3


async def test_database_that_a_cluster_lacks(cluster: Cluster) -> None:
    """A database number is told as what is wrong, at once."""
    with pytest.raises(ConfigurationError, match="this Redis has no database 1"):
        await create_pool(RedisSettings.from_dsn(cluster.url() + "/1"))


async def test_cluster_is_reached_though_a_listed_node_is_away(cluster: Cluster) -> None:
    """A client needs one of the nodes of its URL, and the one of its queue: others may be away."""
    away = cluster.owner_of(slot_of(QUEUE))
    assert cluster.url().startswith(f"redis+cluster://127.0.0.1:{away.port},")
    cluster.kill(away)

    pool = await create_pool(RedisSettings.from_dsn(cluster.url()), default_queue_name=ELSEWHERE)
    job = await pool.enqueue_job("nap")
    depth = await pool.queue_depth()
    with pytest.raises(RedisConnectionError):
        await pool.enqueue_job("nap", _queue_name=QUEUE)
    await pool.aclose(close_connection_pool=True)

    assert job is not None
    assert depth == 1


async def test_server_that_is_no_cluster_is_told_as_that(replica: ChaosServer) -> None:
    """A URL of a cluster that leads to one server is refused at once, with the one that would do."""
    with pytest.raises(ConfigurationError, match="no node of a cluster: its URL begins with redis://"):
        await create_pool(ClusterSettings(host=[("127.0.0.1", replica.port)]))
