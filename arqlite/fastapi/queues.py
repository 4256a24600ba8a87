"""The queues of an application: which they are, and the pools that are open while it runs."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

from starlette.requests import HTTPConnection

from ..connections import ArqRedis, RedisSettings, create_pool
from ..console.places import Place, places_of
from ..errors import ConfigurationError
from ..model.slips import meant
from ..utils import import_string
from .tables import tables_made


@dataclass(frozen=True)
class OpenQueues:
    """The pools of an application, each to one queue; `app.state.arqlite` while it runs.

    Attributes:
        targets: what they were made of, settings for the most part.
        pools: them, by the keys of their queues: the name, with its database or server where two have the
            same. The first one is what `Jobs` gives.
    """

    targets: Sequence[Any]
    pools: Mapping[str, ArqRedis]

    def pool(self, queue: str | None = None) -> ArqRedis:
        """The pool of a queue, by its key or its name; the first one by default.

        Raises:
            ConfigurationError: there is none of this name; the message tells which there are.
        """
        if queue is None:
            return next(iter(self.pools.values()))
        named = self.named(queue)
        if named is None:
            hint = meant(queue, self.pools, {}) or f"there are {', '.join(self.pools)}"
            raise ConfigurationError(f"the application has no queue {queue!r}; {hint}")
        return self.pools[named]

    def named(self, queue: str) -> str | None:
        """The key of a queue, by its key or its name; None if there is none."""
        if queue in self.pools:
            return queue
        found = [key for key, pool in self.pools.items() if pool.default_queue_name == queue]
        return found[0] if len(found) == 1 else None


def queues_of(connection: HTTPConnection) -> OpenQueues:
    """The queues of the application that a request reached.

    Raises:
        ConfigurationError: its lifespan opened none.
    """
    queues = getattr(connection.app.state, "arqlite", None)
    if not isinstance(queues, OpenQueues):
        raise ConfigurationError(
            "the application has no queues open: FastAPI(lifespan=arqlite.fastapi.lifespan(WorkerSettings)), "
            "and a test has to run its lifespan, e.g. with `with TestClient(app)`"
        )
    return queues


@asynccontextmanager
async def opened(targets: Iterable[Any]) -> AsyncIterator[OpenQueues]:
    """Open a pool for each of the targets, with the tables of its ledger, and close those again that were not
    given.

    Raises:
        LedgerError: the tables of a ledger cannot be used as they are.
        ConfigurationError: one of them cannot be used, or none is given.
    """
    found = await asyncio.to_thread(lambda: [resolved(target) for target in targets])
    if not found:
        raise ConfigurationError(
            "the application has no queues: give its settings to lifespan(WorkerSettings) or to "
            "open_queues(app, WorkerSettings); RedisSettings or a pool will do"
        )
    async with AsyncExitStack() as stack:
        places = places_of(found)
        pools = {place.key: await _open(place, stack) for place in places}
        await stack.enter_async_context(tables_made(places))
        yield OpenQueues(found, pools)


def resolved(target: Any) -> Any:
    """Settings or a pool, of what was given for one: they themselves, RedisSettings, a path or a function.

    Raises:
        ConfigurationError: a path names nothing.
    """
    if isinstance(target, str):
        try:
            return import_string(target)
        except ImportError as error:
            raise ConfigurationError(f"the settings {target!r} cannot be imported: {error}") from error
    if inspect.isroutine(target):
        return resolved(cast("Callable[[], Any]", target)())
    return {"redis_settings": target} if isinstance(target, RedisSettings) else target


async def _open(place: Place, stack: AsyncExitStack) -> ArqRedis:
    if place.pool is not None:
        return place.pool
    if place.ledger is not None:
        stack.push_async_callback(place.ledger.aclose)
    pool = await create_pool(
        # Those that were named, or None: where nobody named a Redis, an error says what may be the matter.
        place.settings.get("redis_settings"),
        job_serializer=place.settings.get("job_serializer"),
        job_deserializer=place.settings.get("job_deserializer"),
        default_queue_name=place.queue,
        ledger=place.ledger,
    )
    stack.push_async_callback(pool.aclose, close_connection_pool=True)
    return pool
