"""Rows that are over go, in small batches; all others stay."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from schema_toys import KINDS, database
from sqlalchemy import insert, select, text
from sqlalchemy.exc import OperationalError

from arqlite.ledger import (
    AttemptRow,
    AuditRow,
    JobRow,
    Ledger,
    LedgerPruner,
    LedgerStatus,
    Retention,
    store,
)
from arqlite.ledger.pruning import Pace, Pruning
from arqlite.ledger.tables import IdempotencyRow, MinuteRow, SpreadRow
from arqlite.service import Host

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
ENDED = (LedgerStatus.SUCCESS, LedgerStatus.FAILED, LedgerStatus.CANCELLED)


@pytest.fixture(params=KINDS)
async def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Ledger]:
    """An empty ledger with its tables; the test runs once with each driver."""
    async with database(request.param, request, tmp_path) as made:
        ledger = Ledger(made.connect())
        await ledger.upgrade()
        yield ledger


async def add(
    ledger: Ledger,
    job_id: str,
    ended: timedelta | None = None,
    status: LedgerStatus = LedgerStatus.SUCCESS,
    *,
    queue: str = "q",
    function: str = "work",
    attempts: int = 1,
) -> None:
    """Write a job that ended so long before NOW, or has not ended, with its attempts."""
    await add_many(ledger, [job_id], ended, status, queue=queue, function=function, attempts=attempts)


async def add_many(
    ledger: Ledger,
    job_ids: list[str],
    ended: timedelta | None,
    status: LedgerStatus = LedgerStatus.SUCCESS,
    *,
    queue: str = "q",
    function: str = "work",
    attempts: int = 1,
) -> None:
    moment = NOW - (ended or 400 * DAY)
    jobs = [
        {
            "id": job_id,
            "queue": queue,
            "job_type": function,
            "function": function,
            "status": status,
            "triggered_by": "system",
            "created_at": moment,
            "queued_at": moment,
            "updated_at": moment,
            "finished_at": None if ended is None else moment,
        }
        for job_id in job_ids
    ]
    tries = [
        {"job_id": job_id, "queue": queue, "attempt": number + 1, "state": "completed"}
        for job_id in job_ids
        for number in range(attempts)
    ]
    async with ledger.sessions.begin() as db:
        await db.execute(insert(JobRow), jobs)
        await db.execute(insert(AttemptRow), tries)


async def left(ledger: Ledger) -> set[str]:
    async with ledger.sessions() as db:
        return set((await db.execute(select(JobRow.id))).scalars())


async def prune(ledger: Ledger, keep: Retention, at: datetime = NOW) -> Counter[str]:
    told: Counter[str] = Counter()
    await Pruning(ledger.sessions, ledger.row_model, keep, clock=lambda: at, pause=no_pause).run(told)
    return told


async def no_pause(_seconds: float) -> None:
    """Go on at once."""


@pytest.mark.parametrize("status", ENDED)
async def test_state_has_its_age(ledger: Ledger, status: LedgerStatus) -> None:
    """Rows go when the age of their state is over, and not a moment before."""
    keep = replace(
        Retention(success=None, failed=None, cancelled=None), **{status.name.lower(): timedelta(hours=2)}
    )
    for other in ENDED:
        await add(ledger, f"old {other.name}", 3 * HOUR, other)
        await add(ledger, f"new {other.name}", HOUR, other)

    told = await prune(ledger, keep)

    assert told["jobs"] == 1
    assert await left(ledger) == {
        *(f"new {other.name}" for other in ENDED),
        *(f"old {other.name}" for other in ENDED if other is not status),
    }


async def test_queue_has_its_age(ledger: Ledger) -> None:
    """The age of a queue holds for its jobs only, shorter or longer than that of the others."""
    keep = Retention(success=2 * DAY, queues={"short": HOUR, "long": 5 * DAY})
    for queue in ("short", "long", "q"):
        await add(ledger, f"{queue} 2h", 2 * HOUR, queue=queue)
        await add(ledger, f"{queue} 3d", 3 * DAY, queue=queue)

    await prune(ledger, keep)

    assert await left(ledger) == {"q 2h", "long 2h", "long 3d"}


async def test_function_has_its_age(ledger: Ledger) -> None:
    """The age of a function holds in all queues, before that of the queue."""
    keep = Retention(success=2 * DAY, queues={"long": 5 * DAY}, functions={"beat": HOUR, "bill": None})
    for function in ("beat", "bill", "work"):
        for queue in ("q", "long"):
            await add(ledger, f"{function} {queue}", 3 * DAY, function=function, queue=queue)

    await prune(ledger, keep)

    assert await left(ledger) == {"bill q", "bill long", "work long"}


async def test_open_jobs_stay(ledger: Ledger) -> None:
    """A job that waits or runs stays, however old, also if it ended once before."""
    await add(ledger, "waits", None, LedgerStatus.QUEUED)
    await add(ledger, "runs", None, LedgerStatus.RUNNING)
    await add(ledger, "waits again", 300 * DAY, LedgerStatus.QUEUED)

    told = await prune(ledger, Retention(success=60, failed=60, cancelled=60, max_rows=0))

    assert told["jobs"] == 0
    assert await left(ledger) == {"waits", "runs", "waits again"}


async def test_attempts_go_with_their_job(ledger: Ledger) -> None:
    """The attempts of a job that goes are deleted with it, and no other ones."""
    await add(ledger, "same id", 99 * DAY, queue="old", attempts=3)
    await add(ledger, "same id", HOUR, queue="new", attempts=2)

    told = await prune(ledger, Retention())

    assert told == {
        "jobs": 1, "attempts": 3, "minutes": 0, "spreads": 0, "audit": 0, "idempotency": 0,
    }  # fmt: skip
    async with ledger.sessions() as db:
        assert (await db.execute(select(AttemptRow.queue))).scalars().all() == ["new", "new"]


async def test_other_rows_have_their_ages(ledger: Ledger) -> None:
    """Counts per minute, the audit and the keys of requests go by ages of their own."""
    keep = Retention(minutes=2 * DAY, audit=3 * DAY, idempotency=4 * DAY)
    async with ledger.sessions.begin() as db:
        for days in range(6):
            at = NOW - days * DAY - HOUR
            counts = {"count": 1, "run_ms": 1, "wait_ms": 1, "longest_run_ms": 1, "longest_wait_ms": 1}
            db.add(
                MinuteRow(
                    minute=int(at.timestamp() // 60), queue="q", function="f", state="completed", **counts
                )
            )
            spread = {"queue": "q", "function": "f", "run_ms": "{}", "wait_ms": "{}"}
            db.add(SpreadRow(start=int(at.timestamp() // 60), span=5, **spread))
            db.add(AuditRow(at=at, action="job.cancel"))
            db.add(IdempotencyRow(key=f"key {days}", fingerprint="", job_id="a", queue="q", created_at=at))

    told = await prune(ledger, keep)

    assert told == {
        "jobs": 0, "attempts": 0, "minutes": 4, "spreads": 4, "audit": 3, "idempotency": 2,
    }  # fmt: skip


async def test_rows_beyond_the_maximum_go(ledger: Ledger) -> None:
    """Of more ended jobs than may stay, those that ended last stay; open ones do not count."""
    await add(ledger, "waits", None, LedgerStatus.QUEUED)
    for number, status in enumerate((*ENDED, *ENDED)):
        await add(ledger, f"{number}", (number + 1) * HOUR, status)

    await prune(ledger, Retention(max_rows=6))
    assert len(await left(ledger)) == 7
    await prune(ledger, Retention(max_rows=2))
    assert await left(ledger) == {"waits", "0", "1"}
    await prune(ledger, Retention(max_rows=0))
    assert await left(ledger) == {"waits"}


async def test_many_go_in_batches(ledger: Ledger) -> None:
    """More rows than a batch has go in several transactions with a pause after each."""
    await add_many(ledger, [f"{number}" for number in range(2_500)], 99 * DAY)
    batches: list[int] = []

    async def count(_seconds: float) -> None:
        batches.append(len(await left(ledger)))

    told: Counter[str] = Counter()
    await Pruning(ledger.sessions, ledger.row_model, Retention(), clock=lambda: NOW, pause=count).run(told)

    assert told["jobs"] == told["attempts"] == 2_500
    assert batches[0] == 2_300
    assert len(batches) >= 3
    assert await left(ledger) == set()


async def test_pruning_stops_when_it_may_not_go_on(ledger: Ledger) -> None:
    """Who leads no longer stops after the batch that is under way, and says what it did."""
    await add_many(ledger, [f"{number}" for number in range(1_500)], 99 * DAY)
    answers = iter([True])
    told: Counter[str] = Counter()

    pruning = Pruning(ledger.sessions, ledger.row_model, Retention(), clock=lambda: NOW, pause=no_pause)
    await pruning.run(told, lambda: next(answers, False))

    assert told["jobs"] == 200
    assert len(await left(ledger)) == 1_300


async def test_next_run_begins_where_the_last_one_ended(ledger: Ledger) -> None:
    """What was looked at is not looked at again, but for an overlap, and all of it once in an hour."""
    moments = iter([NOW, NOW + 5 * timedelta(minutes=1), NOW + 2 * HOUR])
    pruning = Pruning(
        ledger.sessions, ledger.row_model, Retention(success=DAY), clock=lambda: next(moments), pause=no_pause
    )
    await pruning.run(Counter())
    await add(ledger, "told late", 5 * DAY)
    await add(ledger, "told a little late", DAY + timedelta(minutes=3))
    await add(ledger, "over now", DAY - timedelta(minutes=2))

    await pruning.run(Counter())
    assert await left(ledger) == {"told late"}
    await pruning.run(Counter())
    assert await left(ledger) == set()


async def test_ledger_prunes_when_asked(ledger: Ledger) -> None:
    """Who has no worker that leads asks the ledger, and is told the counts."""
    await add(ledger, "old", 999 * DAY)

    told = await ledger.prune()
    ledger.keep = None

    assert (told["jobs"], told["attempts"]) == (1, 1)
    assert await ledger.prune() == {}


async def test_count_deletes_nothing(ledger: Ledger) -> None:
    """A dry run tells what would go."""
    await add(ledger, "old", 99 * DAY)
    await add(ledger, "new", HOUR)

    told = await Pruning(ledger.sessions, ledger.row_model, Retention(), clock=lambda: NOW).count()

    assert told["jobs"] == 1
    assert len(await left(ledger)) == 2


async def test_rows_that_somebody_holds_are_skipped(ledger: Ledger) -> None:
    """Pruning waits for nobody's row: what another transaction holds goes the next time."""
    if ledger.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer at a time, and no locks on rows")
    await add_many(ledger, ["held", "free"], 99 * DAY)

    async with ledger.sessions() as other:
        await other.execute(text("SELECT 1 FROM arqlite_jobs WHERE id = 'held' FOR UPDATE"))
        async with asyncio.timeout(10):
            told = await prune(ledger, Retention())

    assert told["jobs"] == 1
    assert await left(ledger) == {"held"}
    await prune(ledger, Retention())
    assert await left(ledger) == set()


async def test_pruning_ends_when_somebody_holds_all(ledger: Ledger) -> None:
    """A whole batch of one moment that another transaction holds is left to the next time."""
    if ledger.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer at a time, and no locks on rows")
    await add_many(ledger, [f"{number}" for number in range(1_000)], 99 * DAY)

    async with ledger.sessions() as other:
        await other.execute(text("SELECT 1 FROM arqlite_jobs FOR UPDATE"))
        async with asyncio.timeout(10):
            told = await prune(ledger, Retention())

    assert told["jobs"] == 0


async def test_job_that_begins_anew_stays(ledger: Ledger) -> None:
    """A job that was retried by hand after it was found to be over is not deleted."""
    await add_many(ledger, ["retried", "old"], 99 * DAY)
    async with ledger.sessions() as db:
        found = await store.find_ended(db, JobRow, Retention().sweeps()[0], before=NOW, limit=10)
    async with ledger.sessions.begin() as db:
        await db.execute(text("UPDATE arqlite_jobs SET status = 'QUEUED' WHERE id = 'retried'"))

    async with ledger.sessions.begin() as db:
        assert await store.delete_ended(db, JobRow, found, before=NOW) == (1, 1)

    assert await left(ledger) == {"retried"}


async def test_writers_go_on_while_it_prunes(ledger: Ledger) -> None:
    """A writer that is busy all the time and the pruner do not stop each other, and its rows stay."""
    await add_many(ledger, [f"old {number}" for number in range(3_000)], 99 * DAY)
    is_over = asyncio.Event()
    written: list[str] = []

    async def write() -> None:
        while not is_over.is_set():
            await add(ledger, job_id := f"new {len(written)}", HOUR)
            written.append(job_id)

    writer = asyncio.create_task(write())
    told: Counter[str] = Counter()
    await Pruning(ledger.sessions, ledger.row_model, Retention(), clock=lambda: NOW).run(told)
    is_over.set()
    await writer

    assert told["jobs"] == 3_000
    assert written
    assert await left(ledger) == set(written)


async def test_two_may_prune_at_once(ledger: Ledger) -> None:
    """Two leaders for a moment delete each row once."""
    await add_many(ledger, [f"{number}" for number in range(3_000)], 99 * DAY)

    counts = await asyncio.gather(*(prune(ledger, Retention()) for _ in range(2)))

    assert sum(told["jobs"] for told in counts) == 3_000
    assert await left(ledger) == set()


def test_pace_follows_the_database() -> None:
    """Slow batches become smaller, quick ones grow back, and no more than half of the time is taken."""
    pace = Pace()

    assert pace.limit == 200
    assert (pace.pause_after(0.3), pace.limit) == (0.3, 100)
    assert (pace.pause_after(0.04), pace.limit) == (0.04, 100)
    for _ in range(10):
        pace.pause_after(5.0)
    assert pace.limit == 20
    for _ in range(10):
        pace.pause_after(0.001)
    assert (pace.pause_after(0.001), pace.limit) == (0.01, 1_000)


class TestLedgerPruner:
    """The service of a worker."""

    def host(self, is_leader: Callable[[], bool]) -> Host:
        return Host(None, "q", frozenset(), None, None, is_leader)

    async def test_leader_prunes_and_tells(self, ledger: Ledger) -> None:
        """The leader's worker deletes, and its event has the counts."""
        await add(ledger, "old", 99 * DAY)
        pruner = LedgerPruner(ledger, clock=lambda: NOW)
        pruner.introduce(self.host(lambda: True))

        await pruner.tick_told()

        assert pruner.told["jobs"] == 1
        assert await left(ledger) == set()

    async def test_others_do_not(self, ledger: Ledger) -> None:
        """A worker that does not lead ticks for nothing."""
        pruner = LedgerPruner(ledger)
        pruner.introduce(self.host(lambda: False))

        assert pruner.leader_only
        assert not pruner.may_tick()

    async def test_ledger_that_keeps_all(self, ledger: Ledger) -> None:
        """A ledger that keeps everything is left as it is."""
        await add(ledger, "old", 999 * DAY)
        ledger.keep = None
        pruner = LedgerPruner(ledger)
        pruner.introduce(self.host(lambda: True))

        await pruner.tick_told()

        assert await left(ledger) == {"old"}

    async def test_outage_is_told_in_a_line(
        self, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A database that is away is no bug: a line says so, and the next tick tries again."""

        async def away(*_: Any, **__: Any) -> Awaitable[None]:
            raise OperationalError("DELETE", {}, Exception("gone"))

        monkeypatch.setattr(store, "find_ended", away)
        pruner = LedgerPruner(ledger)
        pruner.introduce(self.host(lambda: True))

        with caplog.at_level(logging.WARNING, "arqlite.ledger"):
            await pruner.tick_told()

        [line] = caplog.records
        assert line.message.startswith("the ledger is away, old rows are pruned later")
