"""An embedded server that was killed is there again."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from arqlite.cli.serverwatch import keep_alive
from arqlite.embedded import EmbeddedServer, status, stop
from arqlite.errors import EmbeddedServerError

pytestmark = [pytest.mark.real, pytest.mark.alone]


@asynccontextmanager
async def kept(home: Path, say: Callable[[str], None]) -> AsyncIterator[EmbeddedServer]:
    """A server that is looked after."""
    server = await asyncio.to_thread(EmbeddedServer.ensure, home, grace=0)
    keeping = asyncio.create_task(keep_alive(server, say, look=0.01))
    try:
        yield server
    finally:
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping
        await asyncio.to_thread(stop, home)


async def test_killed_server_is_started_again(tmp_path: Path, eventually: Any) -> None:
    """It is there at the same address, it is told once, and one that lives is left alone."""
    told: list[str] = []
    async with kept(tmp_path, told.append) as server:
        os.kill(server.pid, signal.SIGKILL)

        await eventually(lambda: told)
        found = status(tmp_path)

    assert found is not None
    assert (found.pid != server.pid, found.socket_path) == (True, server.socket_path)
    assert told == [f"{server.binary_kind} ended and was started again, with the data that it had on disk"]


async def test_server_that_does_not_start_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, eventually: Any
) -> None:
    """A reason why there is none is told once, and the next try may have it."""
    told: list[str] = []
    tries: list[int] = []
    start = EmbeddedServer.ensure

    def flaky(home: Path) -> EmbeddedServer:
        tries.append(1)
        if len(tries) < 4:
            raise EmbeddedServerError("no room on the disk")
        return start(home)

    async with kept(tmp_path, told.append) as server:
        monkeypatch.setattr(EmbeddedServer, "ensure", flaky)
        os.kill(server.pid, signal.SIGKILL)
        await eventually(lambda: len(told) == 2)

    assert told[0] == "the embedded server does not answer, trying again: no room on the disk"
    assert "was started again" in told[1]
