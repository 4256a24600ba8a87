"""Find jobs and count them; nothing is changed here."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from typing_extensions import Unpack

from ..engine import RedisEngine
from ..engine.management import PAGE, Depth
from ..errors import ConfigurationError
from ..model import checks
from ..model.codec import state_of_record
from ..model.filters import JobConditions, JobFilter
from ..model.records import JobView
from ..model.states import FINAL_STATES, INCOMPLETE_STATES, STATES_BY_LETTER, JobState
from ..utils import timestamp_ms
from .base import Looking
from .found import Found, envelope_of, view_of


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """How much work waits for a worker.

    Attributes:
        available: how many jobs could start now.
        oldest: for how long the eldest of them could have; zero without one.
        waiting: how many wait for their time, those among them that had a try before.
        suspended, executing: how many wait for other jobs, and run.
    """

    available: int
    oldest: timedelta
    waiting: int = 0
    suspended: int = 0
    executing: int = 0


class Finding(Looking):
    """What is told of jobs.

    Conditions are those of `JobConditions`: `state=`, `function=`, `tags=`, `args=`, `kwargs=`, `meta=`,
    `priority=` and `ids=`. All that are given must hold. A queue is walked page by page, beside the workers:
    a job that is there all the time is found, one that comes or goes meanwhile may be. Where no queue is
    named it is that of the functions that are meant, if they are tasks of one.
    """

    async def jobs(
        self,
        queue: str | None = None,
        *,
        limit: int | None = None,
        newest_first: bool = False,
        with_errors: bool = False,
        **conditions: Unpack[JobConditions],
    ) -> list[JobView]:
        """Find jobs, the one that was enqueued first at the head.

        Args:
            queue: the queue; that of the functions meant, else the pool's default.
            limit: at most so many; without it the list holds all that are found, see `iter_jobs`.
            newest_first: the job that was enqueued last at the head.
            with_errors: read their failed attempts, too; one more question per job.
            conditions: which jobs, see `JobConditions`; none is all.

        Raises:
            ConfigurationError: a condition is unknown, None, empty, or can hold for no job; or no queue is
                named, and the functions meant belong to several.
        """
        wanted = JobFilter.of(**conditions)
        if limit is not None:
            checks.count("limit", limit, 1)
        engine = self._engine_meant(queue, wanted)
        kept: dict[str, Found] = {}
        async for page in self._pages(engine, wanted):
            kept.update((found.job_id, found) for found in page)
            if limit is not None and len(kept) >= 2 * limit + PAGE:
                kept = {found.job_id: found for found in _first(kept, limit, newest_first)}
        return await self._views(engine, list(_first(kept, limit, newest_first)), with_errors=with_errors)

    async def iter_jobs(
        self, queue: str | None = None, *, with_errors: bool = False, **conditions: Unpack[JobConditions]
    ) -> AsyncIterator[JobView]:
        """Find jobs one by one, in no order, and hold only a page of them; see `jobs`.

        One job may be told twice while the queue grows or shrinks a lot.
        """
        wanted = JobFilter.of(**conditions)
        engine = self._engine_meant(queue, wanted)
        async for page in self._pages(engine, wanted):
            for view in await self._views(engine, page, with_errors=with_errors):
                yield view

    async def all_jobs(self, queue: str | None = None) -> dict[JobState, list[JobView]]:
        """Find all jobs of a queue, by their state; each list as from `jobs`."""
        by_state: dict[JobState, list[JobView]] = {state: [] for state in JobState}
        for job in await self.jobs(queue):
            by_state[job.state].append(job)
        return by_state

    async def job(self, job_id: str, queue: str | None = None) -> JobView | None:
        """Tell all that is known of one job, with its failed attempts; None when nothing is.

        Args:
            job_id: its id.
            queue: its queue; the pool's default.
        """
        engine = self._engine(queue)
        found = await self._look(engine, job_id)
        if found is None:
            return None
        [view] = await self._views(engine, [found], with_errors=True)
        return view

    async def count_jobs(self, queue: str | None = None, **conditions: Unpack[JobConditions]) -> int:
        """Count jobs; see `jobs`.

        Without conditions, or with only `state=`, this costs what `count_by_state` does. Otherwise all
        jobs of the queue are read.
        """
        wanted = JobFilter.of(**conditions)
        engine = self._engine_meant(queue, wanted)
        if wanted.asks_only_for_states:
            states = wanted.states or frozenset(JobState)
            counts = await self._count(engine, states)
            return sum(counts[state] for state in states)
        return sum([len(page) async for page in self._pages(engine, wanted, for_counting=True)])

    async def count_by_state(self, queue: str | None = None) -> dict[JobState, int]:
        """Count all jobs of a queue by their state.

        Jobs that have not ended are told by the sizes of their homes, in no time at all; those that wait for
        another try by a walk over the jobs that had trouble. For those that ended their letters are counted
        in the server, page by page: with 1,000,000 kept results that is about a thousand short scripts,
        some seconds in all, and no job travels.
        """
        return await self._count(self._engine(queue), frozenset(JobState))

    async def depth(self, queue: str | None = None) -> QueueDepth:
        """Tell how many jobs could start now and how long the eldest of them waits: what to alert on.

        Cheap however many there are.
        """
        depth = await self._engine(queue).depth()
        since = [depth.eldest_ms] if depth.eldest_ms >= 0 else []
        for record in depth.front:
            envelope = envelope_of(self._codec, record)
            if envelope is not None:
                since.append(envelope.get("at") or envelope["et"])
        waits_ms = max(depth.now_ms - min(since), 0) if since else 0
        return QueueDepth(
            depth.available, timedelta(milliseconds=waits_ms), depth.waiting, depth.suspended, depth.executing
        )

    async def estimate_retryable(self, queue: str | None = None, *, most: int = 2_000) -> tuple[int, bool]:
        """Count the jobs that wait for another try, at a cost that is bounded.

        Args:
            queue: the queue; the pool's default.
            most: so many jobs that had trouble are looked at; the others count as those do.

        Returns:
            How many there are, and whether that is exact.
        """
        return await self._engine(queue).estimate_retryable(timestamp_ms(), most)

    async def waiting_functions(self, queue: str | None = None, *, most: int = 200) -> list[str]:
        """Name the functions of the jobs that come next, each once.

        Args:
            queue: the queue; the pool's default.
            most: so many jobs that may start are looked at, and as many that wait for their time: among
                these is what no worker knows, and one has put back.
        """
        envelopes = [envelope_of(self._codec, record) for record in await self._engine(queue).front(most)]
        return sorted({str(envelope["f"]) for envelope in envelopes if envelope is not None})

    def _engine_meant(self, queue: str | None, wanted: JobFilter) -> RedisEngine:
        """Find the queue that is named, or that the functions meant belong to."""
        if queue is None and wanted.queues:
            queues = {own or self.pool.default_queue_name for own in wanted.queues}
            if len(queues) > 1:
                raise ConfigurationError(
                    f"the functions meant belong to the queues {', '.join(sorted(queues))}: "
                    f"say which with queue=..., or ask for each"
                )
            [queue] = queues
        return self._engine(queue)

    async def _count(self, engine: RedisEngine, states: frozenset[JobState]) -> dict[JobState, int]:
        depth = await engine.depth()
        counts = dict.fromkeys(JobState, 0)
        counts[JobState.AVAILABLE] = depth.available
        counts[JobState.SUSPENDED] = depth.suspended
        counts[JobState.EXECUTING] = depth.executing
        if depth.waiting and depth.troubled and states & {JobState.SCHEDULED, JobState.RETRYABLE}:
            retryable = await engine.count_retryable(depth.now_ms)
            counts[JobState.RETRYABLE] = min(retryable, depth.waiting)
        counts[JobState.SCHEDULED] = depth.waiting - counts[JobState.RETRYABLE]
        if states & FINAL_STATES and _ended(depth) > 0:
            tally = await engine.tally()
            counts[JobState.COMPLETED] = tally.completed
            counts[JobState.DISCARDED] = tally.discarded
            counts[JobState.CANCELLED] = tally.cancelled
        return counts

    async def _views(self, engine: RedisEngine, jobs: list[Found], *, with_errors: bool) -> list[JobView]:
        errors: list[list[bytes]] = [[] for _ in jobs]
        if with_errors:
            errors = []
            for start in range(0, len(jobs), PAGE):
                errors += await engine.errors_of([found.job_id for found in jobs[start : start + PAGE]])
        return [
            view_of(found, engine.queue, self._codec, told) for found, told in zip(jobs, errors, strict=True)
        ]

    async def _look(self, engine: RedisEngine, job_id: str) -> Found | None:
        found = [one async for one in self._by_ids(engine, JobFilter(ids=(checks.job_id(job_id),)))]
        return found[0] if found else None

    async def _pages(
        self, engine: RedisEngine, wanted: JobFilter, *, for_counting: bool = False
    ) -> AsyncIterator[list[Found]]:
        """Find jobs page by page, each with its standing if it has not ended.

        Args:
            engine: the queue.
            wanted: which jobs.
            for_counting: nothing is read of them that no condition asks for.
        """
        if wanted.ids is not None:
            page: list[Found] = []
            async for found in self._by_ids(engine, wanted):
                page.append(found)
                if len(page) == PAGE:
                    yield page
                    page = []
            if page:
                yield page
            return
        async for records in engine.pages():
            page = await self._match(engine, wanted, records, for_counting=for_counting)
            if page:
                yield page

    async def _match(
        self,
        engine: RedisEngine,
        wanted: JobFilter,
        records: list[tuple[str, bytes]],
        *,
        for_counting: bool,
    ) -> list[Found]:
        now = b"%013d" % timestamp_ms()
        may_live = wanted.states is None or bool(wanted.states & INCOMPLETE_STATES)
        matching: list[Found] = []
        alive: list[Found] = []
        for job_id, record in records:
            is_over = record[:1] == b"R"
            if is_over:
                if record[1:14] <= now:
                    continue
                state = state_of_record(record)
                if not wanted.matches_state(state):
                    continue
            elif may_live:
                state = JobState.AVAILABLE
            else:
                continue
            envelope = envelope_of(self._codec, record) if wanted.reads_jobs or not for_counting else None
            if wanted.reads_jobs and (envelope is None or not wanted.matches_job(envelope)):
                continue
            (matching if is_over else alive).append(Found(job_id, state, record, envelope))
        if for_counting and (wanted.states is None or wanted.states >= INCOMPLETE_STATES):
            return matching + alive
        if alive:
            matching += await self._standing(engine, wanted, alive)
        return matching

    async def _standing(self, engine: RedisEngine, wanted: JobFilter, alive: list[Found]) -> list[Found]:
        """Ask where jobs stand; those that have ended since they were read are read again."""
        standings = await engine.standings([found.job_id for found in alive])
        matching: list[Found] = []
        ended: list[str] = []
        for found, standing in zip(alive, standings, strict=True):
            if not standing.state:
                ended.append(found.job_id)
                continue
            state = STATES_BY_LETTER[standing.state]
            if wanted.matches_state(state):
                matching.append(dataclasses.replace(found, state=state, standing=standing))
        if ended:
            again = dataclasses.replace(wanted, ids=tuple(ended))
            matching += [found async for found in self._by_ids(engine, again)]
        return matching

    async def _by_ids(self, engine: RedisEngine, wanted: JobFilter) -> AsyncIterator[Found]:
        ids = wanted.ids or ()
        for start in range(0, len(ids), PAGE):
            chunk = ids[start : start + PAGE]
            for job_id, standing in zip(chunk, await engine.standings(chunk, with_records=True), strict=True):
                if not standing.state:
                    continue
                state = STATES_BY_LETTER[standing.state]
                envelope = envelope_of(self._codec, standing.record)
                is_meant = wanted.matches_state(state) and (
                    not wanted.reads_jobs or (envelope is not None and wanted.matches_job(envelope))
                )
                if is_meant:
                    yield Found(job_id, state, standing.record, envelope, standing)


def _ended(depth: Depth) -> int:
    return depth.known - depth.available - depth.waiting - depth.suspended - depth.executing


def _first(jobs: Mapping[str, Found], limit: int | None, newest_first: bool) -> Iterator[Found]:
    ordered = sorted(jobs.values(), key=lambda found: (found.enqueue_ms, found.job_id), reverse=newest_first)
    yield from ordered[:limit]
