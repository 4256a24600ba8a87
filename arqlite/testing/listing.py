"""The jobs of a queue that wait, as they are at one moment."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..client import ArqRedis
from ..engine import Keys
from ..engine.link import call_on_pool
from ..engine.scripts import load
from ..engine.shards import client_of
from ..errors import DeserializationError
from ..model import memory as memories
from ..model.codec import Codec, blob_of
from ..model.memory import Memory
from ..model.records import JobView
from ..model.states import JobState
from ..utils import ms_to_datetime

PACKAGE = "arqlite.testing"
PATIENCE_S = 10.0
_STATES = {b"a": JobState.AVAILABLE, b"s": JobState.SCHEDULED, b"u": JobState.SUSPENDED}


class Listed(NamedTuple):
    """What waits in a queue.

    Attributes:
        now_ms: the server's clock.
        jobs: the newest first.
    """

    now_ms: int
    jobs: list[JobView]


def keys_of(pool: ArqRedis, queue: str) -> Keys:
    """Name the keys of a queue in the pool's database."""
    return Keys(queue, pool.connection_pool.connection_kwargs.get("db") or 0)


async def queues_of(pool: ArqRedis) -> list[str]:
    """Name every queue of the pool's database that has known jobs."""
    found = [key async for key in pool.scan_iter(match=Keys.all_queues_pattern(), count=1000)]
    return sorted(Keys.queue_of(key.decode(errors="backslashreplace")) for key in found)


async def enqueued_jobs(pool: ArqRedis, queue: str) -> Listed:
    """List the jobs of a queue that are available, scheduled or suspended."""
    keys, script = keys_of(pool, queue), load("enqueued", PACKAGE)
    names = {name: getattr(keys, name) for name in script.contract.keys}
    call = script.arguments(names, {"base": keys.base})
    now_ms, *facts = await call_on_pool(client_of(pool, queue), script, call, PATIENCE_S)
    codec = Codec(pool.job_serializer, pool.job_deserializer)
    jobs: list[JobView] = []
    for place in range(0, len(facts), 5):
        job_id, letter, due_ms, record, memory = facts[place : place + 5]
        past = memories.decode(memory)
        if letter == b"s" and past.is_retryable:
            continue
        try:
            envelope = codec.decode_job(blob_of(record))
        except DeserializationError:  # of another serializer: no test can mean it
            envelope = {"f": "<unknown>", "et": 0}
        due = int(due_ms) if int(due_ms) >= 0 else int(past.due_ms or envelope.get("at") or envelope["et"])
        shown_id = job_id.decode(errors="backslashreplace")
        jobs.append(view_of(shown_id, queue, envelope, past, _STATES[letter], due))
    return Listed(int(now_ms), sorted(jobs, key=lambda job: (job.inserted_at, job.id), reverse=True))


def view_of(
    job_id: str,
    queue: str,
    envelope: dict[str, Any],
    past: Memory,
    state: JobState,
    due_ms: int,
    *,
    attempt: int | None = None,
) -> JobView:
    """Show a job that has not ended."""
    meta = envelope.get("m") or {}
    return JobView(
        id=job_id,
        queue=queue,
        state=state,
        function=envelope["f"],
        args=tuple(envelope.get("a") or ()),
        kwargs=envelope.get("k") or {},
        tags=tuple(envelope.get("g") or ()),
        meta={**meta, "snoozed": past.snoozes} if past.snoozes else meta,
        priority=envelope.get("p") or 0,
        attempt=(envelope.get("t") or 1) - 1 + past.tries if attempt is None else attempt,
        max_attempts=envelope.get("ma") or envelope.get("tm"),
        snoozes=past.snoozes,
        crashes=past.crashes,
        errors=(),
        inserted_at=ms_to_datetime(envelope["et"]),
        scheduled_at=ms_to_datetime(due_ms),
        attempted_at=None,
        finished_at=None,
        worker=None,
        result=None,
    )
