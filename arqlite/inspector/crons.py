"""See the cron jobs of a queue, run one now, pause and resume them over all workers; and who leads."""

from __future__ import annotations

from ..engine import Lock, NewJob
from ..errors import ConfigurationError
from ..jobs import Job
from ..model.codec import queued_record
from ..model.crons import CronView, blob_of, lock_in, name_in, view_of
from ..telemetry import JobEnqueued, execute, has_handlers
from ..utils import new_job_id, timestamp_ms
from .base import Looking

# Priority, attempts, tags and meta; a job of now is due at no time of the cron job's.
_KEPT = ("p", "ma", "tm", "g", "m")


class CronControl(Looking):
    """What is done to cron jobs; their workers are told by Redis, and no settings are needed here."""

    async def crons(self, queue: str | None = None) -> list[CronView]:
        """List the cron jobs that the workers of a queue have, by name.

        Those that a deploy has taken away go two hours after their last worker.

        Args:
            queue: the queue's name; the pool's default.
        """
        now_ms, paused, known = await self._engine(queue).crons()
        views = [view_of(description, last_ms, now_ms, paused) for description, last_ms in known]
        return sorted(views, key=lambda view: (view.name, view.schedule))

    async def count_crons(self, queue: str | None = None) -> int:
        """Count the cron jobs that the workers of a queue have; cheaper than to list them.

        Args:
            queue: the queue's name; the pool's default.
        """
        return await self._engine(queue).count_crons()

    async def run_cron(self, name: str, queue: str | None = None) -> Job:
        """Enqueue a job of a cron job now, whether it is paused or not; its times stay what they are.

        Of one that is unique `conflict` tells whether an equal job was there already, and stays alone.

        Args:
            name: the cron job's.
            queue: the queue's name; the pool's default.

        Raises:
            ConfigurationError: no worker has told of a cron job of this name.
        """
        description = await self._description(name, queue)
        envelope = self._codec.decode_job(blob_of(description))
        function, args, kwargs = envelope["f"], tuple(envelope.get("a") or ()), envelope.get("k") or {}
        extras = {letter: envelope[letter] for letter in _KEPT if envelope.get(letter) is not None}
        blob = self._codec.encode_job(function, args, kwargs, None, timestamp_ms(), **extras)
        lock = lock_in(description)
        record = queued_record(extras.get("p", 0), blob)
        new_job = NewJob(new_job_id(), "", record, None if lock is None else Lock(*lock))
        queue = queue or self.pool.default_queue_name
        holder = await self.pool.queue(queue).offer(new_job)
        job_id = new_job.job_id if holder is None else holder.job_id
        conflict = job_id != new_job.job_id
        if not conflict and has_handlers(JobEnqueued):
            execute(JobEnqueued(queue, job_id, function))
        return Job.of_call(job_id, self.pool, queue, None, conflict=conflict)

    async def pause_cron(self, name: str, queue: str | None = None) -> bool:
        """Let the times of a cron job pass without a job, over all workers and restarts, until it is resumed.

        Args:
            name: the cron job's; it is all cron jobs of the queue that share it.
            queue: the queue's name; the pool's default.

        Returns:
            Whether it was not paused before.

        Raises:
            ConfigurationError: no worker has told of a cron job of this name.
        """
        await self._description(name, queue)
        return await self._engine(queue).switch_cron(name, pauses=True)

    async def resume_cron(self, name: str, queue: str | None = None) -> bool:
        """Let a cron job go on with its next time; what passed meanwhile is not made up for.

        Args:
            name: the cron job's.
            queue: the queue's name; the pool's default.

        Returns:
            Whether it was paused before.
        """
        return await self._engine(queue).switch_cron(name, pauses=False)

    async def leader(self, queue: str | None = None) -> str | None:
        """Tell which worker leads a queue, by its session; None when none does.

        Args:
            queue: the queue's name; the pool's default.
        """
        return await self._engine(queue).leader()

    async def _description(self, name: str, queue: str | None) -> bytes:
        known = {
            name_in(one.description): one.description for one in (await self._engine(queue).crons()).known
        }
        if name not in known:
            there = ", ".join(sorted(known)) or "none"
            raise ConfigurationError(f"no worker has a cron job named {name!r}; there are {there}")
        return known[name]
