"""Questions to the ledger: which jobs, what became of one, how many, how it went."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from typing_extensions import Unpack

from ..errors import ConfigurationError, LedgerError
from ..model import checks
from ..model.filters import JobFilter
from ..model.states import JobState
from . import store
from .answers import Count, Ended, JobHistory, LedgerStats, Page, Percentiles
from .cursors import cursor_of, key_of
from .export import Format, exported
from .figures import STEPS, By, Step, added_up, checked_by, moment_of, percentiles_of, span_for, window
from .filters import LedgerConditions, LedgerFilter, aware, text
from .reading import reading
from .rows import JobRowMixin, utc_now
from .tables import AttemptRow, AuditRow

MAX_PAGE = store.MAX_PAGE
MOST_COUNTED = 100_000

_EXPORTED_AT_ONCE = 500


class Queries:
    """What can be asked of a `Ledger`; each question ends in time, see `read_timeout`.

    Where a question takes conditions, they are given by their names, see `LedgerConditions`, or as a
    `LedgerFilter` or the inspector's `JobFilter`.

        failed = await ledger.jobs(status="FAILED", function=send_email, limit=20)
    """

    row_model: type[JobRowMixin]
    read_timeout: float

    if TYPE_CHECKING:

        @property
        def sessions(self) -> async_sessionmaker[AsyncSession]:
            """Makes sessions on the ledger."""

    async def jobs(
        self,
        wanted: LedgerFilter | JobFilter | None = None,
        /,
        *,
        after: str | None = None,
        limit: int = 50,
        **conditions: Unpack[LedgerConditions],
    ) -> Page[JobRowMixin]:
        """A page of rows, the newest first.

        Each of `status`, `state`, `function`, `queue`, `cause`, `parent`, `user_id`, `triggered_by`,
        `job_type`, `tags` (on PostgreSQL), `ids`, `id_prefix` and the time of creation is answered by an
        index. What else is asked, or several of them ask together, is looked for in at most 20,000 rows: the
        page may then be short, and its `next` goes on from there.

        Args:
            wanted: a filter that was made before.
            after: the `next` of the page before.
            limit: how many rows, 1 to 500.
            **conditions: which rows.

        Raises:
            ConfigurationError: a condition cannot be, or `after` is no cursor of this list.
            LedgerTooSlow: it took longer than `read_timeout`.
        """
        asked = LedgerFilter.of(wanted, **conditions)
        kind = "id" if asked.id_prefix and asked.jobs.ids is None else "at"
        key = None if after is None else key_of(kind, after)
        async with reading(self.sessions, self.read_timeout, follows_index=True) as db:
            found = await store.list_rows(db, self.row_model, asked, after=key, limit=_limit(limit))
        return Page(found.rows, None if found.next is None else cursor_of(kind, found.next))

    async def job(self, job_id: str, *, queue: str | None = None) -> JobHistory | None:
        """A job and its attempts; None if the ledger does not know it.

        Raises:
            LedgerError: several queues had a job of this id, and `queue` does not say which is meant.
        """
        asked = LedgerFilter.of(ids=job_id) if queue is None else LedgerFilter.of(ids=job_id, queue=queue)
        async with reading(self.sessions, self.read_timeout) as db:
            found = (await store.list_rows(db, self.row_model, asked, after=None, limit=2)).rows
            if not found:
                return None
            if len(found) > 1:
                queues = sorted(row.queue for row in found)
                raise LedgerError(f"{job_id!r} was a job of the queues {', '.join(queues)}: say of which")
            return JobHistory(found[0], await _attempts(db, job_id, found[0].queue))

    async def ids_with_rows(self, ids: Sequence[str], *, queue: str) -> set[str]:
        """Those of some jobs of a queue that have rows; one statement for each 500 of them.

        Raises:
            LedgerTooSlow: a statement took longer than `read_timeout`.
        """
        asked, of_queue = [text("ids", one) for one in ids], text("queue", queue)
        async with reading(self.sessions, self.read_timeout) as db:
            return await store.ids_with_rows(db, self.row_model, asked, queue=of_queue)

    async def attempts(self, job_id: str, *, queue: str) -> Sequence[AttemptRow]:
        """All attempts of a job, the first one first."""
        async with reading(self.sessions, self.read_timeout) as db:
            return await _attempts(db, text("job_id", job_id), text("queue", queue))

    async def count(
        self,
        wanted: LedgerFilter | JobFilter | None = None,
        /,
        *,
        most: int | None = None,
        **conditions: Unpack[LedgerConditions],
    ) -> Count:
        """How many rows there are.

        Up to `most` rows are looked at, by default 100,000. Where there are more, PostgreSQL is asked
        for its estimate, and of SQLite it is only known that there are at least as many.

        Raises:
            ConfigurationError: a condition cannot be.
            LedgerTooSlow: it took longer than `read_timeout`.
        """
        asked = LedgerFilter.of(wanted, **conditions)
        async with reading(self.sessions, self.read_timeout, follows_index=True) as db:
            limit = MOST_COUNTED if most is None else most
            value, were_all = await store.count_listed(db, self.row_model, asked, most=limit)
            if were_all:
                return Count(value)
            if db.get_bind().dialect.name != "postgresql":
                return Count(value, "at least")
            return Count(max(value, await store.estimate_listed(db, self.row_model, asked)), "about")

    async def count_by_state(
        self,
        wanted: LedgerFilter | JobFilter | None = None,
        /,
        *,
        most: int | None = None,
        now: datetime | None = None,
        **conditions: Unpack[LedgerConditions],
    ) -> dict[JobState, Count]:
        """How many rows are in each state, see `count`.

        PostgreSQL is asked for its estimates where it has statistics of all that is asked for: of what has
        to be looked at row by row it is known only that there are at least as many.

        Args:
            wanted: a filter that was made before.
            most: at so many rows is looked.
            now: jobs whose time has come by then count as available; None goes by what their rows say.
            **conditions: which rows.

        Raises:
            ConfigurationError: a condition cannot be.
            LedgerTooSlow: it took longer than `read_timeout`.
        """
        asked = LedgerFilter.of(wanted, **conditions)
        async with reading(self.sessions, self.read_timeout, follows_index=True) as db:
            limit = MOST_COUNTED if most is None else most
            counted, were_all = await store.count_states(db, self.row_model, asked, most=limit, now=now)
            if were_all:
                return {state: Count(counted.get(state, 0)) for state in JobState}
            if db.get_bind().dialect.name != "postgresql" or asked.is_looked_for:
                return {state: Count(counted.get(state, 0), "at least") for state in JobState}
            guesses = {
                state: await store.estimate_listed(db, self.row_model, asked, state=state)
                for state in JobState
            }
        return {state: Count(max(guess, counted.get(state, 0)), "about") for state, guess in guesses.items()}

    async def values(
        self, column: Literal["queue", "function"], *, start: str = "", most: int = 100
    ) -> list[str]:
        """The queues or functions that there are rows of, in order, from those that begin with `start`.

        Raises:
            LedgerTooSlow: it took longer than `read_timeout`.
        """
        begins = text("start", start)
        async with reading(self.sessions, self.read_timeout) as db:
            return await store.values_of(db, self.row_model, column, start=begins, most=most)

    async def failures(
        self, *, since: datetime, queues: Sequence[str] = (), most: int = 5_000
    ) -> Sequence[Any]:
        """Jobs that failed or are tried again, with few columns; see `store.failures`.

        Raises:
            LedgerTooSlow: it took longer than `read_timeout`.
        """
        begin = aware("since", since)
        async with reading(self.sessions, self.read_timeout) as db:
            return await store.failures(db, self.row_model, since=begin, queues=queues, most=most)

    async def stats(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        per: Step | None = None,
        by: By | Sequence[By] = (),
        queue: str | None = None,
        function: str | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> LedgerStats:
        """What is open now, and what ended within a time.

        What ended is read from the roll-ups of each minute and never from the jobs: it costs the same however
        many there were.

        Args:
            since, until: the time; by default the last 24 hours.
            per: `minute`, `hour` or `day`: tell each of them apart, in UTC, for a chart.
            by: `queue`, `function`, or both: tell these apart.
            queue, function: only of this one.
            clock: tells the time.

        Raises:
            ConfigurationError: these cannot be, or are more steps than a chart can show.
            LedgerTooSlow: it took longer than `read_timeout`.
        """
        minutes, apart = window(since, until, per, clock()), checked_by(by)
        only = _only(queue, function)
        async with reading(self.sessions, self.read_timeout) as db:
            counts, is_exact = await store.open_by_state(db, self.row_model, most=MOST_COUNTED, **only)
            oldest = await store.oldest_waiting(db, self.row_model, **only)
            step = None if per is None else STEPS[per]
            rows = await store.ended_runs(
                db, since=minutes.since, until=minutes.until, step=step, by=apart, **only
            )
        return LedgerStats(
            since=moment_of(minutes.since),
            until=moment_of(minutes.until),
            open=counts,
            open_is_exact=is_exact,
            oldest_waiting=oldest,
            ended=added_up(rows, apart, has_steps=step is not None),
        )

    async def percentiles(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        by: By | Sequence[By] = (),
        queue: str | None = None,
        function: str | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> Sequence[Percentiles]:
        """How long the runs took that ended within a time, and how long they had waited.

        Read from counts of five minutes, or of an hour where the time is longer than eight hours: of all of
        these that overlap the time.

        Args:
            since, until: the time; by default the last 24 hours.
            by: `queue`, `function`, or both: tell these apart, the one with the most runs first.
            queue, function: only of this one.
            clock: tells the time.

        Raises:
            ConfigurationError: these cannot be.
            LedgerTooSlow: it took longer than `read_timeout`.
        """
        minutes, apart = window(since, until, None, clock()), checked_by(by)
        only = _only(queue, function)
        async with reading(self.sessions, self.read_timeout) as db:
            rows = await store.spread_runs(
                db, since=minutes.since, until=minutes.until, span=span_for(minutes), by=apart, **only
            )
        return percentiles_of(rows, apart)

    async def ended(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        per: Step | None = None,
        by: By | Sequence[By] = (),
        queue: str | None = None,
        function: str | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> Sequence[Ended]:
        """What ended within a time, as `stats` has it, without a look at what is open.

        For how many there were of one state only, `count_ended` is cheaper.

        Raises:
            ConfigurationError: these cannot be, or are more steps than a chart can show.
            LedgerTooSlow: it took longer than `read_timeout`.
        """
        minutes, apart = window(since, until, per, clock()), checked_by(by)
        step = None if per is None else STEPS[per]
        only = _only(queue, function)
        async with reading(self.sessions, self.read_timeout) as db:
            rows = await store.ended_runs(
                db, since=minutes.since, until=minutes.until, step=step, by=apart, **only
            )
        return added_up(rows, apart, has_steps=step is not None)

    async def count_ended(
        self,
        state: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> dict[str, int]:
        """How many runs ended in a state within a time, by queue.

        Args:
            state: as `Ended.counts` has it, `discarded` say.
            since, until: the time; by default the last 24 hours.
            clock: tells the time.

        Raises:
            ConfigurationError: these cannot be.
            LedgerTooSlow: it took longer than `read_timeout`.
        """
        minutes = window(since, until, None, clock())
        async with reading(self.sessions, self.read_timeout) as db:
            return await store.runs_in_state(
                db, text("state", state), since=minutes.since, until=minutes.until
            )

    async def audit(
        self,
        *,
        queue: str | None = None,
        action: str | None = None,
        actor: str | None = None,
        job_id: str | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> Page[AuditRow]:
        """What was done by hand, the newest first.

        Args:
            queue, action, actor, job_id: only of this one, see `AuditRow`.
            after: the `next` of the page before.
            limit: how many entries, 1 to 500.

        Raises:
            ConfigurationError: `after` is no cursor of this list.
            LedgerTooSlow: it took longer than `read_timeout`.
        """
        asked = {"queue": queue, "action": action, "actor": actor, "job_id": job_id}
        only: dict[str, Any] = {name: text(name, value) for name, value in asked.items() if value is not None}
        if after is not None and not (after.isdecimal() and after.isascii() and len(after) < 19):
            raise ConfigurationError(f"{after!r} is no cursor of this list")
        async with reading(self.sessions, self.read_timeout) as db:
            mark = None if after is None else int(after)
            entries = await store.audit_page(db, after=mark, limit=_limit(limit) + 1, **only)
        return Page(entries[:limit], str(entries[limit - 1].id) if len(entries) > limit else None)

    async def export(
        self,
        wanted: LedgerFilter | JobFilter | None = None,
        /,
        *,
        format: Format = "jsonl",  # noqa: A002 (what else?)
        columns: Sequence[str] | None = None,
        **conditions: Unpack[LedgerConditions],
    ) -> AsyncIterator[str]:
        """Rows as CSV with a head, or as a JSON object a line; pieces of text, in memory a page at a time.

            async for text in ledger.export(status="FAILED", format="csv"):
                file.write(text)

        No transaction stays open between the pieces: rows that are written meanwhile may be missing.

        Args:
            wanted: a filter that was made before.
            format: `csv` or `jsonl`. In CSV a text that a spreadsheet would take for a formula gets a `'` in
                front.
            columns: which, and in this order; by default all but `record`, `lock` and `memory`.
            **conditions: which rows.

        Raises:
            ConfigurationError: a condition or a column cannot be.
            LedgerTooSlow: a page took longer than `read_timeout`.
        """
        asked = LedgerFilter.of(wanted, **conditions)
        after: str | None = None
        writer = exported(store.table_of(self.row_model), format, columns)
        yield writer.head()
        while True:
            page = await self.jobs(asked, after=after, limit=_EXPORTED_AT_ONCE)
            if page.items:
                yield writer.lines(page.items)
            after = page.next
            if after is None:
                return


def _only(queue: str | None, function: str | None) -> dict[str, Any]:
    """The queue and the function that are meant, checked; None is any."""
    given = {"queue": queue, "function": function}
    return {name: None if value is None else text(name, value) for name, value in given.items()}


def _limit(limit: int) -> int:
    return min(checks.count("limit", limit, 1), MAX_PAGE)


async def _attempts(db: AsyncSession, job_id: str, queue: str) -> Sequence[AttemptRow]:
    statement = (
        select(AttemptRow)
        .where(AttemptRow.job_id == job_id, AttemptRow.queue == queue)
        .order_by(AttemptRow.attempt)
    )
    return (await db.execute(statement)).scalars().all()
