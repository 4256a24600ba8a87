"""Answers in words, to people as a page and to programs as JSON, for all that cannot be done."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from html import escape
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json
from redis.exceptions import RedisError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from ..errors import ConfigurationError, JobBusy, JobNotFound, LedgerError
from .pages.rendering import problem
from .paths import is_api

if TYPE_CHECKING:
    from starlette.types import ExceptionHandler

logger = logging.getLogger("arqlite.dashboard")

_CODES = {
    400: "bad-request",
    401: "who-are-you",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    409: "conflict",
    413: "too-large",
    415: "not-json",
    422: "invalid",
    500: "bug",
    503: "away",
}

_WORDS = {
    404: "There is nothing here.",
    405: "That cannot be done here.",
    500: "The dashboard has made a mistake. What happened is in the log of its server.",
}


_TITLES = {
    401: "Who are you?",
    403: "That is not for you",
    404: "There is no such thing here",
    405: "That cannot be done here",
    409: "Not now",
    422: "That cannot be",
    503: "There is no answer",
}


def refusal(
    request: Request, status: int, words: str = "", headers: Mapping[str, str] | None = None, code: str = ""
) -> Response:
    """Answer that something is not so: JSON to programs, a page to people.

    Args:
        request: what is answered.
        status: the status code.
        words: why, and what to do; empty is what the status says.
        headers: more headers of the answer.
        code: the reason for programs; empty is that of the status.
    """
    words = words or _WORDS.get(status) or HTTPStatus(status).phrase
    if is_api(request):
        told = {"error": {"code": code or _CODES.get(status, "error"), "message": words}}
        return Response(to_json(told), status, headers, media_type="application/json")
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.SERVICE_UNAVAILABLE:
        # Not by the templates: they may be what is wrong.
        return HTMLResponse(_plain(status, words), status, headers)
    page = problem(request, status, _TITLES.get(status, HTTPStatus(status).phrase), words)
    page.headers.update(headers or {})
    return page


def unavailable(error: Exception) -> str:
    """Say what is away, in a sentence."""
    what = "The ledger" if _is_of_ledger(error) else "Redis"
    return f"{what} does not answer now ({_kind_of(error)}). Nothing was lost; try again in a moment."


def is_away(error: Exception) -> bool:
    """Whether an error of a driver says that a ledger's database cannot be used now."""
    # Where nothing has imported the ledger there is none.
    ledger = sys.modules.get("arqlite.ledger")
    return ledger is not None and bool(ledger.is_away(error))


def handlers() -> dict[Any, ExceptionHandler]:
    """What is answered for which error."""
    return {
        HTTPException: _of_http,
        ConfigurationError: _of_input,
        JobNotFound: _of_missing,
        JobBusy: _of_busy,
        RedisError: _of_outage,
        OSError: _of_outage,
        LedgerError: _of_outage,
    }


async def _of_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 (it is registered for these only)
    told = error.detail if error.detail != HTTPStatus(error.status_code).phrase else ""
    return refusal(request, error.status_code, told, error.headers)


async def _of_input(request: Request, error: Exception) -> Response:
    return refusal(request, 422, str(error))


async def _of_missing(request: Request, error: Exception) -> Response:
    return refusal(request, 404, str(error))


async def _of_busy(request: Request, error: Exception) -> Response:
    return refusal(request, 409, str(error))


async def _of_outage(request: Request, error: Exception) -> Response:
    logger.warning("%s: %s", _kind_of(error), error)
    return refusal(request, 503, unavailable(error), {"Retry-After": "5"})


def _kind_of(error: Exception) -> str:
    """What kind of error it is, by a name that its reader may know."""
    return next(kind.__name__ for kind in type(error).__mro__ if not kind.__name__.startswith("_"))


def _is_of_ledger(error: Exception) -> bool:
    return isinstance(error, LedgerError) or type(error).__module__.startswith("sqlalchemy")


def _plain(status: int, words: str) -> str:
    title = f"{status} {HTTPStatus(status).phrase}"
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>'
        f"<body><main><h1>{title}</h1><p>{escape(words)}</p></main></body></html>"
    )
