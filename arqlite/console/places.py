"""The queues of a console: where each of them is, and how it is read."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..connections import ArqRedis, RedisSettings
from ..constants import default_queue_name
from ..errors import ConfigurationError
from ..model.functions import Function, func
from ..redis_settings import default_redis_settings
from ..settings import get_kwargs, with_default_ledger

if TYPE_CHECKING:  # without a ledger there need not be an SQLAlchemy
    from ..ledger import Ledger

__all__ = ("Place", "places_of")


@dataclass(frozen=True)
class Place:
    """A queue, and where it is.

    Attributes:
        key: what a console knows it by: its name, with its database or server where two have the same.
        queue: its name.
        server: its Redis, without a password: `localhost:6379/1`.
        pool: a client that is made already; None makes one of `redis_settings`.
        redis_settings: where its Redis is; None is where arq looks.
        ledger: where its rows are; None where it has none.
        settings: what a worker's settings say, by the names of `Worker`'s arguments; empty where only a pool
            is known.
        path: where a command finds these settings: `app.worker.WorkerSettings`; empty where it is not known.
    """

    key: str
    queue: str
    server: str
    pool: ArqRedis | None = None
    redis_settings: RedisSettings | None = None
    ledger: Ledger | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    path: str = ""

    @cached_property
    def functions(self) -> Mapping[str, Function[Any, Any]]:
        """The functions that its settings name, by the names of their jobs; none for a bare pool."""
        functions = [func(given) for given in self.settings.get("functions") or ()]
        return {function.name: function for function in functions}


def places_of(targets: Iterable[Any]) -> list[Place]:
    """Find the queues that are meant.

    Args:
        targets: settings classes, instances or dicts as for a worker, or pools (`ArqRedis`), each meaning its
            default queue.

    Raises:
        ConfigurationError: one is something else, or none is given.
    """
    found = [_place(target) for target in targets]
    if not found:
        raise ConfigurationError("a console needs at least one queue: give it worker settings or a pool")
    unique = list({(place.queue, place.server): place for place in found}.values())
    names = Counter(place.queue for place in unique)
    return [place if names[place.queue] == 1 else _with_server(place) for place in unique]


def _place(target: Any) -> Place:
    if isinstance(target, ArqRedis):
        server = _server_of(target.connection_pool.connection_kwargs)
        queue = target.default_queue_name
        return Place(queue, queue, server, pool=target, ledger=target.ledger)
    told = with_default_ledger(get_kwargs(target))
    pool, settings = told.get("redis_pool"), told.get("redis_settings")
    queue = told.get("queue_name") or (pool.default_queue_name if pool is not None else default_queue_name)
    if pool is not None:
        server = _server_of(pool.connection_pool.connection_kwargs)
    else:
        settings = settings or default_redis_settings()
        server = _server_of_settings(settings)
    ledger = _ledger_of(told.get("ledger"))
    return Place(queue, queue, server, pool, settings, ledger, told, _path_of(target))


def _path_of(target: Any) -> str:
    """Where a command finds settings; empty for what is no class that a module has."""
    if not isinstance(target, type) or target.__module__ == "__main__":
        return ""
    module = sys.modules.get(target.__module__)
    is_there = getattr(module, target.__name__, None) is target
    return f"{target.__module__}.{target.__name__}" if is_there else ""


def _ledger_of(given: Any) -> Ledger | None:
    if given is None:
        return None
    from ..ledger.given import ledger_of

    return ledger_of(given)


def _with_server(place: Place) -> Place:
    return Place(
        f"{place.queue}@{place.server}", place.queue, place.server, place.pool, place.redis_settings,
        place.ledger, place.settings, place.path,
    )  # fmt: skip


def _server_of(kwargs: Mapping[str, Any]) -> str:
    where = kwargs.get("path") or f"{kwargs.get('host', 'localhost')}:{kwargs.get('port', 6379)}"
    return f"{where}/{int(kwargs.get('db') or 0)}"


def _server_of_settings(settings: RedisSettings) -> str:
    host, port = settings.host, settings.port
    if not isinstance(host, str):  # one of the sentinels, or of the nodes, stands for all of them
        host, port = host[0]
    where = settings.unix_socket_path or f"{host}:{port}"
    return f"{where}/{settings.database}"
