"""Names and addresses as requests tell them: which are of this machine, which are allowed, which agree."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.requests import Request

FORWARDED = frozenset({"forwarded", "x-real-ip", "via", "cf-connecting-ip", "true-client-ip"})
"""Headers by which a proxy says that somebody else asks; all that begin with `x-forwarded-` do so, too."""

LOOPBACK_ONLY = ("localhost", "*.localhost", "loopback")
ADDRESSES_ONLY = (*LOOPBACK_ONLY, "addresses")
"""Names that no other site can point to us: those of this machine, and addresses, which need no DNS."""


def host_of(request: Request) -> str:
    """The host that a request names, in lower case, without its port; empty if it names none."""
    return _name_in(request.headers.get("host", ""))


def is_allowed(host: str, allowed: Iterable[str]) -> bool:
    """Whether a host is one of these.

    Args:
        host: a name or an address.
        allowed: names, `*.example.com` for all below one, `*` for all, `loopback` for addresses of this
            machine, `addresses` for all addresses.
    """
    return any(_fits(host, pattern.lower()) for pattern in allowed)


def comes_from_here(request: Request) -> bool:
    """Whether a program of this machine asks, and for nobody else as far as that can be seen.

    A proxy that adds no header and speaks HTTP/1.1 cannot be told from a program of this machine.
    """
    # No browser has spoken 1.0 for decades; nginx does to what is behind it, unless it is told not to.
    if request.client is None or request.scope.get("http_version") == "1.0":
        return False
    if any(name in FORWARDED or name.startswith("x-forwarded-") for name in request.headers):
        return False
    return _is_loopback(request.client.host)


def is_same_origin(request: Request) -> bool:
    """Whether a browser says that a page of ours asks; False if it says nothing."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    try:
        origin = urlsplit(request.headers.get("origin", ""))
    except ValueError:  # brackets without an address in them
        return False
    if origin.scheme not in ("http", "https"):
        return False
    default = "443" if origin.scheme == "https" else "80"
    return _with_port(origin.netloc, default) == _with_port(request.headers.get("host", ""), default)


def is_in(address: str, networks: Iterable[str]) -> bool:
    """Whether an address is one of these, or in one of these networks."""
    try:
        own = _plain(ipaddress.ip_address(address))
    except ValueError:
        return False
    return any(own in ipaddress.ip_network(network, strict=False) for network in networks)


def is_loopback_host(host: str) -> bool:
    """Whether this is a name or an address at which only this machine is reached."""
    return is_allowed(host.lower(), LOOPBACK_ONLY)


def _fits(host: str, pattern: str) -> bool:
    if pattern == "loopback":
        return _is_loopback(host)
    if pattern == "addresses":
        return _address(host) is not None
    if pattern.startswith("*."):
        return host.endswith(pattern[1:])
    return pattern in ("*", host)


def _name_in(host: str) -> str:
    host = host.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    # An IPv6 address without brackets is no valid header, and has no port that could be told from it.
    return host if host.count(":") > 1 else host.partition(":")[0]


def _with_port(host: str, default: str) -> str:
    host = host.strip().lower()
    bare = host.rpartition("]")[2]
    return host if ":" in bare else f"{host}:{default}"


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return _plain(ipaddress.ip_address(host))
    except ValueError:
        return None


def _plain(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address


def _is_loopback(host: str) -> bool:
    address = _address(host)
    return address is not None and address.is_loopback
