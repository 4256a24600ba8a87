"""A crash at any step of an import: nothing is lost, nothing is doubled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from migration_toys import QUEUE, Arq, Move

from arqlite import ArqRedis, Worker
from arqlite.errors import ConfigurationError

Make = Callable[..., Worker]
IDS = [f"j{number}" for number in range(8)]


class Crash(Exception):
    """The process is gone."""


async def add(ctx: dict[str, Any], *args: Any) -> str:
    ran.append(ctx["job_id"])
    return "done"


ran: list[str] = []


@pytest.fixture(autouse=True)
def _no_job_has_run() -> None:
    ran.clear()


def _crash_at(place: Any, name: str, monkeypatch: pytest.MonkeyPatch, *, after: bool) -> None:
    """Let the process end before or after one step, as the script has run or has not."""
    step = getattr(place, name)

    async def crash(*args: Any) -> Any:
        if after:
            await step(*args)
        raise Crash

    monkeypatch.setattr(place, name, crash)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", ["take", "plant", "unstage", "forget_token"])
@pytest.mark.parametrize("worker_between", [False, True], ids=["", "worker between"])
async def test_crash_and_another_run(
    step: str,
    after: bool,
    worker_between: bool,
    arq: Arq,
    move: Move,
    make_worker: Make,
    arq_redis: ArqRedis,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whichever step an import dies at, the next one finishes it and every job runs once.

    Also when a worker runs, between the two, what has arrived, and keeps no result that would tell.
    """
    for job_id in IDS:
        await arq.enqueue(job_id, tries=1 if job_id == "j3" else 0)
    importer = move.importer()
    place: Any = move.engine if step in ("plant", "forget_token") else move.sources[0]
    _crash_at(place, step, monkeypatch, after=after)
    with pytest.raises(Crash):
        await importer.run()
    if worker_between:
        await make_worker([add], keep_result=0).async_run()

    report = await move()

    await make_worker([add], keep_result=0).async_run()
    assert sorted(ran) == IDS
    assert report.is_complete
    assert await arq.keys() == set()
    assert await arq_redis.keys("aq:import:*") == []


async def test_two_who_finish_the_same_batch(
    arq: Arq, move: Move, make_worker: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch that two importers found half-way is planted by one of them, even when its jobs are over."""
    await arq.enqueue("a")
    importer = move.importer()
    _crash_at(move.engine, "plant", monkeypatch, after=False)
    with pytest.raises(Crash):
        await importer.run()
    monkeypatch.undo()
    straggler = move.importer()
    [batch] = await move.sources[0].staged()
    engine = move.engine

    await move()
    await make_worker([add], keep_result=0).async_run()
    late = await engine.plant(batch.token, batch.jobs)

    assert late is None
    await make_worker([add], keep_result=0).async_run()
    assert ran == ["a"]
    assert straggler.report.moved == 0


async def test_reply_of_take_is_lost(arq: Arq, move: Move, monkeypatch: pytest.MonkeyPatch) -> None:
    """A take that is sent again since its reply was lost tells what the first one took."""
    await arq.enqueue("a")
    importer = move.importer()
    source: Any = move.sources[0]
    call = source._call

    async def twice(*args: Any) -> Any:
        await call(*args)
        return await call(*args)

    monkeypatch.setattr(source, "_call", twice)

    report = await importer.run()

    assert (report.moved, report.is_complete) == (1, True)


async def test_half_way_to_another_queue(arq: Arq, move: Move, monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs that are half-way to one queue are not given to another one; the words say what to do."""
    await arq.enqueue("a")
    importer = move.importer()
    _crash_at(move.sources[0], "unstage", monkeypatch, after=False)
    with pytest.raises(Crash):
        await importer.run()
    move.queue = "another"

    with pytest.raises(ConfigurationError, match="half-way to the queue 'arq:queue', not 'another'"):
        await move()


async def test_dry_run_counts_what_is_half_way(arq: Arq, move: Move, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dry run tells of the jobs that a broken run left half-way, and leaves them there."""
    await arq.enqueue("a")
    importer = move.importer()
    _crash_at(move.engine, "plant", monkeypatch, after=False)
    with pytest.raises(Crash):
        await importer.run()

    report = await move(dry_run=True)

    assert report.recovered == 1
    assert (await move()).recovered == 1
    assert QUEUE in report.queues
