"""What is done by hand through a pool with a ledger: the audit tells it, and rows follow."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from outbox_toys import QUEUE, LedgerStatus, Shop, confirm
from worker_ledger_toys import Switch

from arqlite import ArqRedis, Inspector
from arqlite.engine import Ended
from arqlite.ledger import Auditor, Ledger, Recorder, store
from arqlite.model.codec import Codec, blob_of
from arqlite.model.states import Cause, JobState
from arqlite.outbox import byhand

Eventually = Callable[..., Any]


async def deeds(shop: Shop) -> list[tuple[str, str, str, str | None]]:
    """What the audit tells, the oldest first."""
    page = await shop.pool.ledger.audit(limit=1000)
    return [(row.queue, row.action, row.actor, row.job_id) for row in reversed(page.items)]


async def has_written(shop: Shop) -> None:
    """Write all that is under way, as the end of the pool does."""
    await shop.pool.outbox.aclose()


async def fail(shop: Shop, job_id: str) -> None:
    """Run a job to its bad end, and have its row tell that."""
    engine = shop.pool.queue(QUEUE).engine
    await engine.open("s", 60_000)
    [record] = (await engine.turn("s", 1, {}, ())).records
    now_ms = int(datetime.now(UTC).timestamp() * 1000)
    body = Codec().encode_end(JobState.DISCARDED, ValueError("no"), 1, now_ms, now_ms, blob_of(record))
    await engine.turn("s", 0, {3_600_000: Ended([job_id], [body])}, ())
    async with shop.sessions.begin() as db:
        row = await db.get(type(await shop.row(job_id)), (job_id, QUEUE))
        assert row is not None
        row.status, row.state, row.cause = LedgerStatus.FAILED, JobState.DISCARDED, Cause.ERROR
        row.attempt, row.finished_at = 1, datetime.fromtimestamp(now_ms / 1000, UTC)
        row.error_payload = {"type": "ValueError", "message": "no", "traceback": ""}


async def enqueued(shop: Shop, job_id: str, *args: Any, **options: Any) -> None:
    """Enqueue a job, and see its row written."""
    await shop.pool.options(job_id=job_id, **options).enqueue(confirm, *args)
    await shop.pool.outbox.followers.aclose()


async def test_audit_tells_what_is_done_by_hand(shop: Shop) -> None:
    """Nobody has to start anything: a pool with a ledger is enough, and its end writes what waits."""
    inspector = Inspector(shop.pool, by="ada")
    for job_id in ("a", "b"):
        await enqueued(shop, job_id)

    await inspector.update_job("a", {"priority": 3})
    await inspector.cancel_job("a")
    await inspector.retry_job("a")
    await inspector.delete_job("b")
    await inspector.pause_queue("mail")
    await inspector.resume_queue("mail")
    await inspector.scale_queue("mail", limit=2)
    await inspector.stop_queue("mail")
    await has_written(shop)

    assert await deeds(shop) == [
        (QUEUE, "job.update", "ada", "a"),
        (QUEUE, "job.cancel", "ada", "a"),
        (QUEUE, "job.retry", "ada", "a"),
        (QUEUE, "job.delete", "ada", "b"),
        *(("mail", f"queue.{action}", "ada", None) for action in ("pause", "resume", "scale", "stop")),
    ]


async def test_audit_tells_it_once(shop: Shop) -> None:
    """Where an auditor listens, as that of a worker in the same process does, the pool leaves it to that."""
    async with Auditor(shop.pool.ledger):
        await Inspector(shop.pool).pause_queue("mail")
    await Inspector(shop.pool).resume_queue("mail")
    await has_written(shop)

    assert [action for _, action, *_ in await deeds(shop)] == ["queue.pause", "queue.resume"]


async def test_row_of_a_cancelled_job_follows(shop: Shop) -> None:
    """A job that waited is CANCELLED in the ledger at once, and its row keeps what it was called with."""
    await enqueued(shop, "a", "x", tags=["t"], priority=2)

    assert await Inspector(shop.pool).cancel_job("a")
    await has_written(shop)

    row = await shop.row("a")
    assert (row.status, row.state, row.cause) == (LedgerStatus.CANCELLED, JobState.CANCELLED, Cause.CANCELLED)
    assert (row.args, row.tags, row.priority) == (["x"], ["t"], 2)
    assert row.finished_at is not None


async def test_row_of_an_aborted_job_follows(shop: Shop) -> None:
    """`Job.abort` of a job that waits is told in the same way."""
    job = await shop.pool.enqueue_job("confirm", "x")
    assert job is not None
    await shop.pool.outbox.followers.aclose()

    assert await job.abort()
    await has_written(shop)

    row = await shop.row(job.job_id)
    assert (row.status, row.cause, row.args) == (LedgerStatus.CANCELLED, Cause.CANCELLED, ["x"])


async def test_cancelled_job_is_counted_once(shop: Shop) -> None:
    """A recorder of the same process hears of it, and what it counts is not counted again."""
    await enqueued(shop, "a")
    await enqueued(shop, "b")
    recorder = Recorder(shop.pool.ledger, QUEUE)
    await recorder.start()
    await Inspector(shop.pool).cancel_job("a")
    await recorder.stop()
    await Inspector(shop.pool).cancel_job("b")
    await has_written(shop)

    stats = await shop.pool.ledger.stats()
    assert [ended.counts for ended in stats.ended] == [{"cancelled": 2}]


async def test_row_of_a_retried_job_follows(shop: Shop) -> None:
    """A job that failed is QUEUED again, and what is remembered of it is as in Redis."""
    await enqueued(shop, "a", "x")
    await fail(shop, "a")

    assert await Inspector(shop.pool).retry_job("a")
    await has_written(shop)

    row = await shop.row("a")
    assert (row.status, row.state, row.cause) == (LedgerStatus.QUEUED, JobState.AVAILABLE, None)
    assert (row.finished_at, row.error_payload, row.args) == (None, None, ["x"])
    remembered = await shop.pool.hget(shop.pool.queue(QUEUE).engine.keys.tries, "a")
    assert row.memory == remembered.decode()


async def test_row_of_a_later_run_stays(shop: Shop) -> None:
    """A retried job may be under way before its row is told of the retry: then that is left alone."""
    await enqueued(shop, "a")
    await fail(shop, "a")
    async with shop.sessions.begin() as db:
        row = await db.get(type(await shop.row("a")), ("a", QUEUE))
        assert row is not None
        row.attempt, row.finished_at = 2, datetime.now(UTC)

    await Inspector(shop.pool).retry_job("a")
    await has_written(shop)

    assert (await shop.row("a")).status is LedgerStatus.FAILED


async def test_row_of_a_deleted_job_follows(shop: Shop) -> None:
    """One that waited is CANCELLED, so that nothing puts it back; one that had ended keeps its row."""
    await enqueued(shop, "ended")
    await fail(shop, "ended")
    await enqueued(shop, "waits")

    for job_id in ("waits", "ended"):
        assert await Inspector(shop.pool).delete_job(job_id)
    await has_written(shop)

    row = await shop.row("waits")
    assert (row.status, row.cause) == (LedgerStatus.CANCELLED, Cause.CANCELLED)
    assert row.error_payload["message"] == "it was deleted by hand while it waited"
    assert (await shop.row("ended")).status is LedgerStatus.FAILED


async def test_row_of_a_changed_job_follows(shop: Shop) -> None:
    """What it is put back from after a loss of Redis is the job as it was changed."""
    await enqueued(shop, "a", "x", tags=["old"])
    later = datetime(2100, 1, 1, tzinfo=UTC)

    await Inspector(shop.pool).update_job("a", {"args": ["y"], "tags": ["new"], "scheduled_at": later})
    await has_written(shop)

    row = await shop.row("a")
    assert (row.args, row.tags, row.state, row.scheduled_at) == (["y"], ["new"], JobState.SCHEDULED, later)
    assert row.record == await shop.pool.hget(shop.pool.queue(QUEUE).engine.keys.jobs, "a")


async def test_hidden_arguments_stay_hidden(shop: Shop) -> None:
    """What the ledger must not hold does not come in by a change, nor the record that tells it."""
    pool: ArqRedis = shop.pool
    pool.ledger = Ledger(shop.engine, redact=["name"])
    await pool.options(job_id="a").enqueue(confirm, name="x")
    await pool.outbox.followers.aclose()

    await Inspector(pool).update_job("a", {"kwargs": {"name": "y"}, "priority": 1})
    await has_written(shop)

    row = await shop.row("a")
    assert (row.kwargs, row.priority, row.record) == ({"name": "***"}, 1, None)


async def test_outage_loses_no_note(
    shop: Shop, eventually: Eventually, caplog: pytest.LogCaptureFixture
) -> None:
    """What is done while the database is away waits in memory, and holds nobody up."""
    await enqueued(shop, "a")
    switch = Switch(shop.engine)
    switch.is_off = True

    await Inspector(shop.pool, by="ada").delete_job("a")
    await eventually(lambda: switch.tries)
    switch.is_off = False
    await has_written(shop)

    assert await deeds(shop) == [(QUEUE, "job.delete", "ada", "a")]
    assert (await shop.row("a")).status is LedgerStatus.CANCELLED
    assert [line.getMessage().partition(",")[0] for line in caplog.records] == ["the ledger is away"]


async def test_many_jobs_follow(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Jobs that are cancelled and retried at once have their rows told in the same order."""
    monkeypatch.setattr(byhand, "_AT_ONCE", 25)
    await shop.pool.enqueue_many([(confirm, (str(number),)) for number in range(40)])
    await shop.pool.outbox.followers.aclose()
    inspector = Inspector(shop.pool)

    assert await inspector.cancel_jobs(state="all") == 40
    await shop.pool.outbox.followers.aclose()
    assert await inspector.retry_jobs(state="cancelled") == 40
    await has_written(shop)

    assert {row.status for row in (await shop.rows()).values()} == {LedgerStatus.QUEUED}
    async with shop.sessions() as db:
        assert await store.count_older(db, "audit", before=datetime(2100, 1, 1, tzinfo=UTC)) == 80
    assert caplog.records == []
