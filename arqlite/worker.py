"""The worker: what users make, run, and ask how it is doing."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import gc
import logging
import os
import sys
from collections.abc import Callable, Coroutine, Iterator, Sequence
from datetime import datetime, tzinfo
from signal import Signals
from typing import Any, cast

from . import constants
from .connections import (
    ArqRedis,
    RedisSettings,
    create_pool,
    log_redis_info,
)
from .constants import (
    abort_job_max_age,
    abort_jobs_ss,
    default_queue_name,
    expires_extra_ms,
    health_check_key_suffix,
    in_progress_key_prefix,
    job_key_prefix,
    keep_cronjob_progress,
    result_key_prefix,
    retry_key_prefix,
)
from .crew import Crew, threads_for_jobs
from .cron import CronJob
from .engine import RedisEngine
from .errors import FailedJobs, JobExecutionFailed, Retry, RetryJob
from .jobs import JobResult
from .logs import install_job_fields
from .model import limits
from .model.functions import Function, func
from .model.limits import GlobalLimit, RateLimit
from .model.slips import options_in_words
from .model.tasks import elsewhere, rules_of
from .probes import Signs
from .probes.systemd import announced
from .redis_settings import default_redis_settings
from .runtime.executor import Counters
from .service import Service, end_task
from .settings import WORDS_OF_OTHERS, WorkerOptions, get_kwargs, with_default_ledger
from .signals import signals_handled
from .typing import (
    Deserializer,
    SecondsTimedelta,
    Serializer,
    StartupShutdown,
    WorkerCoroutine,
    WorkerSettingsType,
)

__all__ = (
    "ArqRedis",
    "CronJob",
    "FailedJobs",
    "Function",
    "JobExecutionFailed",
    "JobResult",
    "RedisSettings",
    "Retry",
    "RetryJob",
    "Worker",
    "abort_job_max_age",
    "abort_jobs_ss",
    "async_check_health",
    "check_health",
    "create_pool",
    "create_worker",
    "default_queue_name",
    "expires_extra_ms",
    "func",
    "get_kwargs",
    "health_check_key_suffix",
    "in_progress_key_prefix",
    "job_key_prefix",
    "keep_cronjob_progress",
    "log_redis_info",
    "result_key_prefix",
    "retry_key_prefix",
    "run_worker",
)

logger = logging.getLogger("arqlite.worker")

# Jobs that the first worker of several bequeathed may start elsewhere a second later: by then this
# process must be gone, however long Redis leaves the last worker waiting.
_BEQUEST_PATIENCE_S = 0.5


@options_in_words(WORDS_OF_OTHERS)
class Worker:
    """Runs the jobs of one queue.

    Args:
        functions: what it can run: coroutine or plain functions, tasks, dotted paths, or `func(...)`.
        queue_name: the queue; None is the default queue of `redis_pool`.
        cron_jobs: what runs at fixed times, see `arqlite.cron.cron`.
        redis_settings: where Redis is; by default as `ARQLITE_REDIS_URL` says, else on localhost.
        redis_pool: a pool to use instead; `close` closes it.
        burst: whether to end when the queue is empty; deferred jobs are waited for.
        on_startup: `async f(ctx)` before the first job.
        on_shutdown: `async f(ctx)` after the last.
        on_job_start: `async f(ctx)` before each job; if it raises, the job fails.
        on_job_end: `async f(ctx)` after each job, before its result is stored.
        after_job_end: `async f(ctx)` when its result is stored.
        handle_signals: whether SIGINT and SIGTERM shut it down.
        job_completion_wait: seconds or timedelta that running jobs may take to end after a signal.
        max_jobs: how many jobs run at once.
        job_timeout: seconds or timedelta one run may take; None and infinity are no limit. A `@task` has
            only a timeout of its own.
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
        timezone: where cron fields are read, a tzinfo or a name such as "Europe/Prague"; the system's zone
            by default.
        log_results: whether results are shown in the log.
        lease: seconds after which the jobs of a dead worker are given to others.
        max_rescues: how many workers a job may take down before it is given up.
        unknown_function_ttl: seconds that a job whose function this worker does not know is kept for others.
        rescue_after: seconds that its event loop may stand still before its jobs are given to others, at
            least the lease; by default the lease and the longest timeout, and for ever if there is none.
        prune_interval: seconds between two looks for results whose time is over.
        prune_limit: how many of them one look forgets; the next one comes soon if there are more.
        keep_discarded: seconds or timedelta the end of a job that failed is kept; None is as long as a
            result, and at least 7 days if its function is a `@task`.
        keep_cancelled: the same for a job that was cancelled.
        strict_arguments: whether a job whose arguments do not fit its function's annotations fails; otherwise
            such an argument arrives as it came, and the log says so once.
        cpu_processes: how many processes run functions with `cpu=True`; one per processor by default.
        blocked_loop_warning: seconds that a job may block the event loop before the log says so, with the
            stack; None never.
        capture_logs: the level (`logging.INFO` or its name) from which on what a job logs is attached to it;
            None attaches only what it tells `ctx["log"]`.
        services: `Service`s of your own, started and stopped with the worker.
        global_limit: how many jobs of the queue run at once over all its workers: a number, or a
            `GlobalLimit` with `partition_by`.
        rate_limit: how many jobs of the queue start within a while over all its workers: a pair of a number
            and seconds or timedelta, or a `RateLimit` with `partition_by`.
        paused: whether it claims nothing before somebody resumes the queue.
        node: where it runs, as `Inspector.pause_queue(node=...)` and its like call it; the host's name by
            default.
        health_port: where it answers probes: `/livez`, `/readyz`, `/startupz` and `/metrics`; None nowhere, 0
            at any free port. Workers of one process may name the same.
        health_host: the address to listen at.
        blocked_loop_limit: seconds that the event loop may stand still before `/livez` says that this process
            has to be restarted.
        health_file: the path of a file that says the same as the probes, written anew each second; None is
            none. For probes that run a command, where there is to be no port.
        ledger: a `Ledger` that has a row for every job of the queue, or the URL of its database, or an
            `AsyncEngine`; several workers may share one. None keeps no rows.

    Raises:
        ConfigurationError: an argument cannot work; the message says which and why.
        UnknownOption: there is no such argument; the message says which one may be meant.
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
        job_completion_wait: SecondsTimedelta = 0,
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
        timezone: tzinfo | str | None = None,
        log_results: bool = True,
        lease: SecondsTimedelta = constants.default_lease_s,
        max_rescues: int = constants.default_max_rescues,
        unknown_function_ttl: SecondsTimedelta = constants.default_unknown_function_ttl_s,
        rescue_after: SecondsTimedelta | None = None,
        prune_interval: SecondsTimedelta = constants.default_prune_interval_s,
        prune_limit: int = constants.default_prune_limit,
        keep_discarded: SecondsTimedelta | None = None,
        keep_cancelled: SecondsTimedelta | None = None,
        strict_arguments: bool = False,
        cpu_processes: int | None = None,
        blocked_loop_warning: SecondsTimedelta | None = 1.0,
        capture_logs: int | str | None = None,
        services: Sequence[Service] = (),
        global_limit: int | GlobalLimit | None = None,
        rate_limit: tuple[int, SecondsTimedelta] | RateLimit | None = None,
        paused: bool = False,
        node: str | None = None,
        ledger: Any = None,
        health_port: int | None = None,
        health_host: str = "127.0.0.1",
        blocked_loop_limit: SecondsTimedelta = 30.0,
        health_file: str | None = None,
    ) -> None:
        given = {name: value for name, value in locals().items() if name != "self"}
        self.options = options = WorkerOptions(**given)
        self.functions = options.table()
        self.queue_name = options.queue
        self.cron_jobs = list(options.cron_jobs or ())
        self.redis_settings = (
            (options.redis_settings or default_redis_settings()) if redis_pool is None else None
        )
        self.burst = burst
        self.max_burst_jobs = max_burst_jobs
        self.max_jobs = max_jobs
        self.max_tries = max_tries
        self.queue_read_limit = queue_read_limit or max(max_jobs * 5, 100)
        self.retry_jobs = retry_jobs
        self.allow_abort_jobs = allow_abort_jobs
        self.health_check_key = options.health_key
        self.timezone = options.zone or datetime.now().astimezone().tzinfo
        self.ctx: dict[Any, Any] = ctx if ctx is not None else {}
        self.main_task: asyncio.Task[None] | None = None
        self.on_stop: Callable[[Signals], Any] | None = None
        self.has_stubborn_jobs = False
        self.has_reached_redis = False
        self.health_url: str | None = None
        self._pool = redis_pool
        self._crew: Crew | None = None
        self._counters = Counters()
        self._shutdown_started = False
        self._ends_with_queue = False
        self._stop: asyncio.Future[Signals] | None = None
        self._hurry = asyncio.Event()
        self._closed = False

    # -- what users read

    @property
    def pool(self) -> ArqRedis:
        """The Redis client; there from the start of `main` on."""
        return cast("ArqRedis", self._pool)

    @property
    def is_leader(self) -> bool:
        """Whether this worker leads its queue: one of those that hold a lease does. No when in doubt."""
        return self._crew is not None and self._crew.leadership.is_leader

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
        runs = self._crew.producer.active if self._crew else ()
        return {run.job_id: run.task for run in runs if run.task is not None}

    job_tasks = tasks

    def signs(self) -> Signs:
        """Tell how it is doing, as probes are told; may be asked in any thread."""
        signs = Signs(queue=self.queue_name, has_reached_redis=self.has_reached_redis)
        if self._crew is not None:
            signs = self._crew.signs()
        return dataclasses.replace(signs, is_draining=True) if self._shutdown_started else signs

    def __repr__(self) -> str:
        return (
            f"<Worker j_complete={self.jobs_complete} j_failed={self.jobs_failed} "
            f"j_retried={self.jobs_retried} j_ongoing={len(self.tasks)}>"
        )

    # -- running

    def run(self) -> None:
        """Run until a signal comes or a burst is over, then close; for programs without a loop."""
        run_in_own_loop(self._run_and_close(), [self])

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
        self._stop = asyncio.get_running_loop().create_future()
        self._hurry.clear()
        self._shutdown_started = self._ends_with_queue = False
        with signals_handled(self.handle_sig, when=self.options.handle_signals), self._probed():
            await self._connect()
            await self._work()

    async def close(self) -> None:
        """Cancel what runs, call `on_shutdown`, and close the pool. May be called twice."""
        if self._closed:
            return
        self._closed = True
        if self.main_task is not None and not self.main_task.done():
            self.handle_sig(Signals.SIGUSR1)
            await asyncio.gather(self.main_task, return_exceptions=True)
        elif self._crew is not None and not self.options.handle_signals and not self._shutdown_started:
            self._crew.say_shutdown(Signals.SIGUSR1.name, 0)
        if self._pool is None:
            return
        try:
            if self.options.on_shutdown is not None:
                await self.options.on_shutdown(self.ctx)
        finally:
            await self._pool.aclose(close_connection_pool=True)
            if self._crew is not None:
                self._crew.pool_was_closed()
            if self.options.ledger is not None:
                await self.options.ledger.aclose()  # another worker that shares it connects anew

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

    @contextlib.contextmanager
    def _probed(self) -> Iterator[None]:
        """Have probes answered, if they are to be."""
        options = self.options
        if options.health_port is None and options.health_file is None:
            yield
            return
        # Here, since a worker that nobody probes needs no HTTP server.
        from .probes.doorkeeper import Probed, probed, written

        exporters = [service for service in options.services if callable(getattr(service, "expose", None))]
        worker = Probed(self.signs, options.blocked_loop_limit, cast("list[Any]", exporters))
        with contextlib.ExitStack() as stack:
            if options.health_file is not None:
                stack.enter_context(written(options.health_file, worker))
            if options.health_port is not None:
                stack.callback(setattr, self, "health_url", None)
                self.health_url = stack.enter_context(
                    probed(options.health_host, options.health_port, worker)
                )
            yield

    def _end_with_queue(self) -> None:
        self._ends_with_queue = not self._shutdown_started
        self.handle_sig(Signals.SIGTERM)

    def _why(self, signum: Signals) -> str:
        """Say on what it shuts down: nobody sent a signal to one whose queue was stopped."""
        return f"the stop of queue {self.queue_name}" if self._ends_with_queue else signum.name

    async def _connect(self) -> None:
        options = self.options
        if self._pool is None:
            self._pool = await create_pool(
                self.redis_settings,
                job_serializer=options.job_serializer,
                job_deserializer=options.job_deserializer,
                default_queue_name=self.queue_name,
                expires_extra_ms=options.expires_extra_ms,
                ledger=options.ledger,
            )
        if self._pool.ledger is None:
            self._pool.ledger = options.ledger  # what jobs enqueue has rows, too
        logger.info("Starting worker for %d functions: %s", len(self.functions), ", ".join(self.functions))
        if rules := rules_of(self.functions.values()):
            logger.info("%s", rules)
        self._tell_doubts()
        await log_redis_info(self._pool, logger.info)
        self.has_reached_redis = True
        self.ctx["redis"] = self._pool
        if options.on_startup is not None:
            await options.on_startup(self.ctx)

    def _tell_doubts(self) -> None:
        """Tell what can be meant, and probably is not."""
        options = self.options
        targets = {name: function.coroutine for name, function in self.functions.items()}
        told = limits.doubts(options.global_limit, options.rate_limit, targets)
        for doubt in (elsewhere(self.functions.values(), self.queue_name), *told):
            if doubt:
                logger.warning("%s", doubt)

    async def _work(self) -> None:
        options = dataclasses.replace(
            self.options,
            burst=self.burst,
            max_burst_jobs=self.max_burst_jobs,
            max_jobs=self.max_jobs,
            retry_jobs=self.retry_jobs,
            allow_abort_jobs=self.allow_abort_jobs,
        )
        crew = self._crew = Crew(
            options, self.functions, self.pool, self.ctx, self._counters, self._end_with_queue
        )
        working = asyncio.create_task(crew.work())
        assert self._stop is not None  # noqa: S101 (main made it)
        try:
            waits: list[asyncio.Future[Any]] = [working, self._stop]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            if self._stop.done():
                await crew.shut_down(
                    self._why(self._stop.result()), self.options.job_completion_wait, self._hurry
                )
            else:
                working.result()
        except asyncio.CancelledError:
            self._hurry.set()
            await asyncio.shield(crew.shut_down(Signals.SIGTERM.name, 0, self._hurry))
            raise
        finally:
            await end_task(working)
            self.has_stubborn_jobs = await crew.stop()


def run_in_own_loop(work: Coroutine[Any, Any, None], workers: Sequence[Worker]) -> None:
    """Run the work of workers in a new event loop that is made for jobs; for programs without a loop."""
    install_job_fields()
    # Jobs make much garbage; what was imported is none, and need not be searched for it each time.
    gc.collect()
    gc.freeze()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.get_loop().set_default_executor(threads_for_jobs())
        try:
            grace_s = max((worker.options.job_completion_wait for worker in workers), default=0.0)
            runner.run(announced(work, [worker.signs for worker in workers], grace_s))
        finally:
            runner.run(leave_stubborn_jobs(workers))


async def leave_stubborn_jobs(workers: Sequence[Worker]) -> None:
    """End the process, with 1, if jobs ignored their cancellation: the loop would wait for them for ever.

    They run elsewhere as soon as this process is gone, and it counts neither as a try nor as a crash.
    """
    crews = [worker._crew for worker in workers if worker.has_stubborn_jobs and worker._crew is not None]
    has_stubborn_jobs = any(crew.producer.active for crew in crews)
    if has_stubborn_jobs:
        logger.critical("leaving jobs behind that ignore their cancellation")
    await asyncio.gather(*(crew.settle() for crew in crews), return_exceptions=True)
    if not has_stubborn_jobs:
        return  # they have ended after all
    # All that may take long comes before others may start those jobs.
    logging.shutdown()
    with contextlib.suppress(Exception):
        sys.stdout.flush()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_BEQUEST_PATIENCE_S):
            await asyncio.gather(*(crew.bequeath() for crew in crews), return_exceptions=True)
    os._exit(1)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return cast("Callable[[], asyncio.AbstractEventLoop]", uvloop.new_event_loop)


def create_worker(settings_cls: WorkerSettingsType, **kwargs: Any) -> Worker:
    """Make a worker from a settings class, an instance of one or a dict; keyword arguments win.

    A ledger that nobody names is the one of `ARQLITE_LEDGER_URL`, if that is set.
    """
    return Worker(**with_default_ledger({**get_kwargs(settings_cls), **kwargs}))


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
            "Health check failed: no worker of %s holds a lease, the last said: %s",
            queue_name,
            data.decode(errors="replace") if isinstance(data, bytes) else data,
        )
        return 1
    logger.info("Health check successful: %s", data)
    return 0


def check_health(settings_cls: WorkerSettingsType) -> int:
    """Tell whether a worker with these settings is alive: 0 yes, 1 no, as exit codes do.

    Redis is tried once, whatever `conn_retries` is: who asks asks again, and wants an answer now.
    """
    kwargs = get_kwargs(settings_cls)
    settings = kwargs.get("redis_settings") or default_redis_settings()
    if isinstance(settings, RedisSettings):
        settings = dataclasses.replace(settings, conn_retries=0)
    return asyncio.run(
        async_check_health(
            settings,
            kwargs.get("health_check_key"),
            kwargs.get("queue_name"),
        )
    )
