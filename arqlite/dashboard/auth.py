"""Ways to find out who asks: passwords, tokens, and what a proxy says."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import hmac
import inspect
import ipaddress
import logging
from collections.abc import Awaitable, Callable, Collection
from typing import Final, TypeAlias

from starlette.requests import Request
from starlette.responses import Response

from ..errors import ConfigurationError
from .context import ADMIN, Access
from .faults import refusal
from .hosts import comes_from_here, is_in
from .paths import is_api

logger = logging.getLogger("arqlite.dashboard")

Verdict: TypeAlias = Access | Response | None
"""Let in; answered so; or None: there is nothing here."""

Auth: TypeAlias = Callable[[Request], "Verdict | Awaitable[Verdict]"]
"""Finds out who asks, with or without waiting."""

_NOT_FROM_HERE: Final = (
    "This dashboard asks nobody who they are, so it is shown only on its own machine: by a name such as "
    "localhost, and not through a proxy. To show it to others, give create_dashboard an auth."
)


async def verdict_of(auth: Auth, request: Request) -> Verdict:
    """Ask it, whether it waits or not.

    Raises:
        TypeError: it answers something else.
    """
    found = auth(request)
    verdict = await found if inspect.isawaitable(found) else found
    if verdict is None or isinstance(verdict, Access | Response):
        return verdict
    raise TypeError(f"auth of a dashboard must return an Access, None or a Response, got {verdict!r}")


def from_this_machine(access: Access = ADMIN) -> Auth:
    """Let in programs of the same machine, unless they ask for somebody else, as proxies do.

    A proxy is known by the headers that it adds, or by HTTP/1.0; one that adds none and speaks HTTP/1.1 is
    not. Never use this behind a proxy.

    Args:
        access: what they may do.
    """
    granted = _named(access, "local")

    def auth(request: Request) -> Verdict:
        return granted if comes_from_here(request) else refusal(request, 403, _NOT_FROM_HERE)

    return auth


def basic_auth(user: str, password: str, access: Access = ADMIN) -> Auth:
    """Let in who knows a name and a password; browsers ask for them.

    Names and passwords travel as they are: give the dashboard TLS wherever it leaves the machine.

    Args:
        user: the name, as the audit has it.
        password: at least one character.
        access: what they may do.

    Raises:
        ConfigurationError: one of them is empty, or the name has a colon in it.
    """
    if not user or not password or ":" in user:
        raise ConfigurationError(
            "basic_auth needs a user and a password that are not empty, and no colon in the user"
        )
    expected = f"{user}:{password}".encode()
    granted = _named(access, user)

    def auth(request: Request) -> Verdict:
        told = _basic(request)
        if hmac.compare_digest(told, expected):
            return granted
        if told:
            _note_failure(request, "a password")
        challenge = {"WWW-Authenticate": 'Basic realm="arqlite", charset="UTF-8"'}
        return refusal(request, 401, "Say who you are: a user and a password are needed.", challenge)

    return auth


def bearer(token: str, access: Access = ADMIN) -> Auth:
    """Let programs in that send `Authorization: Bearer TOKEN`; for the API only.

    Args:
        token: at least 16 characters.
        access: who they are, and what they may do.

    Raises:
        ConfigurationError: the token is too short.
    """
    if len(token) < 16:
        raise ConfigurationError("a token must have at least 16 characters, so that nobody guesses it")
    expected = token.encode()
    granted = _named(access, "token")

    def auth(request: Request) -> Verdict:
        sent = bearer_of(request)
        if sent is None or not is_api(request):
            return None
        if hmac.compare_digest(sent, expected):
            return granted
        _note_failure(request, "a token")
        challenge = {"WWW-Authenticate": 'Bearer realm="arqlite", error="invalid_token"'}
        return refusal(request, 401, "This token is not known here.", challenge)

    return auth


def trusted_header(
    name: str = "X-Forwarded-User",
    access: Access | Callable[[str], Access | None] = ADMIN,
    *,
    proxies: Collection[str] | None = ("127.0.0.0/8", "::1"),
) -> Auth:
    """Let in whom a proxy has let in, which tells their name in a header.

    The proxy must remove the header from what comes to it. A server that rewrites the client's address, as
    uvicorn does behind a proxy of the same machine, must be told not to (`--no-proxy-headers`), for
    then nobody comes from the proxy any more.

    Args:
        name: the header.
        access: what they may do, or a function that finds it by their name; None does not let them in.
        proxies: addresses and networks from which the header counts; None: from everywhere, where nobody but
            the proxy reaches the dashboard.

    Raises:
        ConfigurationError: one of the proxies is no address and no network.
    """
    for network in proxies or ():
        try:
            ipaddress.ip_network(network, strict=False)
        except ValueError as error:
            raise ConfigurationError(f"proxies must be addresses or networks: {error}") from None

    def auth(request: Request) -> Verdict:
        user = request.headers.get(name, "").strip()
        is_of_proxy = proxies is None or (request.client is not None and is_in(request.client.host, proxies))
        if not user or not is_of_proxy:
            return None
        found = access if isinstance(access, Access) else access(user)
        return None if found is None else _named(found, user)

    return auth


def first_of(*auths: Auth) -> Auth:
    """Let in whom one of several lets in; else the first answer that one of them gives is theirs."""

    async def auth(request: Request) -> Verdict:
        answer: Verdict = None
        for one in auths:
            verdict = await verdict_of(one, request)
            if isinstance(verdict, Access):
                return verdict
            answer = answer or verdict
        return answer

    return auth


def bearer_of(request: Request) -> bytes | None:
    """The token of a request; None without one."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip().encode() if scheme.lower() == "bearer" else None


def _note_failure(request: Request, what: str) -> None:
    """Leave a trace for those who watch for guessing; never what was tried, which may be nearly right."""
    where = request.client.host if request.client else "a socket"
    logger.warning("%s from %s was wrong", what, where)


def _basic(request: Request) -> bytes:
    scheme, _, told = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return b""
    try:
        return base64.b64decode(told, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _named(access: Access, user: str) -> Access:
    return access if access.user else dataclasses.replace(access, user=user)
