"""The common end, in as few words as it takes: a job that has its row ends well.

The row that is expected is that of a job that was accepted, or whose run was begun by who tells of its end,
and with the very record that is told: of such a row all is known that an end does not change, and the
database is not sent it again. Any other row is left to the statement for all events.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter

from sqlalchemy import Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ...model.states import LEDGER_STATUS, JobState, LedgerStatus
from ..changes import JOB_COLUMNS, Values
from ..rows import BY_QUEUE
from .bulk import Bulk, Shape, Update

_COLUMNS = (
    "id", "queue", "priority", "triggered_by", "output_payload", "attempt", "crashes", "max_attempts",
    "worker", "enqueued_at", "scheduled_at", "started_at", "finished_at", "record",
)  # fmt: skip
_given = itemgetter(*map(JOB_COLUMNS.index, _COLUMNS))
_ID, _ATTEMPT, _WORKER, _FINISHED = map(JOB_COLUMNS.index, ("id", "attempt", "worker", "finished_at"))

# Each of them as the statement for all events sets it.
_CHANGES = f"""status = '{LEDGER_STATUS[JobState.COMPLETED].name}', state = '{JobState.COMPLETED.value}',
 cause = NULL, error_payload = NULL, lock = NULL, memory = NULL, output_payload = excluded.output_payload,
 updated_at = excluded.finished_at, finished_at = excluded.finished_at, priority = excluded.priority,
 triggered_by = CASE WHEN j.triggered_by = '{BY_QUEUE}' THEN excluded.triggered_by ELSE j.triggered_by END,
 attempt = excluded.attempt,
 crashes = CASE WHEN excluded.crashes > j.crashes THEN excluded.crashes ELSE j.crashes END,
 max_attempts = coalesce(excluded.max_attempts, j.max_attempts),
 worker = coalesce(excluded.worker, j.worker),
 scheduled_at = coalesce(excluded.scheduled_at, j.scheduled_at),
 started_at = CASE WHEN j.status = 'RUNNING' AND j.started_at > excluded.started_at THEN j.started_at
  ELSE coalesce(excluded.started_at, j.started_at) END,
 pushed_at = coalesce(j.pushed_at, excluded.finished_at)"""
_WHERE = """j.id = excluded.id AND j.queue = excluded.queue AND j.enqueued_at = excluded.enqueued_at
 AND ((j.status = 'QUEUED' AND j.attempt = 0 AND excluded.attempt = 1)
 OR (j.status = 'RUNNING' AND j.attempt = excluded.attempt AND j.worker = excluded.worker))
 AND j.record = excluded.record"""

_CHUNKS_WITHOUT = 20
_IDS_AT_ONCE = 500


class Ends:
    """The statement for the ends of jobs that went well.

    Args:
        table: the table of jobs.
        bulk: how the database takes many rows.
    """

    def __init__(self, table: Table, bulk: Bulk) -> None:
        self._jobs = table
        self._bulk = bulk
        self._update = Update(table, _COLUMNS, _CHANGES, _WHERE)
        # Where nobody accepts jobs with their rows there are none to find: it need not be tried each time.
        self._skips = 0

    async def write(
        self, connection: AsyncConnection, ends: Sequence[tuple[Values, Values]]
    ) -> list[tuple[Values, Values]]:
        """Close the rows that are as they are expected to be; returns those ends that have no such row."""
        if self._skips > 0:
            self._skips -= 1
            return list(ends)
        left: list[tuple[Values, Values]] = []
        found = 0
        for chunk in self._bulk.parts(ends, len(_COLUMNS)):
            text, parameters = self._bulk.call(self._update, Shape([_given(job) for job, _ in chunk]))
            moved = (await connection.exec_driver_sql(text, parameters)).rowcount
            found += moved
            if moved < len(chunk):
                left += await self._unwritten(connection, chunk) if moved else chunk
        if not found:
            self._skips = _CHUNKS_WITHOUT
        return left

    async def _unwritten(
        self, connection: AsyncConnection, ends: Sequence[tuple[Values, Values]]
    ) -> list[tuple[Values, Values]]:
        """Find out which ends their rows do not tell."""
        jobs, there = self._jobs.c, {}
        columns = jobs.id, jobs.queue, jobs.attempt, jobs.worker, jobs.finished_at
        for place in range(0, len(ends), _IDS_AT_ONCE):
            ids = [job[_ID] for job, _ in ends[place : place + _IDS_AT_ONCE]]
            asked = select(*columns).where(jobs.id.in_(ids), jobs.status == LedgerStatus.SUCCESS)
            there.update({(row[0], row[1]): tuple(row[2:]) for row in await connection.execute(asked)})
        return [
            (job, attempt)
            for job, attempt in ends
            if there.get(job[:2]) != (job[_ATTEMPT], job[_WORKER], self._bulk.read(job[_FINISHED]))
        ]
