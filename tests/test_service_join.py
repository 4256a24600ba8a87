"""What a service of one's own hears of its worker."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from arqlite import ArqRedis, Service, Worker
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
