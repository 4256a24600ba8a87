"""The common end, in one statement and as few words as it takes: a job that has its row ends well.

The row that is expected is that of a job that was accepted, or whose run was begun by who tells of its end,
and with the very record that is told: of such a row all is known that an end does not change, and the
database is not sent it again. What it is sent for the row says all of the attempt, too, so that this one is
written by the database from there. Any other row is left to the statement for all events.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ...model.states import LEDGER_STATUS, JobState, LedgerStatus
from ..batches import Batch
from ..changes import END_COLUMNS, MINUTE_COLUMNS, SPREAD_COLUMNS, End, Values
from ..rows import BY_QUEUE
from ..tables import AttemptRow, MinuteRow, SpreadRow
from .bulk import PostgresqlBulk, Shape, Update, Upsert
from .conflicts import ON_ATTEMPT, ON_MINUTE, on_spread

_ID, _ATTEMPT, _WORKER, _FINISHED = map(END_COLUMNS.index, ("id", "attempt", "worker", "finished_at"))

# Each of them as the statement for all events sets it.
_CHANGES = f"""status = '{LEDGER_STATUS[JobState.COMPLETED].name}', state = '{JobState.COMPLETED.value}',
 cause = NULL, error_payload = NULL, lock = NULL, memory = NULL,
 output_payload = coalesce(j.output_payload, excluded.output_payload),
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
# Written so that no index but that of the ids can be used: of a table that was never analyzed, the planner
# would read all that has the queue and the status, for each row anew.
_WHERE = """j.id = excluded.id AND j.queue || '' = excluded.queue AND j.enqueued_at = excluded.enqueued_at
 AND CASE j.status WHEN 'QUEUED' THEN j.attempt = 0 AND excluded.attempt = 1
 WHEN 'RUNNING' THEN j.attempt = excluded.attempt AND j.worker = excluded.worker END
 AND j.record = excluded.record"""

_TOLD = ("attempt", "worker", "started_at", "finished_at")
_ATTEMPTS = f"""INSERT INTO {AttemptRow.__tablename__} AS j (job_id, queue, state, {", ".join(_TOLD)})
 SELECT id, queue, '{JobState.COMPLETED.value}', {", ".join(_TOLD)} FROM moved {ON_ATTEMPT}"""  # noqa: S608

_ON_SPREAD = on_spread("postgresql")
_HOW_MANY = "(SELECT count(*) FROM moved)"

_CHUNKS_WITHOUT = 20
_IDS_AT_ONCE = 500


class Ends:
    """The statement for the ends of jobs that went well, on PostgreSQL.

    SQLite's `UPDATE ... FROM` first gathers all that it will write: there the statement for all events is
    quicker.

    Args:
        table: the table of jobs.
        bulk: how the database takes many rows.
    """

    def __init__(self, table: Table, bulk: PostgresqlBulk) -> None:
        self._jobs = table
        self._bulk = bulk
        self._update = Update(table, END_COLUMNS, _CHANGES, _WHERE)
        self._minute = Upsert(MinuteRow.__table__, MINUTE_COLUMNS, "")  # type: ignore[arg-type]
        self._spread = Upsert(SpreadRow.__table__, SPREAD_COLUMNS, "")  # type: ignore[arg-type]
        # Where nobody accepts jobs with their rows there are none to find: it need not be tried each time.
        self._skips = 0

    async def write(
        self, connection: AsyncConnection, ends: Sequence[End], counted: Batch | None
    ) -> tuple[Sequence[End], bool]:
        """Close the rows that are as they are expected to be, each chunk in a statement that is complete.

        Args:
            connection: one that commits each statement by itself.
            ends: the jobs, in the order of ids.
            counted: of what the minutes and spreads are to be counted if all the ends find their rows.

        Returns:
            Those ends that have no such row, and whether all was counted.
        """
        if self._skips > 0:
            self._skips -= 1
            return ends, False
        left: list[End] = []
        chunks = list(self._bulk.parts(ends, len(END_COLUMNS)))
        if len(chunks) > 1:
            counted = None
        for chunk in chunks:
            text, parameters = self._call([end for end, _ in chunk], counted)
            moved = (await connection.exec_driver_sql(text, parameters)).scalar_one()
            if moved < len(chunk):
                left += await self._unwritten(connection, chunk) if moved else chunk
        if len(left) == len(ends):
            self._skips = _CHUNKS_WITHOUT
        return left, counted is not None and moved == len(ends)

    def _call(self, rows: Sequence[Values], counted: Batch | None) -> tuple[str, Values]:
        """One statement: rows, their attempts, and what is counted if all of them are moved."""
        update, given = self._bulk.call(self._update, Shape(rows))
        tells = ", ".join(f"excluded.{name}" for name in _TOLD)
        parts = [f"moved AS ({update} RETURNING j.id, j.queue, {tells})", f"attempted AS ({_ATTEMPTS})"]
        if counted is not None:
            count, sums = self._bulk.call(self._minute, Shape(counted.minute_rows()), len(given) + 1)
            given = (*given, *sums, len(rows))
            are_all = f"{_HOW_MANY} = CAST({self._bulk.mark(len(given))} AS BIGINT)"
            parts.append(f"counted AS ({count} WHERE {are_all} {ON_MINUTE} RETURNING 1)")
            # Behind the minutes, as everybody who writes both does: two would wait for each other.
            spread, sums = self._bulk.call(self._spread, Shape(counted.spread_rows()), len(given) + 1)
            given = (*given, *sums)
            are_counted = "(SELECT count(*) FROM counted) > 0"
            parts.append(f"spread AS ({spread} WHERE {are_counted} {_ON_SPREAD})")
        return f"WITH {', '.join(parts)} {_HOW_MANY}", given

    async def _unwritten(self, connection: AsyncConnection, ends: Sequence[End]) -> list[End]:
        """Find out which ends their rows do not tell."""
        jobs = self._jobs.c
        there: dict[Values, Values] = {}
        columns = jobs.id, jobs.queue, jobs.attempt, jobs.worker, jobs.finished_at
        for place in range(0, len(ends), _IDS_AT_ONCE):
            ids = [end[_ID] for end, _ in ends[place : place + _IDS_AT_ONCE]]
            asked = select(*columns).where(jobs.id.in_(ids), jobs.status == LedgerStatus.SUCCESS)
            there.update({(row[0], row[1]): tuple(row[2:]) for row in await connection.execute(asked)})
        return [
            one
            for one in ends
            if there.get(one[0][:2])
            != (one[0][_ATTEMPT], one[0][_WORKER], self._bulk.read(one[0][_FINISHED]))
        ]
