"""How queues are now, and who works for them: asked all at once, each for itself."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from ..inspector import Inspector
from ..model.queues import QueueInfo, SessionInfo
from .asking import redis_away
from .links import Links, Silence
from .minutes import ended_by_queue, minutes_until
from .places import Place
from .views import QueueState, WorkerInfo, WorkerList


async def queue_states(links: Links) -> list[QueueState]:
    """All queues, by key, with what ended in the last hour."""
    states, ended = await asyncio.gather(live_states(links), ended_by_queue(links, minutes_until(_now())))
    return [_with_past(state, ended.get(state.key, ())) for state in states]


async def queue_state(links: Links, key: str) -> QueueState:
    """One queue, with what ended in the last hour.

    Raises:
        ConfigurationError: there is none of this key.
    """
    place = links.place(key)
    alone = links.only([place])
    state, ended = await asyncio.gather(
        live_state(links, place), ended_by_queue(alone, minutes_until(_now()))
    )
    return _with_past(state, ended.get(key, ()))


async def workers(links: Links) -> WorkerList:
    """The workers of all queues, by node and session, and which queues do not tell of theirs."""
    states = await live_states(links)
    found = [worker for state in states for worker in state.workers]
    return WorkerList(
        sorted(found, key=lambda worker: (worker.node, worker.session, worker.queue)),
        [redis_away(state.key, state.server, state.error) for state in states if state.error],
    )


async def live_states(links: Links) -> list[QueueState]:
    """All queues by key, as Redis knows them."""
    found = await asyncio.gather(*(live_state(links, place) for place in links.places))
    return sorted(found, key=lambda state: state.key)


async def live_state(links: Links, place: Place) -> QueueState:
    """A queue as Redis knows it; one that does not answer tells why in its `error`."""
    told = await links.ask(place, lambda inspector: look(place, inspector))
    return silent(place, told) if isinstance(told, Silence) else told


def silent(place: Place, silence: Silence) -> QueueState:
    """A queue that did not answer."""
    return replace(unknown(place), error=silence.why)


async def look(place: Place, inspector: Inspector) -> QueueState:
    """Ask a queue's Redis how it is.

    Raises:
        RedisError, OSError: it does not answer.
    """
    info = await inspector.check_queue(place.queue)
    if info is None:
        return unknown(place)
    depth = await inspector.depth(place.queue)
    retryable, is_exact = await inspector.estimate_retryable(place.queue)
    leader = await inspector.leader(place.queue)
    retryable = min(retryable, depth.waiting)
    found = _workers(place, info, leader)
    return QueueState(
        key=place.key,
        name=place.queue,
        server=place.server,
        is_paused=info.paused,
        available=depth.available,
        scheduled=depth.waiting - retryable,
        retryable=retryable,
        suspended=depth.suspended,
        executing=depth.executing,
        oldest=depth.oldest if depth.available else None,
        limit=info.limit,
        slots=info.slots,
        global_limit=info.global_limit,
        rate_limit=info.rate_limit,
        rate_used=info.rate_used,
        node_limits=info.node_limits,
        node_pauses=info.node_pauses,
        workers=found,
        has_ledger=place.ledger is not None,
        retryable_is_exact=is_exact,
    )


def unknown(place: Place) -> QueueState:
    """A queue of which nothing is known yet."""
    return QueueState(
        key=place.key, name=place.queue, server=place.server, has_ledger=place.ledger is not None
    )


def _with_past(state: QueueState, ended: Sequence[int] | Silence) -> QueueState:
    """A queue with what ended in the last hour, or why that is not known."""
    if isinstance(ended, Silence):
        return replace(state, ledger_error=ended.why)
    return replace(state, ended=ended)


def _workers(place: Place, info: QueueInfo, leader: str | None) -> Sequence[WorkerInfo]:
    """Those that hold their lease; what others had waits for a rescue."""
    return [_worker(place.key, session, leader) for session in info.sessions if session.is_alive]


def _worker(key: str, session: SessionInfo, leader: str | None) -> WorkerInfo:
    return WorkerInfo(
        queue=key,
        session=session.session,
        node=session.node,
        pid=session.pid,
        version=session.version,
        limit=session.limit,
        running=session.running,
        started_at=session.started_at,
        is_paused=session.paused,
        leads=session.session == leader,
        memory=session.memory,
        loop_lag=session.loop_lag,
        functions=session.functions,
        function_count=session.function_count,
        not_aborted=session.not_aborted,
    )


def _now() -> datetime:
    return datetime.now(UTC)
