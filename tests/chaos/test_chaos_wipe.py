"""Redis forgets everything, or wakes up in the past: the ledger gives back what was accepted, and nothing that is over."""

from __future__ import annotations

import shutil
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio
import redis
from chaos_ledger import HELD, QUICK, Shop
from chaos_server import ChaosServer
from chaos_wait import until

FINISHED, RUNNING, ALL = 3_000, 50, 10_000
WITHIN_S = 40.0


@pytest_asyncio.fixture
async def shop(server: ChaosServer, tmp_path: Path) -> AsyncIterator[Shop]:
    """Workers with a ledger, none of them hired yet."""
    made = Shop(server.url(), tmp_path)
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
    """Of 10,000 accepted jobs 3,000 are over and 50 run when Redis loses everything: within 40 s the other 7,000 have
    run, none of the 3,000 has run again, and no worker has ended.
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
    began = time.monotonic()
    shop.gate.set()
    await until(lambda: _is(shop.counted("SUCCESS"), ALL), WITHIN_S, f"all have run, {len(shop.ends)} did")
    took = time.monotonic() - began

    assert all(shop.starts[number] == 1 for number in finished)
    assert set(shop.ends) == set(range(ALL))
    assert all(count == 1 for number, count in shop.ends.items() if number >= FINISHED + RUNNING)
    assert shop.all_at_work()
    print(f"{took:0.1f}s, {sum(shop.starts.values()) - ALL} starts more than jobs")


async def _is(counting: object, wanted: int) -> bool:
    return await counting == wanted  # type: ignore[misc]  # (a coroutine)


async def test_older_copy_of_redis_runs_nothing_twice(server: ChaosServer, shop: Shop, tmp_path: Path) -> None:
    """Redis comes back as it was a while ago: what has ended since does not run again, what was accepted since does."""
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
