"""Steer whole queues while they run: pause, resume, scale, drain, stop."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from typing import Any, Final

from ..engine import IDLE, Change, Keys, Listener, Survey
from ..errors import ConfigurationError
from ..model import checks, limits
from ..model.limits import NO_LIMIT, GlobalLimit, RateLimit
from ..model.queues import QueueInfo, Settlement
from ..model.slips import arguments_in_words
from ..telemetry import Event, QueuePaused, QueueResumed, QueueScaled, QueueStopped, execute
from ..typing import SecondsTimedelta
from .base import Looking

# A message that tells of the last job's end may be lost: then this is how long it takes to notice.
_LOOK_S = 1.0


class _Unchanged:
    def __repr__(self) -> str:
        return "UNCHANGED"


UNCHANGED: Final = _Unchanged()


class QueueControl(Looking):
    """What is done to queues.

    All of it may be said of a queue that nobody has used yet. It lasts until the contrary is said, whoever
    restarts meanwhile. `node` restricts it to the workers of one node: the host's name, or what their
    settings call `node`.
    """

    async def pause_queue(self, queue: str, *, node: str | None = None) -> None:
        """Have no worker claim jobs of a queue any more. Running jobs finish, new ones are kept.

        Args:
            queue: the queue's name.
            node: only there; None is everywhere, also on nodes that were resumed by name.

        Raises:
            ConfigurationError: the queue or the node has no name.
        """
        if node is None:
            changes = [Change("clear", "paused@"), Change("set", "paused", 1)]
        else:
            changes = [Change("set", _at("paused", node), 1)]
        await self._steer(queue, changes, QueuePaused(queue, node or "", self.by))

    async def resume_queue(self, queue: str, *, node: str | None = None) -> None:
        """Let workers claim jobs again, also those that started paused.

        Args:
            queue: the queue's name.
            node: only there; None is everywhere, also on nodes that were paused by name.

        Raises:
            ConfigurationError: the queue or the node has no name.
        """
        if node is None:
            changes = [Change("clear", "paused"), Change("more", "resumes")]
        else:
            changes = [Change("set", _at("paused", node), 0), Change("more", _at("resumes", node))]
        await self._steer(queue, changes, QueueResumed(queue, node or "", self.by))

    async def pause_all_queues(self, *, node: str | None = None) -> list[str]:
        """Pause all queues of the database, see `pause_queue`. Returns their names."""
        names = await self._queue_names()
        for name in names:
            await self.pause_queue(name, node=node)
        return names

    async def resume_all_queues(self, *, node: str | None = None) -> list[str]:
        """Resume all queues of the database, see `resume_queue`. Returns their names."""
        names = await self._queue_names()
        for name in names:
            await self.resume_queue(name, node=node)
        return names

    @arguments_in_words({"max_jobs": "limit", "rate": "rate_limit"})
    async def scale_queue(
        self,
        queue: str,
        *,
        limit: int | None | _Unchanged = UNCHANGED,
        global_limit: float | GlobalLimit | None | _Unchanged = UNCHANGED,
        rate_limit: tuple[int, SecondsTimedelta] | RateLimit | float | None | _Unchanged = UNCHANGED,
        node: str | None = None,
        concurrency: int | None | _Unchanged = UNCHANGED,
    ) -> None:
        """Change how many jobs of a queue may run. More start at once; where there are too many, they finish.

        What is set here goes before what the settings of workers say, for workers of now and later, until
        None gives it back to them. Infinity is no limit at all, whatever the settings say.

        Args:
            queue: the queue's name.
            limit: how many jobs each worker runs at once, at least 1; None: as many as its `max_jobs` says.
            global_limit: how many jobs run at once over all workers; None: as their settings say.
            rate_limit: how many jobs start in which time over all workers; None: as their settings say.
            node: set `limit` only there; None is everywhere, also on nodes that have one of their own.
            concurrency: another word for `limit`.

        Raises:
            ConfigurationError: nothing is to be changed, a value cannot work, two limits are partitioned by
                different fields, or a limit of all workers is asked for one node.
        """
        limit = _one_of(limit, concurrency)
        changes = [
            *_limit_changes(limit, node),
            *_changes("global", global_limit, limits.global_limit, node),
            *_changes("rate", rate_limit, limits.rate_limit, node),
        ]
        if not changes:
            raise ConfigurationError("scale_queue needs a limit, a global_limit or a rate_limit")
        if isinstance(global_limit, GlobalLimit) and isinstance(rate_limit, RateLimit):
            limits.must_agree(global_limit, rate_limit)
        given = {"limit": limit, "global_limit": global_limit, "rate_limit": rate_limit}
        said = {name: value for name, value in given.items() if value is not UNCHANGED}
        await self._steer(queue, changes, QueueScaled(queue, said, node or "", self.by))

    async def stop_queue(self, queue: str, *, node: str | None = None) -> None:
        """Have the workers of a queue end as after SIGTERM: running jobs get their `job_completion_wait`.

        Those that start later work; those that cannot be reached now end when they can. Other queues of the
        same process go on.

        Args:
            queue: the queue's name.
            node: only there; None is everywhere.

        Raises:
            ConfigurationError: the queue or the node has no name.
        """
        change = Change("now", "stop" if node is None else _at("stop", node))
        await self._steer(queue, [change], QueueStopped(queue, node or "", self.by))

    async def drain_queue(self, queue: str, *, timeout: SecondsTimedelta | None = None) -> list[str]:
        """Pause a queue and wait until nothing of it runs. It stays paused.

        Args:
            queue: the queue's name.
            timeout: seconds or timedelta to wait at most; None is as long as it takes.

        Returns:
            The ids of the jobs that run still; none unless time was up.

        Raises:
            ConfigurationError: the queue has no name, or the timeout cannot work.
        """
        patience = None if timeout is None else checks.seconds("timeout", timeout, 0)
        engine = self._engine(_name(queue))
        ended = asyncio.Event()
        listener = Listener(self.pool)
        try:
            await listener.follow(
                engine.keys.queue_channel, lambda message: ended.set() if message == IDLE else None
            )
            await self.pause_queue(queue)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    while await self._running(queue):
                        await _within(ended, _LOOK_S)
            return await self._running(queue)
        finally:
            await listener.close()

    async def check_queue(self, queue: str) -> QueueInfo | None:
        """Tell all about a queue: what was settled for it, who works for it, and on what.

        Returns:
            None if nobody has ever used the queue.

        Raises:
            ConfigurationError: the queue has no name.
        """
        survey = await self._engine(_name(queue)).survey()
        return None if survey is None else _info(queue, survey)

    async def check_all_queues(self) -> list[QueueInfo]:
        """Tell all about all queues of the database, by name."""
        found = [await self.check_queue(name) for name in await self._queue_names()]
        return [info for info in found if info is not None]

    async def due_within(self, queue: str, span: SecondsTimedelta) -> int:
        """Count the jobs of a queue that wait for their time and become due within the next seconds.

        Args:
            queue: the queue's name.
            span: seconds or a timedelta.

        Raises:
            ConfigurationError: the queue has no name, or the span cannot be.
        """
        ahead = checks.seconds("span", span, 0)
        return await self._engine(_name(queue)).due_within(round(ahead * 1000))

    async def ledger_lag(self, queue: str) -> timedelta:
        """Tell how far the rows of a queue are behind what its workers know; asks Redis, and not the ledger.

        Workers tell each second what is more than a second. Without a ledger, or a worker, it is none.

        Raises:
            ConfigurationError: the queue has no name.
        """
        return timedelta(milliseconds=(await self._engine(_name(queue)).watch()).lag_ms)

    async def _running(self, queue: str) -> list[str]:
        info = await self.check_queue(queue)
        return [] if info is None else info.running

    async def _steer(self, queue: str, changes: list[Change], event: Event) -> None:
        await self._engine(_name(queue)).steer(changes)
        if self.pool.ledger is not None:
            self.pool.outbox.tell_by_hand(event)
        execute(event)

    async def _queue_names(self) -> list[str]:
        found = self.pool.scan_iter(match=Keys.marks_pattern(), count=1000)
        return sorted(Keys.queues_in([key.decode() async for key in found]))


def _name(queue: Any) -> str:
    if not isinstance(queue, str) or not queue:
        raise ConfigurationError(f"the name of a queue must be a text that is not empty, got {queue!r}")
    return queue


def _at(field: str, node: str) -> str:
    return f"{field}@{limits.node(node)}"


def _one_of(limit: Any, concurrency: Any) -> Any:
    if limit is UNCHANGED or concurrency is UNCHANGED:
        return concurrency if limit is UNCHANGED else limit
    raise ConfigurationError("limit and concurrency are the same: give one of them")


def _limit_changes(limit: Any, node: str | None) -> list[Change]:
    if limit is UNCHANGED:
        return []
    if limit is not None:
        if limit == 0 and isinstance(limit, int):
            raise ConfigurationError(
                f"limit must be a whole number of at least 1, got {limit!r}; to run none, say pause_queue"
            )
        checks.count("limit", limit, 1)
    field = "limit" if node is None else _at("limit", node)
    change = Change("del", field) if limit is None else Change("set", field, limit)
    return [change] if node is not None else [Change("clear", "limit@"), change]


def _changes(name: str, value: Any, take: Any, node: str | None) -> list[Change]:
    """Make changes of a limit of all workers."""
    if value is UNCHANGED:
        return []
    if node is not None:
        raise ConfigurationError(f"{name}_limit holds for all nodes together: leave out node={node!r}")
    field = f"{name}.set"
    if value is None:
        return [Change("del", field)]
    if isinstance(value, float) and value == float("inf"):
        return [Change("set", field, NO_LIMIT)]
    return [Change("set", field, take(value).encode())]


def _info(queue: str, survey: Survey) -> QueueInfo:
    settled = Settlement(survey.settled)
    sessions = [
        settled.session(
            one.session, one.about, one.running, one.vitals, is_alive=one.deadline_ms > survey.now_ms
        )
        for one in survey.sessions
    ]
    return QueueInfo(
        queue=queue,
        paused=settled.paused,
        limit=settled.limit,
        global_limit=settled.global_limit,
        rate_limit=settled.rate_limit,
        rate_used=survey.rate_used if survey.rate_used >= 0 else None,
        waiting=survey.waiting,
        scheduled=survey.scheduled,
        sessions=sorted(sessions, key=lambda session: (session.node, session.session)),
        node_limits={node: int(text) for node, text in settled.per_node("limit").items()},
        node_pauses={node: text == "1" for node, text in settled.per_node("paused").items()},
    )


async def _within(event: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    event.clear()
