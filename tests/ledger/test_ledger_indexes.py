"""Which index answers which question."""

from __future__ import annotations

from typing import Any

import pytest
from query_toys import fill, minutes, row
from sqlalchemy import event, inspect, text

from arqlite.ledger import Ledger, LedgerFilter
from arqlite.ledger.store import listing
from arqlite.model.states import JobState

QUESTIONS: list[tuple[dict[str, Any], str]] = [
    ({}, "status"),
    ({"status": "FAILED"}, "status"),
    ({"status": "SUCCESS", "created_from": minutes(1)}, "status"),
    ({"state": "executing"}, "status"),
    ({"state": ["scheduled", "retryable"]}, "state"),
    ({"cause": "LOST"}, "cause"),
    ({"queue": "mail"}, "queue"),
    ({"function": ["a", "b"]}, "function"),
    ({"job_type": "REPORT"}, "job_type"),
    ({"triggered_by": "ada"}, "triggered_by"),
    ({"user_id": [1, 2]}, "user_id"),
    ({"parent": "a"}, "parent"),
    ({"tags": "red"}, "tag_2"),
]


async def plan_of(ledger: Ledger, **conditions: Any) -> str:
    """How the database finds the page after some row."""
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        asked.append((statement, parameters))

    cursor = (await ledger.jobs(limit=1)).next
    event.listen(ledger.engine.sync_engine, "before_cursor_execute", note)
    await ledger.jobs(after=cursor, **conditions)
    event.remove(ledger.engine.sync_engine, "before_cursor_execute", note)
    is_sqlite = ledger.engine.dialect.name == "sqlite"
    [(statement, parameters)] = [one for one in asked if "LIMIT" in one[0]]
    async with ledger.engine.connect() as connection:
        if not is_sqlite:  # which scans a table that is small, and sorts what it scanned
            await connection.execute(text("SET LOCAL enable_seqscan = off"))
            await connection.execute(text("SET LOCAL enable_bitmapscan = off"))
        explain = "EXPLAIN QUERY PLAN " if is_sqlite else "EXPLAIN "
        return str((await connection.exec_driver_sql(explain + statement, parameters)).all())


@pytest.mark.parametrize(("conditions", "index"), QUESTIONS, ids=lambda value: str(value)[:40])
async def test_questions_have_indexes(ledger: Ledger, conditions: dict[str, Any], index: str) -> None:
    """A page of one of these questions reads its index from a place on, and nothing else."""
    if "tags" in conditions and ledger.engine.dialect.name == "sqlite":
        pytest.skip("tags have an index on PostgreSQL only")
    await fill(ledger, [row(f"{n}", list(JobState)[n % 7 + 1], at=n) for n in range(70)])

    plan = await plan_of(ledger, **conditions)

    assert f"ix_arqlite_jobs_{index}" in plan
    assert "Seq Scan" not in plan
    assert "SCAN arqlite_jobs" not in plan
    assert "created_at" in plan


@pytest.mark.parametrize(
    ("conditions", "answers"),
    [
        ({"queue": "main", "status": "FAILED"}, "statuses"),
        ({"queue": "small", "status": "SUCCESS"}, "queues"),
        ({"queue": ["main", "small"], "function": "seldom", "status": "SUCCESS"}, "functions"),
    ],
)
async def test_of_long_ways_the_one_with_most_hits_is_gone(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, conditions: dict[str, Any], answers: str
) -> None:
    """Where all ways are long their next rows tell on which one most rows are meant."""
    monkeypatch.setattr(listing, "PROBES", 2)
    monkeypatch.setattr(listing, "SAMPLE", 20)
    states = [JobState.COMPLETED, JobState.COMPLETED, JobState.COMPLETED, JobState.DISCARDED]
    await fill(
        ledger,
        [
            row(
                f"{n}",
                states[n % 4],
                queue="small" if n % 10 == 0 else "main",
                function="seldom" if n % 20 < 2 else "often",
            )
            for n in range(400)
        ],
    )

    async with ledger.sessions() as db:
        walk = await listing._Walk.of(db, ledger.row_model, LedgerFilter.of(**conditions), None)

    assert answers in walk.path.answers


async def test_what_has_ended_is_found_behind_many_that_wait(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page of ended jobs of a queue does not end at the jobs of that queue that came later and wait."""
    monkeypatch.setattr(listing, "PROBES", 5)
    monkeypatch.setattr(listing, "SAMPLE", 10)
    monkeypatch.setattr(listing, "LOOKS", (10, 20))
    ended = [row(f"ended-{n}", at=n) for n in range(20)]
    waiting = [row(f"waiting-{n}", JobState.AVAILABLE, at=100 + n) for n in range(40)]
    await fill(ledger, [*ended, *waiting])

    page = await ledger.jobs(queue="main", status="SUCCESS", limit=5)

    assert [one.id for one in page.items] == [f"ended-{n}" for n in range(19, 14, -1)]


async def test_common_job_is_in_few_indexes(ledger: Ledger) -> None:
    """A job that just succeeds is in five indexes, the primary key among them: each costs every job."""
    if ledger.engine.dialect.name == "sqlite":
        pytest.skip("SQLite does not tell what is in an index")
    await fill(ledger, [row(f"{n}") for n in range(1_000)])
    async with ledger.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        await connection.execute(text("ANALYZE arqlite_jobs"))

        sizes = await connection.execute(
            text(
                "SELECT i.relname FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid"
                " WHERE x.indrelid = to_regclass('arqlite_jobs') AND i.reltuples > 0 ORDER BY 1"
            )
        )

        assert sizes.scalars().all() == [
            "arqlite_jobs_pkey",
            "ix_arqlite_jobs_finished",
            "ix_arqlite_jobs_function",
            "ix_arqlite_jobs_queue",
            "ix_arqlite_jobs_status",
        ]


async def test_own_tables_have_no_indexes_on_expressions(ledger: Ledger) -> None:
    """A table of the application's own has plain indexes only: any autogenerate can write those."""
    async with ledger.engine.connect() as connection:
        indexes = await connection.run_sync(lambda sync: inspect(sync).get_indexes("jobs"))

    assert "ix_jobs_status" in {one["name"] for one in indexes}
    assert not any("_tag" in str(one["name"]) for one in indexes)
