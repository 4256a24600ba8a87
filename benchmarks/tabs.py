"""``python -m benchmarks.tabs URL COUNT``: open pages, as the dashboard's script keeps them up to date.

Each tab fetches its page, listens to the stream, and fetches the page again when it hears of a change. The
program ends when its stdin does, and tells as JSON what they saw.
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit

PERIOD_S = 5
"""How often a page wants to hear, unless its reader chose something else."""

STAGGER_S = 0.05
"""Tabs are opened one after the other, not all in the same moment."""

PAGES = ("/", "/jobs", "/queues", "/queues/arq:queue", "/workers", "/jobs?q=state:executing", "/metrics", "/")


@dataclass
class Seen:
    """What all tabs together saw."""

    pages: int = 0
    bytes: int = 0
    changes: int = 0
    refused: int = 0


class Tab:
    """One open page.

    Args:
        url: of the dashboard.
        path: of the page.
        seen: where it counts.
    """

    def __init__(self, url: str, path: str, seen: Seen) -> None:
        self._host = urlsplit(url).netloc
        self._path = path
        self._seen = seen

    async def stay(self) -> None:
        """Fetch, listen, and fetch again."""
        await self._fetch()
        reader, writer = await self._ask(f"/live?every={PERIOD_S}")
        try:
            status = (await reader.readuntil(b"\r\n\r\n")).split(b" ", 2)[1]
            if status != b"200":
                self._seen.refused += 1
            async for line in reader:
                if line.startswith(b"event: changed"):
                    self._seen.changes += 1
                    await self._fetch()
        finally:
            writer.close()

    async def _fetch(self) -> None:
        reader, writer = await self._ask(self._path)
        try:
            answer = await reader.read(-1)
        finally:
            writer.close()
        self._seen.refused += not answer.startswith(b"HTTP/1.1 200")
        self._seen.pages += 1
        self._seen.bytes += len(answer)

    async def _ask(self, path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, _, port = self._host.partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        lines = (f"GET {path} HTTP/1.1", f"Host: {self._host}", "Accept: text/html", "Connection: close")
        writer.write("\r\n".join((*lines, "", "")).encode())
        return reader, writer


async def keep_open(url: str, count: int) -> Seen:
    """Keep so many tabs open until stdin ends."""
    seen = Seen()
    loop = asyncio.get_running_loop()
    ended = loop.run_in_executor(None, sys.stdin.read)
    tabs = []
    for number in range(count):
        tabs.append(asyncio.create_task(Tab(url, PAGES[number % len(PAGES)], seen).stay()))
        await asyncio.sleep(STAGGER_S)
    print(json.dumps({"event": "open"}), flush=True)
    await ended
    for tab in tabs:
        tab.cancel()
    for outcome in await asyncio.gather(*tabs, return_exceptions=True):
        seen.refused += isinstance(outcome, Exception)
    return seen


if __name__ == "__main__":
    print(json.dumps({"event": "closed", **asdict(asyncio.run(keep_open(sys.argv[1], int(sys.argv[2]))))}))
