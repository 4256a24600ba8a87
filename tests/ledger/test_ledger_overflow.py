"""What finds no room in a recorder's memory: put elsewhere, taken back, and written all the same."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from ledger_toys import Row, row_of
from recorder_toys import START_MS, Outage, Sessions, ToyLedger, attempts_of, started, stopped, tell, written
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from arqlite import telemetry
from arqlite.ledger import LedgerStatus, Recorder
from arqlite.ledger.accepting import AcceptedJob

SUCCESS = LedgerStatus.SUCCESS


class Shelf:
    """An overflow in memory, with a switch for outages of its own."""

    def __init__(self) -> None:
        self.packets: dict[int, bytes] = {}
        self.number = 0
        self.is_away = False

    def _check(self) -> None:
        if self.is_away:
            raise ConnectionError("gone, too")

    async def put(self, packed: list[bytes]) -> None:
        self._check()
        for packet in packed:
            self.number += 1
            self.packets[self.number] = packet

    async def take(self, limit: int) -> list[tuple[Any, bytes]]:
        self._check()
        return list(self.packets.items())[:limit]

    async def forget(self, tokens: list[Any]) -> None:
        self._check()
        for token in tokens:
            del self.packets[token]


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
async def recorder(toy_ledger: ToyLedger, shelf: Shelf) -> AsyncIterator[Recorder]:
    """A recorder with little room, and an overflow."""
    made = Recorder(
        toy_ledger, overflow=shelf, capacity=20, max_backoff=0.01, flush_timeout=0.05, replay_interval=0.01
    )
    await made.start()
    yield made
    await made.stop()


async def count_of(sessions: Sessions, status: LedgerStatus = SUCCESS) -> int:
    async with sessions() as session:
        asked = select(func.count()).select_from(Row).where(Row.status == status)
        return (await session.execute(asked)).scalar_one()


@pytest.mark.parametrize("engine", ["sqlite", "postgres", "psycopg"], indirect=True)
async def test_nothing_is_lost_beyond_the_capacity(
    recorder: Recorder, outage: Outage, shelf: Shelf, sessions: Sessions, caplog: pytest.LogCaptureFixture
) -> None:
    """What finds no room during an outage is written when it is over: rows, attempts, accepted jobs."""
    outage.is_away = True
    given: dict[str, Any] = {"record": b"Q0\xff", "args": ("a\ud800",), "tags": ("x",)}
    for number in range(150):
        telemetry.execute(started(f"job-{number}", **given))
        telemetry.execute(stopped(job_id=f"job-{number}", result={"number": number}, **given))
        if number % 10 == 0:
            jobs = [AcceptedJob(f"new-{number}", "arq:queue", "work", enqueued_ms=START_MS, record=b"Q0\xfe")]
            recorder.accept(jobs)
            await written(lambda: recorder.waiting <= 20)
    assert len(shelf.packets) > 1

    outage.is_away = False
    await written(lambda: recorder.waiting == 0 and not shelf.packets)

    assert (await count_of(sessions), await count_of(sessions, LedgerStatus.QUEUED)) == (150, 15)
    row, new = await row_of(sessions, "job-0"), await row_of(sessions, "new-0")
    assert (row.output_payload, row.record, row.tags) == ({"number": 0}, b"Q0\xff", ["x"])
    assert (new.record, new.created_at) == (b"Q0\xfe", row.enqueued_at)
    assert [attempt.state for attempt in await attempts_of(sessions, "job-149")] == ["completed"]
    assert "missed" not in caplog.text


async def test_replayed_words_do_not_undo_newer_ones(
    recorder: Recorder, outage: Outage, shelf: Shelf, sessions: Sessions, toy_ledger: ToyLedger
) -> None:
    """Another worker writes the end of jobs before their start comes out of the overflow."""
    outage.is_away = True
    for number in range(100):
        telemetry.execute(started(f"job-{number:02}"))
        await written(lambda: recorder.waiting <= 20)
    other = Recorder(ToyLedger(toy_ledger.engine, sessions), "another queue")
    await other.start()
    other.queue = None
    for number in range(100):
        other.take(stopped(job_id=f"job-{number:02}", attempt=2, worker="host:2:b", at=200, crashes=1))
    await other.stop()

    outage.is_away = False
    await written(lambda: recorder.waiting == 0 and not shelf.packets)

    assert await count_of(sessions) == 100
    assert [attempt.state for attempt in await attempts_of(sessions, "job-00")] == ["lost", "completed"]


async def test_worker_that_ends_in_an_outage_leaves_its_events(
    recorder: Recorder,
    outage: Outage,
    shelf: Shelf,
    sessions: Sessions,
    engine: AsyncEngine,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What a worker cannot write before it ends is written by the next one."""
    outage.is_away = True
    telemetry.execute(started())
    telemetry.execute(stopped(result="kept"))
    await recorder.stop()
    assert len(shelf.packets) == 1

    heir = Recorder(ToyLedger(engine, sessions), overflow=shelf, replay_interval=0.01)
    await heir.start()
    await written(lambda: not shelf.packets)
    await heir.stop()

    assert (await row_of(sessions)).output_payload == "kept"
    assert "missed" not in caplog.text


async def test_memory_is_bounded_when_both_are_away(
    recorder: Recorder, outage: Outage, shelf: Shelf, sessions: Sessions, caplog: pytest.LogCaptureFixture
) -> None:
    """With neither database nor overflow, twice the capacity waits; the oldest beyond are dropped."""
    outage.is_away = shelf.is_away = True
    for number in range(100):
        telemetry.execute(stopped(job_id=f"job-{number:02}"))
    assert recorder.waiting == 40

    outage.is_away = shelf.is_away = False
    await written(lambda: recorder.waiting == 0 and not shelf.packets)
    await tell(recorder, stopped(job_id="job-x"))

    assert await count_of(sessions) == 41
    assert "the ledger missed 60 changes" in caplog.text


async def test_packet_that_nobody_can_read_is_left_out(
    recorder: Recorder, shelf: Shelf, sessions: Sessions, caplog: pytest.LogCaptureFixture
) -> None:
    """A broken packet is told in the log, and holds up none behind it."""
    shelf.packets[0] = b"broken"
    await written(lambda: not shelf.packets)

    await tell(recorder, stopped())

    assert await count_of(sessions) == 1
    assert "6 bytes of changes could not be recorded" in caplog.text
