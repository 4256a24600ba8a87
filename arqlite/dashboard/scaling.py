"""How many slots a queue needs: for autoscalers, KEDA above all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ..console import Console

SOON_S: Final = 60


@dataclass(frozen=True, slots=True)
class Scale:
    """What an autoscaler asks.

    Attributes:
        ready: how many jobs could start now.
        scheduled_due_60s: how many become due within the next 60 seconds.
        running: how many run.
        slots: how many jobs can run at once: of all workers that are not paused, within the limit of the
            whole queue; 0 without such a worker.
        desired_slots: how many slots are worth having: for what runs, is ready and is due soon; no more
            than a limit of the whole queue lets run.
        latency_seconds: how long the eldest available job has waited; 0 without one.
    """

    ready: int
    scheduled_due_60s: int
    running: int
    slots: int
    desired_slots: int
    latency_seconds: float


async def scale_of(console: Console, key: str) -> Scale:
    """Ask how many slots a queue needs.

    Raises:
        ConnectionError: its Redis could not be asked: an autoscaler must not take that for an empty queue.
    """
    queue = await console.queue(key)
    if queue.error:
        raise ConnectionError(queue.error)
    soon = await console.due_within(key, SOON_S)
    wanted = queue.available + queue.executing + (0 if queue.is_paused else soon)
    if queue.is_paused:
        wanted = queue.executing
    most = queue.global_limit
    if most is not None and most.partition_by is None:
        wanted = min(wanted, max(most.allowed, queue.executing))
    return Scale(
        ready=queue.available,
        scheduled_due_60s=soon,
        running=queue.executing,
        slots=queue.slots,
        desired_slots=wanted,
        latency_seconds=0.0 if queue.oldest is None else queue.oldest.total_seconds(),
    )
