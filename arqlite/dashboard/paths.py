"""Where a request goes to, below the prefix that the dashboard is mounted under."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.types import Scope

API: Final = "/api/v1"


def root_of(scope: Scope) -> str:
    """The prefix under which the dashboard is seen, without a slash at its end."""
    return str(scope.get("root_path", "")).rstrip("/")


def inner_path(scope: Scope) -> str:
    """A request's path below that prefix."""
    path, root = str(scope["path"]), root_of(scope)
    return path[len(root) :] or "/" if root and (path + "/").startswith(root + "/") else path


def is_api(request: Request) -> bool:
    """Whether a program asks, which wants JSON."""
    return (inner_path(request.scope) + "/").startswith("/api/")
