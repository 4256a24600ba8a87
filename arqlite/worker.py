"""The worker: where all the services are wired together. Nothing else wires."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import secrets
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from datetime import tzinfo
from signal import Signals
from typing import Any, cast

from . import constants
from .connections import ArqRedis, RedisSettings, create_pool, log_redis_info
from .constants import health_check_key_suffix
from .cron import CronJob
from .engine import Beat, Listener, RedisEngine, Waker
from .errors import FailedJobs, JobExecutionFailed, Retry, RetryJob
from .jobs import JobResult
from .model.codec import Codec
from .model.functions import Function, func
from .runtime.acker import Acker
from .runtime.deadlines import Deadlines
from .runtime.executor import Counters, Executor
from .runtime.health import HealthRecorder
from .runtime.heartbeat import Heartbeat
from .runtime.intake import Intake
from .runtime.joblog import JobLog
from .runtime.lifeline import Lifeline
from .runtime.outage import REDIS_TROUBLE
from .runtime.producer import Producer
from .runtime.pruner import Pruner
from .runtime.scheduler import Scheduler
from .service import Service
from .settings import WorkerOptions, get_kwargs
from .telemetry import WorkerStarted, WorkerStopped, execute, has_handlers
from .typing import (
    Deserializer,
    SecondsTimedelta,
    Serializer,
    StartupShutdown,
    WorkerCoroutine,
    WorkerSettingsType,
)
from .utils import get_tz, to_seconds

__all__ = (
    "FailedJobs",
    "Function",
    "JobExecutionFailed",
    "Retry",
    "RetryJob",
    "Worker",
    "async_check_health",
    "check_health",
    "create_worker",
    "func",
    "get_kwargs",
    "run_worker",
)

logger = logging.getLogger("arqlite.worker")

# How long jobs that were cancelled may take to end, and how long their ends may take to be delivered.
_CANCEL_PATIENCE_S = 3.0
_FLUSH_PATIENCE_S = 5.0


class Worker:
    """Runs the jobs of one queue.

    Args:
        functions: what it can run: coroutine functions, dotted paths, or `func(...)`.
        queue_name: the queue; None is the default queue of `redis_pool`.
        cron_jobs: what runs at fixed times, see `arqlite.cron.cron`.
        redis_settings: where Redis is.
        redis_pool: a pool to use instead; `close` closes it.
        burst: whether to end when the queue is empty; deferred jobs are waited for.
        on_startup: `async f(ctx)` before the first job.
        on_shutdown: `async f(ctx)` after the last.
        on_job_start: `async f(ctx)` before each job; if it raises, the job fails.
        on_job_end: `async f(ctx)` after each job, before its result is stored.
        after_job_end: `async f(ctx)` when its result is stored.
        handle_signals: whether SIGINT and SIGTERM shut it down.
        job_completion_wait: seconds that running jobs may take to end after a signal.
        max_jobs: how many jobs run at once.
        job_timeout: seconds or timedelta one run may take; None is no limit.
        keep_result: seconds or timedelta a result is kept; 0 keeps none.
        keep_result_forever: whether results never expire.
        poll_delay: kept for arq; nothing is polled.
        queue_read_limit: kept for arq; a worker claims what it can run.
        max_tries: how often a job may be tried, the first time included.
        health_check_interval: seconds between two health records.
        health_check_key: where they go; the queue's name and `:health-check` by default.
        ctx: state of your own for hooks and jobs.
        retry_jobs: whether `Retry` and a shutdown run a job again; else they fail it.
        allow_abort_jobs: whether `Job.abort` may cancel running jobs.
        max_burst_jobs: in a burst, how many jobs to start; negative is no limit.
        job_serializer, job_deserializer: see `ArqRedis`; not applied to a `redis_pool`.
        expires_extra_ms: see `ArqRedis`.
        timezone: where cron fields are read; the environment's zone or the system's by default.
        log_results: whether results are shown in the log.
        lease: seconds after which the jobs of a dead worker are given to others.
        max_rescues: how many workers a job may take down before it is given up.
        unknown_function_ttl: seconds that a job whose function this worker does not know is kept for others.
        services: `Service`s of your own, started and stopped with the worker.

    Raises:
        ConfigurationError: an argument cannot work; the message says which and why.
    """

    def __init__(
        self,
        functions: Sequence[Function | WorkerCoroutine | Callable[..., Any] | str] = (),
        *,
        queue_name: str | None = constants.default_queue_name,
        cron_jobs: Sequence[CronJob] | None = None,
        redis_settings: RedisSettings | None = None,
        redis_pool: ArqRedis | None = None,
        burst: bool = False,
        on_startup: StartupShutdown | None = None,
        on_shutdown: StartupShutdown | None = None,
        on_job_start: StartupShutdown | None = None,
        on_job_end: StartupShutdown | None = None,
        after_job_end: StartupShutdown | None = None,
        handle_signals: bool = True,
        job_completion_wait: float = 0,
        max_jobs: int = 10,
        job_timeout: SecondsTimedelta | None = 300,
        keep_result: SecondsTimedelta = 3600,
        keep_result_forever: bool = False,
        poll_delay: SecondsTimedelta = 0.5,
        queue_read_limit: int | None = None,
        max_tries: int = 5,
        health_check_interval: SecondsTimedelta = 3600,
        health_check_key: str | None = None,
        ctx: dict[Any, Any] | None = None,
        retry_jobs: bool = True,
        allow_abort_jobs: bool = False,
        max_burst_jobs: int = -1,
        job_serializer: Serializer | None = None,
        job_deserializer: Deserializer | None = None,
        expires_extra_ms: int = constants.expires_extra_ms,
        timezone: tzinfo | None = None,
        log_results: bool = True,
        lease: SecondsTimedelta = constants.default_lease_s,
        max_rescues: int = constants.default_max_rescues,
        unknown_function_ttl: SecondsTimedelta = constants.default_unknown_function_ttl_s,
        services: Sequence[Service] = (),
    ) -> None:
        given = {name: value for name, value in locals().items() if name != "self"}
        self.options = options = WorkerOptions(**given)
        self.functions = options.table()
        self.queue_name = options.queue
        self.cron_jobs = list(options.cron_jobs or ())
        self.redis_settings = options.redis_settings or RedisSettings()
        self.burst = burst
        self.max_burst_jobs = max_burst_jobs
        self.max_jobs = max_jobs
        self.max_tries = max_tries
        self.queue_read_limit = queue_read_limit or max(max_jobs * 5, 100)
        self.retry_jobs = retry_jobs
        self.allow_abort_jobs = allow_abort_jobs
        self.health_check_key = health_check_key or self.queue_name + health_check_key_suffix
        self.timezone = timezone or get_tz()
        self.ctx: dict[Any, Any] = ctx if ctx is not None else {}
        self.main_task: asyncio.Task[None] | None = None
        self.on_stop: Callable[[Signals], Any] | None = None
        self.has_stubborn_jobs = False
        self._pool = redis_pool
        self._producer: Producer | None = None
        self._counters = Counters()
        self._shutdown_started = False
        self._stop: asyncio.Future[Signals] | None = None
        self._hurry = asyncio.Event()
        self._closed = False

    # -- what users read

    @property
    def pool(self) -> ArqRedis:
        """The Redis client; there from the start of `main` on."""
        return cast("ArqRedis", self._pool)

    @property
    def jobs_complete(self) -> int:
        """How many jobs have succeeded."""
        return self._counters.complete

    @property
    def jobs_failed(self) -> int:
        """How many jobs have failed."""
        return self._counters.failed

    @property
    def jobs_retried(self) -> int:
        """How many runs ended with the job going back to the queue."""
        return self._counters.retried

    @property
    def tasks(self) -> dict[str, asyncio.Task[None]]:
        """The running jobs: id to task."""
        runs = self._producer.active if self._producer else ()
        return {run.job_id: run.task for run in runs if run.task is not None}

    job_tasks = tasks

    def __repr__(self) -> str:
        return (
            f"<Worker j_complete={self.jobs_complete} j_failed={self.jobs_failed} "
            f"j_retried={self.jobs_retried} j_ongoing={len(self.tasks)}>"
        )

    # -- running

    def run(self) -> None:
        """Run until a signal comes or a burst is over, then close; for programs without a loop."""
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            try:
                runner.run(self._run_and_close())
            finally:
                if self.has_stubborn_jobs:
                    # They ignored their cancellation, and the loop would wait for them for ever. Their
                    # lease ends by itself, and then they run elsewhere.
                    logger.critical("leaving jobs behind that ignore their cancellation")
                    logging.shutdown()
                    sys.stdout.flush()
                    os._exit(1)

    async def async_run(self) -> None:
        """Run until a signal comes or a burst is over; does not close."""
        self.main_task = asyncio.create_task(self.main())
        await self.main_task

    async def run_check(self, retry_jobs: bool | None = None, max_burst_jobs: int | None = None) -> int:
        """Run a burst and return how many jobs succeeded.

        Args:
            retry_jobs: overrides the worker's, if given.
            max_burst_jobs: overrides the worker's, if given.

        Raises:
            FailedJobs: some failed.
        """
        if retry_jobs is not None:
            self.retry_jobs = retry_jobs
        if max_burst_jobs is not None:
            self.max_burst_jobs = max_burst_jobs
        self.burst = True
        await self.async_run()
        if self.jobs_failed:
            results = await self.pool.all_job_results()
            failed: list[JobResult] = [result for result in results if not result.success]
            raise FailedJobs(self.jobs_failed, failed)
        return self.jobs_complete

    async def main(self) -> None:
        """Connect, start up, and run jobs until told to stop."""
        loop = asyncio.get_running_loop()
        self._stop = loop.create_future()
        self._hurry.clear()
        self._shutdown_started = False
        self._handle_signals(loop)
        try:
            await self._connect()
            await self._work()
        finally:
            self._release_signals(loop)

    async def close(self) -> None:
        """Cancel what runs, call `on_shutdown`, and close the pool. May be called twice."""
        if self._closed:
            return
        self._closed = True
        if self.main_task is not None and not self.main_task.done():
            self.handle_sig(Signals.SIGUSR1)
            await asyncio.gather(self.main_task, return_exceptions=True)
        if self._pool is None:
            return
        if self.options.on_shutdown is not None:
            await self.options.on_shutdown(self.ctx)
        await self._pool.aclose(close_connection_pool=True)

    def handle_sig(self, signum: Signals) -> None:
        """Shut down: give running jobs `job_completion_wait` seconds, then give them back. A second
        signal does not wait.
        """
        if self._shutdown_started:
            self._hurry.set()
            return
        self._shutdown_started = True
        if self.on_stop is not None:
            self.on_stop(signum)
        if self._stop is not None and not self._stop.done():
            self._stop.set_result(signum)

    handle_sig_wait_for_completion = handle_sig

    # -- the parts

    async def _run_and_close(self) -> None:
        try:
            await self.async_run()
        finally:
            await self.close()

    async def _connect(self) -> None:
        options = self.options
        if self._pool is None:
            self._pool = await create_pool(
                self.redis_settings,
                job_serializer=options.job_serializer,
                job_deserializer=options.job_deserializer,
                default_queue_name=self.queue_name,
                expires_extra_ms=options.expires_extra_ms,
            )
        logger.info("Starting worker for %d functions: %s", len(self.functions), ", ".join(self.functions))
        await log_redis_info(self._pool, logger.info)
        self.ctx["redis"] = self._pool
        if options.on_startup is not None:
            await options.on_startup(self.ctx)

    async def _work(self) -> None:
        session = _Session(self)
        self._producer = session.producer
        working = asyncio.create_task(session.work())
        assert self._stop is not None  # noqa: S101 (main made it)
        try:
            waits: list[asyncio.Future[Any]] = [working, self._stop]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            if self._stop.done():
                await session.shut_down(self._stop.result(), self.options.job_completion_wait, self._hurry)
            else:
                working.result()
        except asyncio.CancelledError:
            self._hurry.set()
            await asyncio.shield(session.shut_down(Signals.SIGTERM, 0, self._hurry))
            raise
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
            await session.stop()

    def _handle_signals(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self.options.handle_signals:
            return
        for signum in (Signals.SIGINT, Signals.SIGTERM):
            try:
                loop.add_signal_handler(signum, functools.partial(self.handle_sig, signum))
            except (NotImplementedError, RuntimeError, ValueError):
                logger.debug(
                    "%s cannot be handled here: not the main thread, or not this platform", signum.name
                )

    def _release_signals(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self.options.handle_signals:
            return
        for signum in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
                loop.remove_signal_handler(signum)


class _Session:
    """The services of one `Worker.main`, started in order and stopped in reverse."""

    def __init__(self, worker: Worker) -> None:
        options = worker.options
        self._worker = worker
        pool = worker.pool
        lease_ms = options.lease_ms
        codec = Codec(
            options.job_serializer or pool.job_serializer, options.job_deserializer or pool.job_deserializer
        )
        limits = options.limits()
        self.engine = RedisEngine(pool, worker.queue_name, timeout=max(lease_ms / 3000, 1.0))
        self._acker = Acker()
        self.producer = Producer(
            self.engine,
            Waker(pool, self.engine.keys),
            self._acker,
            Intake(worker.functions, limits, codec, worker.queue_name),
            max_jobs=worker.max_jobs,
            lease_ms=lease_ms,
            new_session=_session_name,
            lease_is_safe=self._lease_is_safe,
            opened=self._opened,
            burst=worker.burst,
            max_burst_jobs=worker.max_burst_jobs,
        )
        self._deadlines = Deadlines(lambda: self.producer.active)
        self.producer.executor = Executor(
            ctx=worker.ctx,
            counters=worker._counters,
            hooks=options.hooks(),
            codec=codec,
            acker=self._acker,
            deadlines=self._deadlines,
            log=JobLog(options.log_results),
            retry_jobs=worker.retry_jobs,
            on_done=self.producer.job_is_done,
        )
        self._heartbeat = Heartbeat(
            self.engine, lambda: self.producer.session, lease_ms, _hang_limit(worker, lease_ms), self._heard
        )
        self._lifeline = Lifeline(self.engine, lambda: self.producer.session)
        self._control = Listener(pool)
        self._follower: asyncio.Task[None] | None = None
        self._last_session = ""
        self._services: list[Service] = [
            *options.services,
            self._lifeline,
            HealthRecorder(
                pool,
                self.engine,
                worker.health_check_key,
                to_seconds(options.health_check_interval),
                self._counts,
            ),
            Pruner(self.engine),
        ]  # fmt: skip
        if worker.cron_jobs:
            self._services.append(Scheduler(self.engine, codec, worker.cron_jobs, worker.timezone))

    async def work(self) -> None:
        """Start everything and run until a burst is over."""
        for service in self._services:
            await service.start()
        await self.producer.start()
        await self._heartbeat.start()
        self._report_start()
        await self.producer.finish()

    def _report_start(self) -> None:
        if has_handlers(WorkerStarted):
            execute(
                WorkerStarted(self.engine.queue, self.producer.session or "", tuple(self._worker.functions))
            )

    async def shut_down(self, signum: Signals, patience_s: float, hurry: asyncio.Event) -> None:
        """Stop claiming, let jobs end for a while, give back the rest."""
        self._say_shutdown(signum, patience_s)
        self.producer.stop_claiming()
        if patience_s and self.producer.active:
            await _first_of(self.producer.drained(), hurry.wait(), patience_s)
            logger.info("shutdown on %s, wait complete ◆ %s", signum.name, self._summary("to cancel"))
        for run in list(self.producer.active):
            run.cancel("shutdown")
        await _first_of(self.producer.drained(), _CANCEL_PATIENCE_S)

    async def stop(self) -> None:
        self.producer.stop_claiming()
        await self.producer.stop()
        await self.producer.flush(_FLUSH_PATIENCE_S)
        self._worker.has_stubborn_jobs = bool(self.producer.active)
        for service in reversed(self._services):
            await service.stop()
        await self._leave()
        await self._heartbeat.stop()
        self._deadlines.stop()
        if self._follower is not None:
            self._follower.cancel()
            await asyncio.gather(self._follower, return_exceptions=True)
        await self._control.close()
        await self.engine.close()
        if has_handlers(WorkerStopped):
            done = self._worker._counters
            execute(
                WorkerStopped(self.engine.queue, self._last_session, done.complete, done.failed, done.retried)
            )

    async def _leave(self) -> None:
        if self.producer.active or self.producer.session is None:
            return  # what still runs here must not be started elsewhere before this process is gone
        try:
            others = await self.engine.leave(self.producer.session)
            if others == 0:
                await self._worker.pool.delete(self._worker.health_check_key)
        except REDIS_TROUBLE as error:
            logger.warning("could not say goodbye to Redis (%s); the lease ends by itself", error)

    def _lease_is_safe(self) -> bool:
        return not self._heartbeat.is_overdue

    def _opened(self, session: str, next_deadline_ms: int) -> None:
        self._heartbeat.renewed()
        self._lifeline.expect(next_deadline_ms)
        self._follower = asyncio.get_running_loop().create_task(self._follow(self._last_session, session))
        self._last_session = session

    async def _follow(self, old_session: str, session: str) -> None:
        channel = self.engine.keys.control_channel
        if old_session:
            await self._control.unfollow(channel(old_session))
        await self._control.follow(channel(session), self._cancel_by_message)

    def _heard(self, session: str, beat: Beat) -> None:
        if session != self.producer.session:
            return
        if not beat.alive:
            self.producer.session_died()
            return
        self._lifeline.expect(beat.next_deadline_ms)
        for job_id in beat.cancel:
            self._cancel(job_id)
        self.producer.lease_was_kept()

    def _cancel_by_message(self, message: bytes) -> None:
        self._cancel(message.decode())

    def _cancel(self, job_id: str) -> None:
        run = self.producer.owned.get(job_id)
        if run is None:
            return
        if self._worker.allow_abort_jobs:
            run.cancel("abort")
        else:
            logger.warning("job %s is not aborted: this worker has allow_abort_jobs=False", run.ref)

    def _counts(self) -> tuple[int, int, int, int]:
        done = self._worker._counters
        return done.complete, done.failed, done.retried, len(self.producer.active)

    def _say_shutdown(self, signum: Signals, patience_s: float) -> None:
        fate = "to be completed" if patience_s else "to cancel"
        logger.info(
            "shutdown on %s ◆ %s", signum.name, self._summary(fate if patience_s else f"ongoing {fate}")
        )

    def _summary(self, fate: str) -> str:
        complete, failed, retried, ongoing = self._counts()
        return f"{complete} jobs complete ◆ {failed} failed ◆ {retried} retries ◆ {ongoing} {fate}"


async def _first_of(*waits: Any) -> None:
    """Wait for the first of some coroutines, at most as many seconds as the last argument says."""
    *coroutines, patience_s = waits
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    await asyncio.wait(tasks, timeout=patience_s, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _session_name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(8)}"


def _hang_limit(worker: Worker, lease_ms: int) -> float | None:
    """How long the loop may stand still: no job may legally block it longer than the longest timeout."""
    limits = worker.options.limits()
    timeouts = [limits.timeout_of(function) for function in worker.functions.values()]
    if any(timeout is None for timeout in timeouts):
        return None
    return max(cast("list[float]", timeouts)) + lease_ms / 1000


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return cast("Callable[[], asyncio.AbstractEventLoop]", uvloop.new_event_loop)


def create_worker(settings_cls: WorkerSettingsType, **kwargs: Any) -> Worker:
    """Make a worker from a settings class or dict; keyword arguments win."""
    return Worker(**{**get_kwargs(settings_cls), **kwargs})


def run_worker(settings_cls: WorkerSettingsType, **kwargs: Any) -> Worker:
    """Make a worker from a settings class or dict, run it until it ends, and return it."""
    worker = create_worker(settings_cls, **kwargs)
    worker.run()
    return worker


async def async_check_health(
    redis_settings: RedisSettings | None, health_check_key: str | None = None, queue_name: str | None = None
) -> int:
    """Tell whether a worker of a queue is alive: 0 yes, 1 no, as exit codes do.

    A worker is alive when its health record is there and some worker of the queue holds a lease; the
    record alone would outlive a dead worker by its whole interval.
    """
    queue_name = queue_name or constants.default_queue_name
    redis = await create_pool(redis_settings)
    try:
        data = await redis.get(health_check_key or queue_name + health_check_key_suffix)
        size = await RedisEngine(redis, queue_name).size()
    finally:
        await redis.aclose(close_connection_pool=True)
    if not data:
        logger.warning("Health check failed: no health check sentinel value found")
        return 1
    if size.sessions == 0:
        logger.warning(
            "Health check failed: no worker of %s holds a lease, the last said %s", queue_name, data
        )
        return 1
    logger.info("Health check successful: %s", data)
    return 0


def check_health(settings_cls: WorkerSettingsType) -> int:
    """Tell whether a worker with these settings is alive: 0 yes, 1 no, as exit codes do."""
    kwargs = get_kwargs(settings_cls)
    return asyncio.run(
        async_check_health(
            kwargs.get("redis_settings") or RedisSettings(),
            kwargs.get("health_check_key"),
            kwargs.get("queue_name"),
        )
    )
