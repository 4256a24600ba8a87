"""What a Redis server tells of itself, as a checkup and the System page need it."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from redis.exceptions import ResponseError

from ..connections import ArqRedis, ClusterSettings
from ..embedded import is_embedded
from ..engine.shards import ShardPool, client_of, slot_of
from ..inspector import Inspector
from .facts import ServerFacts
from .links import Links, Silence
from .places import Place
from .rights import missing_rights
from .views import ServerInfo

# What `RedisSettings` makes of "no limit".
_UNLIMITED = 2**31


def doors(places: Sequence[Place]) -> list[tuple[str, Place]]:
    """The servers, each once for each user: its address without a database, and a queue that is there. Of a
    cluster the nodes are not known yet, and each slot may be on another one.
    """
    found: dict[tuple[str, str, int], Place] = {}
    for place in places:
        slot = slot_of(place.queue) if _is_in_cluster(place) else -1
        found.setdefault((place.server.rpartition("/")[0], _user(place), slot), place)
    return [(address, place) for (address, *_), place in found.items()]


async def server_facts(links: Links, *, thorough: bool = False) -> list[ServerFacts]:
    """What the servers of all queues tell, each asked once for each user that goes there.

    Args:
        links: leads there.
        thorough: also what takes longer to find out: rights, and whether an address is public.
    """
    there = doors(links.places)
    facts = await asyncio.gather(*(_of_server(links, *each, thorough=thorough) for each in there))
    return list({(one.info.server, one.user, one.info.error): one for one in facts}.values())


def _is_in_cluster(place: Place) -> bool:
    if place.pool is not None:
        return isinstance(place.pool.connection_pool, ShardPool)
    return isinstance(place.redis_settings, ClusterSettings)


def _user(place: Place) -> str:
    """As whom a queue's Redis is asked; empty for its default user."""
    if place.pool is not None:
        return str(place.pool.connection_pool.connection_kwargs.get("username") or "")
    return (place.redis_settings.username if place.redis_settings is not None else None) or ""


async def _of_server(links: Links, address: str, place: Place, *, thorough: bool) -> ServerFacts:
    facts = await links.ask(place, lambda inspector: _look(address, place, inspector, thorough=thorough))
    if isinstance(facts, Silence):
        return ServerFacts(info=ServerInfo(server=address, error=facts.why))
    return facts


async def _look(address: str, place: Place, inspector: Inspector, *, thorough: bool) -> ServerFacts:
    pool = client_of(inspector.pool, place.queue)
    if isinstance(pool.connection_pool, ShardPool):
        address = await pool.connection_pool.address()
    rights = await missing_rights(pool, place.queue) if thorough else ()
    latency_s, skew = await _clock(pool)
    told = await _or_nothing(pool.info())
    saves = await _or_nothing(pool.config_get("save"))
    connection = pool.connection_pool.connection_kwargs
    path = connection.get("path") or ""
    most = int(pool.connection_pool.max_connections or 0)
    return ServerFacts(
        info=server_info(address, told, saves, latency_s * 1000),
        redis_version=version_of(told.get("redis_version")),
        user=_user(place),
        missing_rights=rights,
        skew=skew,
        most_clients=int(told.get("maxclients") or 0),
        pool_size=0 if most >= _UNLIMITED else most,
        is_embedded=bool(path) and is_embedded(path),
        is_public=thorough and not path and await _is_public(address.rpartition(":")[0]),
        has_tls=_has_tls(pool),
    )


async def _clock(pool: ArqRedis) -> tuple[float, timedelta | None]:
    """How many seconds an answer takes, and by how much the server's clock is ahead, if it may be asked."""
    await _or_nothing(pool.ping())  # what it takes to connect is no latency
    began, asked_at = time.monotonic(), time.time()
    try:
        seconds, microseconds = await pool.time()
    except ResponseError:
        return time.monotonic() - began, None
    took = time.monotonic() - began
    return took, timedelta(seconds=seconds + microseconds / 1e6 - asked_at - took / 2)


def server_info(
    address: str, told: Mapping[str, Any], saves: Mapping[str, Any], latency_ms: float
) -> ServerInfo:
    """Read INFO, and `CONFIG GET save` where that was allowed; nothing is made of what is not told."""
    product = str(told.get("server_name") or ("redis" if told else ""))
    return ServerInfo(
        server=address,
        product=product.capitalize(),
        version=str(told.get(f"{product}_version") or told.get("redis_version") or ""),
        role={"slave": "replica"}.get(role := str(told.get("role") or ""), role),
        memory=int(told.get("used_memory") or 0),
        most_memory=int(told.get("maxmemory") or 0),
        policy=str(told.get("maxmemory_policy") or ""),
        persistence=persistence_of(told, saves),
        latency_ms=latency_ms,
        clients=int(told.get("connected_clients") or 0),
    )


def persistence_of(told: Mapping[str, Any], saves: Mapping[str, Any]) -> str:
    """How a server keeps its data; empty where that cannot be known."""
    if "aof_enabled" not in told:
        return ""
    has_aof = bool(told["aof_enabled"])
    if "save" in saves:
        has_rdb = bool(saves["save"])
    elif told.get("rdb_saves"):  # it has done so, at least
        has_rdb = True
    else:
        return "aof" if has_aof else ""
    return {(True, True): "aof+rdb", (True, False): "aof", (False, True): "rdb"}.get(
        (has_aof, has_rdb), "none"
    )


def version_of(text: Any) -> tuple[int, int] | None:
    """The major and minor version in a text such as `7.2.4`."""
    parts = str(text or "").split(".")
    if len(parts) < 2 or not (parts[0].isdecimal() and parts[1].isdecimal()):
        return None
    return int(parts[0]), int(parts[1])


async def _or_nothing(asked: Any) -> Any:
    """What a server tells; a managed one may refuse it, and that is no reason not to work."""
    try:
        return await asked
    except ResponseError:
        return {}


def _has_tls(pool: ArqRedis) -> bool:
    return "ssl" in pool.connection_pool.connection_class.__name__.lower()


async def _is_public(host: Any) -> bool:
    """Whether a host has an address that everybody may reach; one that is no name of the network has none."""
    if not isinstance(host, str) or not host:
        return False
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return any(ipaddress.ip_address(str(address[0]).partition("%")[0]).is_global for *_, address in found)
