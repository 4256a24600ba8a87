"""Everything that is known of one job, live and from its row."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ..engine import RedisEngine
from ..inspector.found import Found, envelope_of, view_of
from ..jobs import Job, LogLine, Progress
from ..model import checks
from ..model.codec import Codec
from ..model.query import Query, Term
from ..model.records import JobView
from ..model.states import STATES_BY_LETTER, JobState
from .asked import Asked
from .histories import attempts_of_row, attempts_of_view, timeline_of
from .lines import error_in_a_line, error_of_view, line_of_row, line_of_view
from .links import Links
from .places import Place
from .redaction import Hider
from .views import JobDetail, JobLine, Source

if TYPE_CHECKING:  # without a ledger there need not be an SQLAlchemy
    from ..ledger import JobHistory

MOST_CHILDREN = 100
# Those of queues that are not looked at are among the rows, and left out afterwards: asked for together with
# their queue, children would be looked for instead of found by their index.
_LOOKS_AT_ROWS = 500
# So many jobs of a queue without a ledger are looked at for those that one enqueued.
_LOOKS_FOR_CHILDREN = 1_000

_WAITS = frozenset({"run", "cancel", "delete"})
_ACTIONS: dict[JobState, frozenset[str]] = {
    JobState.SUSPENDED: _WAITS,
    JobState.SCHEDULED: _WAITS,
    JobState.RETRYABLE: _WAITS,
    JobState.AVAILABLE: frozenset({"cancel", "delete"}),
    JobState.EXECUTING: frozenset({"cancel"}),
    JobState.COMPLETED: frozenset({"retry", "delete"}),
    JobState.DISCARDED: frozenset({"retry", "delete"}),
    JobState.CANCELLED: frozenset({"retry", "delete"}),
}


@dataclass(frozen=True, slots=True)
class Live:
    """A job as its Redis has it.

    Attributes:
        found, view: the job.
        progress, logs: what it told of itself.
        workflow: the workflow that it is a step of, and the name of the step; empty for none.
        unique_key: the digest of what keeps equal jobs out; empty for none.
    """

    found: Found
    view: JobView
    progress: Progress | None
    logs: Sequence[LogLine]
    workflow: tuple[str, str]
    unique_key: str


async def job_detail(
    links: Links, job_id: str, queue: str | None, redact: Iterable[str] | None
) -> JobDetail | None:
    """Everything that is known of a job; see `Console.job`."""
    checks.job_id(job_id)
    terms = [Term("id", (job_id,)), *([] if queue is None else [Term("queue", (links.place(queue).key,))])]
    asked = await Asked.of(links, Query(tuple(terms)), redact)
    for told in await asyncio.gather(*(_told(asked, place, job_id) for place in asked.places)):
        place, live, history = told
        if live is not None or history is not None:
            return await _Detail(asked, place, live, history).made()
    return None


async def _told(asked: Asked, place: Place, job_id: str) -> tuple[Place, Live | None, JobHistory | None]:
    """What the Redis and the ledger of a queue know of a job."""

    async def from_redis() -> Live | None:
        return await _live(asked.links, place, job_id)

    async def from_ledger() -> JobHistory | None:
        return None if place.ledger is None else await place.ledger.job(job_id, queue=place.queue)

    history = None
    if place.ledger is not None:
        live, history = await asyncio.gather(
            asked.asking.redis(place, from_redis), asked.asking.ledger(place.ledger, [place], from_ledger)
        )
    else:
        live = await asked.asking.redis(place, from_redis)
    if live is not None and history is not None and not _are_one(live, history):
        # Ids may be used again: the later job is meant.
        row = history.row
        if live.view.inserted_at > (row.enqueued_at or row.created_at):
            history = None
        else:
            live = None
    return place, live, history


async def _live(links: Links, place: Place, job_id: str) -> Live | None:
    pool = await links.pool(place)
    engine, codec = RedisEngine(pool, place.queue), Codec(pool.job_serializer, pool.job_deserializer)
    [standing] = await engine.standings([job_id], with_records=True)
    if not standing.state:
        return None
    envelope = envelope_of(codec, standing.record)
    found = Found(job_id, STATES_BY_LETTER[standing.state], standing.record, envelope, standing)
    job: Job[Any] = Job(job_id, pool, place.queue)
    [entries], progress, logs, (step, lock) = await asyncio.gather(
        engine.errors_of([job_id]), job.progress(), job.logs(), engine.marks_of(job_id)
    )
    workflow = ("", "")
    if step:
        flow = step.partition(":")[2]
        workflow = (flow, await _step_name(links, place, flow, job_id))
    return Live(found, view_of(found, place.queue, codec, entries), progress, logs, workflow, lock)


async def _step_name(links: Links, place: Place, flow: str, job_id: str) -> str:
    """The name of a step of a workflow; its job's id where the workflow is gone."""
    view = await (await links.inspector(place)).workflow(flow, place.queue)
    steps = [] if view is None else list(view.steps.values())
    steps += [one.compensation for one in steps if one.compensation is not None]
    return next((one.name for one in steps if one.job_id == job_id), job_id)


def _are_one(live: Live, history: JobHistory) -> bool:
    """Whether Redis and the ledger tell of the same job; a row that knows no time may be any."""
    at = history.row.enqueued_at
    return at is None or abs((at - live.view.inserted_at).total_seconds()) < 0.001


class _Detail:
    """Puts together what two sources tell of a job."""

    def __init__(self, asked: Asked, place: Place, live: Live | None, history: JobHistory | None) -> None:
        self._asked = asked
        self._place = place
        self._live = live
        self._row: Any = None if history is None else history.row
        self._history = history
        self._hider = asked.hider

    async def made(self) -> JobDetail:
        line = self._line()
        args, kwargs = self._arguments()
        result, is_error = self._result()
        attempts = self._attempts()
        live = self._live
        return JobDetail(
            line=line,
            args=args,
            kwargs=kwargs,
            meta=self._hider.shown(live.view.meta if live else self._row.meta or {}),
            result=result,
            result_is_error=is_error,
            attempts=attempts,
            timeline=timeline_of(line, attempts),
            progress=_progress_as_json(live.progress) if live and live.progress else None,
            logs=[_log_in_a_line(one) for one in live.logs] if live else (),
            children=await self._children(line.id),
            workflow=live.workflow if live else ("", ""),
            unique_key=self._unique_key(),
            actions=self._actions(line),
            sources=self._sources(),
            is_redacted=self._hider.has_hidden,
        )

    def _sources(self) -> frozenset[Source]:
        sources: set[Source] = set()
        if self._live is not None:
            sources.add("redis")
        if self._history is not None:
            sources.add("ledger")
        return frozenset(sources)

    def _line(self) -> JobLine:
        now = datetime.now(UTC)
        by_row = None if self._row is None else line_of_row(self._row, self._place, self._hider, now)
        if self._live is None:
            if by_row is None:
                raise ValueError("nothing is known of the job")
            return by_row
        line = line_of_view(self._live.view, self._live.found, self._place, self._hider)
        return line if by_row is None else _completed(line, by_row)

    def _arguments(self) -> tuple[list[Any], dict[str, Any]]:
        if self._live is not None:
            view = self._live.view
            return self._hider.arguments_of(self._place, view.function, view.args, view.kwargs)
        row = self._row
        return self._hider.arguments_of(self._place, row.function, row.args or (), row.kwargs or {})

    def _result(self) -> tuple[Any, bool]:
        if self._live is not None and self._live.view.state.is_final:
            view = self._live.view
            if isinstance(view.result, BaseException):
                return error_in_a_line(*error_of_view(view)), True
            return self._hider.shown(view.result), False
        if self._row is None or not self._row.state.is_final:
            return None, False
        error = self._row.error_payload
        if isinstance(error, dict):
            return error_in_a_line(str(error.get("type") or ""), str(error.get("message") or "")), True
        return self._hider.shown(self._row.output_payload), False

    def _attempts(self) -> Sequence[Any]:
        """Those of the ledger, which knows all of them; else what Redis keeps."""
        if self._history is not None and self._history.attempts:
            return [attempts_of_row(one) for one in self._history.attempts]
        return attempts_of_view(self._live.view) if self._live is not None else ()

    async def _children(self, job_id: str) -> Sequence[str]:
        asked = self._asked
        found: dict[str, None] = {}
        for ledger, places in asked.links.ledgers():

            async def ask(ledger: Any = ledger, places: Sequence[Place] = places) -> list[str]:
                seen = {place.queue for place in places}
                rows = (await ledger.jobs(parent=job_id, limit=_LOOKS_AT_ROWS)).items
                return [row.id for row in rows if row.queue in seen]

            found.update(dict.fromkeys(await asked.asking.ledger(ledger, places, ask) or ()))
        if self._place.ledger is None:
            found.update(dict.fromkeys(await asked.asking.redis(self._place, self._live_children) or ()))
        return list(found)[:MOST_CHILDREN]

    async def _live_children(self) -> list[str]:
        query = Query((Term("parent", (self._line().id,)),))
        asked = Asked(self._asked.links, query, [self._place], self._asked.known, Hider())
        found: list[str] = []
        async for jobs in (await asked.live(self._place)).found(_LOOKS_FOR_CHILDREN):
            found += [one.job_id for one in jobs]
        return found

    def _unique_key(self) -> str:
        if self._live is not None:
            return self._live.unique_key
        lock = self._row.lock
        return str(lock[0]) if isinstance(lock, list) and lock else ""

    def _actions(self, line: JobLine) -> frozenset[str]:
        if self._live is not None:
            return _ACTIONS[line.state]
        # Redis has forgotten it, or is away: it can be made again of its row.
        can_be_made = line.state.is_final and self._row.record is not None
        return frozenset({"retry"} if can_be_made else ())


def _completed(line: JobLine, by_row: JobLine) -> JobLine:
    """The line from Redis, with what only the row knows, as far as both tell of the same run."""
    told: dict[str, Any] = {
        name: getattr(by_row, name)
        for name in ("triggered_by", "parent", "worker", "max_attempts", "started_at", "error")
        if not getattr(line, name) and getattr(by_row, name)
    }
    if by_row.state is line.state:
        told["cause"] = by_row.cause
        if line.state.is_final and by_row.due_at is not None:
            told["due_at"] = by_row.due_at  # an end that was made of a row does not tell it
    elif not line.state.is_final:
        told.pop("error", None)
    return dataclasses.replace(line, **told)


def _progress_as_json(progress: Progress) -> dict[str, Any]:
    return {
        "current": progress.current,
        "total": progress.total,
        "message": progress.message,
        "at": progress.at.isoformat(),
    }


def _log_in_a_line(line: LogLine) -> str:
    return f"{line.at:%Y-%m-%d %H:%M:%S} {line.level_name} {line.message}"
