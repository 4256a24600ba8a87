"""Plain enqueue with a ledger: the row follows, or it comes first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from outbox_toys import LedgerStatus, Shop, confirm
from redis.exceptions import ConnectionError as RedisAway
from sqlalchemy import event
from sqlalchemy.exc import OperationalError, StatementError

from arqlite import call
from arqlite.engine import RedisEngine
from arqlite.errors import JobConflict, LedgerUnavailable
from arqlite.ledger import LedgerBase, Recorder
from arqlite.outbox import following, rowbatch
from arqlite.outbox.overflow import RedisOverflow

Eventually = Callable[..., Any]


@pytest.fixture
def strict(shop: Shop) -> Shop:
    shop.pool.ledger.mode = "strict"
    return shop


@pytest.fixture
def commits(shop: Shop) -> list[int]:
    """Has an entry for each commit of the database."""
    seen: list[int] = []
    event.listen(shop.engine.sync_engine, "commit", lambda _: seen.append(1))
    return seen


class Away:
    """Makes the database fail: at each statement, or at the commit."""

    def __init__(self, shop: Shop, at: str = "before_cursor_execute", words: str = "gone") -> None:
        self._engine, self._at, self._words = shop.engine.sync_engine, at, words

    def __enter__(self) -> None:
        event.listen(self._engine, self._at, self._fail)

    def __exit__(self, *_: object) -> None:
        event.remove(self._engine, self._at, self._fail)

    def _fail(self, *_: Any) -> None:
        raise OperationalError("statement", {}, Exception(self._words))


@contextmanager
def redis_away() -> Iterator[None]:
    """Let every push fail."""

    async def fail(engine: RedisEngine, jobs: Any) -> None:
        raise RedisAway("gone")

    with pytest.MonkeyPatch.context() as broken:
        broken.setattr(RedisEngine, "enqueue", fail)
        yield


async def test_row_follows(shop: Shop, eventually: Eventually) -> None:
    """Behind: Redis has the job when the call returns, and its row is there a moment later, as pushed."""
    job = await shop.pool.options(row={"user_id": 7, "job_type": "MAIL"}).enqueue(confirm, "a", copies=2)
    assert await shop.queued() == {job.job_id}

    async def is_there() -> bool:
        return job.job_id in await shop.rows()

    await eventually(is_there)
    row = await shop.row(job.job_id)
    assert (row.status, row.args, row.kwargs, row.user_id) == (LedgerStatus.QUEUED, ["a"], {"copies": 2}, 7)
    assert (row.job_type, row.triggered_by, row.pushed_at is not None) == ("MAIL", "system", True)


async def test_rows_follow_those_of_many_and_of_arqs_way(shop: Shop) -> None:
    """`enqueue_many` and `enqueue_job` go the same way; closing the pool writes what waits."""
    jobs = await shop.pool.enqueue_many([call(confirm, str(n)) for n in range(600)])
    job = await shop.pool.enqueue_job("confirm", "arq")
    assert job is not None

    await shop.pool.aclose()

    assert set(await shop.rows()) == {job.job_id, *(one.job_id for one in jobs)}


async def test_behind_never_waits_for_the_database(shop: Shop, eventually: Eventually) -> None:
    """While the database is away jobs are accepted all the same, and their rows come later."""
    with Away(shop):
        job = await shop.pool.enqueue(confirm, "a")
        assert await shop.queued() == {job.job_id}

    async def is_there() -> bool:
        return job.job_id in await shop.rows()

    await eventually(is_there)


async def test_strict_row_is_there_when_the_call_returns(strict: Shop, eventually: Eventually) -> None:
    """Strict: the row is committed and Redis has the job when `enqueue` returns."""
    job = await strict.pool.enqueue(confirm, "a")

    assert set(await strict.rows()) == {job.job_id} == await strict.queued()
    await eventually(lambda: strict.is_marked(job.job_id))


async def test_mode_of_a_single_job(shop: Shop) -> None:
    """`options(ledger=...)` says it for one job, or for one of many."""
    strict = await shop.pool.options(ledger="strict").enqueue(confirm, "a")
    assert set(await shop.rows()) >= {strict.job_id}

    with Away(shop):
        await shop.pool.enqueue(confirm, "b")
        with pytest.raises(LedgerUnavailable):
            await shop.pool.enqueue_many([call(confirm, "c"), call(confirm, "d").options(ledger="strict")])


async def test_calls_of_one_moment_share_a_transaction(strict: Shop, commits: list[int]) -> None:
    """A hundred callers at once need a few commits, not a hundred."""
    await strict.pool.enqueue(confirm, "first")
    await strict.pool.outbox.aclose()
    commits.clear()

    jobs = await asyncio.gather(*(strict.pool.enqueue(confirm, str(n)) for n in range(100)))
    made = len(commits)

    assert len(await strict.rows()) == len(jobs) + 1
    assert made <= 4


async def test_many_own_ids_at_once_are_all_accepted(strict: Shop) -> None:
    """Hundreds of strict calls of one moment, each with an id of its own, get through on any database."""
    enqueue = strict.pool.enqueue_job
    for start in (0, 250):
        jobs = await asyncio.gather(
            *(enqueue("confirm", _job_id=f"id-{number}") for number in range(start, start + 300))
        )
        assert sum(job is None for job in jobs) == (50 if start else 0)

    assert len(await strict.rows()) == 550
    assert len(await strict.queued()) == 550


async def test_job_that_may_be_tried_for_ever_has_its_row(shop: Shop, eventually: Eventually) -> None:
    """More tries than a column can count are no reason to have no row, whichever way the job goes."""
    enqueue = shop.pool.options(max_attempts=2**40).enqueue
    jobs = [
        await enqueue("confirm"),
        await shop.pool.options(max_attempts=2**40, ledger="strict").enqueue("confirm"),
    ]
    await eventually(lambda: _are_there(shop, jobs))

    assert {row.max_attempts for row in (await shop.rows()).values()} == {2**31 - 1}


async def _are_there(shop: Shop, jobs: list[Any]) -> bool:
    return {job.job_id for job in jobs} == set(await shop.rows())


async def test_many_strict_jobs_go_in_chunks(strict: Shop, commits: list[int]) -> None:
    """`enqueue_many` commits each chunk of 500 in one transaction."""
    jobs = await strict.pool.enqueue_many([call(confirm, str(n)) for n in range(700)])
    made = len(commits)

    assert set(await strict.rows()) == {job.job_id for job in jobs} == await strict.queued()
    assert made <= 4


async def test_database_away_means_not_accepted(strict: Shop) -> None:
    """`LedgerUnavailable` says that nothing was accepted: no row, nothing in Redis, now and later."""
    with Away(strict), pytest.raises(LedgerUnavailable, match="not accepted") as refused:
        await strict.pool.enqueue(confirm, "a")

    await strict.relay().tick()
    assert refused.value.is_known
    assert (await strict.rows(), await strict.queued()) == ({}, set())


async def test_missing_tables_are_told_with_what_makes_them(strict: Shop) -> None:
    """A database that runs and was never upgraded is not told as away."""
    async with strict.engine.begin() as connection:
        await connection.run_sync(LedgerBase.metadata.drop_all)

    with pytest.raises(LedgerUnavailable, match="a job was not accepted; its tables are missing") as refused:
        await strict.pool.enqueue(confirm, "a")

    assert "away" not in str(refused.value)
    assert str(refused.value).endswith("run `arqlite db upgrade`")
    assert await strict.queued() == set()


async def test_database_that_does_not_answer_is_away_in_time(
    strict: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that hangs costs a bounded time."""
    monkeypatch.setattr(rowbatch, "PATIENCE_S", 0.01)

    async def hang(*_: Any) -> None:
        await asyncio.Event().wait()

    with monkeypatch.context() as stuck:
        stuck.setattr("sqlalchemy.ext.asyncio.AsyncSession.connection", hang)
        with pytest.raises(LedgerUnavailable):
            await strict.pool.enqueue(confirm, "a")

    assert (await strict.rows(), await strict.queued()) == ({}, set())


async def test_connection_that_breaks_at_the_commit(strict: Shop) -> None:
    """When the commit's answer is lost nobody knows, and the error says so; a locked file is a clear no."""
    with Away(strict, "commit"), pytest.raises(LedgerUnavailable, match="nobody knows") as broken:
        await strict.pool.enqueue(confirm, "a")
    with Away(strict, "commit", "database is locked"), pytest.raises(LedgerUnavailable) as locked:
        await strict.pool.enqueue(confirm, "a")

    assert (broken.value.is_known, locked.value.is_known) == (False, True)


async def test_redis_away_means_accepted(strict: Shop) -> None:
    """With its row committed a job is accepted, and the relay pushes it when Redis is back."""
    with redis_away():
        job = await strict.pool.enqueue(confirm, "a")
    assert not job.conflict

    await strict.relay().tick()

    assert await strict.queued() == {job.job_id}


async def test_equal_job_leaves_no_row(strict: Shop) -> None:
    """A conflict is told as without a ledger, and the refused job has no row."""
    one = strict.pool.options(job_id="x")
    first, second = await one.enqueue(confirm, "a"), await one.enqueue(confirm, "b")
    unique = strict.pool.options(unique={"on_conflict": "raise"})
    await unique.enqueue(confirm, "u")
    with pytest.raises(JobConflict):
        await unique.enqueue(confirm, "u")

    assert (first.conflict, second.conflict) == (False, True)
    assert len(await strict.rows()) == 2


async def test_equal_job_that_was_not_foreseen_leaves_no_row(
    strict: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two who enqueue the same job at once: the row of the refused one is taken back."""

    async def blind(engine: RedisEngine, jobs: Any) -> Any:
        raise RedisAway("gone")

    monkeypatch.setattr(RedisEngine, "foresee", blind)
    jobs = [await strict.pool.options(unique=True).enqueue(confirm, "a") for _ in range(2)]

    assert [job.conflict for job in jobs] == [False, True]
    assert set(await strict.rows()) == {jobs[0].job_id} == {jobs[1].job_id}


@pytest.mark.parametrize("column", ["input_payload", "user_id"])
async def test_row_that_is_refused_costs_no_other(strict: Shop, column: str) -> None:
    """One bad row fails alone, before it shares a transaction with others or, if only the database can tell,
    in it.
    """
    bad = strict.pool.options(row={column: object()})

    *jobs, error = await asyncio.gather(
        *(strict.pool.enqueue(confirm, str(n)) for n in range(5)),
        bad.enqueue(confirm, "bad"),
        return_exceptions=True,
    )

    assert isinstance(error, StatementError | TypeError)
    assert len(jobs) == len(await strict.rows()) == len(await strict.queued()) == 5


async def test_hidden_arguments_are_not_written(strict: Shop) -> None:
    """A job that must not be kept whole is accepted with Redis only: else it raises, and has no row."""
    strict.pool.ledger.redaction.__init__(("name",))
    job = await strict.pool.enqueue(confirm, "secret")
    row = await strict.row(job.job_id)
    assert (row.args, row.record) == (["***"], None)

    with redis_away(), pytest.raises(RedisAway):
        await strict.pool.enqueue(confirm, "secret")

    assert set(await strict.rows()) == {job.job_id}


async def test_outage_that_is_longer_than_memory_loses_no_row(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    """Rows that find no room wait in the overflow of their queue, also beyond the end of their pool."""
    small = partial(Recorder, capacity=5, flush_timeout=0.05, max_backoff=0.01)
    monkeypatch.setattr(following, "Recorder", small)
    with Away(shop):
        jobs = [await shop.pool.enqueue_job("confirm", _queue_name=queue) for queue in ("a", "b") * 15]
        await shop.pool.outbox.aclose()
    assert await shop.rows() == {}

    for queue in ("a", "b"):
        recorder = Recorder(
            shop.pool.ledger,
            queue,
            overflow=RedisOverflow(shop.pool.queue(queue).engine),
            replay_interval=0.01,
        )
        await recorder.start()
        await eventually(lambda queue=queue: count_of(shop, queue, 15))
        await recorder.stop()

    assert set(await shop.rows()) == {job.job_id for job in jobs if job is not None}


async def count_of(shop: Shop, queue: str, count: int) -> bool:
    """Whether so many rows are of this queue."""
    return [row.queue for row in (await shop.rows()).values()].count(queue) == count
