"""What a service of one's own hears of its worker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from signal import Signals
from typing import Any

import pytest

from arqlite import ArqRedis, Service, Worker
from arqlite.errors import ConfigurationError
from arqlite.service import Host


async def job(ctx: dict[str, Any]) -> None:
    """Do nothing."""


class Curious(Service):
    """Notes what it is told, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[Any] = []

    def join(self, host: Host) -> None:
        self.heard.append(host)

    async def start(self) -> None:
        self.heard.append("started")


async def test_service_hears_of_its_worker_before_it_starts(
    make_worker: Callable[..., Worker], arq_redis: ArqRedis
) -> None:
    """A service is told pool, queue, functions and serializers of its worker before it begins."""
    curious = Curious()

    await make_worker([job], queue_name="q", job_serializer=str.encode, services=[curious]).async_run()

    host, started = curious.heard
    assert started == "started"
    assert (host.pool, host.queue, host.functions) == (arq_redis, "q", frozenset({"job"}))
    assert (host.job_serializer, host.job_deserializer) == (str.encode, None)


async def test_service_works_for_one_worker_at_a_time(
    make_worker: Callable[..., Worker], eventually: Any
) -> None:
    """One instance in two workers is refused in words, and goes on with the first; later ones may have it."""
    curious, other = Curious(), Curious()
    first = make_worker([job], queue_name="one", burst=False, services=[curious])
    working = asyncio.create_task(first.async_run())
    await eventually(lambda: "started" in curious.heard)

    with pytest.raises(
        ConfigurationError, match=r"Curious works for a worker of queue 'one' already: give each"
    ):
        await make_worker([job], queue_name="two", services=[other, curious]).async_run()

    first.handle_sig(Signals.SIGTERM)
    await working
    await make_worker([job], queue_name="three", services=[curious, other]).async_run()
    queues = [one.queue for one in curious.heard if isinstance(one, Host)]
    assert queues == ["one", "three"]
