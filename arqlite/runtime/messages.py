"""What others tell a worker, by messages and by the answers to its beats."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from ..engine import LOOK, Beat, Keys, Listener
from .producer import Producer
from .run import Run

logger = logging.getLogger("arqlite.worker")


class Messages:
    """Passes on what a worker is told: jobs to cancel, orders for the queue, another leader.

    Args:
        client: whose Redis to listen to.
        keys: the names of the channels.
        producer: does what is asked for.
        may_abort: whether running jobs may be cancelled whose function is no `@task`.
        expect: called with the ms until the earliest lease of another session ends.
        leader_changes: called when another worker may lead.
    """

    def __init__(
        self,
        client: object,
        keys: Keys,
        producer: Producer,
        may_abort: bool,
        expect: Callable[[int], None],
        leader_changes: Callable[[], None],
    ) -> None:
        self._keys = keys
        self._producer = producer
        self._may_abort = may_abort
        self._expect = expect
        self._leader_changes = leader_changes
        self._listener = Listener(client, subscribed=self._hears_from_now_on)
        self._following: asyncio.Task[None] | None = None
        self._session = ""

    def follow(self, session: str) -> None:
        """Listen to what is told to a new session, and no more to what is told to the one before."""
        self._following = asyncio.get_running_loop().create_task(self._follow(self._session, session))
        self._session = session

    def heard(self, session: str, beat: Beat, sent_at: float) -> None:
        """Take in what a beat brought that was sent at a time of `time.monotonic`."""
        if session != self._producer.session:
            return
        if not beat.alive:
            self._producer.session_died()
            return
        self._expect(beat.next_deadline_ms)
        self._producer.hear_version(beat.version)
        for job_id in beat.cancel:
            run = self._producer.owned.get(job_id)
            # An answer older than the claim may mean an earlier job of this id; if not, the next beat tells.
            if run is not None and run.claimed_at < sent_at:
                self._cancel(run)
        self._producer.lease_was_kept()

    def may_cancel(self, job_id: str) -> bool:
        """Whether somebody's wish to cancel a job can still be done here; asked by the heartbeat's thread."""
        if job_id not in self._producer.owned:
            return False
        run = self._producer.owned.get(job_id)
        return self._may_abort or (run is not None and run.terms.task is not None)

    async def close(self) -> None:
        """Listen no more."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
        await self._listener.close()

    async def _follow(self, old_session: str, session: str) -> None:
        channel = self._keys.control_channel
        if old_session:
            await self._listener.unfollow(channel(old_session))
        await self._listener.follow(self._keys.leader_channel, lambda _: self._leader_changes())
        await self._listener.follow(channel(session), self._cancel_by_message)
        await self._listener.follow(self._keys.queue_channel, self._look_by_message)

    def _hears_from_now_on(self, channel: str) -> None:
        if channel == self._keys.queue_channel:
            self._producer.look_at_orders()  # what was settled just before is told by no message

    def _look_by_message(self, message: bytes) -> None:
        if message == LOOK:
            self._producer.look_at_orders()

    def _cancel_by_message(self, message: bytes) -> None:
        run = self._producer.owned.get(message.decode())
        if run is not None:
            self._cancel(run)

    def _cancel(self, run: Run) -> None:
        if self._may_abort or run.terms.task is not None:
            self._producer.abort(run)
        else:
            logger.warning("job %s is not aborted: this worker has allow_abort_jobs=False", run.ref)
