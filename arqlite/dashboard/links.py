"""Paths of the dashboard's own routes, wherever it is mounted and whatever stands in front of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import quote, unquote, urlencode

from starlette.requests import Request
from starlette.routing import NoMatchFound

from .paths import inner_path, root_of

_PLAIN: Final = "/:@!$&'()*+,;=~"
"""What may stand in a path as it is, beside letters, digits and `-._`."""

ROOT_PATH: Final = "arqlite.root_path"
"""Where an application may keep its `root_path` in the scope: a route that is a mount changes the other."""


def link(request: Request, name: str, /, **params: str) -> str:
    """The path of a route, with everything that it is mounted under; never a scheme or a host.

    Args:
        request: the request that is answered.
        name: of the route: `job`, `queue_action`, ...
        params: what stands in its path; any text may.
    """
    parts = {key: _segment(value) for key, value in params.items()}
    path = request.app.url_path_for(name, **parts)
    root = request.scope.get(ROOT_PATH, request.scope.get("root_path", "")).rstrip("/")
    return quote(root + path, safe=_PLAIN)


def here(request: Request) -> str:
    """The path of the request that is answered, as a page may lead to it once more."""
    root = request.scope.get(ROOT_PATH, root_of(request.scope)).rstrip("/")
    return quote(root + inner_path(request.scope), safe=_PLAIN)


def link_if(request: Request, *names: str) -> str:
    """The path of the first of these routes that there is; empty without one."""
    for name in names:
        try:
            return link(request, name)
        except NoMatchFound:
            continue
    return ""


def with_query(path: str, values: Mapping[str, str | Iterable[str] | None]) -> str:
    """A path with a query behind it: nothing for values that are empty, a list several times."""
    pairs = [
        (key, one)
        for key, value in values.items()
        for one in ([value] if isinstance(value, str) else value or ())
        if one
    ]
    return f"{path}?{urlencode(pairs)}" if pairs else path


def named(request: Request, key: str) -> str:
    """What stands in the path of a request under this name, as it was given to `link`."""
    return unquote(str(request.path_params[key]))


def pair(queue: str, job_id: str) -> str:
    """A job in one text, as forms send it: `queue/id`; `unpaired` reads it."""
    return f"{_segment(queue)}/{_segment(job_id)}"


def unpaired(text: str) -> tuple[str, str]:
    """The key of the queue and the id of a job, as `pair` wrote them."""
    queue, _, job_id = text.partition("/")
    return unquote(queue), unquote(job_id)


def _segment(value: str) -> str:
    # A server decodes the path once before it looks for the route, and browsers take dots for folders: what
    # would be read as more than one segment is encoded once more.
    text = value.replace("%", "%25").replace("/", "%2F")
    return text.replace(".", "%2E") if text in {".", ".."} else text
