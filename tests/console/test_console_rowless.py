"""Open jobs that have no row yet: lists, counts and verbs mean them as they mean those with one."""

from __future__ import annotations

import pytest
from inspector_toys import enqueue, states_of
from query_toys import row
from reading_toys import all_jobs, fill, ids, settings

from arqlite import ArqRedis, Inspector
from arqlite.console import Console, Done, Tally
from arqlite.console import livelist as lists
from arqlite.console import rowless as rowless_module
from arqlite.ledger import Ledger
from arqlite.model.query import Query
from arqlite.model.states import JobState


async def both(ledger: Ledger, pool: ArqRedis) -> Console:
    """Two jobs without rows beside two with rows, and one that has ended."""
    for job_id in ("bare-1", "known-1", "bare-2", "known-2"):
        await enqueue(pool, job_id)
    await enqueue(pool, "bare-later", delay=3600)
    queue = pool.default_queue_name
    rows = [row(one, JobState.AVAILABLE, queue=queue) for one in ("known-1", "known-2")]
    await fill(ledger, [*rows, row("over", JobState.DISCARDED, queue=queue)])
    return Console([settings(pool, ledger)])


@pytest.mark.parametrize("limit", [1, 2, 50])
async def test_jobs_without_rows_are_listed_beside_rows(
    ledger: Ledger, arq_redis: ArqRedis, limit: int
) -> None:
    """Each job is listed once, wherever pages end; those that have rows are told by these."""
    console = await both(ledger, arq_redis)

    jobs = await all_jobs(console, limit=limit)

    assert sorted((job.id, job.source) for job in jobs) == [
        ("bare-1", "redis"), ("bare-2", "redis"), ("bare-later", "redis"),
        ("known-1", "ledger"), ("known-2", "ledger"), ("over", "ledger"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("state:available", ["bare-1", "bare-2", "known-1", "known-2"]),
        ("state:scheduled", ["bare-later"]),
        ("id:bare-2,known-2", ["bare-2", "known-2"]),
        ("id:bare*", ["bare-1", "bare-2", "bare-later"]),
        ("state:discarded", ["over"]),
        ("cause:timeout", []),
    ],
)
async def test_words_mean_jobs_without_rows(
    ledger: Ledger, arq_redis: ArqRedis, line: str, expected: list[str]
) -> None:
    """A query means them by what Redis has of them."""
    console = await both(ledger, arq_redis)

    assert sorted(await ids(console, line)) == expected


async def test_jobs_without_rows_are_counted(ledger: Ledger, arq_redis: ArqRedis) -> None:
    """A number is that of the jobs that are listed, with words and without."""
    console = await both(ledger, arq_redis)

    assert await console.count(Query.parse("id:bare*")) == Tally(3)
    counts = await console.counts(Query.parse("id:bare*"))
    assert {state: one.value for state, one in counts.items() if one.value} == {
        "available": 2, "scheduled": 1, "all": 3,
    }  # fmt: skip
    assert (await console.counts())["available"] == Tally(4)


async def test_jobs_without_rows_are_cancelled(ledger: Ledger, arq_redis: ArqRedis) -> None:
    """A verb moves the jobs that a list of the same query shows."""
    console = await both(ledger, arq_redis)

    assert await console.cancel(Query.parse("id:bare-*")) == Done(3, 3)
    assert await states_of(Inspector(arq_redis)) == {
        "bare-1": "cancelled", "bare-2": "cancelled", "bare-later": "cancelled",
        "known-1": "available", "known-2": "available",
    }  # fmt: skip


async def test_many_are_looked_for_only_where_rows_are_missing(
    ledger: Ledger, fake: ArqRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a deep queue ids are looked up in parts, and not at all where there are as many rows."""
    asked: list[int] = []
    look_up = ledger.ids_with_rows

    async def noted(ids: list[str], *, queue: str) -> set[str]:
        asked.append(len(ids))
        return await look_up(ids, queue=queue)

    monkeypatch.setattr(rowless_module, "IN_ORDER", 5)
    monkeypatch.setattr(lists, "PAGE", 4)
    monkeypatch.setattr(ledger, "ids_with_rows", noted)
    for number in range(10):
        await enqueue(fake, f"job-{number}")
    queue = fake.default_queue_name
    await fill(ledger, [row(f"job-{number}", JobState.AVAILABLE, queue=queue) for number in range(9)])
    console = Console([settings(fake, ledger)])

    assert sorted(await ids(console, limit=3)) == [f"job-{number}" for number in range(10)]
    assert max(asked) == 4
    assert [one.code for one in (await console.jobs()).troubles] == ["rows-missing"]

    asked.clear()
    await fill(ledger, [row("job-9", JobState.AVAILABLE, queue=queue)])
    assert len(await ids(console, limit=3)) == 10
    assert asked == []


async def test_other_queue_that_is_away_hides_no_job(
    ledger: Ledger, fake: ArqRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where another queue of the ledger cannot be counted jobs are looked up, and no other is called away."""
    monkeypatch.setattr(rowless_module, "IN_ORDER", 1)
    for number in range(3):
        await enqueue(fake, f"bare-{number}")
    queue = fake.default_queue_name
    await fill(ledger, [row(f"other-{number}", JobState.AVAILABLE, queue="main") for number in range(3)])
    console = Console([settings(fake, ledger), settings(None, ledger, queue_name="main")])

    page = await console.jobs(Query.parse("id:bare*"))

    assert sorted(job.id for job in page.jobs) == ["bare-0", "bare-1", "bare-2"]
    assert {(one.code, one.queue) for one in page.troubles} == {
        ("redis-away", "main"), ("rows-missing", queue),
    }  # fmt: skip
