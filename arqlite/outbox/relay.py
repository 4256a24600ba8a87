"""`Relay`: pushes what was committed and is not in Redis, whoever wrote it and whatever became of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from redis.exceptions import RedisError
from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncSession

from ..engine import ENQUEUE_CHUNK, Holder, RedisEngine
from ..ledger import Ledger, store
from ..ledger.outage import is_away, is_conflict, words_of
from ..ledger.store.waiting import Unpushed
from ..model.codec import Codec
from ..service import Ticker
from ..telemetry import JobEnqueued, execute, has_handlers
from ..utils import timestamp_ms
from .delivery import cancel_all, is_same_job
from .parcels import words_of as words_of_holder
from .pushing import push_again

logger = logging.getLogger("arqlite.outbox")

_LONGEST_PAUSE_S = 15.0


class Relay(Ticker):
    """Pushes the committed jobs of one queue that are not known to be in Redis.

    Any number of them may work at the same time: a job is pushed by its id and its very bytes, so that a
    second push changes nothing.

    Args:
        ledger: whose rows.
        engine: the queue.
        codec: how its jobs are written.
        interval: seconds between two looks.
        age: seconds that the process which committed a job has for its push.
        may_push: asked before jobs are pushed; False while somebody still has to write what jobs have ended.
        now_ms: the time, in ms since 1970.
    """

    def __init__(
        self,
        ledger: Ledger,
        engine: RedisEngine,
        codec: Codec,
        *,
        interval: float = 0.5,
        age: float = 1.0,
        may_push: Callable[[], Awaitable[bool]] | None = None,
        now_ms: Callable[[], int] = timestamp_ms,
    ) -> None:
        super().__init__(interval, jitter=0.2)
        self._ledger = ledger
        self._engine = engine
        self._codec = codec
        self._age = timedelta(seconds=age)
        self._may_push = may_push
        self._now_ms = now_ms
        self._failures = 0
        self._hurried = asyncio.Event()

    def hurry(self) -> None:
        """Look again at once."""
        self._hurried.set()

    async def tick(self) -> None:
        """Push all that is old enough."""
        pushed = 0
        try:
            while (count := await self._push_some()) == ENQUEUE_CHUNK:
                pushed += count
            pushed += count
        except Exception as error:
            if not (isinstance(error, RedisError | TimeoutError) or is_away(error) or is_conflict(error)):
                raise
            self._failures += 1
            if self._failures == 1:
                logger.warning("the relay waits, for the ledger or Redis is away: %s", words_of(error))
        else:
            if self._failures:
                logger.warning("the relay goes on, the ledger and Redis are back")
            self._failures = 0
        if pushed:
            self.told["pushed"] = pushed
            logger.info("%d jobs were committed and not in Redis, and were pushed", pushed)

    async def pause(self) -> None:
        """Wait for the next look, or for who is in a hurry."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._hurried.wait(), self.next_pause())
        self._hurried.clear()

    def next_pause(self) -> float:
        """Tell how long to wait: longer and longer while something is away."""
        return min(super().next_pause() * 2.0 ** min(self._failures, 10), _LONGEST_PAUSE_S)

    async def _push_some(self) -> int:
        """Push a batch and note that in its rows; tells how many there were."""
        now = datetime.fromtimestamp(self._now_ms() / 1000, UTC)
        table = store.table_of(self._ledger.row_model)
        async with self._ledger.sessions() as db, db.begin():
            jobs = await store.unpushed(
                db,
                table,
                self._engine.queue,
                before=now - self._age,
                # Written by a clock that is ahead: how old it is nobody can tell, and a second push is none.
                after=now + self._age,
                limit=ENQUEUE_CHUNK,
            )
            if not jobs or not await self._is_allowed():
                return 0
            pushed = await push_again(self._engine, [one.job for one in jobs], was_accepted=False)
            holders = await self._holders(jobs, pushed.refused)
            taken = [one for one in jobs if one.job.job_id not in holders]
            duplicates = [one for one in jobs if one.job.job_id in holders]
            withdrawn = await self._note(db, table, taken, duplicates, holders)
        await cancel_all(self._engine, self._codec, withdrawn)
        if has_handlers(JobEnqueued):
            for one in taken:
                execute(JobEnqueued(self._engine.queue, one.job.job_id, one.function))
        return len(jobs)

    async def _is_allowed(self) -> bool:
        return self._may_push is None or await self._may_push()

    async def _holders(self, jobs: Sequence[Unpushed], refused: Mapping[str, Holder]) -> dict[str, Holder]:
        """Of jobs whose id is in use, leave out those that are the very job that has it."""
        records = {one.job.job_id: one.job.record for one in jobs}
        return {
            job_id: holder
            for job_id, holder in refused.items()
            if not await is_same_job(self._engine, self._codec, records[job_id], holder)
        }

    async def _note(
        self,
        db: AsyncSession,
        table: Table,
        taken: Sequence[Unpushed],
        duplicates: Sequence[Unpushed],
        holders: Mapping[str, Holder],
    ) -> dict[str, bytes]:
        """Tell rows what became of their jobs; returns those that somebody cancelled there meanwhile, by id,
        as they were pushed.
        """
        queue, withdrawn = self._engine.queue, dict[str, bytes]()
        if taken:
            ids, newest = [one.job.job_id for one in taken], max(one.enqueued_at for one in taken)
            await store.mark_pushed(db, table, queue, ids, newest)
            late = await store.withdrawn(db, table, queue, ids)
            withdrawn = {
                one.job.job_id: one.job.record for one in taken if (one.job.job_id, one.enqueued_at) in late
            }
        for one in duplicates:
            holder = holders[one.job.job_id]
            logger.info(
                "job %s was committed and is not enqueued: job %s is there", one.job.job_id, holder.job_id
            )
            reason = words_of_holder(one.function, holder)
            await store.close_duplicate(db, table, queue, one.job.job_id, one.enqueued_at, reason)
        return withdrawn
