"""A Redis client that can also enqueue jobs."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, cast

from redis.asyncio import ConnectionPool, Redis

from .constants import default_queue_name as _default_queue_name
from .constants import expires_extra_ms as _default_expires_extra_ms
from .engine import EndWatch, EnqueueBatch, Keys, NewJob, RedisEngine, due_ms
from .errors import ConfigurationError
from .jobs import Job
from .model import checks
from .model.codec import Codec, queued_record
from .model.records import JobDef, JobResult
from .telemetry import JobEnqueued, execute, has_handlers
from .typing import Deserializer, SecondsTimedelta, Serializer
from .utils import new_job_id, timestamp_ms, to_ms


class ArqRedis(Redis):
    """A `redis.asyncio.Redis` that can also enqueue jobs.

    Args:
        pool_or_conn: an existing `ConnectionPool`; None builds one from the other arguments.
        job_serializer: turns envelopes into bytes, the same on pool and worker; None is JSON.
        job_deserializer: turns those bytes back.
        default_queue_name: where jobs go unless told otherwise.
        expires_extra_ms: kept for arq. A job expires only if `_expires` says so, or if this differs
            from arq's default of one day; then so many ms after it was due.
        kwargs: as for `redis.asyncio.Redis`.
    """

    def __init__(
        self,
        pool_or_conn: ConnectionPool | None = None,
        job_serializer: Serializer | None = None,
        job_deserializer: Deserializer | None = None,
        default_queue_name: str = _default_queue_name,
        expires_extra_ms: int = _default_expires_extra_ms,
        **kwargs: Any,
    ) -> None:
        self.job_serializer = job_serializer
        self.job_deserializer = job_deserializer
        self.default_queue_name = default_queue_name
        self.expires_extra_ms = expires_extra_ms
        self._queues: dict[str, EnqueueBatch] = {}
        self._watches: dict[str, EndWatch] = {}
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
            kwargs: what to call it with, by name.

        Returns:
            The job, or None when a job of this id is queued, is running, or has a result that is kept.

        Raises:
            SerializationError: an argument cannot be written.
            ConfigurationError: a time, a span, the id or the number of the try cannot work.
        """
        new_job, queue, is_own_id = self._new_job(
            function, args, kwargs, _job_id, _queue_name, _defer_until, _defer_by, _expires, _job_try
        )
        accepted = await self._queue(queue).enqueue(new_job)
        # Nobody else makes our ids: if one is known already, it is this very job, sent twice.
        if not accepted and is_own_id:
            return None
        if has_handlers(JobEnqueued):
            execute(JobEnqueued(queue, new_job.job_id, function))
        return Job(new_job.job_id, self, queue, self.job_deserializer)

    async def enqueue_many(
        self, calls: Iterable[tuple[Any, ...]], *, _queue_name: str | None = None
    ) -> list[Job | None]:
        """Enqueue many jobs at once; each chunk of 500 is stored as a whole or not at all.

        Args:
            calls: `(function, args, kwargs)` each; kwargs, or both, may be left out.
            _queue_name: the queue; the pool's default.

        Returns:
            The jobs in the order of the calls.

        Raises:
            SerializationError: an argument cannot be written; nothing was enqueued.
        """
        calls = list(calls)
        jobs: list[NewJob] = []
        queue = _queue_name or self.default_queue_name
        for function, *rest in calls:
            args = rest[0] if rest else ()
            kwargs = rest[1] if len(rest) > 1 else {}
            jobs.append(self._new_job(function, tuple(args), kwargs, None, queue, None, None, None, None)[0])
        await self._queue(queue).engine.enqueue(jobs)
        if has_handlers(JobEnqueued):
            for call, job in zip(calls, jobs, strict=True):
                execute(JobEnqueued(queue, job.job_id, call[0]))
        return [Job(job.job_id, self, queue, self.job_deserializer) for job in jobs]

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
        """Close the pool; may be called twice."""
        for watch in self._watches.values():
            await watch.close()
        self._watches.clear()
        await super().aclose(close_connection_pool)

    def _queue(self, name: str) -> EnqueueBatch:
        batch = self._queues.get(name)
        if batch is None:
            self._queues[name] = batch = EnqueueBatch(RedisEngine(self, name))
        return batch

    def end_watch(self, engine: RedisEngine) -> EndWatch:
        """Hand out the one watch that follows the ends of a queue's jobs."""
        watch = self._watches.get(engine.queue)
        if watch is None:
            self._watches[engine.queue] = watch = EndWatch(engine)
        return watch

    def _new_job(
        self,
        function: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        job_id: str | None,
        queue: str | None,
        defer_until: datetime | None,
        defer_by: SecondsTimedelta | None,
        expires: SecondsTimedelta | None,
        job_try: int | None,
    ) -> tuple[NewJob, str, bool]:
        if not isinstance(function, str):
            raise ConfigurationError(f"enqueue_job takes the name of a function, got {function!r}")
        if defer_until and defer_by:
            raise RuntimeError("use either 'defer_until' or 'defer_by' or neither, not both")
        now_ms = timestamp_ms()
        extras: dict[str, Any] = {}
        when, due = "", now_ms
        if defer_until is not None:
            due = checks.moment_ms("_defer_until", defer_until)
            when = f"={due}"
        elif defer_by:
            delay_ms = to_ms(checks.seconds("_defer_by", defer_by))
            due = now_ms + delay_ms
            when = f"{delay_ms:+d}"
        if when:
            extras["at"] = due
            if due > checks.LAST_MS:
                raise ConfigurationError(f"a job cannot be deferred beyond the year 9999, got {defer_by!r}")
        if expires:
            extras["x"] = now_ms + to_ms(checks.seconds("_expires", expires))
        elif self.expires_extra_ms != _default_expires_extra_ms:
            extras["x"] = due + self.expires_extra_ms
        if job_try is not None:
            checks.count("_job_try", job_try, 1)
        if queue is not None:
            checks.instance("_queue_name", queue, str, "a text")
        if job_id:
            _check_job_id(job_id)
            # Two callers may enqueue the same id in the same ms; only one of them may be told yes.
            extras["n"] = new_job_id()[11:]
        codec = Codec(self.job_serializer, self.job_deserializer)
        blob = codec.encode_job(function, args, kwargs, job_try, now_ms, **extras)
        new_job = NewJob(job_id or new_job_id(), when, queued_record(0, blob))
        return new_job, queue or self.default_queue_name, bool(job_id)


def _text(name: bytes) -> str:
    return name.decode(errors="backslashreplace")


def _check_job_id(job_id: str) -> None:
    if not isinstance(job_id, str):
        raise ConfigurationError(f"a job id must be a string, got {job_id!r}")
    if "\0" in job_id or len(job_id) > 512:
        raise ConfigurationError("a job id must be at most 512 characters, none of them NUL")
    try:
        job_id.encode()
    except UnicodeEncodeError as error:
        raise ConfigurationError(f"a job id must be valid Unicode, got {job_id!r}") from error
