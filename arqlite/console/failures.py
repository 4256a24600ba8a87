"""Failures by what they have in common, of ledgers and of what Redis keeps."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic_core import from_json

from ..engine import RedisEngine
from ..errors import ConfigurationError
from ..inspector.found import Found, view_of
from ..model.codec import Codec
from ..model.query import Query, Term
from ..model.states import JobState
from ..model.tracebacks import Frame, fingerprint_of, folded, own_frame
from ..utils import truncate
from .asked import Asked
from .lines import error_of_view
from .links import Links
from .places import Place
from .views import ErrorGroup, ErrorGroups

if TYPE_CHECKING:  # without a ledger there need not be an SQLAlchemy
    from ..ledger import Ledger

MOST_FAILURES = 5_000
"""So many failures are looked at, the newest ones."""

FAILED = Term("state", (str(JobState.DISCARDED), str(JobState.RETRYABLE)))
"""The states of jobs that failed and are not well since."""

_PARTS = 24
_MOST_IDS = 500
_A_DAY = timedelta(days=1)
_AT_ONCE = 500


class Failure(NamedTuple):
    """A job that failed.

    Attributes:
        queue, function, job_id: the key of its queue, what it is, which it is.
        at: when it failed last.
        error_type, message, frame: with what and where.
        is_open: whether it is tried again.
    """

    queue: str
    function: str
    job_id: str
    at: datetime
    error_type: str
    message: str
    frame: Frame | None
    is_open: bool


class Failures(NamedTuple):
    """Failures, and whether these were all."""

    failures: Sequence[Failure]
    are_all: bool


async def error_groups(
    links: Links, *, since: datetime | None = None, queue: str | None = None, most: int | None = None
) -> ErrorGroups:
    """Failures in groups; see `Console.errors`.

    Args:
        links: lead to the queues.
        since: since when; None is the last 24 hours.
        queue: the key of a queue; None is all.
        most: how many failures are looked at, of each ledger and each queue without one; `MOST_FAILURES` if
            None.
    """
    now = datetime.now(UTC)
    begin = now - _A_DAY if since is None else since
    if begin.tzinfo is None:
        raise ConfigurationError(f"since must be a datetime with a time zone, got {since!r}")
    words = [] if queue is None else [Term("queue", (links.place(queue).key,))]
    asked = await Asked.of(links, Query((*words, FAILED)), None)
    failures, are_all = await failures_of(asked, begin, most)
    return ErrorGroups(grouped(failures, begin, now), len(failures), are_all, tuple(asked.asking.troubles))


async def failures_of(asked: Asked, since: datetime, most: int | None = None) -> Failures:
    """The failures of the queues that are asked for `FAILED`, since a time; `most` as for `error_groups`."""
    most = MOST_FAILURES if most is None else most
    ledgers = asked.ledgers()
    with_rows = {place.key for _, _, places in ledgers for place in places}
    found = await asyncio.gather(
        *(_of_ledger(asked, ledger, places, since, most) for _, ledger, places in ledgers),
        *(_of_redis(asked, place, since, most) for place in asked.places if place.key not in with_rows),
    )
    failures = [one for source in found for one in source.failures]
    return Failures(failures, all(source.are_all for source in found))


def fingerprint(one: Failure) -> str:
    """What a failure has in common with those of its group."""
    return fingerprint_of(one.queue, one.function, one.error_type, one.frame, one.message)


def grouped(failures: Iterable[Failure], since: datetime, until: datetime) -> list[ErrorGroup]:
    """Failures by what they have in common, the most frequent first."""
    groups: dict[str, list[Failure]] = {}
    for one in failures:
        groups.setdefault(fingerprint(one), []).append(one)
    made = [_group(key, members, since, until) for key, members in groups.items()]
    return sorted(made, key=lambda group: (group.count, group.last_at), reverse=True)


def _group(fingerprint: str, members: list[Failure], since: datetime, until: datetime) -> ErrorGroup:
    members.sort(key=lambda one: one.at, reverse=True)
    newest = members[0]
    part = max((until - since) / _PARTS, timedelta(microseconds=1))
    recent = [0] * _PARTS
    for one in members:
        recent[min(max(int((one.at - since) / part), 0), _PARTS - 1)] += 1
    return ErrorGroup(
        fingerprint=fingerprint,
        queue=newest.queue,
        function=newest.function,
        error_type=newest.error_type,
        message=folded(newest.message),
        place="" if newest.frame is None else newest.frame.place,
        count=len(members),
        first_at=members[-1].at,
        last_at=newest.at,
        recent=recent,
        sample=newest.job_id,
        is_open=any(one.is_open for one in members),
        ids=[one.job_id for one in members[:_MOST_IDS]],
    )


async def _of_ledger(
    asked: Asked, ledger: Ledger, places: Sequence[Place], since: datetime, most: int
) -> Failures:
    keys = {place.queue: place.key for place in places}

    async def ask() -> Sequence[Any]:
        return await ledger.failures(since=since, queues=sorted(keys), most=most)

    rows = await asked.asking.ledger(ledger, places, ask)
    if rows is None:
        found = await asyncio.gather(*(_of_redis(asked, place, since, most) for place in places))
        # What Redis has forgotten is in the rows only.
        return Failures([one for source in found for one in source.failures], are_all=False)
    failures = [_of_row(row, keys[row.queue]) for row in rows[:most]]
    return Failures(failures, len(rows) < most)


def _of_row(row: Any, key: str) -> Failure:
    error_type, message, frame = _read(row.error)
    is_open = row.state is JobState.RETRYABLE
    return Failure(key, row.function, row.id, row.at, error_type, message, frame, is_open)


# The same failure is often there a thousand times, word for word.
@lru_cache(maxsize=512)
def _read(error: str) -> tuple[str, str, Frame | None]:
    """The type, the message and the frame of an error as a row has it, whatever it is."""
    try:
        told = from_json(error)
    except ValueError:
        return "", error, None
    if not isinstance(told, dict):
        return "", str(told), None
    kind, message = str(told.get("type") or ""), str(told.get("message") or "")
    return kind, truncate(message, 2_000), own_frame(str(told.get("traceback") or ""))


async def _of_redis(asked: Asked, place: Place, since: datetime, most: int) -> Failures:
    async def ask() -> Failures:
        pool = await asked.links.pool(place)
        engine, codec = RedisEngine(pool, place.queue), Codec(pool.job_serializer, pool.job_deserializer)
        depth = await engine.depth()
        if (
            not depth.troubled
            and depth.known <= depth.available + depth.waiting + depth.suspended + depth.executing
        ):
            return Failures([], are_all=True)  # nothing has ended, and nothing failed before
        live = await asked.live(place)
        failures: list[Failure] = []
        async for jobs in live.found():
            failures += await _of_jobs(engine, codec, place, jobs, since)
            if len(failures) >= most:
                return Failures(failures[:most], are_all=False)
        return Failures(failures, live.saw_all)

    return await asked.asking.redis(place, ask) or Failures([], are_all=False)


async def _of_jobs(
    engine: RedisEngine, codec: Codec, place: Place, jobs: Sequence[Found], since: datetime
) -> Iterator[Failure]:
    failures: list[Failure] = []
    for start in range(0, len(jobs), _AT_ONCE):
        chunk = jobs[start : start + _AT_ONCE]
        told = await engine.errors_of([one.job_id for one in chunk])
        failures += [
            _of_job(found, codec, place, entries) for found, entries in zip(chunk, told, strict=True)
        ]
    return (one for one in failures if one.at >= since)


def _of_job(found: Found, codec: Codec, place: Place, entries: Sequence[bytes]) -> Failure:
    view = view_of(found, place.queue, codec, entries)
    last = view.errors[-1] if view.errors else None
    error_type, message = error_of_view(view)
    if last is not None:
        error_type, message = last.type, last.message
    at = view.finished_at or (last.at if last is not None else view.inserted_at)
    frame = own_frame(last.traceback) if last is not None else None
    return Failure(
        place.key, view.function, view.id, at, error_type, message, frame, view.state is JobState.RETRYABLE
    )
