"""Server-sent events: a response that ends with its client, and with the server."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

BEAT_S: Final = 15.0
"""After so many seconds of silence a comment is sent, so that no proxy takes the line for dead."""

_LOOK_S = 0.5
_RETRY_AFTER_S = 10
_BEAT = b": still here\n\n"


def event(name: str, data: str) -> bytes:
    """Write one event; `data` is JSON, which has no line breaks."""
    return f"event: {name}\ndata: {data}\n\n".encode()


class StreamCap:
    """Counts open streams, each of which asks Redis every few seconds until its job has ended.

    Args:
        most: how many may be open at once.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._open = 0

    def take(self) -> bool:
        """Count one more, unless there are as many as there may be; tells whether it was counted."""
        if self._open >= self._most:
            return False
        self._open += 1
        return True

    def give_back(self) -> None:
        """Count one less."""
        self._open -= 1


class EventStream(Response):
    """Sends events as they come. It ends with them, with the client, and when the server is told to end.

    One too many is answered with 503 and `Retry-After`.

    Args:
        events: them, as `event` writes them.
        beat: seconds of silence after which a comment is sent.
        cap: counts it with others while it is open; None is no limit.
    """

    media_type = "text/event-stream"

    def __init__(
        self, events: AsyncIterator[bytes], *, beat: float = BEAT_S, cap: StreamCap | None = None
    ) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]  # an empty body's
        self._events = events
        self._beat = beat
        self._cap = cap

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send what comes until one of the three ends."""
        if self._cap is None:
            await self._send_until_an_end(receive, send)
            return
        # Here and not in the route: whatever is taken here is given back, even if the client has gone by now.
        if not self._cap.take():
            await _one_too_many()(scope, receive, send)
            return
        try:
            await self._send_until_an_end(receive, send)
        finally:
            self._cap.give_back()

    async def _send_until_an_end(self, receive: Receive, send: Send) -> None:
        sending = asyncio.create_task(self._send_all(send))
        ends = [sending, asyncio.create_task(_client_gone(receive)), asyncio.create_task(_server_ends())]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in ends:
                task.cancel()
            await asyncio.gather(*ends, return_exceptions=True)
        if not sending.cancelled() and (error := sending.exception()) is not None:
            raise error

    async def _send_all(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        waiting: asyncio.Task[bytes] | None = None
        try:
            while True:
                waiting = waiting or asyncio.create_task(anext(self._events))  # type: ignore[arg-type]
                done, _ = await asyncio.wait([waiting], timeout=self._beat)
                if not done:
                    await send({"type": "http.response.body", "body": _BEAT, "more_body": True})
                    continue
                try:
                    body = waiting.result()
                except StopAsyncIteration:
                    break
                waiting = None
                await send({"type": "http.response.body", "body": body, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            if waiting is not None:
                waiting.cancel()
                await asyncio.gather(waiting, return_exceptions=True)


def _one_too_many() -> Response:
    said = "too many jobs are being followed just now; ask for the job's state instead, or try again later"
    return JSONResponse({"detail": said}, 503, headers={"Retry-After": str(_RETRY_AFTER_S)})


async def _client_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _server_ends() -> None:
    """Wait until uvicorn has been told to end: it would wait for this response, and this for its job.

    A server tells its applications only when all responses have ended; uvicorn's handler of signals is where
    it can be seen before. Of another server nothing is seen here, and it cuts the response off.
    """
    while True:
        await asyncio.sleep(_LOOK_S)
        with suppress(AttributeError, ValueError):
            if signal.getsignal(signal.SIGTERM).__self__.should_exit:  # type: ignore[union-attr]
                return
