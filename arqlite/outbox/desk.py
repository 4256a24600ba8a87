"""Where jobs of a pool with a ledger are accepted: in a caller's transaction, row first, or Redis first."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from functools import partial

from ..engine import EnqueueBatch, Holder, NewStep
from ..ledger import Ledger, Recorder, hearing, store
from ..ledger.audit import Audited
from ..ledger.columns import check_row
from ..ledger.outage import is_away
from ..ledger.store.waiting import StoredJob
from ..model.byhand import Handled
from ..model.codec import Codec
from ..telemetry import JobEnqueued, JobStopped, execute, has_handlers
from .byhand import HandNotes
from .delivery import PATIENCE_S, Delivery
from .flows import flow_rows
from .following import Followers
from .parcels import Errand, Offered, Parcel, parcel_of
from .rowbatch import NewRow, RowBatch
from .sessions import in_session
from .transaction import accepted_job, new_row, stage, stage_errand

logger = logging.getLogger("arqlite.outbox")

_FLUSH_PATIENCE_S = 5.0


class Desk:
    """Accepts the jobs of one pool.

    Args:
        ledger: the pool's.
        queue: hands out the place where jobs for a queue are gathered.
        codec: tells how they are written.
    """

    def __init__(
        self,
        ledger: Ledger,
        queue: Callable[[str], EnqueueBatch],
        codec: Callable[[], Codec],
    ) -> None:
        self.ledger = ledger
        self.delivery = Delivery(ledger, queue, codec)
        with suppress(RuntimeError):  # no loop runs yet
            self.delivery.loop = asyncio.get_running_loop()
        self._queue = queue
        self._codec = codec
        self.followers = Followers(ledger, queue)
        self._by_hand = HandNotes(ledger)
        self._rows = RowBatch(ledger)

    def route(self, offer: Offered) -> Hashable:
        """Tell which offers may be accepted together; None are those that Redis gets first.

        Raises:
            ConfigurationError: the ledger has no such columns as the offer says.
        """
        said = offer.settled
        if said.row:
            check_row(self.ledger.row_model, said.row)
        if said.session is not None:
            return id(said.session)
        return "strict" if (said.ledger or self.ledger.mode) == "strict" else None

    async def accept(self, offer: Offered) -> Holder | None:
        """Accept one job; tells which one is there instead, or None.

        Raises:
            ConfigurationError: its options do not go together with the ledger or the session.
            LedgerUnavailable: its row had to be committed first, and the database is away.
            sqlalchemy.exc.SQLAlchemyError: the caller's transaction failed.
        """
        if self.route(offer) is not None:
            [holder] = await self.accept_all([offer])
            return holder
        holder = await self._queue(offer.queue).offer(offer.job)
        if holder is not None and offer.is_in_conflict(holder):
            return holder
        await self.follow([offer])
        return None

    async def accept_all(self, offers: Sequence[Offered]) -> list[Holder | None]:
        """Accept jobs of one queue that go the same way, and not to Redis first; as `accept`, all or none."""
        self.delivery.loop = asyncio.get_running_loop()
        answers = await self._foreseen(offers)
        fresh = [place for place, answer in enumerate(answers) if answer is None]
        session = offers[0].settled.session
        if session is not None:
            await self._replace_after_commit(offers, answers)
            new = [offers[place] for place in fresh]
            work = partial(stage, ledger=self.ledger, courier=self.delivery, offers=new)
            told = await in_session(session, work) if new else []
        else:
            told = await self._rows_first([offers[place] for place in fresh])
        for place, holder in zip(fresh, told, strict=True):
            answers[place] = holder
        return answers

    def flow(self, queue: str, steps: Sequence[NewStep]) -> AbstractAsyncContextManager[None]:
        """Write the rows of a workflow's steps around the block that stores it; see `flow_rows`."""
        return flow_rows(self.ledger, self._rows, self.followers, queue, steps, self._codec())

    async def follow(self, offers: Sequence[Offered]) -> None:
        """Have rows written of jobs that Redis has just taken; nobody waits for them."""
        # All offers of a call are for one queue.
        writer = await self.followers.writer(offers[0].queue)
        writer.accept([accepted_job(self.ledger, offer) for offer in offers])
        if has_handlers(JobEnqueued):
            for offer in offers:
                execute(JobEnqueued(offer.queue, offer.job.job_id, offer.call.function))

    async def tell_end(self, event: JobStopped) -> None:
        """Have the row of a job follow that was cancelled while it waited; nobody waits for that."""
        if not hearing.is_heard(Recorder, self.ledger, event.queue):  # which a worker of this process does
            (await self.followers.writer(event.queue)).tell(event)

    def tell_by_hand(self, event: Audited, handled: Sequence[Handled] = ()) -> None:
        """Have the audit tell what was done by hand, and the rows of these jobs follow."""
        self._by_hand.take(event, handled)

    async def pushed(self, queue: str, job_id: str) -> bool:
        """Wait for the push of a job, if it is under way here; tells whether it was."""
        push = self.delivery.under_way(queue, job_id)
        if push is not None:
            await asyncio.wait([push])
        return push is not None

    async def find(self, queue: str, job_id: str) -> StoredJob | None:
        """Find a job that is committed, and not known to be in Redis; None as well while nobody can tell."""
        try:
            async with self.ledger.sessions() as db:
                return await store.find_unpushed(db, store.table_of(self.ledger.row_model), queue, job_id)
        except Exception as error:
            if not is_away(error):
                raise
            logger.info("could not look for job %s in the ledger: %r", job_id, error)
            return None

    async def cancel(self, queue: str, job_id: str) -> bool:
        """Cancel a job that is committed and not in Redis; tells whether it was."""
        async with self.ledger.sessions() as db, db.begin():
            return await store.cancel_unpushed(db, store.table_of(self.ledger.row_model), queue, job_id)

    async def aclose(self) -> None:
        """Finish what was begun, within a few seconds; the relay does the rest."""
        await self.delivery.aclose(_FLUSH_PATIENCE_S)
        await self.followers.aclose()
        await self._by_hand.flush(_FLUSH_PATIENCE_S)

    async def _foreseen(self, offers: Sequence[Offered]) -> list[Holder | None]:
        """Look which jobs the queue would not take. When Redis is away, the push will tell."""
        answers: list[Holder | None] = [None] * len(offers)
        doubtful = [
            place for place, offer in enumerate(offers) if offer.has_own_id or offer.unique is not None
        ]
        if not doubtful:
            return answers
        jobs = [offers[place].job for place in doubtful]
        try:
            async with asyncio.timeout(PATIENCE_S):
                refused = await self._queue(offers[0].queue).engine.foresee(jobs)
        except Exception as error:  # noqa: BLE001 (see above)
            logger.info("could not look which of %d jobs are there already: %r", len(jobs), error)
            return answers
        for order, place in enumerate(doubtful):
            answers[place] = refused.holder(order, jobs[order])
        return answers

    async def _replace_after_commit(
        self, offers: Sequence[Offered], answers: Sequence[Holder | None]
    ) -> None:
        """What an equal job takes over from one that is rolled back, it must not take over."""
        for offer, holder in zip(offers, answers, strict=True):
            if holder is not None and offer.unique is not None and offer.unique.action == "replace":
                errand = Errand(self._replacing(offer, holder))
                work = partial(stage_errand, ledger=self.ledger, courier=self.delivery, errand=errand)
                await in_session(offer.settled.session, work)

    def _replacing(self, offer: Offered, holder: Holder) -> Callable[[], Awaitable[None]]:
        return lambda: offer.settle_conflict(self._queue(offer.queue).engine, holder)

    async def _rows_first(self, offers: Sequence[Offered]) -> list[Holder | None]:
        rows = [new_row(self.ledger, offer) for offer in offers]
        if len(rows) == 1:
            written = [await self._rows.commit(rows[0])]
        else:
            written = await self._rows.commit_all(rows) if rows else []
        holders: list[Holder | None] = [
            None if is_written else Holder(offer.job.job_id)
            for offer, is_written in zip(offers, written, strict=True)
        ]
        fresh = [place for place, is_written in enumerate(written) if is_written]
        told = await self._pushed([offers[place] for place in fresh], [rows[place] for place in fresh])
        for place, holder in zip(fresh, told, strict=True):
            holders[place] = holder
        return holders

    async def _pushed(self, offers: Sequence[Offered], rows: Sequence[NewRow]) -> list[Holder | None]:
        """Push jobs whose rows are committed: they are accepted, even if Redis is away."""
        if not offers:
            return []
        parcels = [parcel_of(offer) for offer in offers]
        can_wait = all(row.is_whole for row in rows)
        push = self.delivery.push_soon(parcels)
        await asyncio.wait([push], timeout=PATIENCE_S if can_wait else None)
        if not push.done():
            return [None] * len(offers)
        answers = push.result()
        refused = [
            parcel
            for parcel, row, answer in zip(parcels, rows, answers, strict=True)
            if isinstance(answer, Holder) or (answer is not None and not row.is_whole)
        ]
        await self._retract(refused)
        for row, answer in zip(rows, answers, strict=True):
            if isinstance(answer, Exception) and not row.is_whole:
                raise answer
        return [answer if isinstance(answer, Holder) else None for answer in answers]

    async def _retract(self, parcels: Sequence[Parcel]) -> None:
        """Remove rows of jobs that were not accepted after all; what fails here, the relay closes."""
        if not parcels:
            return
        table = store.table_of(self.ledger.row_model)
        try:
            async with self.ledger.sessions() as db, db.begin():
                for parcel in parcels:
                    await store.retract(db, table, parcel.queue, parcel.job.job_id, parcel.enqueued_at)
        except Exception as error:
            if not is_away(error):
                raise
            logger.warning("%d rows of jobs that were not accepted are left: %r", len(parcels), error)
