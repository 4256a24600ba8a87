"""Drain: how fast one worker process empties a queue of no-op jobs, and what each job costs on the way."""

from __future__ import annotations

from ..bench import STEP_TIMEOUT_S, Bench
from ..catalogue import System
from ..processes import ChildError

UNDER_WAY = 100
"""Results that a system without acknowledgements may still be storing when its queue is empty."""


def at_100(bench: Bench, system: System) -> dict[str, float | list[float]]:
    """Drain with 100 slots (thread systems: their 8 threads)."""
    return _drain(bench, system, 100)


def at_10(bench: Bench, system: System) -> dict[str, float | list[float]]:
    """Drain with 10 slots, arq's default."""
    return {f"drain10.{name}": value for name, value in _drain(bench, system, 10).items()}


def _drain(bench: Bench, system: System, concurrency: int) -> dict[str, float | list[float]]:
    what = f"drain{concurrency}"
    count = bench.count_for(
        system, what, system.expected_rate * (1 if concurrency == 100 else 0.5), bench.scale.drain_s
    )
    bench.server.flush()
    bench.fill(system, "noop", count)
    before = bench.server.usage()
    with bench.worker(system, count, concurrency) as worker:
        done = worker.expect("finished", STEP_TIMEOUT_S)
        # Acknowledgements count: the clock stops when the queue is empty, not when the last job ran.
        empty_ns = bench.wait_until_done(system)
        used = bench.server.usage().since(before)
        _check_results(bench, system, count)
    seconds = (max(empty_ns, done["last_ns"]) - done["first_ns"]) / 1e9
    bench.learn(system, what, count / seconds)
    return {
        "jobs": count,
        "rate": count / seconds,
        "client_cpu_us": done["cpu_s"] / count * 1e6,
        "server_cpu_us": used.cpu_s / count * 1e6,
        "commands": used.commands / count,
        "round_trips": used.replies / count,
        "bytes": (used.bytes_in + used.bytes_out) / count,
    }


def _check_results(bench: Bench, system: System, count: int) -> None:
    """A rate without the results that it promises is no rate.

    Raises:
        ChildError: fewer results are kept than jobs ran.
    """
    if system.kept is not None and (kept := system.kept(bench.server.wire)) < count - UNDER_WAY:
        raise ChildError(f"{system.name} kept {kept} results of {count} jobs")
