"""One log of several processes: each line begins with the name of the one that wrote it."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

_WIDTH: Final = 9
_COLOURS: Final = {"worker": "36", "dashboard": "35", "dev": "32"}
_DIMMED: Final = "2"


def prefix(name: str) -> str:
    """How the lines of a process begin; in colours only on a terminal, and where NO_COLOR does not forbid."""
    text = f"{name:<{_WIDTH}} │ "
    if not sys.stderr.isatty() or os.environ.get("NO_COLOR"):
        return text
    return f"\x1b[{_COLOURS.get(name, _DIMMED)}m{text}\x1b[0m"


@asynccontextmanager
async def merged(name: str, write: Callable[[str], object] | None = None) -> AsyncIterator[int]:
    """Give a file descriptor for the output of processes, whose lines are written to stderr with their name.

    The block ends when all that was written has been shown, as long as nobody else has the descriptor open.

    Args:
        name: of the processes.
        write: takes each line, with its end; by default it goes to stderr.
    """
    reading, writing = os.pipe()
    loop = asyncio.get_running_loop()
    transport, lines = await loop.connect_read_pipe(
        lambda: _Lines(prefix(name), write or sys.stderr.write), os.fdopen(reading, "rb", buffering=0)
    )
    try:
        yield writing
    finally:
        os.close(writing)
        try:
            async with asyncio.timeout(1):  # a grandchild that outlives them may have it open still
                await lines.ended
        except TimeoutError:
            transport.close()


class _Lines(asyncio.Protocol):
    """Cuts what comes into lines."""

    def __init__(self, start: str, write: Callable[[str], object]) -> None:
        self._start = start
        self._write = write
        self._rest = b""
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        """Show the lines that are whole by now."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._show(line)

    def connection_lost(self, _: Exception | None) -> None:
        """Show what was no whole line."""
        if self._rest:
            self._show(self._rest)
        if not self.ended.done():
            self.ended.set_result(None)

    def _show(self, line: bytes) -> None:
        self._write(f"{self._start}{line.decode(errors='replace').rstrip()}\n")
