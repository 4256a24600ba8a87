"""A Redis client that can also enqueue jobs."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from redis.asyncio import ConnectionPool, Redis

from .constants import default_queue_name as _default_queue_name
from .constants import expires_extra_ms as _default_expires_extra_ms
from .engine import EndWatch, EnqueueBatch, Keys, LookBatch, RedisEngine, due_ms
from .enqueuing import Enqueuing, diversion, send, tell_of_slips
from .errors import ConfigurationError
from .jobs import Job
from .model import checks
from .model.calls import PLAIN, Call, Options, options_of_arq
from .model.codec import Codec
from .model.records import JobDef, JobResult
from .model.workflows import Composition, Workflow
from .typing import Deserializer, SecondsTimedelta, Serializer
from .utils import timestamp_ms
from .workflows import WorkflowRun, send_workflow

if TYPE_CHECKING:  # SQLAlchemy is imported by those who have a ledger only
    from .outbox import Desk


class ArqRedis(Enqueuing, Redis):  # type: ignore[misc]  # redis-py's own bases disagree with each other
    """A `redis.asyncio.Redis` that can also enqueue jobs.

    Args:
        pool_or_conn: an existing `ConnectionPool`; None builds one from the other arguments.
        job_serializer: turns envelopes into bytes, the same on pool and worker; None is JSON.
        job_deserializer: turns those bytes back.
        default_queue_name: where jobs go unless told otherwise.
        expires_extra_ms: kept for arq. A job expires only if `_expires` says so, or if this differs
            from arq's default of one day; then so many ms after it was due.
        ledger: the `Ledger` that has a row for every job enqueued here; None is none.
        kwargs: as for `redis.asyncio.Redis`.
    """

    def __init__(
        self,
        pool_or_conn: ConnectionPool | None = None,
        job_serializer: Serializer | None = None,
        job_deserializer: Deserializer | None = None,
        default_queue_name: str = _default_queue_name,
        expires_extra_ms: int = _default_expires_extra_ms,
        ledger: Any = None,
        **kwargs: Any,
    ) -> None:
        checks.queue("default_queue_name", default_queue_name)
        self.ledger = ledger
        self.job_serializer = job_serializer
        self.job_deserializer = job_deserializer
        self.default_queue_name = default_queue_name
        self.expires_extra_ms = expires_extra_ms
        self._queues: dict[str, EnqueueBatch] = {}
        self._looks: dict[str, LookBatch] = {}
        self._watches: dict[str, EndWatch] = {}
        self._outbox: Desk | None = None
        if pool_or_conn is not None:
            kwargs["connection_pool"] = pool_or_conn
        super().__init__(**kwargs)

    async def enqueue_job(
        self,
        function: str,
        *args: Any,
        _job_id: str | None = None,
        _queue_name: str | None = None,
        _defer_until: datetime | None = None,
        _defer_by: SecondsTimedelta | None = None,
        _expires: SecondsTimedelta | None = None,
        _job_try: int | None = None,
        **kwargs: Any,
    ) -> Job | None:
        """Enqueue a job.

        Args:
            function: the name of the function to run.
            args: what to call it with.
            _job_id: an id of your own, so that the job is enqueued only once; a new one by default.
            _queue_name: the queue; the pool's default.
            _defer_until: when to run it; a naive datetime is local time.
            _defer_by: how long to wait; a negative time puts it before others.
            _expires: seconds or timedelta after which it is not started any more.
            _job_try: the number of its first try, if not 1.
            kwargs: what to call it with, by name. One that looks like an option and is none is told in the
                log, and goes to the function all the same, as in arq.

        Returns:
            The job, or None when a job of this id is queued, is running, or has a result that is kept.

        Raises:
            SerializationError: an argument cannot be written.
            ConfigurationError: a time, a span, the id or the number of the try cannot work.
        """
        if not isinstance(function, str):
            raise ConfigurationError(f"enqueue_job takes the name of a function, got {function!r}")
        options = options_of_arq(_job_id, _queue_name, _defer_until, _defer_by, _expires, _job_try)
        if kwargs:
            tell_of_slips(function, kwargs)
        job = await send(self, Call(function, args, kwargs), options)
        return None if job.conflict else job

    async def enqueue_workflow(self, flow: Workflow | Composition) -> WorkflowRun:
        """Enqueue jobs that wait for each other: all of them, or nothing of them runs.

        Args:
            flow: a `Workflow`, or what `chain` or `group` made. It may be enqueued several times.

        Returns:
            The handle on this run of it.

        Raises:
            ConfigurationError: it has no steps or too many, steps that wait for each other or for unknown
                ones, or steps in several queues; nothing was enqueued.
            InvalidArguments: a function in it cannot be called so; nothing was enqueued.
            SerializationError: an argument cannot be written; nothing was enqueued.
        """
        if diversion.get() is not None:
            raise ConfigurationError(
                "a workflow is stored while its steps wait for each other, and inline mode stores nothing; "
                "use testing_mode('manual') and drain_queue(..., with_recursion=True)"
            )
        return await send_workflow(self, flow)

    async def all_job_results(self) -> list[JobResult]:
        """Read all results that are kept, of all queues of this database, by enqueue time.

        One that cannot be read has the function '<unknown>'.
        """
        results: list[JobResult] = []
        codec = Codec(self.job_serializer, self.job_deserializer)
        now_ms = timestamp_ms()
        async for key in self.scan_iter(match=Keys.all_queues_pattern(), count=1000):
            queue = Keys.queue_of(_text(key))
            async for job_id, record in self.hscan_iter(key, count=1000):
                # As text, for digits of one length compare like numbers, and what is none hides nothing.
                if record[:1] == b"R" and record[1:14] > b"%013d" % now_ms:
                    results.append(cast("JobResult", codec.decode_listed(record, _text(job_id), queue)))
        return sorted(results, key=lambda result: result.enqueue_time)

    async def queued_jobs(self, *, queue_name: str | None = None) -> list[JobDef]:
        """Read all jobs of a queue that have not ended, in the order they are due.

        One that cannot be read has the function '<unknown>' and no score, and comes first.
        """
        queue = queue_name or self.default_queue_name
        codec = Codec(self.job_serializer, self.job_deserializer)
        keys = Keys(queue)
        # A record does not know that its job was put off.
        due = {job_id: due_ms(score) async for job_id, score in self.zscan_iter(keys.sched, count=1000)}
        jobs: list[JobDef] = []
        async for job_id, record in self.hscan_iter(keys.jobs, count=1000):
            if record[:1] == b"Q":
                job = codec.decode_listed(record, _text(job_id), queue)
                job.score = due.get(job_id, job.score)
                jobs.append(job)
        return sorted(jobs, key=lambda job: job.score or 0)

    async def queue_depth(self, queue_name: str | None = None) -> int:
        """Count the jobs of a queue that have not ended: waiting, deferred and running ones.

        It is what `zcard("arq:queue")` tells with arq, and as quick.

        Args:
            queue_name: the queue; the pool's default.
        """
        return (await RedisEngine(self, queue_name or self.default_queue_name).size()).jobs

    async def forget(self, job_id: str, queue_name: str | None = None) -> bool:
        """Forget a finished job, so that its id is free again; as `Job.delete`, by id.

        Args:
            job_id: the job's id.
            queue_name: its queue; the pool's default.

        Returns:
            Whether something was kept. A job that has not ended is left alone.
        """
        return await Job(job_id, self, queue_name or self.default_queue_name).delete()

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        """Close the pool; may be called twice. What rows and Redis are still to be told, is told first."""
        if self._outbox is not None:
            await self._outbox.aclose()
            self._outbox = None
        for watch in self._watches.values():
            await watch.close()
        self._watches.clear()
        await super().aclose(close_connection_pool)
        if self.auto_close_connection_pool if close_connection_pool is None else close_connection_pool:
            # Older redis-py only disconnects its pool; one of sentinels or of a cluster has more to close.
            await self.connection_pool.aclose()

    def queue(self, name: str) -> EnqueueBatch:
        """Hand out the one place where jobs for a queue are gathered."""
        batch = self._queues.get(name)
        if batch is None:
            self._queues[name] = batch = EnqueueBatch(RedisEngine(self, name))
        return batch

    @property
    def outbox(self) -> Desk:
        """The one place where jobs are accepted that the ledger must know of.

        Raises:
            ConfigurationError: the pool has no ledger.
        """
        if self.ledger is None:
            raise ConfigurationError(
                "the options session, ledger and row need a ledger: "
                "create_pool(settings, ledger=Ledger('sqlite:///jobs.db'))"
            )
        if self._outbox is None:
            from .outbox import Desk

            self._outbox = Desk(self.ledger, self.queue, self._codec)
        return self._outbox

    def _codec(self) -> Codec:
        return Codec(self.job_serializer, self.job_deserializer)

    def _target(self) -> tuple[ArqRedis, Options]:
        return self, PLAIN

    def end_watch(self, engine: RedisEngine) -> EndWatch:
        """Hand out the one watch that follows the ends of a queue's jobs."""
        watch = self._watches.get(engine.queue)
        if watch is None:
            self._watches[engine.queue] = watch = EndWatch(engine)
        return watch

    def looks(self, queue: str) -> LookBatch:
        """Hand out the one place where looks at a queue's jobs are gathered."""
        looks = self._looks.get(queue)
        if looks is None:
            self._looks[queue] = looks = LookBatch(self.queue(queue).engine)
        return looks


def _text(name: bytes) -> str:
    return name.decode(errors="backslashreplace")
