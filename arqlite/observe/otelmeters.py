"""The instruments of OpenTelemetry's metrics: once for each provider, for all workers of a process."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from weakref import WeakKeyDictionary

from opentelemetry.metrics import CallbackOptions, Counter, Histogram, MeterProvider, Observation

from ..version import VERSION
from . import catalogue
from .watching import Watch

Labels = dict[str, str]
Reading = tuple[float, Labels]


class Meters:
    """Counts what workers do, and asks them for the rest.

    Args:
        provider: who makes meters.
    """

    def __init__(self, provider: MeterProvider) -> None:
        self._meter = provider.get_meter("arqlite", VERSION)
        self._watches: list[Watch] = []
        self._jobs = self._counter(catalogue.JOBS)
        self._duration = self._histogram(catalogue.DURATION)
        self._wait = self._histogram(catalogue.WAIT)
        self._rescued = self._counter(catalogue.RESCUED)
        self._redis_errors = self._counter(catalogue.REDIS_ERRORS)
        self._gauge(catalogue.DEPTH, _depths)
        self._gauge(catalogue.LATENCY, _of_leader(lambda figures: figures.latency_s))
        self._gauge(catalogue.SLOTS, _of_leader(lambda figures: figures.slots))
        self._gauge(catalogue.RUNNING, lambda watch: [(watch.running, {"queue": watch.queue})])
        self._gauge(catalogue.LOOP_LAG, lambda watch: [(watch.loop_lag_s, {})])
        self._gauge(catalogue.LEDGER_LAG, lambda watch: [(watch.backlog[1], {"queue": watch.queue})])
        self._gauge(catalogue.LEDGER_BUFFER, lambda watch: [(watch.backlog[0], {"queue": watch.queue})])
        self._gauge(catalogue.LEADER, lambda watch: [(int(watch.leads()), {"queue": watch.queue})])

    def join(self, watch: Watch) -> None:
        """Ask a worker from now on; its counters begin at 0, and not with their first value."""
        self._watches.append(watch)
        for task in watch.tasks:
            for state in catalogue.COUNTED_ENDS:
                self._jobs.add(0, {"queue": watch.queue, "task": task, "state": state})
        for cause in catalogue.RESCUES:
            self.rescued(watch.queue, cause, 0)

    def leave(self, watch: Watch) -> None:
        """Ask a worker no longer."""
        self._watches.remove(watch)

    def ended(self, queue: str, task: str, state: str, run_s: float | None, wait_s: float | None) -> None:
        """Count a run, or an end without one."""
        self._jobs.add(1, {"queue": queue, "task": task, "state": state})
        labels = {"queue": queue, "task": task}
        if run_s is not None:
            self._duration.record(run_s, labels)
        if wait_s is not None:
            self._wait.record(wait_s, labels)

    def rescued(self, queue: str, cause: str, count: int) -> None:
        """Count jobs that were put back, or given up."""
        self._rescued.add(count, {"queue": queue, "cause": cause})

    def redis_failed(self, operation: str) -> None:
        """Count an attempt that failed."""
        self._redis_errors.add(1, {"op": operation})

    def _counter(self, metric: catalogue.Metric) -> Counter:
        return self._meter.create_counter(metric.dotted_name, metric.unit, metric.help)

    def _histogram(self, metric: catalogue.Metric) -> Histogram:
        return self._meter.create_histogram(
            metric.dotted_name,
            metric.unit,
            metric.help,
            explicit_bucket_boundaries_advisory=list(catalogue.BUCKETS_S),
        )

    def _gauge(self, metric: catalogue.Metric, read: Callable[[Watch], Iterable[Reading]]) -> None:
        def observe(options: CallbackOptions) -> Iterable[Observation]:
            # Of two workers of one queue in this process, the higher value is the truth.
            values: dict[tuple[tuple[str, str], ...], float] = {}
            for watch in tuple(self._watches):
                for value, labels in read(watch):
                    key = tuple(labels.items())
                    before = values.get(key, 0.0)
                    values[key] = before + value if metric in _ADDED else max(before, value)
            return [Observation(value, dict(key)) for key, value in values.items()]

        self._meter.create_observable_gauge(metric.dotted_name, [observe], metric.unit, metric.help)


_ADDED = frozenset({catalogue.RUNNING, catalogue.LEDGER_BUFFER})

_known: WeakKeyDictionary[Any, Meters] = WeakKeyDictionary()


def meters_of(provider: MeterProvider) -> Meters:
    """Hand out the instruments of a provider, which refuses to make them twice."""
    meters = _known.get(provider)
    if meters is None:
        meters = _known[provider] = Meters(provider)
    return meters


def _depths(watch: Watch) -> list[Reading]:
    figures = watch.figures
    if figures is None:
        return []
    return [(count, {"queue": watch.queue, "state": state}) for state, count in figures.depth.items()]


def _of_leader(read: Callable[[Any], float]) -> Callable[[Watch], list[Reading]]:
    def readings(watch: Watch) -> list[Reading]:
        figures = watch.figures
        return [] if figures is None else [(read(figures), {"queue": watch.queue})]

    return readings
