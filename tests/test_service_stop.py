"""A service ends when it is told to."""

from __future__ import annotations

import asyncio
import contextlib

from arqlite.service import Service


class _Absent(Service):
    """Loses the first cancellation, as code that it calls may."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = asyncio.Event()

    async def run(self) -> None:
        self.begun.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.get_running_loop().create_future()
        await asyncio.get_running_loop().create_future()


async def test_service_that_loses_a_cancellation_is_stopped() -> None:
    """A service that swallows its first cancellation is stopped all the same."""
    service = _Absent()
    await service.start()
    await service.begun.wait()

    async with asyncio.timeout(5):
        await service.stop()
