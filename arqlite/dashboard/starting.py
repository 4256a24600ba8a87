"""How a worker of what is seen is started, as somebody would type it."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request

from .context import access_of, console_of, look_of

_ANY: Final = "path.to.WorkerSettings"


def start_command(request: Request, queue: str = "") -> str:
    """The command that starts the workers of a queue, or of all that are seen.

    Args:
        request: whose queues.
        queue: the key of one of them; empty is all.
    """
    named = look_of(request).named
    if named and (len(named) == 1 or (not queue and access_of(request).queues is None)):
        return f"arqlite {' '.join(named)}"
    places = [place for place in console_of(request).places if queue in ("", place.key)]
    # A console of somebody's own making may not know.
    paths = list(dict.fromkeys(getattr(place, "path", "") for place in places))
    return f"arqlite {' '.join(paths) if paths and all(paths) else _ANY}"
