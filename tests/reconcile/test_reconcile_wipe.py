"""Redis is emptied, set back or replaced: what the ledger has comes back, and nothing that is over."""

from __future__ import annotations

from datetime import timedelta

import pytest
from reconcile_toys import ENQUEUED_MS, LONG_AGO, Desk, record_of

from arqlite.ledger.store import comparing
from arqlite.model import memory
from arqlite.model.memory import Memory
from arqlite.model.states import Cause, JobState, LedgerStatus

QUEUED, RUNNING, SUCCESS, FAILED, CANCELLED = LedgerStatus


async def test_new_queue_gets_its_marker_on_both_sides(desk: Desk) -> None:
    """A queue that nobody has known gets a marker in Redis and in the ledger, and is believed."""
    await desk.settle()

    row, seen = await desk.queue_row(), await desk.engine.watch()
    assert row is not None
    assert (row.marker, row.beat) == (seen.marker, seen.beat)
    assert row.seen_at is not None


@pytest.mark.parametrize("leads", [True, False])
async def test_new_queue_is_believed_at_the_first_look(desk: Desk, leads: bool) -> None:
    """Nothing can be over by the ledger in a queue that neither side has known, whoever leads it.

    A server that does not tell its name is compared first, by whoever leads.
    """
    desk.leads = leads
    has_name = await desk.engine.server() is not None

    await desk.tick()

    assert desk.trust.is_firm is has_name
    assert (await desk.engine.watch()).beat == 1


async def test_workers_that_begin_a_queue_together_plant_one_marker(desk: Desk) -> None:
    """Both find nothing, and one is quicker with its row: the other plants the marker of that row."""
    seen = await desk.engine.watch()
    async with desk.ledger.sessions.begin() as db:
        await comparing.open_queue(db, "q", "theirs", 1, await desk.engine.server())

    await desk.reconciler._begin(seen, await desk.engine.server(), 0)

    assert (await desk.engine.watch()).marker == "theirs"


async def test_marker_beats(desk: Desk) -> None:
    """With each look of the leader the number beside the marker grows on both sides."""
    await desk.settle()
    before = (await desk.engine.watch()).beat

    await desk.tick(3)

    row = await desk.queue_row()
    assert row is not None
    assert row.beat == (await desk.engine.watch()).beat == before + 3


async def test_emptied_queue_is_rebuilt(desk: Desk) -> None:
    """What waited by the ledger's word waits again after FLUSHALL, in its order, at its time."""
    await desk.settle()
    soon = LONG_AGO + timedelta(days=36_500)
    for number in range(3):
        await desk.row(
            f"j{number}",
            enqueued_at=LONG_AGO + timedelta(seconds=number),
            record=record_of(enqueued_ms=ENQUEUED_MS + number * 1000),
        )
    await desk.row(
        "first", record=record_of("work", ENQUEUED_MS + 9000, 0), enqueued_at=LONG_AGO + timedelta(seconds=9)
    )
    await desk.row("later", scheduled_at=soon)
    await desk.wipe()

    await desk.tick(2)

    assert await desk.home("later") == "scheduled"
    assert await desk.claim() == ["j0", "j1", "j2", "first"]
    assert desk.trust.is_firm
    assert desk.waits == [2.0]
    assert await desk.audited() == ["reconcile.push"]


async def test_what_is_over_stays_over(desk: Desk) -> None:
    """After FLUSHALL nothing comes back of which the ledger knows the end."""
    await desk.settle()
    for status in (SUCCESS, FAILED, CANCELLED):
        await desk.row(status.value, status=status)
    await desk.wipe()

    await desk.tick(2)

    assert await desk.claim() == []


async def test_running_job_of_an_emptied_queue_runs_again(desk: Desk) -> None:
    """A run that Redis lost is told as LOST, counted as a crash that is pardoned, and done again."""
    await desk.settle()
    await desk.row("r", status=RUNNING, attempt=2, memory=Memory(tries=1).encode())
    await desk.attempt("r", 2)
    await desk.wipe()

    await desk.tick()

    row = await desk.read("r")
    assert row is not None
    assert (row.status, row.crashes, row.cause) == (QUEUED, 1, Cause.LOST)
    assert memory.decode(await desk.memory("r")) == Memory(tries=1, crashes=1, pardoned=1)
    assert await desk.attempts("r") == [(2, "lost", Cause.LOST)]


async def test_job_that_cannot_be_made_again_failed(desk: Desk) -> None:
    """Of a job whose row does not keep what it is made of the ledger says that it was lost."""
    await desk.settle()
    await desk.row("secret", record=None)
    await desk.row("step", state=JobState.SUSPENDED)
    await desk.wipe()

    await desk.tick()

    for job_id in ("secret", "step"):
        row = await desk.read(job_id)
        assert row is not None
        assert (row.status, row.cause) == (FAILED, Cause.LOST)
        assert "lost the job" in row.error_payload["message"]


async def test_nothing_is_pushed_while_rows_are_behind(desk: Desk) -> None:
    """A job may have ended without its row's knowledge: as long as somebody's rows are behind, all wait."""
    await desk.settle()
    await desk.row("j")
    await desk.wipe()
    await desk.engine.watch("another", 1500)

    await desk.tick()
    assert await desk.home("j") == "absent"
    await desk.engine.watch("another", 0)
    await desk.tick()

    assert await desk.home("j") == "ready"


async def test_nothing_is_pushed_while_the_overflow_is_not_empty(desk: Desk) -> None:
    """What a recorder had no room for tells of ends, too, long after Redis has ceased to remember them."""
    await desk.settle()
    await desk.row("j")
    await desk.engine.spill([b"packet"], 10)

    await desk.tick(3)
    assert await desk.home("j") == "absent"
    assert not await desk.reconciler.may_push()
    [(token, _)] = await desk.engine.scoop("reader", 1000, 10)
    await desk.engine.unspill([token])
    await desk.tick(2)

    assert await desk.home("j") == "ready"


async def test_queue_that_lives_elsewhere_is_left_alone(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """Where others still see the marker on another server, nothing is put into this one."""
    await desk.settle()
    await desk.row("j")
    await desk.wipe()

    async def others_beat() -> None:
        row = await desk.queue_row()
        assert row is not None
        await desk.change_queue_row(beat=row.beat + 1, server="another")

    desk.while_waiting = others_beat
    await desk.tick()

    assert await desk.home("j") == "absent"
    assert not desk.trust.is_firm
    assert "give this one another name" in caplog.text


async def test_queue_that_was_set_back_is_compared(desk: Desk) -> None:
    """An older state of Redis is known by its smaller number: what is over goes, what is missing comes."""
    await desk.settle()
    await desk.tick(3)
    await desk.row("over", status=SUCCESS, output_payload={"sum": 3})
    await desk.row("missing")
    await desk.enqueue("over")
    await desk.client.hset(desk.engine.keys.marker, "beat", 1)

    await desk.tick(2)

    assert desk.trust.is_firm
    assert await desk.home("over") == "finished"
    assert await desk.claim() == ["missing"]


async def test_followers_believe_what_the_leader_found(desk: Desk) -> None:
    """A worker that does not lead doubts a Redis without the marker until the leader has mended it."""
    await desk.settle()
    await desk.wipe()
    desk.leads = False
    await desk.tick()
    assert not desk.trust.is_firm

    desk.leads = True
    await desk.tick()
    desk.leads, desk.trust.is_firm = False, False
    await desk.tick()

    assert desk.trust.is_firm


async def test_queue_whose_leader_has_no_ledger_is_mended_all_the_same(desk: Desk) -> None:
    """A worker without the ledger may lead: when nothing beats, one with it does what a leader would."""
    await desk.settle()
    await desk.row("j")
    await desk.wipe()
    desk.leads, desk.stand_in_after = False, 0.0
    desk.reconciler = desk.make_reconciler()

    await desk.tick(4)

    assert await desk.home("j") == "ready"
    assert desk.trust.is_firm


async def test_nobody_stands_in_for_who_is_at_work(desk: Desk) -> None:
    """While another one mends everything, which has no beat, all others leave it to that one."""
    await desk.settle()
    await desk.row("j")
    await desk.wipe()
    desk.leads, desk.stand_in_after = False, 0.0
    desk.reconciler = desk.make_reconciler()

    for _ in range(4):
        async with desk.ledger.sessions.begin() as db:
            await comparing.note_seen(db, "q")
        await desk.tick()

    assert await desk.home("j") == "absent"


async def test_strange_marker_is_taken_over(desk: Desk) -> None:
    """A marker that the ledger does not know is believed once all was compared: two ledgers do not fight."""
    await desk.settle()
    await desk.row("j")
    await desk.client.hset(desk.engine.keys.marker, mapping={"id": "strange", "beat": 5})

    await desk.tick(2)

    row = await desk.queue_row()
    assert row is not None
    assert row.marker == "strange"
    assert await desk.home("j") == "ready"
    assert desk.trust.is_firm


async def test_loss_is_told_once_while_it_is_waited_on(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """However often the leader looks again before it may act, the log says once what was lost, and next time
    again.
    """
    await desk.settle()
    for _ in range(2):
        await desk.wipe()
        await desk.engine.watch("another", 1500)
        await desk.tick(3)
        await desk.engine.watch("another", 0)
        await desk.tick(2)
        assert desk.trust.is_firm

    assert caplog.text.count("Redis was emptied or replaced") == 2
