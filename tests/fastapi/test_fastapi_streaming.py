"""Server-sent events: when a stream ends."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from arqlite.fastapi.streaming import EventStream, StreamCap, event

APP = """
import asyncio
from fastapi import FastAPI
from arqlite.fastapi.streaming import EventStream, event

app = FastAPI()

async def forever():
    yield event("hello", "{}")
    await asyncio.Event().wait()

@app.get("/events")
async def events():
    return EventStream(forever())
"""


class Wire:
    """Both ends of an ASGI connection."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.news = asyncio.Event()
        self.gone = asyncio.Event()

    async def send(self, message: Any) -> None:
        self.sent.append(message)
        self.news.set()

    async def receive(self) -> dict[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)


async def test_stream_ends_with_its_client() -> None:
    """A client that goes ends what was being told, without waiting for the next event."""
    has_ended = asyncio.Event()

    async def forever() -> AsyncIterator[bytes]:
        try:
            yield event("hello", "{}")
            await asyncio.Event().wait()
        finally:
            has_ended.set()

    wire = Wire()
    streaming = asyncio.create_task(EventStream(forever())({"type": "http"}, wire.receive, wire.send))
    await _heard(wire)
    wire.gone.set()

    async with asyncio.timeout(5):
        await streaming
        await has_ended.wait()


async def test_one_stream_too_many_is_refused() -> None:
    """As many streams as may be are open at once; one more gets 503, and a place when another has ended."""

    async def forever() -> AsyncIterator[bytes]:
        yield event("hello", "{}")
        await asyncio.Event().wait()

    cap = StreamCap(1)

    def stream(wire: Wire) -> asyncio.Task[None]:
        response = EventStream(forever(), cap=cap)
        return asyncio.ensure_future(response({"type": "http"}, wire.receive, wire.send))

    first, second, third = Wire(), Wire(), Wire()
    async with asyncio.timeout(5):
        streaming = stream(first)
        await _heard(first)
        await stream(second)
        first.gone.set()
        await streaming
        streaming = stream(third)
        await _heard(third)
        third.gone.set()
        await streaming

    assert second.sent[0]["status"] == 503
    assert dict(second.sent[0]["headers"])[b"retry-after"] == b"10"
    assert b"too many jobs are being followed" in second.body
    assert third.sent[0]["status"] == 200


async def _heard(wire: Wire) -> None:
    while b"hello" not in wire.body:
        wire.news.clear()
        await wire.news.wait()


async def test_silence_is_filled() -> None:
    """Comments keep a silent line open."""

    async def forever() -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    wire = Wire()
    stream = EventStream(forever(), beat=0.01)
    streaming = asyncio.create_task(stream({"type": "http"}, wire.receive, wire.send))
    async with asyncio.timeout(5):
        while wire.body.count(b": still here\n\n") < 2:
            wire.news.clear()
            await wire.news.wait()
    wire.gone.set()

    await streaming


async def test_error_of_the_events_is_raised() -> None:
    """What goes wrong while events are made is not swallowed."""

    async def broken() -> AsyncIterator[bytes]:
        yield event("hello", "{}")
        raise RuntimeError("a bug")

    wire = Wire()

    with pytest.raises(RuntimeError, match="a bug"):
        await EventStream(broken())({"type": "http"}, wire.receive, wire.send)


def test_open_stream_does_not_hold_up_the_end_of_the_server(tmp_path: Path) -> None:
    """A uvicorn that is told to end does so although somebody follows a job that never ends."""
    (tmp_path / "streams.py").write_text(APP)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        server = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "streams:app", "--fd", str(listener.fileno())],
            cwd=tmp_path,
            env=dict(os.environ),
            pass_fds=[listener.fileno()],
            stderr=subprocess.DEVNULL,
        )
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
            client.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            heard = b""
            while b"hello" not in heard:
                heard += client.recv(1000)
            server.send_signal(signal.SIGTERM)
            server.wait(timeout=20)
    finally:
        server.kill()
        server.wait()
