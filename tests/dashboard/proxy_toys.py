"""A proxy in front of a dashboard: it passes all on, streams too, and may take a prefix away."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

_HOPS = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}
_METHODS = ["GET", "HEAD", "POST"]


def proxy(origin: str, takes_away: str = "") -> Starlette:
    """Pass requests on to a server, as nginx does.

    Args:
        origin: of the server.
        takes_away: a prefix of paths that the server is not told of.
    """

    async def pass_on(request: Request) -> Response:
        path = request.scope["raw_path"].decode()
        if not path.startswith(takes_away + "/"):
            return Response(status_code=404)
        query = f"?{request.url.query}" if request.url.query else ""
        client = httpx.AsyncClient(timeout=None)
        headers = [(name, value) for name, value in request.headers.items() if name not in _HOPS]
        asked = client.build_request(
            request.method,
            origin + path.removeprefix(takes_away) + query,
            headers=[*headers, ("x-forwarded-for", "192.0.2.7"), ("x-forwarded-proto", "https")],
            content=await request.body(),
        )
        told = await client.send(asked, stream=True)

        async def body() -> AsyncIterator[bytes]:
            try:
                async for part in told.aiter_raw():
                    yield part
            finally:
                await told.aclose()
                await client.aclose()

        answer = StreamingResponse(body(), told.status_code)
        answer.raw_headers = [
            (key, value) for key, value in told.headers.raw if key.decode().lower() not in _HOPS
        ]
        return answer

    return Starlette(routes=[Route("/{path:path}", pass_on, methods=_METHODS)])
