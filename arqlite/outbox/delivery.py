"""Jobs on their way to Redis after their rows were committed; what fails here, the relay does."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias, TypeVar

from ..engine import EnqueueBatch, Holder, RedisEngine
from ..errors import DeserializationError
from ..ledger import Ledger
from ..model.codec import Codec, blob_behind_end, blob_of
from ..model.states import JobState
from ..telemetry import JobEnqueued, execute, has_handlers
from ..utils import timestamp_ms
from .marking import Marks
from .parcels import Errand, Parcel

logger = logging.getLogger("arqlite.outbox")

PATIENCE_S = 1.0
"""How long a commit waits for the push of its jobs; it goes on afterwards."""

# How long the end of a job that was cancelled before it started is kept.
_CANCELLED_KEEP_MS = 3_600_000

T = TypeVar("T")

Answer: TypeAlias = Holder | Exception | None
"""Who is there instead of a job, or why that is not known; None is that it is in its queue."""


class Delivery:
    """Pushes jobs, and tells their rows.

    Args:
        ledger: whose jobs.
        queue: hands out the place where jobs for a queue are gathered.
        codec: how they are written.
    """

    def __init__(
        self, ledger: Ledger, queue: Callable[[str], EnqueueBatch], codec: Callable[[], Codec]
    ) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self.marks = Marks(ledger, self._cancel)
        self._queue = queue
        self._codec = codec
        self._is_failing = False
        self._tasks: set[asyncio.Task[Any]] = set()
        self._under_way: dict[tuple[str, str], asyncio.Task[Any]] = {}

    async def deliver(self, parcels: Sequence[Parcel | Errand]) -> None:
        """See `staging.Courier`. A caller that is cancelled meanwhile leaves it going on."""
        await asyncio.wait([self._begin(parcels)], timeout=PATIENCE_S)

    def deliver_soon(self, parcels: Sequence[Parcel | Errand]) -> None:
        """See `staging.Courier`."""
        self._begin(parcels)

    def under_way(self, queue: str, job_id: str) -> asyncio.Task[Any] | None:
        """Tell what pushes a job at this moment."""
        return self._under_way.get((queue, job_id))

    async def push(self, parcels: Sequence[Parcel]) -> list[Answer]:
        """Push jobs, one together with whoever pushes in the same turn of the loop."""
        if len(parcels) == 1:
            answers = [await self._push_one(parcels[0])]
        else:
            answers = await self._push_many(parcels)
        self._tell_of_failures(answers)
        taken = [parcel for parcel, answer in zip(parcels, answers, strict=True) if answer is None]
        self.marks.pushed(taken)
        if has_handlers(JobEnqueued):
            for parcel in taken:
                execute(JobEnqueued(parcel.queue, parcel.job.job_id, parcel.function))
        return answers

    def push_soon(self, parcels: Sequence[Parcel]) -> asyncio.Task[list[Answer]]:
        """Begin to push jobs; whoever began may leave."""
        return self._started(self.push(parcels), parcels)

    async def aclose(self, patience_s: float) -> None:
        """Finish what was begun, as far as it takes no longer than this."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=patience_s)
        await self.marks.flush(patience_s)

    def _begin(self, parcels: Sequence[Parcel | Errand]) -> asyncio.Task[None]:
        return self._started(self._deliver(parcels), [one for one in parcels if isinstance(one, Parcel)])

    def _started(self, work: Coroutine[Any, Any, T], parcels: Sequence[Parcel]) -> asyncio.Task[T]:
        task = asyncio.get_running_loop().create_task(work, name="arqlite:delivery")
        keys = [(one.queue, one.job.job_id) for one in parcels]
        self._tasks.add(task)
        self._under_way.update(dict.fromkeys(keys, task))

        def landed(task: asyncio.Task[T]) -> None:
            self._tasks.discard(task)
            for key in keys:
                self._under_way.pop(key, None)

        task.add_done_callback(landed)
        return task

    async def _deliver(self, parcels: Sequence[Parcel | Errand]) -> None:
        jobs = [one for one in parcels if isinstance(one, Parcel)]
        answers = await self.push(jobs)
        for parcel, answer in zip(jobs, answers, strict=True):
            if isinstance(answer, Holder):
                await self._refused(parcel, answer)
        for errand in parcels:
            if isinstance(errand, Errand):
                await _run(errand)

    def _tell_of_failures(self, answers: Sequence[Answer]) -> None:
        """Say once for each outage that jobs wait for the relay: while it lasts, each commit meets it."""
        failures = [answer for answer in answers if isinstance(answer, Exception)]
        if failures and not self._is_failing:
            logger.warning(
                "jobs are committed and cannot be pushed now, the relay will do so: %r", failures[0]
            )
        if answers:
            self._is_failing = bool(failures)

    async def _push_one(self, parcel: Parcel) -> Answer:
        try:
            holder = await self._queue(parcel.queue).offer(parcel.job)
        except Exception as error:  # noqa: BLE001 (whatever it is, the job is committed)
            return error
        return await self._judged(parcel, holder)

    async def _push_many(self, parcels: Sequence[Parcel]) -> list[Answer]:
        answers: list[Answer] = [None] * len(parcels)
        places_of: dict[str, list[int]] = {}
        for place, parcel in enumerate(parcels):
            places_of.setdefault(parcel.queue, []).append(place)
        for queue, places in places_of.items():
            jobs = [parcels[place].job for place in places]
            try:
                refused = await self._queue(queue).engine.enqueue(jobs)
            except Exception as error:  # noqa: BLE001 (as above)
                answers = [error if parcel.queue == queue else answers[i] for i, parcel in enumerate(parcels)]
                continue
            for order in refused:
                place = places[order]
                answers[place] = await self._judged(parcels[place], refused.holder(order, jobs[order]))
        return answers

    async def _judged(self, parcel: Parcel, holder: Holder | None) -> Answer:
        if holder is None:
            return None
        try:
            engine = self._queue(parcel.queue).engine
            is_same = await is_same_job(engine, self._codec(), parcel.job.record, holder)
        except Exception as error:  # noqa: BLE001 (as above)
            return error
        return None if is_same else holder

    async def _cancel(self, withdrawn: Sequence[Parcel]) -> None:
        for one in withdrawn:
            records = {one.job.job_id: one.job.record}
            await cancel_all(self._queue(one.queue).engine, self._codec(), records)

    async def _refused(self, parcel: Parcel, holder: Holder) -> None:
        logger.info(
            "job %s was committed and is not enqueued: job %s is there", parcel.job.job_id, holder.job_id
        )
        self.marks.refused(parcel, holder)
        if parcel.refused is not None:
            await _run(Errand(partial(parcel.refused, self._queue(parcel.queue).engine, holder)))


async def cancel_all(engine: RedisEngine, codec: Codec, records: Mapping[str, bytes]) -> None:
    """Cancel jobs that were pushed while somebody cancelled them in their rows.

    Args:
        engine: their queue.
        codec: how they are written.
        records: the jobs by id, as they were pushed: a later job of the same id is left alone.
    """
    now_ms = timestamp_ms()
    for job_id, record in records.items():
        try:
            if not await is_same_job(engine, codec, record, Holder(job_id)):
                continue
        except LookupError:  # it is gone by itself
            continue
        job = {"f": "<unknown>", "a": (), "k": {}, "et": 0, "q": engine.queue, "id": job_id}
        body = codec.encode_end(JobState.CANCELLED, asyncio.CancelledError(), 0, now_ms, now_ms, b"", job)
        await engine.cancel(job_id, body, _CANCELLED_KEEP_MS)


async def is_same_job(engine: RedisEngine, codec: Codec, record: bytes, holder: Holder) -> bool:
    """Tell whether the job that has the id of another one is that very job, changed since by hand."""
    if holder.state:
        return False
    kept = (await engine.peek(holder.job_id)).record
    if not kept:
        raise LookupError(f"job {holder.job_id} was there and is gone")
    blob = blob_behind_end(kept) if kept[:1] == b"R" else blob_of(kept)
    return _identity(codec, blob) == _identity(codec, blob_of(record))


def _identity(codec: Codec, blob: bytes) -> tuple[object, ...]:
    """What an envelope keeps through all changes: its time, and the number of one whose id was chosen."""
    try:
        envelope = codec.decode_job(blob)
    except DeserializationError:
        return (blob,)
    return envelope["et"], envelope.get("n")


async def _run(errand: Errand) -> None:
    try:
        await errand.run()
    except Exception:
        logger.exception("what waits for a commit could not be done")
