"""A queue run empty in the caller's time, by the real scripts, without a worker."""

from __future__ import annotations

import logging
import os
import secrets
from datetime import datetime
from typing import Any, NamedTuple

from ..client import ArqRedis
from ..engine import RedisEngine, Returned, Turn
from ..engine.link import call_on_pool
from ..engine.scripts import load
from ..errors import ConfigurationError
from ..model import checks
from ..model.codec import Codec
from ..model.functions import Function, func
from ..model.outcomes import Again, End
from ..model.states import JobState
from ..model.tasks import Task
from ..runtime.intake import Refused
from ..runtime.notekeeper import NoteKeeper
from ..runtime.run import Run
from ..settings import WorkerOptions, get_kwargs
from .bench import Bench, Seen, error_of, is_function, options_of, run_of
from .listing import PACKAGE, PATIENCE_S

logger = logging.getLogger("arqlite.testing")

# There is no heartbeat: whoever steps through a job in a debugger keeps it for a day.
_LEASE_MS = 86_400_000


class DrainCounts(NamedTuple):
    """How many runs ended how.

    Attributes:
        cancelled: jobs that ended as cancelled.
        discarded: jobs that failed for good, those that were not run any more among them.
        failure: jobs that failed and will be tried again.
        snoozed: jobs that asked to run later.
        success: jobs that completed.
    """

    cancelled: int = 0
    discarded: int = 0
    failure: int = 0
    snoozed: int = 0
    success: int = 0


async def drain_queue(
    pool: ArqRedis,
    functions: Any,
    *,
    queue: str | None = None,
    with_limit: int | None = None,
    with_recursion: bool = False,
    with_safety: bool = True,
    with_scheduled: bool | datetime = False,
    ctx: dict[Any, Any] | None = None,
) -> DrainCounts:
    """Run the jobs that are available in a queue now, one after the other, and count what became of them.

    Each is claimed and acknowledged as by a worker, with the hooks of the settings. No job is run twice in
    one pass, and one that is enqueued meanwhile is left for the next.

    Args:
        pool: where the queue is.
        functions: what can be run: functions, one function, or worker settings.
        queue: the queue; else that of the settings, else the one that all of the functions belong to, else
            the pool's default. What waits elsewhere for one of the tasks is told by the log then.
        with_limit: how many jobs a pass runs at most; None all.
        with_recursion: whether to make passes until one finds nothing to do. With `with_scheduled` it runs
            retryable and snoozed jobs again, too: one that always snoozes never lets it end.
        with_safety: whether what a job raises stays with it; False raises it here when that is stored.
        with_scheduled: True runs scheduled and retryable jobs as well, whenever they are due; a datetime
            those that are due then or before. Nobody waits.
        ctx: what jobs and hooks get; then `on_startup` and `on_shutdown` are not called.

    Raises:
        ConfigurationError: an option cannot work.
    """
    if with_limit is not None:
        checks.count("with_limit", with_limit, 1)
    checks.instance("with_recursion", with_recursion, bool, "True or False")
    checks.instance("with_safety", with_safety, bool, "True or False")
    until_ms = _until(with_scheduled)
    options = options_of(functions, queue_of(pool, functions, queue))
    drain = _Drain(pool, options, {} if ctx is None else ctx, with_safety=with_safety)
    await drain.open()
    try:
        if ctx is None:
            await drain.start_up()
        while await drain.one_pass(with_limit, until_ms) and with_recursion:
            pass
    finally:
        await drain.close()
    if queue is None:
        await _tell_of_others(pool, options, counts_waiting=until_ms is not None)
    return DrainCounts(**drain.counts)


class _Drain:
    """One session that runs a queue's jobs one by one."""

    def __init__(
        self, pool: ArqRedis, options: WorkerOptions, ctx: dict[Any, Any], *, with_safety: bool
    ) -> None:
        self.counts: dict[str, int] = {}
        self._pool = pool
        self._options = options
        self._ctx = ctx
        self._ctx["redis"] = pool
        self._with_safety = with_safety
        self._session = f"testing:{os.getpid()}:{secrets.token_hex(8)}"
        self._has_started = False
        self._at_hand: dict[str, Run] = {}
        self._engine = RedisEngine(pool, options.queue, timeout=PATIENCE_S)
        self._notes = NoteKeeper(self._engine)
        codec = Codec(
            options.job_serializer or pool.job_serializer, options.job_deserializer or pool.job_deserializer
        )
        self._bench = Bench(options, ctx, codec, store=self._store, conclude=self._notes.conclude)

    async def open(self) -> None:
        """Begin a session."""
        await self._engine.open(self._session, _LEASE_MS)
        self._notes.opened(self._session)
        await self._notes.start()

    async def start_up(self) -> None:
        """Begin as a worker does; its end is that of a worker, too, then."""
        if self._options.on_startup is not None:
            await self._options.on_startup(self._ctx)
        self._has_started = True

    async def close(self) -> None:
        """End the session; what it has not run is as it was."""
        try:
            await self._bench.close()
            await self._notes.stop()
            await self._engine.leave(self._session)
            await self._engine.close()
        finally:
            if self._has_started and self._options.on_shutdown is not None:
                await self._options.on_shutdown(self._ctx)

    async def one_pass(self, limit: int | None, until_ms: int | str | None) -> bool:
        """Run what is available now, each job once; tells whether there was anything."""
        if until_ms is not None:
            await self._stage(until_ms)
        keys = self._engine.keys
        # A turn stages what is due, so that it counts as available.
        await self._engine.turn(self._session, 0, {}, [])
        waiting = set(await self._pool.zrange(keys.ready, 0, -1))
        aside: list[Returned] = []
        done = 0
        try:
            while waiting and (limit is None or done < limit):
                turn = await self._engine.turn(self._session, 1, {}, [])
                if not turn.job_ids:
                    break
                [raw_id] = turn.job_ids
                job = self._read(turn)
                if raw_id not in waiting and not isinstance(job, Returned | None):
                    aside.append(_as_it_was(job))
                    continue
                waiting.discard(raw_id)
                done += await self._deal_with(job)
        finally:
            await self._give_back(aside)
        return done > 0

    async def _give_back(self, jobs: list[Returned]) -> None:
        """Put jobs back as they were; those that somebody asked to cancel meanwhile are cancelled there."""
        turn = await self._engine.turn(self._session, 0, {}, jobs)
        await self._call_off(turn)

    async def _call_off(self, turn: Turn) -> None:
        recalled = {raw_id.decode(): self._at_hand.get(raw_id.decode()) for raw_id in turn.recalled}
        if recalled:
            await self._bench.call_off(self._engine, self._session, recalled)

    def _read(self, turn: Turn) -> Run | Refused | Returned | None:
        """Read the one job that a turn brought."""
        [raw_id], [record] = turn.job_ids, turn.records
        if record is None:
            return None  # its record was deleted; the session's end drops the rest of it
        job_id = raw_id.decode(errors="backslashreplace")
        memory = turn.memories[0] if turn.memories else None
        past = dict(turn.errors).get(raw_id, ())
        job = self._bench.read(job_id, record, memory, turn.now_ms, self._session, past)
        if not isinstance(job, Returned):
            self._at_hand[job_id] = run_of(job)
        return job

    async def _deal_with(self, job: Run | Refused | Returned | None) -> int:
        """Run a claimed job; 1 when that counts. One of an unknown function goes back for others."""
        if job is None:
            return 0
        if isinstance(job, Returned):
            await self._give_back([job])
            return 0
        seen = await self._bench.run(job)
        kind = kind_of(seen)
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if not self._with_safety and (error := error_of(seen)) is not None:
            raise error
        return 1

    async def _store(self) -> None:
        batch = self._bench.acker.take()
        if batch:
            failures = tuple(batch.failures.values())
            turn = await self._engine.turn(self._session, 0, batch.ended, batch.returned, failures=failures)
            await self._call_off(turn)
            for job_id in batch.job_ids():
                self._at_hand.pop(job_id, None)

    async def _stage(self, until_ms: int | str) -> None:
        script, keys = load("stage", PACKAGE), self._engine.keys
        names = {name: getattr(keys, name) for name in script.contract.keys}
        call = script.arguments(names, {"until_ms": until_ms})
        await call_on_pool(self._engine.client, script, call, PATIENCE_S)


def kind_of(seen: Seen) -> str:
    """Tell which count of `DrainCounts` a job belongs to."""
    if seen.error is not None:
        return "discarded"
    match seen.verdict:
        case End(JobState.COMPLETED, _):
            return "success"
        case End(JobState.CANCELLED, _):
            return "cancelled"
        case Again(counts=counts):
            return "failure" if counts else "snoozed"
        case _:
            return "discarded"


def _as_it_was(job: Run | Refused) -> Returned:
    run = run_of(job)
    return Returned(run.job_id, "ready", run.score_ms, "")


def _until(with_scheduled: bool | datetime) -> int | str | None:
    if isinstance(with_scheduled, bool):
        return "" if with_scheduled else None
    return checks.moment_ms("with_scheduled", with_scheduled)


def queue_of(pool: ArqRedis, given: Any, queue: str | None) -> str:
    """Tell which queue is meant: the one named, else that of the settings or of all the functions, else the
    pool's default.
    """
    if queue is None:
        return _own_queue(given) or pool.default_queue_name
    checks.instance("queue", queue, str, "a text")
    if not queue:
        raise ConfigurationError("queue must be the name of one, got ''")
    return queue


def _own_queue(given: Any) -> str | None:
    """Tell which queue settings name, or all of some functions belong to; None for the pool's default."""
    if is_function(given):
        given = [given]
    if not isinstance(given, list | tuple | set | frozenset):
        queue = get_kwargs(given).get("queue_name")
        if queue is not None:
            checks.instance("queue_name", queue, str, "a text")
        return queue
    functions: list[Function[..., Any]] = [func(one) for one in given]
    queues = {one.queue if isinstance(one, Task) else None for one in functions}
    return queues.pop() if len(queues) == 1 else None


async def _tell_of_others(pool: ArqRedis, options: WorkerOptions, *, counts_waiting: bool) -> None:
    """Tell of jobs that wait in other queues, where they belong."""
    elsewhere: dict[str, list[str]] = {}
    for function in options.table().values():
        if isinstance(function, Task) and function.queue not in (None, options.queue):
            elsewhere.setdefault(function.queue, []).append(function.name)
    for queue, names in elsewhere.items():
        engine = RedisEngine(pool, queue, timeout=PATIENCE_S)
        try:
            depth = await engine.depth()
        finally:
            await engine.close()
        waiting = depth.available + (depth.waiting if counts_waiting else 0)
        if waiting:
            logger.warning(
                "drain_queue ran the jobs of queue %s; %d wait in queue %s, where %s belongs: say queue=%r",
                options.queue, waiting, queue, ", ".join(sorted(names)), queue,
            )  # fmt: skip
