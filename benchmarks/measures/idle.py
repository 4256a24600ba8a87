"""Idle: what a worker without work asks of the server."""

from __future__ import annotations

import time

from ..bench import STEP_TIMEOUT_S, Bench
from ..catalogue import System

SETTLE_S = 0.5


def traffic(bench: Bench, system: System) -> dict[str, float | list[float]]:
    """Watch a worker that has run one job and has nothing more to do."""
    bench.server.flush()
    with bench.worker(system, 1) as worker:
        with bench.producer(system, "enqueue", job="noop", count=32, how="single") as producer:
            producer.expect("enqueued", STEP_TIMEOUT_S)
        worker.expect("started", STEP_TIMEOUT_S)
        time.sleep(SETTLE_S)
        before = bench.server.usage()
        time.sleep(bench.scale.idle_s)
        used = bench.server.usage().since(before)
    seconds = used.at_ns / 1e9
    return {
        "idle_commands": used.commands / seconds,
        "idle_round_trips": used.replies / seconds,
        "idle_server_cpu": used.cpu_s / seconds * 100,
    }
