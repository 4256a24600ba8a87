"""What the tests of monitoring share: jobs of all fates, and pages of metrics as Prometheus reads them."""

from __future__ import annotations

import asyncio
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from arqlite import Cancel, Discard, Retry, Snooze, func
from arqlite.service import Host
from arqlite.telemetry import JobStopped

Ctx = dict[Any, Any]
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


async def act(ctx: Ctx, action: str = "return") -> str:
    """Do what is said, at the first try; return at a later one."""
    first = ctx["job_try"] == 1 and ctx["job"].snoozes == 0
    match action:
        case "fail":
            raise ValueError("boom")
        case "again" if first:
            raise Retry
        case "snooze" if first:
            raise Snooze(0)
        case "cancel":
            raise Cancel("not needed")
        case "discard":
            raise Discard("hopeless")
        case "wait":
            await asyncio.Event().wait()
    return "done"


ACT = func(act, name="act")


def samples_of(page: bytes) -> Samples:
    """Read a page of metrics: name and labels to value."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(page.decode())
        for sample in family.samples
    }


def value(page: bytes, name: str, **labels: str) -> float | None:
    """Read one value of a page; None where it is not told."""
    return samples_of(page).get((name, frozenset(labels.items())))


def host_of(
    queue: str = "mail", session: str = "host:1:a", functions: tuple[str, ...] = ("send",), **more: Any
) -> Host:
    """Make the worker of a service that has none."""
    return Host(None, queue, frozenset(functions), None, None, session=lambda: session, **more)


def stopped(**fields: Any) -> JobStopped:
    """Make the end of a run of `send` in the queue `mail`."""
    told: dict[str, Any] = {
        "queue": "mail", "job_id": "42", "function": "send", "attempt": 1, "worker": "host:1:a",
        "state": "completed", "duration_ms": 12, "result": None, "error": None, "at_ms": 1012,
        "enqueue_ms": 900, "scheduled_ms": 950, "queue_time_ms": 50,
    }  # fmt: skip
    return JobStopped(**{**told, **fields})
