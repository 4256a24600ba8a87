"""What a console does to queues, their workers and cron jobs, in the name of who acts.

Each verb raises `ConfigurationError` where there is no such queue, node or cron job or a value cannot work,
and `RedisError` or `OSError` where the queue's Redis is out of reach.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..inspector import Inspector
from ..jobs import Job
from .links import Links


async def pause(links: Links, key: str, node: str | None) -> None:
    """Have no worker of a queue claim jobs any more."""
    inspector, queue = await _of(links, key)
    await inspector.pause_queue(queue, node=node)


async def resume(links: Links, key: str, node: str | None) -> None:
    """Let the workers of a queue claim jobs again."""
    inspector, queue = await _of(links, key)
    await inspector.resume_queue(queue, node=node)


async def scale(links: Links, key: str, node: str | None, **limits: Any) -> None:
    """Change limits of a queue; as `Inspector.scale_queue` takes them."""
    inspector, queue = await _of(links, key)
    await inspector.scale_queue(queue, node=node, **limits)


async def drain(links: Links, key: str, timeout: float | None) -> Sequence[str]:
    """Pause a queue and wait until nothing of it runs; returns the ids of what runs still."""
    inspector, queue = await _of(links, key)
    return await inspector.drain_queue(queue, timeout=timeout)


async def stop_workers(links: Links, key: str, node: str | None) -> None:
    """Have the workers of a queue end as after SIGTERM."""
    inspector, queue = await _of(links, key)
    await inspector.stop_queue(queue, node=node)


async def run_cron(links: Links, key: str, name: str) -> Job[Any]:
    """Enqueue a job of a cron job now."""
    inspector, queue = await _of(links, key)
    return await inspector.run_cron(name, queue)


async def pause_cron(links: Links, key: str, name: str) -> bool:
    """Let the times of a cron job pass without a job; tells whether it was not paused before."""
    inspector, queue = await _of(links, key)
    return await inspector.pause_cron(name, queue)


async def resume_cron(links: Links, key: str, name: str) -> bool:
    """Let a cron job go on; tells whether it was paused before."""
    inspector, queue = await _of(links, key)
    return await inspector.resume_cron(name, queue)


async def _of(links: Links, key: str) -> tuple[Inspector, str]:
    place = links.place(key)
    return await links.inspector(place), place.queue
