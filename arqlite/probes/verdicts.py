"""What a probe is told, from the signs of all workers of a process. Decides only; no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .signs import Signs

GOOD, BAD = 200, 503


@dataclass(frozen=True, slots=True)
class Still:
    """An event loop that stands still: for how many seconds, and where."""

    seconds: float
    stack: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """An answer to a probe.

    Attributes:
        status: of HTTP: 200 or 503.
        body: what is sent as JSON.
    """

    status: int
    body: dict[str, Any] = field(default_factory=dict)


def live(still: Sequence[Still]) -> Verdict:
    """Whether the process does what it was started for. No word of Redis or SQL: a restart mends neither."""
    if not still:
        return Verdict(GOOD, {"status": "ok"})
    reasons = [_stands_still(loop) for loop in still]
    return Verdict(
        BAD, {"status": "failed", "reasons": reasons, "stacks": [loop.stack.splitlines() for loop in still]}
    )


def ready(workers: Sequence[Signs], still: Sequence[Still] = ()) -> Verdict:
    """Whether all workers claim jobs. One whose queue is paused does what it shall."""
    reasons = [_stands_still(loop) for loop in still]
    for signs in workers:
        reasons += _why_not_ready(signs)
    return _verdict(reasons, workers)


def started(workers: Sequence[Signs]) -> Verdict:
    """Whether all workers have begun; they stay so whatever comes later."""
    return _verdict([reason for signs in workers for reason in _why_not_started(signs)], workers)


def _verdict(reasons: list[str], workers: Sequence[Signs]) -> Verdict:
    if not workers:
        reasons = ["no worker runs here now"]
    told: dict[str, Any] = {"status": "failed" if reasons else "ok"}
    if reasons:
        told["reasons"] = reasons
    if any(signs.ledger in ("degraded", "unusable") for signs in workers):
        told["ledger"] = "degraded"
    return Verdict(BAD if reasons else GOOD, told | {"workers": [_told(signs) for signs in workers]})


def _told(signs: Signs) -> dict[str, Any]:
    return {
        "queue": signs.queue,
        "state": signs.state,
        "running": signs.running,
        "max_jobs": signs.max_jobs,
        "redis_heard_s": None if signs.heard_s is None else round(signs.heard_s, 1),
        "ledger": signs.ledger,
    }


def _why_not_ready(signs: Signs) -> list[str]:
    if signs.is_draining:
        return [f"{signs.queue} is draining: the worker ends"]
    if not signs.has_started:
        return _why_not_started(signs)
    reasons = []
    if signs.heard_s is None or signs.heard_s > signs.fresh_s:
        since = "" if signs.heard_s is None else f" for {signs.heard_s:.0f} s"
        reasons.append(f"Redis has not answered the worker of {signs.queue}{since}")
    if signs.is_strict and signs.ledger != "ok":
        reasons.append(f"the ledger of {signs.queue} is away, and its mode is strict")
    return reasons


def _why_not_started(signs: Signs) -> list[str]:
    if signs.ledger == "unusable":
        return [f"the tables of the ledger of {signs.queue} cannot be used: run `arqlite db upgrade`"]
    if signs.has_started:
        return []
    if not signs.has_reached_redis:
        return [f"the worker of {signs.queue} has not reached Redis yet"]
    if signs.is_strict and signs.ledger != "ok":
        return [f"the worker of {signs.queue} waits for its ledger"]
    return [f"the worker of {signs.queue} is starting up"]


def _stands_still(loop: Still) -> str:
    return f"the event loop stands still since {loop.seconds:.0f} s"
