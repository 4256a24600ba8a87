"""Every metric with its name, its labels and what it means: the same for Prometheus and OpenTelemetry."""

from __future__ import annotations

from typing import Literal, NamedTuple

Kind = Literal["counter", "histogram", "gauge"]


class Metric(NamedTuple):
    """A metric.

    Attributes:
        name: as Prometheus has it, without the `_total` of counters.
        kind: what it is.
        labels: by what it is told apart.
        unit: `s` for seconds; empty for numbers of things.
        help: what it tells.
    """

    name: str
    kind: Kind
    labels: tuple[str, ...]
    unit: str
    help: str

    @property
    def exported_name(self) -> str:
        """The name that queries of Prometheus have."""
        return f"{self.name}_total" if self.kind == "counter" else self.name

    @property
    def dotted_name(self) -> str:
        """The name that OpenTelemetry has; its unit stands apart."""
        return _DOTTED.get(self.name, self.name.removesuffix("_seconds").replace("_", "."))


JOBS = Metric(
    "arqlite_jobs",
    "counter",
    ("queue", "task", "state"),
    "",
    "Runs that ended, and jobs that ended without one, by what became of them.",
)
DURATION = Metric(
    "arqlite_job_duration_seconds", "histogram", ("queue", "task"), "s", "How long runs of jobs took."
)
WAIT = Metric(
    "arqlite_job_wait_seconds",
    "histogram",
    ("queue", "task"),
    "s",
    "How long jobs had waited, from when they were due to the start of the run.",
)
DEPTH = Metric(
    "arqlite_queue_depth",
    "gauge",
    ("queue", "state"),
    "",
    "Jobs that have not ended, by state; told by the leader. Those that will be tried again are scheduled.",
)
LATENCY = Metric(
    "arqlite_queue_latency_seconds",
    "gauge",
    ("queue",),
    "s",
    "For how long the eldest job that could start has waited; told by the leader.",
)
SLOTS = Metric(
    "arqlite_queue_slots",
    "gauge",
    ("queue",),
    "",
    "How many jobs all workers that are not paused can run at once, within the limit of the queue; told by "
    "the leader.",
)
RUNNING = Metric("arqlite_jobs_running", "gauge", ("queue",), "", "Jobs that this worker runs now.")
RESCUED = Metric(
    "arqlite_rescued",
    "counter",
    ("queue", "cause"),
    "",
    "Jobs put back because their worker died (crash) or shut down (shutdown), or given up after too many "
    "deaths (poison).",
)
LOOP_LAG = Metric(
    "arqlite_loop_lag_seconds",
    "gauge",
    (),
    "s",
    "The most that the event loop was late in the last 15 seconds.",
)
LEDGER_LAG = Metric(
    "arqlite_ledger_lag_seconds",
    "gauge",
    ("queue",),
    "s",
    "For how long the eldest change of a row has waited to be written by this worker.",
)
LEDGER_BUFFER = Metric(
    "arqlite_ledger_buffer", "gauge", ("queue",), "", "Changes of rows that this worker has yet to write."
)
REDIS_ERRORS = Metric(
    "arqlite_redis_errors", "counter", ("op",), "", "Attempts to reach Redis that failed, by what for."
)
LEADER = Metric("arqlite_leader", "gauge", ("queue",), "", "1 if this worker leads its queue, else 0.")

METRICS = (
    JOBS, DURATION, WAIT, DEPTH, LATENCY, SLOTS, RUNNING, RESCUED, LOOP_LAG, LEDGER_LAG, LEDGER_BUFFER,
    REDIS_ERRORS, LEADER,
)  # fmt: skip

BUCKETS_S = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0),
)
"""Upper bounds of the buckets of histograms, in seconds: from fast jobs to long ones."""

OTHER = "other"
"""Stands for functions that the worker does not know: labels must not grow with what is enqueued."""

COUNTED_ENDS = ("completed", "discarded", "retryable")
"""Ends that are counted of each function from the start on, at 0: a rate sees by how much a counter grows,
and not with what it appears, and so would not see the first failures of a new process."""

RESCUES = ("crash", "shutdown", "poison")
"""Why jobs are rescued; from the start on, too."""

_DOTTED = {"arqlite_redis_errors": "arqlite.redis.errors", "arqlite_rescued": "arqlite.rescued"}
