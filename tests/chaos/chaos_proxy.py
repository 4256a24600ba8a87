"""A TCP proxy that breaks connections on purpose, in a thread and an event loop of its own."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
import threading
from collections.abc import Coroutine
from typing import Any

# With this, closing a socket sends RST instead of FIN.
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Proxy:
    """Stands between clients and one server on loopback.

    Args:
        target: the server's port.
        seed: of the random choice of chunks.

    Attributes:
        reset_share: which share of all chunks, in both directions, resets its connection instead.
        holding: whether nothing passes and no connection is made, as when cables are pulled; what was
            held passes when this ends.
        delay_s: how much later each chunk arrives.
        chunks, resets: how many there were.
    """

    def __init__(self, target: int, seed: int = 7) -> None:
        self.target = target
        self.reset_share = 0.0
        self.holding = False
        self.delay_s = 0.0
        self.chunks = self.resets = 0
        self.port = 0
        self._dice = random.Random(seed)
        self._deaf: set[asyncio.Task[None]] = set()
        self._links: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._run_loop, daemon=True)

    def start(self) -> None:
        """Listen."""
        self._thread.start()
        self._do(self._listen())

    def stop(self) -> None:
        """Drop everything and end."""
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def forget_connections(self) -> int:
        """Make the connections of now half-open: nothing passes any more, and nobody is told."""
        return int(self._do(self._forget()))

    def _run_loop(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        assert self._server is not None
        self._server.close()
        for link in self._links:
            link.cancel()
        await asyncio.gather(*self._links, return_exceptions=True)

    async def _forget(self) -> int:
        self._deaf |= self._links
        return len(self._links)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        me = asyncio.current_task()
        assert me is not None
        self._links.add(me)
        try:
            await self._join(me, reader, writer)
        except (OSError, asyncio.CancelledError):
            pass  # a broken link is what this is for, and a cancelled handler would be reported as an error
        finally:
            self._links.discard(me)
            self._deaf.discard(me)
            writer.transport.abort()

    async def _join(
        self, link: asyncio.Task[None], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await self._while_holding()
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        pumps = [
            asyncio.create_task(self._pump(link, reader, far_writer)),
            asyncio.create_task(self._pump(link, far_reader, writer)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            ends = await asyncio.gather(*pumps, return_exceptions=True)
            if any(isinstance(end, ConnectionResetError) for end in ends):
                for side in (writer, far_writer):
                    _reset_on_close(side)
            far_writer.transport.abort()

    async def _pump(
        self, link: asyncio.Task[None], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while chunk := await reader.read(65536):
            await self._while_holding()
            if link in self._deaf:
                continue
            self.chunks += 1
            if self.reset_share and self._dice.random() < self.reset_share:
                self.resets += 1
                raise ConnectionResetError
            if self.delay_s:
                await asyncio.sleep(self.delay_s)
            writer.write(chunk)
            await writer.drain()
        if link in self._deaf:
            await asyncio.get_running_loop().create_future()

    async def _while_holding(self) -> None:
        while self.holding:  # noqa: ASYNC110 (it is set from another thread)
            await asyncio.sleep(0.01)


def _reset_on_close(writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
