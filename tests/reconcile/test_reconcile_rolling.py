"""While Redis is the one it was, rows and jobs are compared part by part; what stays different is mended."""

from __future__ import annotations

from typing import Any

import pytest
from reconcile_toys import ENQUEUED_MS, LONG_AGO, Desk, now_ms, record_of

from arqlite.engine import Returned
from arqlite.ledger.rows import utc_now
from arqlite.model.memory import Memory
from arqlite.model.states import Cause, JobState, LedgerStatus
from arqlite.telemetry import LedgerReconciled, attached
from arqlite.utils import ms_to_datetime

QUEUED, RUNNING, SUCCESS, FAILED, CANCELLED = LedgerStatus


async def test_missing_job_is_pushed_at_the_second_look(desk: Desk) -> None:
    """A job that waits by its row and is not in Redis is put there when the next look misses it, too."""
    await desk.settle()
    await desk.row("j")

    await desk.tick()
    assert await desk.home("j") == "absent"
    await desk.tick()

    assert await desk.home("j") == "ready"


async def test_fresh_row_is_left_alone(desk: Desk) -> None:
    """What was accepted just now is about to be pushed by who accepted it."""
    await desk.settle()
    await desk.row("j", updated_at=utc_now(), pushed_at=None)

    await desk.tick(3)

    assert await desk.home("j") == "absent"


async def test_job_that_came_meanwhile_is_no_difference(desk: Desk) -> None:
    """A difference that is gone at the second look was under way, and nothing is done."""
    await desk.settle()
    await desk.row("j")
    await desk.tick()
    await desk.enqueue("j")

    await desk.tick(3)

    assert await desk.audited() == []


async def test_pushed_job_keeps_what_it_was(desk: Desk) -> None:
    """Priority, tries, due time and lock come back with the job."""
    await desk.settle()
    soon_ms = now_ms() + 60_000
    memory = Memory(tries=2, crashes=1, due_ms=soon_ms, is_retryable=1).encode()
    await desk.row(
        "j", memory=memory, attempt=3, record=record_of("work", ENQUEUED_MS, 3),
        scheduled_at=ms_to_datetime(soon_ms), lock=["digest", -1, "aers", False],
    )  # fmt: skip

    await desk.tick(2)

    [standing] = await desk.engine.standings(["j"], with_records=True)
    assert (standing.state, standing.due_ms, standing.memory) == ("r", soon_ms, memory)
    assert standing.record == record_of("work", ENQUEUED_MS, 3)
    assert await desk.client.hget(desk.engine.keys.locks, "j") == b"digest"


async def test_end_that_the_row_missed_is_told(desk: Desk) -> None:
    """A job that is over in Redis while its row says RUNNING: the row gets its result and its times."""
    await desk.settle()
    record = await desk.enqueue("j")
    await desk.row("j", status=RUNNING)
    await desk.attempt("j")
    await desk.claim()
    await desk.end("j", record, value={"sum": 3})
    assert await desk.home("j") == "absent"

    await desk.tick(2)

    row = await desk.read("j")
    assert row is not None
    assert (row.status, row.state, row.output_payload) == (SUCCESS, JobState.COMPLETED, {"sum": 3})
    assert row.finished_at is not None
    assert await desk.attempts("j") == [(1, "completed", None)]


async def test_failure_that_the_row_missed_is_told(desk: Desk) -> None:
    """The same of a job that failed: its error and the cause."""
    await desk.settle()
    record = await desk.enqueue("j")
    await desk.row("j", status=RUNNING)
    await desk.claim()
    await desk.end("j", record, state=JobState.DISCARDED, value=ValueError("no"))

    await desk.tick(2)

    row = await desk.read("j")
    assert row is not None
    assert (row.status, row.cause, row.error_payload["message"]) == (FAILED, Cause.ERROR, "no")


async def test_end_of_an_earlier_job_is_none_of_this_one(desk: Desk) -> None:
    """What Redis remembers of an earlier job of the same id is not taken for the later one's end."""
    await desk.settle()
    earlier = record_of(enqueued_ms=ENQUEUED_MS - 5000)
    await desk.enqueue("j", earlier)
    await desk.claim()
    await desk.end("j", earlier)
    await desk.row("j")

    await desk.tick(2)

    assert await desk.status("j") is QUEUED
    assert await desk.home("j") == "ready"


async def test_running_row_of_a_waiting_job_says_queued(desk: Desk) -> None:
    """A job that a rescue put back waits by its row, too; its run is told as LOST."""
    await desk.settle()
    await desk.enqueue("j")
    await desk.row("j", status=RUNNING)
    await desk.attempt("j")
    await desk.client.hset(desk.engine.keys.tries, "j", "0:1:")

    await desk.tick(2)

    row = await desk.read("j")
    assert row is not None
    assert (row.status, row.crashes) == (QUEUED, 1)
    assert await desk.attempts("j") == [(1, "lost", Cause.LOST)]


async def test_job_that_is_over_is_taken_out_of_redis(desk: Desk) -> None:
    """A job that waits although its row tells its end is ended with that, and whoever awaits it hears it."""
    await desk.settle()
    await desk.enqueue("j")
    await desk.row("j", status=SUCCESS, output_payload=[1, 2])

    await desk.tick(2)

    peek = await desk.engine.peek("j")
    assert peek.home == "finished"
    assert b"[1,2]" in peek.record
    assert await desk.claim() == []
    assert await desk.audited() == ["reconcile.retire"]


async def test_job_that_was_retried_by_hand_stays(desk: Desk) -> None:
    """A job that somebody let run again after its end waits, and its row says so from then on."""
    await desk.settle()
    await desk.enqueue("j")
    await desk.row("j", status=FAILED)
    await desk.client.hset(desk.engine.keys.tries, "j", Memory(tries=1, revived_ms=now_ms()).encode())

    await desk.tick(2)

    assert await desk.status("j") is QUEUED
    assert await desk.claim() == ["j"]


async def test_later_job_of_an_id_stays(desk: Desk) -> None:
    """A job that was enqueued under the id of one that is over waits, whatever that one's row says."""
    await desk.settle()
    await desk.enqueue("j", record_of(enqueued_ms=ENQUEUED_MS + 7000))
    await desk.row("j", status=SUCCESS)

    await desk.tick(3)

    assert await desk.claim() == ["j"]


async def test_job_without_a_row_gets_one(desk: Desk) -> None:
    """A job that was enqueued by somebody without the ledger has a row before it starts."""
    await desk.settle()
    await desk.enqueue("j", record_of("mail", ENQUEUED_MS, 2, "ada"))

    await desk.tick(2)

    row: Any = await desk.read("j")
    assert row is not None
    assert (row.function, row.status, row.priority, row.args) == ("mail", QUEUED, 0, ["ada"])
    assert row.enqueued_at == LONG_AGO
    assert row.pushed_at is not None
    assert bytes(row.record) == record_of("mail", ENQUEUED_MS, 2, "ada")


async def test_row_that_is_refused_keeps_no_other_from_being_mended(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    """A job whose id has no room in the ledger is left without a row, and told once; others are mended."""
    await desk.settle()
    for job_id in ("a", "j" * 300, "z"):
        await desk.enqueue(job_id)

    await desk.tick(4)

    assert await desk.status("a") == await desk.status("z") == QUEUED
    is_refused = await desk.status("j" * 300) is None
    assert sum("left so" in message for message in caplog.messages) == is_refused


async def test_running_jobs_are_left_alone(desk: Desk) -> None:
    """What a session owns is its own, whatever the row says."""
    await desk.settle()
    await desk.enqueue("q1")
    await desk.enqueue("f1")
    await desk.row("q1", status=QUEUED)
    await desk.row("f1", status=FAILED)
    assert sorted(await desk.claim()) == ["f1", "q1"]

    await desk.tick(3)
    await desk.engine.turn("s", 0, {}, [Returned("q1", "ready", 0, "")])

    assert (await desk.status("q1"), await desk.status("f1")) == (QUEUED, FAILED)
    assert await desk.audited() == []


async def test_deleted_job_does_not_come_back(desk: Desk) -> None:
    """A job that somebody deleted by hand while it waited is not pushed again: its row says CANCELLED."""
    await desk.settle()
    await desk.enqueue("j")
    await desk.row("j")
    assert await desk.engine.drop_many(["j"]) == ["done"]

    await desk.tick(3)

    assert await desk.status("j") is CANCELLED
    assert await desk.home("j") == "absent"


async def test_mending_is_told(desk: Desk) -> None:
    """Each batch that is mended is an event."""
    await desk.settle()
    await desk.row("j")
    told: list[LedgerReconciled] = []

    with attached(LedgerReconciled, told.append):
        await desk.tick(2)

    assert told == [LedgerReconciled("q", pushed=1, settled=0, retired=0, opened=0)]
