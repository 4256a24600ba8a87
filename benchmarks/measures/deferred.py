"""Deferred: many jobs due at one instant; how late does each start?"""

from __future__ import annotations

import time

from ..bench import STEP_TIMEOUT_S, Bench
from ..catalogue import System
from ..processes import ChildError

SETTLE_S = 0.3
LEAD_S = 2.0


def lateness(bench: Bench, system: System) -> dict[str, float | list[float]]:
    """Defer the jobs to one whole second while the worker runs; return every lateness in ms."""
    count = bench.scale.deferred
    bench.server.flush()
    with (
        bench.worker(system, count + 1) as worker,
        bench.bystander(system, "defer", count=count, seconds=LEAD_S) as producer,
    ):
        worker.expect("started", STEP_TIMEOUT_S)
        time.sleep(SETTLE_S)
        producer.tell("go")
        deferred = producer.expect("deferred", STEP_TIMEOUT_S)
        if deferred["spare_s"] < 0.2:
            raise ChildError(f"{system.name} could not defer {count} jobs within {LEAD_S} s")
        started = worker.expect("finished", STEP_TIMEOUT_S)["stamps"]
    return {"late_ms": [(at_ns - deferred["due_ns"]) / 1e6 for index, at_ns in started if index >= 0]}
