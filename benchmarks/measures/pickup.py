"""Pickup: from just before a push to the start of the job, on an otherwise idle worker."""

from __future__ import annotations

import time

from ..bench import STEP_TIMEOUT_S, Bench
from ..catalogue import System
from ..processes import ChildError

SETTLE_S = 0.3
SLOWEST_S = 20.0


def latencies(bench: Bench, system: System) -> dict[str, float | list[float]]:
    """Push single jobs at random moments from another process; return every latency in ms.

    Both processes read the same clock of the same host.
    """
    scale = bench.scale
    bench.server.flush()
    with (
        bench.worker(system, scale.pickups + 1) as worker,
        bench.bystander(system, "pickup", count=scale.pickups, seconds=scale.gap_s) as producer,
    ):
        worker.expect("started", STEP_TIMEOUT_S)
        time.sleep(SETTLE_S)
        producer.tell("go")
        pushed = producer.expect("pushed", STEP_TIMEOUT_S)["stamps"]
        started = dict(worker.expect("finished", SLOWEST_S)["stamps"])
    taken = [(started[index] - at_ns) / 1e6 for index, at_ns in pushed]
    if min(taken) < 0:
        raise ChildError("a job started before it was pushed: the clock of the machine stepped")
    return {"pickup_ms": taken}
