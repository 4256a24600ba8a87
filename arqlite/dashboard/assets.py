"""The style sheet, the script and the pictures: named by what is in them, so that browsers keep them."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from .links import link

FOLDER: Final = Path(__file__).parent / "static"
_TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_FOR_EVER: Final = "public, max-age=31536000, immutable"


def asset(request: Request, name: str) -> str:
    """The path of a file of `static/`, by the name that tells what is in it now."""
    return link(request, "static", path=_hashed_name(name))


async def _serve(request: Request) -> Response:
    found = _files().get(request.path_params["path"])
    if found is None:
        return PlainTextResponse("There is no such file.", 404)
    content, media_type = found
    headers = {"Cache-Control": _FOR_EVER, "X-Content-Type-Options": "nosniff"}
    return Response(content, media_type=media_type, headers=headers)


@cache
def _files() -> dict[str, tuple[bytes, str]]:
    """What there is, by hashed names; they are few and small, so they stay in memory."""
    return {
        _hashed_name(path.name): (path.read_bytes(), _TYPES[path.suffix])
        for path in FOLDER.iterdir()
        if path.suffix in _TYPES
    }


@cache
def _hashed_name(name: str) -> str:
    stem, _, suffix = name.rpartition(".")
    digest = hashlib.sha256((FOLDER / name).read_bytes()).hexdigest()[:12]
    return f"{stem}.{digest}.{suffix}"


static: Final = Route("/static/{path}", _serve, methods=["GET"], name="static")
"""The route of all of them."""
