"""What a page answers when it cannot be made: words, and never a traceback."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import TypeAlias

from redis.exceptions import RedisError
from starlette.requests import Request
from starlette.responses import Response

from ...errors import ConfigurationError, LedgerError
from .rendering import problem

Handler: TypeAlias = Callable[[Request], Awaitable[Response]]


def answered(handler: Handler) -> Handler:
    """A handler whose questions may fail: what was asked makes no sense, or what is asked is away."""

    @wraps(handler)
    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except ConfigurationError as error:
            return problem(request, 400, "That cannot be shown", str(error))
        except LedgerError as error:
            return _away(request, "The ledger does not answer", error)
        except (RedisError, OSError) as error:
            return _away(request, "Redis does not answer", error)

    return answer


def not_found(request: Request, what: str, fix: str = "") -> Response:
    """The page for something that there is not, or that is not for those who ask."""
    return problem(request, 404, "There is no such thing here", what, fix=fix)


def _away(request: Request, title: str, error: Exception) -> Response:
    fix = "This page looks again every few seconds. The command arqlite doctor tells more."
    text = str(error) or type(error).__name__
    return problem(request, 503, title, text, fix=fix, template="away")
