"""What is known of one worker at one moment, in plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

LedgerSign: TypeAlias = Literal["none", "ok", "degraded", "unusable"]
"""How a worker's ledger is: there is none; it is written to; it is away; its tables cannot be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """How one worker is doing.

    Attributes:
        queue: its queue.
        has_reached_redis: whether Redis has answered at least once.
        has_started: whether it holds, or held, a lease: its `on_startup` is over, and its ledger was there
            where it has to be.
        has_turned: whether it has asked for jobs at least once.
        is_draining: whether it claims nothing any more, because it ends.
        is_paused: whether it claims nothing for now, because its queue is paused.
        heard_s: for how many seconds Redis has not answered it; None if it never did.
        fresh_s: for how many seconds it may be so: the lease.
        running: how many jobs run.
        max_jobs: how many may run at once.
        ledger: how its ledger is.
        is_strict: whether nothing goes on without the ledger.
    """

    queue: str
    has_reached_redis: bool = False
    has_started: bool = False
    has_turned: bool = False
    is_draining: bool = False
    is_paused: bool = False
    heard_s: float | None = None
    fresh_s: float = 15.0
    running: int = 0
    max_jobs: int = 0
    ledger: LedgerSign = "none"
    is_strict: bool = False

    @property
    def state(self) -> str:
        """One word for it: `starting`, `working`, `paused` or `draining`."""
        if self.is_draining:
            return "draining"
        if not self.has_started:
            return "starting"
        return "paused" if self.is_paused else "working"
