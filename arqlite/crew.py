"""Everything that works for a worker, wired together. Nothing else wires."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .connections import ArqRedis
from .constants import heartbeats_per_lease
from .engine import RedisEngine, Waker
from .model.arguments import signature_of
from .model.codec import Codec
from .model.functions import Function
from .model.tasks import Task
from .probes import Signs
from .runtime.bookless import NoBooks
from .runtime.capacity import Capacity
from .runtime.capture import LogCapture
from .runtime.deadlines import Deadlines
from .runtime.executor import Counters, Executor
from .runtime.health import HealthRecorder
from .runtime.heartbeat import Heartbeat
from .runtime.intake import Intake
from .runtime.joblog import JobLog
from .runtime.leadership import Leadership
from .runtime.lifeline import Lifeline
from .runtime.limits import Limits
from .runtime.messages import Messages
from .runtime.notekeeper import NoteKeeper
from .runtime.orders import Orders
from .runtime.outage import REDIS_TROUBLE
from .runtime.plain import PlainFunctions
from .runtime.processes import processors
from .runtime.producer import Producer
from .runtime.pruner import Pruner
from .runtime.reporting import equip
from .runtime.scheduler import Scheduler
from .runtime.threads import JobThreads
from .runtime.watchdog import Watchdog
from .service import Host, Service, end_task
from .settings import WorkerOptions
from .telemetry import (
    QueueShutdown,
    WorkerStarted,
    WorkerStopped,
    execute,
    has_handlers,
    reports_sent,
    spans_of,
)
from .utils import to_seconds

logger = logging.getLogger("arqlite.worker")

# How long jobs that were cancelled may take to end, and how long their ends may take to be delivered.
_CANCEL_PATIENCE_S = 3.0
_FLUSH_PATIENCE_S = 5.0
# A process that has bequeathed its jobs is gone long before this is over.
_LAST_BREATH_MS = 1000


class Crew:
    """Everything that works for one `Worker.main`, started in order and stopped in reverse.

    Args:
        options: what the worker was told.
        functions: what it can run, by name.
        pool: the Redis client.
        ctx: the worker's state.
        counters: what it has done so far.
        stop: called when the worker shall end because its queue was stopped.
    """

    def __init__(
        self,
        options: WorkerOptions,
        functions: Mapping[str, Function],
        pool: ArqRedis,
        ctx: dict[Any, Any],
        counters: Counters,
        stop: Callable[[], None],
    ) -> None:
        self._options = options
        self._functions = functions
        self._pool = pool
        self._counters = counters
        self._deadlines = Deadlines(lambda: self.producer.active)
        processes = options.cpu_processes or processors()
        self._plain = PlainFunctions(
            functions,
            max_jobs=options.max_jobs,
            cpu_processes=processes,
            begins=self._deadlines.begin,
        )
        lease_ms = options.lease_ms
        codec = Codec(
            options.job_serializer or pool.job_serializer, options.job_deserializer or pool.job_deserializer
        )
        limits = options.limits()
        self.engine = RedisEngine(pool, options.queue, timeout=max(lease_ms / 3000, 1.0))
        self._books = _books_of(options, functions, self.engine, codec, self._deliver)
        self.producer = Producer(
            self.engine,
            Waker(self.engine.client, self.engine.keys),
            self._books.acker,
            Intake(self._plain.table, limits, codec, options.queue),
            Capacity(functions, options.max_jobs, processes),
            Orders(
                options.queue,
                options.node or socket.gethostname(),
                codec,
                max_jobs=options.max_jobs,
                starts_paused=options.paused,
                global_limit=options.global_limit,
                rate_limit=options.rate_limit,
                stop=stop,
                functions=functions,
                not_aborted=_not_aborted(options, functions),
            ),
            suspect_after=limits.suspect_after,
            lease_ms=lease_ms,
            new_session=_session_name,
            lease_is_safe=self._lease_is_safe,
            opened=self._opened,
            resized=self._plain.grow,
            trust=self._books.trust,
            precheck=self._books.precheck,
            burst=options.burst,
            max_burst_jobs=options.max_burst_jobs,
        )
        equip(ctx)
        capture_level = options.capture_level
        attached_from = logging.INFO if capture_level is None else min(capture_level, logging.INFO)
        self._notes = NoteKeeper(self.engine, attached_from)
        self.producer.executor = Executor(
            ctx=ctx,
            counters=counters,
            hooks=options.hooks(),
            codec=codec,
            acker=self._books.acker,
            deadlines=self._deadlines,
            log=JobLog(options.log_results),
            retry_jobs=options.retry_jobs,
            deliver=self.producer.deliver,
            conclude=self._notes.conclude,
            on_done=self.producer.job_is_done,
            beginnings=self._books.beginnings,
        )
        self._messages = Messages(
            pool,
            self.engine.keys,
            self.producer,
            options.allow_abort_jobs,
            self._expect,
            self._look_for_leader,
        )
        self._heartbeat = Heartbeat(
            self.engine,
            lambda: self.producer.session,
            lease_ms,
            options.rescue_after or _hang_limit(functions, limits, lease_ms),
            self._messages.heard,
            self._messages.may_cancel,
            self._lease_is_doubted,
            self._books.trust.doubt,
        )
        self.leadership = Leadership(
            self.engine,
            lambda: self.producer.session,
            self._lease_is_safe,
            self._leader_changed,
            lease_ms / 1000 / heartbeats_per_lease,
        )
        self._lifeline = Lifeline(self.engine, lambda: self.producer.session, lambda: self._heartbeat.doubt_s)
        self._vigil: asyncio.Task[None] | None = None
        self._vigil_may_end = False
        self._pool_is_closed = False
        self._last_session = ""
        self._opened_at: float | None = None
        self._health = HealthRecorder(
            pool, self.engine, options.health_key, to_seconds(options.health_check_interval), self._counts
        )
        host = Host(
            pool, options.queue, frozenset(functions), codec.serializer, codec.deserializer,
            lambda: self.leadership.is_leader, lambda: self.producer.session or "",
            lambda: len(self.producer.active), self._books.backlog,
        )  # fmt: skip
        self._introduced: list[Service] = []
        self._introduce(host)
        pruner = Pruner(self.engine, options.prune_interval, options.prune_limit)
        self._services: list[Service] = [
            *self._books.services, self._plain, *options.services, self._lifeline, self._health, pruner,
            self._notes,
        ]  # fmt: skip
        if capture_level is not None:
            self._services.append(LogCapture(self._notes, capture_level))
        if options.blocked_loop_warning is not None:
            self._services.append(
                Watchdog(options.queue, options.blocked_loop_warning, lambda: self.producer.active)
            )
        self._scheduler = Scheduler(
            self.engine,
            codec,
            options.cron_jobs or (),
            options.zone,
            is_leader=lambda: self.leadership.is_leader,
        )
        if options.cron_jobs:
            self._services.append(self._scheduler)

    def _introduce(self, host: Host) -> None:
        """Tell services for whom they work, the user's and those of the ledger; all of them or none."""
        told = self._introduced
        try:
            for service in (*self._books.services, *self._options.services):
                service.introduce(host)
                told.append(service)
        except BaseException:
            for service in told:
                service.dismiss()
            raise

    async def work(self) -> None:
        """Start everything and run until a burst is over."""
        await self._books.open()
        with spans_of(self.engine.queue):
            for service in self._services:
                await service.start()
            await self.producer.open()
            await self._heartbeat.start()
            await self.leadership.start()
            await self._scheduler.fire_reboots()
            await self.producer.start()
        self._report_start()
        await self.producer.finish()

    def _report_start(self) -> None:
        if has_handlers(WorkerStarted):
            worker, max_jobs = self.producer.session or "", self._options.max_jobs
            execute(WorkerStarted(self.engine.queue, worker, tuple(self._functions), os.getpid(), max_jobs))

    async def shut_down(self, why: str, patience_s: float, hurry: asyncio.Event) -> None:
        """Stop claiming, let jobs end for a while, give back the rest."""
        self.say_shutdown(why, patience_s)
        began = time.monotonic()
        self.producer.stop_claiming()
        if patience_s and self.producer.active:
            await _first_of(self.producer.drained(), hurry.wait(), patience_s)
            logger.info("shutdown on %s, wait complete ◆ %s", why, self._summary("ongoing to cancel"))
        self._report_shutdown(began)
        for run in list(self.producer.active):
            run.cancel("shutdown")
        await _first_of(self.producer.drained(), _CANCEL_PATIENCE_S)

    def _report_shutdown(self, began: float) -> None:
        if has_handlers(QueueShutdown):
            elapsed_ms = int((time.monotonic() - began) * 1000)
            orphaned = tuple(run.job_id for run in self.producer.active)
            execute(QueueShutdown(self.engine.queue, self._last_session, elapsed_ms, orphaned))

    async def stop(self) -> bool:
        """Deliver what ended, and leave. Returns whether jobs that ignore their cancellation stay behind:
        then the lease is kept for them, and this leaves when they have ended or are bequeathed.
        """
        self.producer.stop_claiming()
        await self.producer.stop()
        had_stubborn_jobs = bool(self.producer.active)
        await self.producer.flush(_FLUSH_PATIENCE_S)
        # Who resigned must have nothing under way that only the leader does.
        for service in [*reversed(self._services), self.leadership]:
            try:
                await service.stop()
            except Exception:  # it must keep neither the others from stopping nor the lease from ending
                logger.exception("service %s failed to stop", service.name)
        await self._books.close()
        for service in self._introduced:
            service.dismiss()
        self._deadlines.stop()
        if had_stubborn_jobs and not self.producer.active:
            await self.producer.flush(_FLUSH_PATIENCE_S)
        await reports_sent(_FLUSH_PATIENCE_S)
        await self._leave()
        has_stubborn_jobs = bool(self.producer.active)
        if has_stubborn_jobs:
            self._vigil = asyncio.create_task(self._keep_vigil(), name="arqlite:vigil")
        else:
            await self._end()
        if has_handlers(WorkerStopped):
            done = self._counters
            execute(
                WorkerStopped(self.engine.queue, self._last_session, done.complete, done.failed, done.retried)
            )
        return has_stubborn_jobs

    async def settle(self) -> None:
        """The process ends soon: deliver the ends of jobs. Of those that ignore their cancellation, the ones
        that were aborted or out of time end here.
        """
        if self._vigil is None:
            return
        if not self.producer.active:
            await self._vigil
            return
        self._vigil_may_end = True
        await end_task(self._vigil)
        for run in list(self.producer.active):
            await self.producer.executor.leave_behind(run)
        await self.producer.flush(_FLUSH_PATIENCE_S)

    async def bequeath(self) -> None:
        """This process ends now, and with it the jobs that ignore their cancellation: let others have them
        soon, and without a blot. If Redis is out of reach, they have them when the lease has ended.
        """
        await self._heartbeat.stop()  # a beat would take the word back
        if self.producer.session is not None:
            await self.engine.bequeath(self.producer.session, _LAST_BREATH_MS)

    def pool_was_closed(self) -> None:
        """Whoever needs the pool from now on closes it again."""
        self._pool_is_closed = True

    async def _keep_vigil(self) -> None:
        """Keep the lease for jobs that ignore their cancellation, lest they run elsewhere, too."""
        while running := [run.task for run in self.producer.active if run.task and not run.task.done()]:
            try:
                await asyncio.wait(running)
            except asyncio.CancelledError:
                # Whoever ends a loop cancels all its tasks, and waits for those jobs as this does.
                if self._vigil_may_end:
                    raise
        await self.producer.flush(_FLUSH_PATIENCE_S)
        await self._leave()
        await self._end()
        if self._pool_is_closed:
            await self._pool.aclose(close_connection_pool=True)

    async def _end(self) -> None:
        await self._heartbeat.stop()
        await self._messages.close()
        await self.engine.close()

    async def _leave(self) -> None:
        try:
            # This worker may have taken the token for what it gave back.
            await self.engine.nudge()
            # One that was asked for and never confirmed may be there as well.
            session = self.producer.session or self.producer.opening
            if self.producer.active or session is None:
                return  # what still runs here must not be started elsewhere before this process is gone
            others = await self.engine.leave(session, self.producer.told)
            if others == 0:
                async with asyncio.timeout(_FLUSH_PATIENCE_S):
                    await self._pool.delete(self._options.health_key)
        except REDIS_TROUBLE as error:
            logger.warning("could not say goodbye to Redis (%s); the lease ends by itself", error)

    def signs(self) -> Signs:
        """Tell how this does, for probes; may be asked in any thread."""
        moments = self._opened_at, self.producer.turned_at, self._heartbeat.heard_at
        heard = [at for at in moments if at is not None]
        ledger = self._options.ledger
        return Signs(
            queue=self._options.queue,
            has_reached_redis=True,
            has_started=bool(self._last_session),
            has_turned=self.producer.turned_at is not None,
            is_draining=not self.producer.is_claiming,
            is_paused=self.producer.is_paused,
            heard_s=time.monotonic() - max(heard) if heard else None,
            fresh_s=self._options.lease,
            running=len(self.producer.active),
            max_jobs=self.producer.max_jobs,
            ledger=self._books.sign,
            is_strict=ledger is not None and ledger.is_strict,
        )

    def _deliver(self) -> None:
        self.producer.deliver()

    def _lease_is_safe(self) -> bool:
        return not self._heartbeat.is_overdue

    def _opened(self, session: str, next_deadline_ms: int) -> None:
        self._heartbeat.renewed()
        self._books.opened(session)
        self._notes.opened(session)
        self._lifeline.expect(next_deadline_ms)
        if self._last_session:
            self._health.hurry()  # what lost the lease may have lost the record, too
            self.leadership.hurry()
        self._messages.follow(session)
        self._last_session = session
        self._opened_at = time.monotonic()

    def _expect(self, next_deadline_ms: int) -> None:
        self._lifeline.expect(next_deadline_ms)

    def _look_for_leader(self) -> None:
        self.leadership.hurry()

    def _lease_is_doubted(self) -> None:
        self.leadership.doubt()

    def _leader_changed(self) -> None:
        self._scheduler.look()

    def _counts(self) -> tuple[int, int, int, int]:
        done = self._counters
        return done.complete, done.failed, done.retried, len(self.producer.active)

    def say_shutdown(self, why: str, patience_s: float) -> None:
        """Tell why the worker ends, what it has done, and what becomes of what it does."""
        fate = "to be completed" if patience_s else "ongoing to cancel"
        logger.info("shutdown on %s ◆ %s", why, self._summary(fate))

    def _summary(self, fate: str) -> str:
        complete, failed, retried, ongoing = self._counts()
        return f"{complete} jobs complete ◆ {failed} failed ◆ {retried} retries ◆ {ongoing} {fate}"


def _books_of(
    options: WorkerOptions,
    functions: Mapping[str, Function],
    engine: RedisEngine,
    codec: Codec,
    wake: Callable[[], None],
) -> NoBooks:
    if options.ledger is None:
        return NoBooks()
    # Here, since without a ledger there need not be an SQLAlchemy.
    from .books import Books

    if options.ledger.redaction:
        for name, function in functions.items():
            options.ledger.redaction.learn(name, signature_of(function.coroutine).parameter_names)
    return Books(options.ledger, engine, codec, wake)


def threads_for_jobs() -> ThreadPoolExecutor:
    """Make the default executor of an event loop that is a worker's own."""
    return JobThreads()


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


def _not_aborted(options: WorkerOptions, functions: Mapping[str, Function]) -> list[str]:
    """The functions whose running jobs run on when somebody cancels them, as `Messages` has it."""
    return [
        name
        for name, function in functions.items()
        if not options.allow_abort_jobs and not isinstance(function, Task)
    ]


def _hang_limit(functions: Mapping[str, Function], limits: Limits, lease_ms: int) -> float | None:
    """How long the loop may stand still: no job may legally block it longer than the longest timeout.

    A plain function in a thread counts, too: C code in it may keep the interpreter from everybody else. A
    task without a timeout may run for ever, but not block the loop for longer than others may.
    """
    own = [function.timeout_s for function in functions.values()]
    timeouts = [limits.timeout_s if timeout is None else timeout for timeout in own]
    longest = max((timeout for timeout in timeouts if timeout is not None), default=0.0)
    return None if None in timeouts else longest + lease_ms / 1000
