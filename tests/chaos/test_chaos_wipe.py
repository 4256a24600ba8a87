"""Redis forgets everything, or wakes up in the past: the ledger gives back what is not over."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio
import redis
from chaos_ledger import HELD, QUICK, Shop
from chaos_proxy import Proxy
from chaos_server import ChaosServer
from chaos_wait import until
from sqlite_threads import sqlite_threads_end  # noqa: F401 (a fixture)

FINISHED, RUNNING, ALL = 3_000, 50, 10_000
WITHIN_S = 40.0


@pytest.fixture
def books(database_url: str) -> tuple[str, str]:
    """An empty database for a ledger, and the mode of that: one of the two on each."""
    return database_url, "strict" if database_url.startswith("sqlite") else "behind"


@pytest_asyncio.fixture
async def shop(server: ChaosServer, books: tuple[str, str]) -> AsyncIterator[Shop]:
    """Workers with a ledger, none of them hired yet."""
    made = Shop(server.url(), *books)
    await made.open()
    yield made
    await made.close()


def emptied(server: ChaosServer) -> None:
    """Everything in it is deleted."""
    with redis.Redis(port=server.port) as client:
        client.flushall()


def replaced(server: ChaosServer) -> None:
    """It dies, and an empty one stands in its place."""
    server.kill()
    shutil.rmtree(server.folder)
    server.folder.mkdir()
    server.restart()


@pytest.mark.slow
@pytest.mark.parametrize("loses_everything", [emptied, replaced])
async def test_lost_redis_is_rebuilt_from_the_ledger(
    server: ChaosServer, shop: Shop, loses_everything: Callable[[ChaosServer], None]
) -> None:
    """Of 10,000 accepted jobs 3,000 are over and 50 run when Redis loses everything: within 40 s the other
    7,000 have run, none of the 3,000 has run again, and no worker has ended.
    """
    await shop.accept(QUICK, range(FINISHED))
    await shop.accept(HELD, range(FINISHED, FINISHED + RUNNING))
    await shop.accept(QUICK, range(FINISHED + RUNNING, ALL))
    shop.hire(2, max_jobs=RUNNING // 2)
    await until(lambda: len(shop.held) == RUNNING, 60, "50 running")
    # Some of the others may have come before the last of those.
    await until(lambda: _is(shop.counted("SUCCESS"), len(shop.ends)), 20, "the ledger knows what is over")
    finished = await shop.finished()
    assert FINISHED <= len(finished) < FINISHED + 500

    loses_everything(server)
    shop.gate.set()
    await until(lambda: _is(shop.counted("SUCCESS"), ALL), WITHIN_S, f"all have run, {len(shop.ends)} did")

    assert all(shop.starts[number] == 1 for number in finished)
    assert set(shop.ends) == set(range(ALL))
    assert all(count == 1 for number, count in shop.ends.items() if number >= FINISHED + RUNNING)
    assert shop.all_at_work()


async def _is(counting: Awaitable[int], wanted: int) -> bool:
    return await counting == wanted


async def test_older_copy_of_redis_runs_nothing_twice(
    server: ChaosServer, shop: Shop, tmp_path: Path
) -> None:
    """Redis comes back as it was: what has ended since does not run again, what was accepted since does."""
    shop.hire(2, max_jobs=25)
    await shop.accept(QUICK, range(500))
    await until(lambda: _is(shop.counted("SUCCESS"), 500), 20, "the first are over")
    await shop.accept(HELD, range(500, 800))
    await until(lambda: len(shop.held) == 50, 20, "50 run and 250 wait")
    shutil.copytree(server.folder / "appendonlydir", tmp_path / "copy")
    shop.gate.set()
    await shop.accept(QUICK, range(800, 1300))
    await until(lambda: _is(shop.counted("SUCCESS"), 1300), 20, "all of those are over")
    shop.shut_gate()
    await shop.accept(HELD, range(1300, 1500))
    await until(lambda: len(shop.held) == 350, 20, "50 of the last run")

    server.kill()
    shutil.rmtree(server.folder / "appendonlydir")
    shutil.move(tmp_path / "copy", server.folder / "appendonlydir")
    server.restart()
    shop.gate.set()
    await until(lambda: _is(shop.counted("SUCCESS"), 1500), WITHIN_S, "the last have run")

    assert all(shop.starts[number] == 1 for number in range(1300))
    assert set(shop.ends) == set(range(1500))
    assert shop.all_at_work()


async def test_runs_that_lost_their_redis_are_done_again(server: ChaosServer, shop: Shop) -> None:
    """Jobs that run when everything is lost are cancelled with their lease, told as LOST, and done again."""
    shop.hire(max_jobs=20)
    await shop.accept(HELD, range(20))
    await until(lambda: len(shop.held) == 20, 20, "all run")
    await until(lambda: _is(shop.counted("RUNNING"), 20), 20, "the ledger knows that they run")

    emptied(server)
    await until(lambda: all(shop.starts[number] == 2 for number in range(20)), WITHIN_S, "all run again")
    shop.gate.set()
    await until(lambda: _is(shop.counted("SUCCESS"), 20), 20, "all are over")

    assert all(shop.ends[number] == 1 for number in range(20))
    assert await shop.causes_of_attempts() == {"LOST": 20, None: 20}
    assert shop.all_at_work()


async def test_lagging_replica_takes_over(
    server: ChaosServer, replica: ChaosServer, proxy: Proxy, books: tuple[str, str]
) -> None:
    """A replica that had heard nothing for a while is promoted: what has ended since does not run again, what
    was accepted since does, and what ran is done again.
    """
    shop = Shop(server.url(proxy.port), *books)
    await shop.open()
    try:
        shop.hire(2, max_jobs=25)
        await shop.accept(QUICK, range(500))
        await until(lambda: _is(shop.counted("SUCCESS"), 500), 20, "the first are over")
        await shop.accept(HELD, range(500, 800))
        await until(lambda: len(shop.held) == 50, 20, "50 run and 250 wait")
        await _copied(server, replica)
        shop.gate.set()
        await shop.accept(QUICK, range(800, 1300))
        await until(lambda: _is(shop.counted("SUCCESS"), 1300), 20, "all of those are over")
        shop.shut_gate()
        await shop.accept(HELD, range(1300, 1500))
        await until(lambda: len(shop.held) == 350, 20, "50 of the last run")

        server.kill()
        proxy.target = replica.port
        shop.gate.set()
        await until(lambda: _is(shop.counted("SUCCESS"), 1500), WITHIN_S, "the last have run")

        assert all(shop.starts[number] == 1 for number in range(1300))
        assert set(shop.ends) == set(range(1500))
        assert shop.all_at_work()
    finally:
        await shop.close()


async def _copied(primary: ChaosServer, replica: ChaosServer) -> None:
    """Have a replica hear everything up to now, and nothing any more."""
    with redis.Redis(port=replica.port) as client:
        client.replicaof("127.0.0.1", primary.port)
        await until(lambda: client.info("replication").get("master_link_status") == "up", 20, "it listens")
        with redis.Redis(port=primary.port) as source:
            place = source.info("replication")["master_repl_offset"]
        await until(lambda: client.info("replication")["slave_repl_offset"] >= place, 20, "it has all")
        client.replicaof("NO", "ONE")
