"""Rows of every kind to ask for, and a ledger that has them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import insert

from arqlite.ledger import Cause, JobRow, Ledger
from arqlite.model.states import LEDGER_STATUS, JobState

START = datetime(2026, 1, 1, tzinfo=UTC)
STATUS = {state: LEDGER_STATUS[state] for state in JobState if state is not JobState.SUSPENDED}


def minutes(count: float) -> datetime:
    """A time so many minutes after the start."""
    return START + timedelta(minutes=count)


def row(job_id: str, state: JobState = JobState.COMPLETED, **values: Any) -> dict[str, Any]:
    """A row; `at` is in minutes after the start."""
    created_at = minutes(values.pop("at", 0))
    function = values.pop("function", "work")
    finished_at = created_at + timedelta(minutes=1) if state.is_final else None
    return {
        "id": job_id,
        "queue": "main",
        "job_type": function,
        "function": function,
        "state": state,
        "status": STATUS[state],
        "triggered_by": "queue",
        "created_at": created_at,
        "queued_at": created_at,
        "updated_at": created_at,
        "finished_at": finished_at,
    } | values


def mixed(count: int) -> list[dict[str, Any]]:
    """Rows in which every column has several values, in all combinations that numbers make."""
    states = list(STATUS)
    return [
        row(
            f"{'cron:' if n % 10 == 0 else 'job-'}{n:04}",
            states[n % 7],
            at=n // 3,  # three rows of one moment
            queue=["main", "mail", "rare"][0 if n % 4 else 1 + (n % 16 == 0)],
            function=f"function_{n % 5}",
            job_type="REPORT" if n % 11 == 0 else f"function_{n % 5}",
            cause=Cause.TIMEOUT if states[n % 7] is JobState.DISCARDED and n % 2 else None,
            tags=[["red"], ["red", "blue"], ["a", "b", "c", "blue"], None][n % 4],
            user_id=n % 13 if n % 3 == 0 else None,
            parent=f"job-{n % 17:04}" if n % 6 == 0 else None,
            triggered_by=["queue", "system", "api", "user:7"][n % 4],
            worker=f"host:{n % 3}",
            priority=n % 3,
            kwargs={"n": n, "user": {"id": n % 19}},
            args=[n % 9],
            meta={"trace": n % 23},
            error_payload={"type": "E", "message": f"50% of {n}\nÄpfel", "traceback": ""}
            if n % 7 == 5
            else None,
        )
        for n in range(count)
    ]


async def fill(ledger: Ledger, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows; all have the same columns."""
    names = list(dict.fromkeys(name for one in rows for name in one))
    async with ledger.sessions.begin() as db:
        await db.execute(insert(JobRow), [{name: one.get(name) for name in names} for one in rows])


async def ids_of(ledger: Ledger, *, limit: int = 50, **conditions: Any) -> list[str]:
    """The ids of all pages, in order."""
    found: list[str] = []
    after: str | None = None
    while True:
        page = await ledger.jobs(after=after, limit=limit, **conditions)
        found += [one.id for one in page.items]
        after = page.next
        if after is None:
            return found
