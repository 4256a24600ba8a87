"""What the tests of the inspector share: jobs in every state."""

from __future__ import annotations

from typing import Any

from arqlite import ArqRedis, Inspector, JobState
from arqlite.engine import Ended, RedisEngine
from arqlite.engine import Returned as GivenBack
from arqlite.model.codec import Codec, blob_of

HOUR = 3_600_000
AWAITS_A_TRY = "1:0:0:0:0:0:1"
ENDS = {"completed": JobState.COMPLETED, "discarded": JobState.DISCARDED, "cancelled": JobState.CANCELLED}


class Fault(Exception):
    """What toy jobs fail with."""


async def enqueue(pool: ArqRedis, job_id: str, *args: Any, **options: Any) -> None:
    await pool.options(job_id=job_id, **options).enqueue("toy", *args)


async def enqueue_everywhere(pool: ArqRedis, queue: str = "arq:queue", **options: Any) -> RedisEngine:
    """Put one job into each state; its id is the state's name. The session `s` runs `executing`."""
    engine = RedisEngine(pool, queue)
    await engine.open("s", HOUR)
    for job_id in ("executing", "retryable", *ENDS):
        await enqueue(pool, job_id, queue=queue, **options)
    turn = await engine.turn("s", 10, {}, ())
    records = {i.decode(): text for i, text in zip(turn.job_ids, turn.records, strict=True) if text}
    ends = {}
    for order, (job_id, state) in enumerate(ENDS.items()):
        value: Any = "fine" if state is JobState.COMPLETED else Fault("broken")
        body = Codec().encode_end(
            state, value, 3, 1_700_000_000_000, 1_700_000_001_000, blob_of(records[job_id])
        )
        ends[HOUR + order] = Ended([job_id], [body])
    await engine.turn("s", 0, ends, [GivenBack("retryable", "scheduled", HOUR, AWAITS_A_TRY)])
    await engine.close()
    await enqueue(pool, "available", queue=queue, **options)
    await enqueue(pool, "scheduled", queue=queue, delay=3600, **options)
    await enqueue(pool, "suspended", queue=queue, delay=3600, **options)
    await pool.zrem(engine.keys.sched, "suspended")
    await pool.zadd(engine.keys.susp, {"suspended": 1})
    return engine


async def states_of(inspector: Inspector) -> dict[str, str]:
    """Tell the state of each job by its id."""
    return {job.id: str(job.state) for job in await inspector.jobs()}
