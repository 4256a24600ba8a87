"""Several workers in one event loop: each its own queue, pool and limits, started and ended together."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from signal import Signals
from typing import Any

from .errors import ConfigurationError
from .signals import signals_handled
from .speaking import speakers_named, speaking_as
from .typing import WorkerSettingsType
from .worker import Worker, create_worker, run_in_own_loop

__all__ = ("Fleet", "create_fleet", "run_workers")

logger = logging.getLogger("arqlite.worker")


class Fleet:
    """Workers that share an event loop and its end.

    A signal shuts all of them down, each with its own `job_completion_wait`; a second one hurries all. One
    that ends by an error, at its start or later, takes the others along in the same orderly way. In a burst
    the fleet ends when the last of them is done. `on_shutdown` of each is called when no job runs any more
    in any of them, for they may share what it closes.

    With two workers or more, arqlite's log lines begin with the queue they are about: `[arq:queue]`, with its
    database or server where the name alone does not tell them apart.

    Args:
        workers: what runs. The fleet handles signals in their place, unless all of them have
            `handle_signals=False`.

    Attributes:
        workers: them.
        failed: the one whose error ended the fleet, if any.
        handles_signals: whether SIGINT and SIGTERM shut it down.

    Raises:
        ConfigurationError: two of them share a `Service`, which one of them would stop under the other.
    """

    def __init__(self, workers: Sequence[Worker]) -> None:
        self.workers = list(workers)
        self.failed: Worker | None = None
        _services_must_be_of_one(self.workers)
        self._names = _names(self.workers) if len(self.workers) > 1 else [""] * len(self.workers)
        self.handles_signals = any(worker.options.handle_signals for worker in self.workers)
        for worker in self.workers:
            worker.options.handle_signals = False
        self._told: Counter[str] = Counter()
        self._signals: list[Signals] = []
        self._has_begun = False

    def run(self) -> None:
        """Run until a signal comes or all bursts are over, then close; for programs without a loop."""
        run_in_own_loop(self.run_and_close(), self.workers)

    async def run_and_close(self) -> None:
        """Run until a signal comes or all bursts are over, then close."""
        with speakers_named() if len(self.workers) > 1 else contextlib.nullcontext():
            try:
                await self.async_run()
            finally:
                await self.close()

    async def async_run(self) -> None:
        """Run until a signal comes or all bursts are over; does not close.

        Raises:
            Exception: what ended the first worker that ended by an error, after the others ended.
        """
        self.failed = None
        with signals_handled(self.handle_sig, when=self.handles_signals):
            tasks = [asyncio.create_task(self._work(*one)) for one in self._named()]
            try:
                await self._begin()
                await asyncio.wait(tasks)
                for task in tasks if self.failed is None else [tasks[self.workers.index(self.failed)]]:
                    await task
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                self._forget_signals()

    async def close(self) -> None:
        """Call each `on_shutdown`, the last worker's first, and close the pools. May be called twice.

        Raises:
            Exception: what the first of them raised; the others are closed all the same.
        """
        first: Exception | None = None
        for worker, name in reversed(list(self._named())):
            with speaking_as(name):
                try:
                    await worker.close()
                except Exception as error:
                    if first is None:
                        first = error
                    else:
                        logger.exception("closing failed")
        if first is not None:
            raise first

    def handle_sig(self, signum: Signals, teller: str = "system") -> None:
        """Shut all workers down; told a second time, do not wait for their jobs.

        Args:
            signum: what the log calls it by.
            teller: who says so. Two tellers who say the same do not add up: what a terminal or a service
                manager sends to a supervisor and to its children alike is one signal, not two.
        """
        self._told[teller] += 1
        if self._told[teller] > len(self._signals):
            self._signals.append(signum)
            if self._has_begun:
                self._tell_all(signum)

    async def _begin(self) -> None:
        # Two rounds of the loop: one for our tasks, one for the `main` that each of them makes. A worker
        # forgets what it is told before its `main` has begun.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        self._has_begun = True
        for signum in self._signals:
            self._tell_all(signum)

    def _forget_signals(self) -> None:
        self._has_begun = False
        self._signals.clear()
        self._told.clear()

    async def _work(self, worker: Worker, name: str) -> None:
        try:
            with speaking_as(name):
                await worker.async_run()
        except Exception as error:
            self._take_along(worker, name, error)
            raise

    def _take_along(self, worker: Worker, name: str, error: Exception) -> None:
        """Shut the others down; tell of those who fail at that, since only one error can be raised."""
        if self.failed is not None:
            logger.error("the worker of %s ended by an error, too", name, exc_info=error)
            return
        self.failed = worker
        if len(self.workers) > 1:
            what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            logger.error("the worker of %s ended by %s; the others are shut down, too", name, what)
        self._tell_all(Signals.SIGUSR1)

    def _tell_all(self, signum: Signals) -> None:
        for worker in self.workers:
            if worker.main_task is not None and not worker.main_task.done():
                worker.handle_sig(signum)

    def _named(self) -> Iterator[tuple[Worker, str]]:
        return zip(self.workers, self._names, strict=True)


def create_fleet(settings: Iterable[WorkerSettingsType], **options: Any) -> Fleet:
    """Make the workers of several settings classes, instances or dicts; keyword arguments win in all.

    Raises:
        ConfigurationError: none were given, one was given twice, or one cannot work.
    """
    given = list(settings)
    if not given:
        raise ConfigurationError("no worker settings were given: run_workers([FirstSettings, ...])")
    for place, one in enumerate(given):
        if any(one is other for other in given[:place]):
            raise ConfigurationError(
                f"{_called(one)} was given twice. One worker runs as many jobs at once as its max_jobs says;"
                " for two workers of one queue make a second settings class, or use --processes"
            )
    return Fleet([_made(one, len(given) > 1, options) for one in given])


def run_workers(settings: Iterable[WorkerSettingsType], **options: Any) -> list[Worker]:
    """Run the workers of several settings in one event loop until all have ended, and return them.

    Each is a worker of its own, with its queue, Redis database, pool, `max_jobs` and hooks. They share the
    process: one processor, the threads of `asyncio.to_thread`, and their end (see `Fleet`).

    Args:
        settings: settings classes, instances of some, or dicts. Two may be of one queue; one object may not
            come twice.
        options: arguments of `Worker` that win over what each of the settings says.

    Raises:
        ConfigurationError: settings cannot work, or one was given twice.
    """
    fleet = create_fleet(settings, **options)
    fleet.run()
    return fleet.workers


def _made(settings: WorkerSettingsType, is_one_of_many: bool, options: dict[str, Any]) -> Worker:
    try:
        worker = create_worker(settings, **options)
    except (RuntimeError, ValueError) as error:
        if is_one_of_many:
            error.add_note(f"in {_called(settings)}")
        raise
    # Settings with a common base may share the dict, and each worker keeps its own `redis` in it.
    worker.ctx = copy.copy(worker.ctx) if is_one_of_many else worker.ctx
    return worker


def _services_must_be_of_one(workers: Sequence[Worker]) -> None:
    owners: dict[int, Worker] = {}
    for worker in workers:
        for service in worker.options.services:
            if owners.setdefault(id(service), worker) is not worker:
                raise ConfigurationError(
                    f"two workers share the service {service.name}: one would stop it while the other works;"
                    " make one for each of their settings"
                )


def _names(workers: Sequence[Worker]) -> list[str]:
    """Find the shortest names that tell workers apart."""
    queues = [worker.queue_name for worker in workers]
    places = [_place(worker) for worker in workers]
    databases = [f"{queue}, database {place[1]}" for queue, place in zip(queues, places, strict=True)]
    servers = [f"{name} at {place[0]}" for name, place in zip(databases, places, strict=True)]
    for names in (queues, databases, servers):
        if len(set(names)) == len(names):
            return names
    return [f"{name}, worker {number}" for number, name in enumerate(databases, 1)]


def _place(worker: Worker) -> tuple[str, int]:
    """Tell a worker's server and database."""
    pool = worker.options.redis_pool
    told = worker.redis_settings
    if pool is None and told is not None:
        where = f"{told.host}:{told.port}" if isinstance(told.host, str) else str(told.host)
        return told.unix_socket_path or where, told.database
    kwargs = (pool or worker.pool).connection_pool.connection_kwargs
    return kwargs.get("path") or f"{kwargs.get('host')}:{kwargs.get('port')}", int(kwargs.get("db") or 0)


def _called(settings: WorkerSettingsType) -> str:
    named = settings if isinstance(settings, type) else type(settings)
    return "a dict of settings" if isinstance(settings, dict) else f"{named.__module__}.{named.__qualname__}"
