"""A primary dies, and a real Sentinel puts its replica in its place."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from chaos_ledger import HELD, QUICK, Shop
from chaos_server import ChaosServer, free_port
from chaos_wait import until
from sqlite_threads import sqlite_threads_end  # noqa: F401 (a fixture)

from arqlite.embedded.binaries import server_binaries

NAME = "jobs"
WITHIN_S = 40.0
_CONFIGURATION = """\
port {port}
bind 127.0.0.1
dir {folder}
sentinel monitor {name} 127.0.0.1 {primary} 1
sentinel down-after-milliseconds {name} 500
sentinel failover-timeout {name} 5000
"""


@pytest.fixture
def sentinel(server: ChaosServer, replica: ChaosServer, tmp_path: Path) -> Iterator[int]:
    """The port of a Sentinel that is about to learn of the server and of a replica that follows it."""
    with redis.Redis(port=replica.port) as client:
        client.replicaof("127.0.0.1", server.port)
    folder, port = tmp_path / "sentinel", free_port()
    folder.mkdir()
    told = folder / "sentinel.conf"
    told.write_text(_CONFIGURATION.format(port=port, folder=folder, name=NAME, primary=server.port))
    with (folder / "sentinel.log").open("ab") as log:
        process = subprocess.Popen(
            [str(next(server_binaries())), str(told), "--sentinel"], stdout=log, stderr=log
        )
    yield port
    process.kill()
    process.wait()


def _knows_replica(sentinel: int) -> bool:
    try:
        with redis.Redis(port=sentinel) as client:
            return any(one["is_slave"] for one in client.sentinel_slaves(NAME))
    except redis.RedisError:  # it is about to start
        return False


async def test_workers_follow_a_failover(server: ChaosServer, sentinel: int, tmp_path: Path) -> None:
    """Workers and clients that know the Sentinel alone go on at the new primary: every job ends, what was
    over does not run again, and what is enqueued afterwards runs, too.
    """
    await until(lambda: _knows_replica(sentinel), 20, "the Sentinel knows the replica")
    shop = Shop(f"redis+sentinel://127.0.0.1:{sentinel}/{NAME}/1", f"sqlite:///{tmp_path / 'jobs.db'}")
    await shop.open()
    try:
        shop.hire(2, max_jobs=25)
        await shop.accept(QUICK, range(300))
        await until(lambda: _is(shop, 300), 20, "the first are over")
        await shop.accept(HELD, range(300, 500))
        await until(lambda: len(shop.held) == 50, 20, "50 run and 150 wait")

        server.kill()
        shop.gate.set()
        await until(lambda: _is(shop, 500), WITHIN_S, "those are over, too")
        await shop.accept(QUICK, range(500, 600))
        await until(lambda: _is(shop, 600), 20, "what came later is over")

        assert all(shop.starts[number] == 1 for number in range(300))
        assert set(shop.ends) == set(range(600))
        assert shop.all_at_work()
    finally:
        await shop.close()


async def _is(shop: Shop, wanted: int) -> bool:
    return await shop.counted("SUCCESS") == wanted
