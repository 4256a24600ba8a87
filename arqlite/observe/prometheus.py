"""Metrics for Prometheus: a service of a worker, with a registry of its own and, if asked for, a port.

class WorkerSettings:
    services = [Prometheus(port=9100)]
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence

from ..errors import ConfigurationError, MissingExtra
from ..service import Host
from ..typing import SecondsTimedelta
from . import catalogue
from .watching import Watch

try:
    from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
    from prometheus_client.metrics_core import Metric as Family
    from prometheus_client.registry import Collector
except ImportError as error:
    raise MissingExtra("Prometheus", "prometheus") from error

__all__ = ("CONTENT_TYPE", "Prometheus", "expose_all", "registry_of")

CONTENT_TYPE: str = CONTENT_TYPE_LATEST
"""What `expose` gives, for the header of an answer."""

_HIGHEST_PORT = 65_535


class _Timing:
    """The runs of one task within a histogram: how many fell into each bucket, and their sum."""

    __slots__ = ("counts", "total")

    def __init__(self, buckets: int) -> None:
        self.counts = [0] * buckets
        self.total = 0.0


class Prometheus(Watch):
    """Counts what a worker does, and tells it as Prometheus reads it.

    What the leader of the queue alone tells (`arqlite_queue_...`) can be added up over all workers. Labels
    are bounded: functions that the worker does not know are `other`, and no label names a worker.

    Args:
        port: where to answer `GET /metrics`; 0 is any free one, None is nowhere: ask `registry` or `expose`.
            Services of several workers in one process may name the same one, and share it.
        host: the address to listen at; only this machine, unless told otherwise.
        interval: how often the leader looks at the queue.
        queue_label: what the queue is called in metrics; None is its name. For queues of one name in
            several databases.
        buckets: upper bounds of the histograms' buckets in seconds, in rising order.

    Attributes:
        registry: a registry of its own.

    Raises:
        ConfigurationError: one of the arguments cannot work.
    """

    def __init__(
        self,
        port: int | None = None,
        host: str = "127.0.0.1",
        *,
        interval: SecondsTimedelta = 5.0,
        queue_label: str | None = None,
        buckets: Sequence[float] = catalogue.BUCKETS_S,
    ) -> None:
        super().__init__(interval, queue_label)
        self._address = None if port is None else (_checked_host(host), _checked_port(port))
        self._bounds = _checked_bounds(buckets)
        self._jobs: dict[tuple[str, str], int] = {}
        self._durations: dict[str, _Timing] = {}
        self._waits: dict[str, _Timing] = {}
        self._rescued: dict[str, int] = dict.fromkeys(catalogue.RESCUES, 0)
        self._redis_errors: dict[str, int] = {}
        self._counted_of = ""
        self.registry = registry_of([self])
        self._door: _Door | None = None

    @property
    def port(self) -> int | None:
        """Where it answers now; None if it does not."""
        return None if self._door is None else self._door.port

    @staticmethod
    def expose_all(services: Iterable[Prometheus]) -> bytes:
        """Write the metrics of several services as one text: for a server that several workers share."""
        return expose_all(services)

    def expose(self) -> bytes:
        """Write all metrics as text, of the type `CONTENT_TYPE`; from any thread."""
        return generate_latest(self.registry)

    # -- what it hears; called for each job, so nothing here looks up a child of the library's by its labels

    def ended(self, task: str, state: str, run_s: float | None, wait_s: float | None) -> None:
        """Count a run, or an end without one."""
        jobs, kind = self._jobs, (task, state)
        jobs[kind] = jobs.get(kind, 0) + 1
        if run_s is not None:
            self._observe(self._durations, task, run_s)
        if wait_s is not None:
            self._observe(self._waits, task, wait_s)

    def rescued(self, cause: str, count: int) -> None:
        """Count jobs that were put back, or given up."""
        self._rescued[cause] = self._rescued.get(cause, 0) + count

    def redis_failed(self, operation: str) -> None:
        """Count an attempt that failed."""
        self._redis_errors[operation] = self._redis_errors.get(operation, 0) + 1

    def _observe(self, timings: dict[str, _Timing], task: str, seconds: float) -> None:
        timing = timings.get(task)
        if timing is None:
            timing = timings[task] = _Timing(len(self._bounds) + 1)
        timing.counts[bisect_left(self._bounds, seconds)] += 1
        timing.total += seconds

    # -- the service

    def join(self, host: Host) -> None:
        """Hear of the worker, and begin to count anew if it is of another queue."""
        super().join(host)
        if self._counted_of not in ("", host.queue):
            self._forget()
        self._counted_of = host.queue

    async def start(self) -> None:
        """Begin to count, and to answer.

        Raises:
            ConfigurationError: nobody can listen at this address.
        """
        for task in self.tasks:
            for state in catalogue.COUNTED_ENDS:
                self._jobs.setdefault((task, state), 0)
        if self._address is not None and self._door is None:
            self._door = _enter(self, self._address)
        await super().start()

    async def stop(self) -> None:
        """Count and answer no longer."""
        await super().stop()
        door, self._door = self._door, None
        if door is not None and _leave(self, door):
            await door.close()

    def _forget(self) -> None:
        for counted in (self._jobs, self._durations, self._waits, self._redis_errors):
            counted.clear()
        self._rescued = dict.fromkeys(self._rescued, 0)

    # -- what it tells

    def _tell(self, page: _Page) -> None:
        """Add all that is known to a page. The worker goes on meanwhile: each dict is copied in one step."""
        queue = self.queue
        for (task, state), count in list(self._jobs.items()):
            page.add(catalogue.JOBS, (queue, task, state), count)
        for metric, timings in ((catalogue.DURATION, self._durations), (catalogue.WAIT, self._waits)):
            for task, timing in list(timings.items()):
                page.add_timing(metric, (queue, task), self._bounds, timing)
        for operation, count in list(self._redis_errors.items()):
            page.add(catalogue.REDIS_ERRORS, (operation,), count)
        if not self._counted_of:
            return  # it never had a worker
        for cause, count in list(self._rescued.items()):
            page.add(catalogue.RESCUED, (queue, cause), count)
        if self.is_on:
            self._tell_of_now(page, queue)

    def _tell_of_now(self, page: _Page, queue: str) -> None:
        waiting, lag_s = self.backlog
        page.add(catalogue.RUNNING, (queue,), self.running)
        page.add(catalogue.LEDGER_BUFFER, (queue,), waiting)
        page.raise_to(catalogue.LEDGER_LAG, (queue,), lag_s)
        page.raise_to(catalogue.LOOP_LAG, (), self.loop_lag_s)
        page.raise_to(catalogue.LEADER, (queue,), 1 if self.leads() else 0)
        figures = self.figures
        if figures is None:
            return
        for state, count in figures.depth.items():
            page.raise_to(catalogue.DEPTH, (queue, state), count)
        page.raise_to(catalogue.LATENCY, (queue,), figures.latency_s)
        page.raise_to(catalogue.SLOTS, (queue,), figures.slots)


def registry_of(services: Iterable[Prometheus]) -> CollectorRegistry:
    """Make a registry that tells what several services know; of what two tell alike, the sum."""
    registry = CollectorRegistry()
    registry.register(_Collected(services))
    return registry


def expose_all(services: Iterable[Prometheus]) -> bytes:
    """Write the metrics of several services as one text: for a server that several workers share."""
    return generate_latest(registry_of(services))


class _Page:
    """The values of all metrics at one moment, by their labels."""

    def __init__(self) -> None:
        self._values: dict[catalogue.Metric, dict[tuple[str, ...], float]] = {}
        self._timings: dict[catalogue.Metric, dict[tuple[str, ...], tuple[Sequence[float], _Timing]]] = {}

    def add(self, metric: catalogue.Metric, labels: tuple[str, ...], value: float) -> None:
        """Add a value to what is there."""
        values = self._values.setdefault(metric, {})
        values[labels] = values.get(labels, 0) + value

    def raise_to(self, metric: catalogue.Metric, labels: tuple[str, ...], value: float) -> None:
        """Tell a value, if what is there is not higher: it is the same thing, seen twice."""
        values = self._values.setdefault(metric, {})
        values[labels] = max(values.get(labels, 0), value)

    def add_timing(
        self, metric: catalogue.Metric, labels: tuple[str, ...], bounds: Sequence[float], timing: _Timing
    ) -> None:
        """Add a histogram to what is there. Two with other buckets cannot be added: the first one stays."""
        timings = self._timings.setdefault(metric, {})
        known_bounds, known = timings.get(labels, (bounds, None))
        if known is not None and known_bounds != bounds:
            return
        both = _Timing(len(timing.counts))
        both.counts = list(timing.counts)
        both.total = timing.total
        if known is not None:
            both.counts = [one + other for one, other in zip(both.counts, known.counts, strict=True)]
            both.total += known.total
        timings[labels] = (bounds, both)

    def families(self) -> Iterator[Family]:
        """Write it all down, as the library reads it."""
        for metric in catalogue.METRICS:
            family = Family(metric.name, metric.help, metric.kind)
            for labels, value in self._values.get(metric, {}).items():
                family.add_sample(metric.exported_name, dict(zip(metric.labels, labels, strict=True)), value)
            for labels, (bounds, timing) in self._timings.get(metric, {}).items():
                _add_histogram(family, dict(zip(metric.labels, labels, strict=True)), bounds, timing)
            yield family


def _add_histogram(family: Family, labels: dict[str, str], bounds: Sequence[float], timing: _Timing) -> None:
    so_far = 0
    for bound, count in zip([*map(str, bounds), "+Inf"], timing.counts, strict=True):
        so_far += count
        family.add_sample(f"{family.name}_bucket", {**labels, "le": bound}, so_far)
    family.add_sample(f"{family.name}_count", labels, so_far)
    family.add_sample(f"{family.name}_sum", labels, timing.total)


class _Collected(Collector):
    """What a registry asks, whenever it is asked."""

    def __init__(self, services: Iterable[Prometheus]) -> None:
        self._services = services

    def collect(self) -> Iterator[Family]:
        """Tell what the services know."""
        page = _Page()
        for service in tuple(self._services):
            service._tell(page)
        yield from page.families()

    def describe(self) -> Iterator[Family]:
        """Tell which metrics there may be."""
        return _Page().families()


class _Door:
    """One server of a process, for all services that name its address."""

    def __init__(self, address: tuple[str, int]) -> None:
        from prometheus_client import start_http_server

        self.address = address
        self.services: list[Prometheus] = []
        host, port = address
        try:
            self._server, _ = start_http_server(port, addr=host, registry=registry_of(self.services))
        except OSError as error:
            raise ConfigurationError(
                f"Prometheus cannot listen at {host}:{port} ({error}); each process needs a port of its own, "
                f"and port=0 takes any free one"
            ) from error
        self.port: int = self._server.server_port

    async def close(self) -> None:
        """End the server; that may take half a second."""
        loop = asyncio.get_running_loop()
        closed = loop.create_future()
        # Not in one of the loop's own threads: jobs may have them all.
        threading.Thread(target=self._close, args=(loop, closed), name="arqlite:prometheus").start()
        await closed

    def _close(self, loop: asyncio.AbstractEventLoop, closed: asyncio.Future[None]) -> None:
        self._server.shutdown()
        self._server.server_close()
        with contextlib.suppress(RuntimeError):  # nobody waits any more, and the loop is closed
            loop.call_soon_threadsafe(_resolve, closed)


_doors: dict[tuple[str, int], _Door] = {}
_at_the_doors = threading.Lock()


def _enter(service: Prometheus, address: tuple[str, int]) -> _Door:
    with _at_the_doors:
        door = _doors.get(address) if address[1] else None
        if door is None:
            door = _Door(address)
            if address[1]:
                _doors[address] = door
        door.services.append(service)
        return door


def _leave(service: Prometheus, door: _Door) -> bool:
    """Let a service leave; tells whether it was the last one, and the server is to be closed."""
    with _at_the_doors:
        door.services.remove(service)
        if not door.services and _doors.get(door.address) is door:
            del _doors[door.address]
        return not door.services


def _resolve(closed: asyncio.Future[None]) -> None:
    if not closed.done():
        closed.set_result(None)


def _checked_port(port: object) -> int:
    if isinstance(port, bool) or not isinstance(port, int) or not 0 <= port <= _HIGHEST_PORT:
        raise ConfigurationError(f"port of Prometheus must be a whole number from 0 to 65535, got {port!r}")
    return port


def _checked_host(host: object) -> str:
    if not isinstance(host, str) or not host:
        raise ConfigurationError(f'host of Prometheus must be an address such as "0.0.0.0", got {host!r}')
    return host


def _checked_bounds(buckets: Sequence[float]) -> tuple[float, ...]:
    bounds = tuple(buckets)
    are_numbers = all(isinstance(one, int | float) and not isinstance(one, bool) for one in bounds)
    if not bounds or not are_numbers or list(bounds) != sorted(set(bounds)):
        raise ConfigurationError(
            f"buckets of Prometheus must be numbers of seconds in rising order, got {buckets!r}"
        )
    return tuple(float(one) for one in bounds)
