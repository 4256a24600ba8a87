"""`lifespan(...)`: pools, and a worker if one is wanted, that live as long as the application."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from signal import Signals
from typing import Any

from fastapi import FastAPI

from ..connections import ArqRedis
from ..errors import ConfigurationError
from ..fleet import Fleet, create_fleet
from .queues import OpenQueues, opened

logger = logging.getLogger("arqlite.fastapi")

Lifespan = Callable[[Any], AbstractAsyncContextManager[Mapping[str, Any] | None]]
"""What FastAPI takes for a lifespan."""


def lifespan(
    *targets: Any, embed_worker: bool = False, compose: Callable[[Any], Any] | None = None
) -> Lifespan:
    """Make a lifespan for `FastAPI(lifespan=...)` that opens a pool to each queue, and closes it at the end.

        app = FastAPI(lifespan=lifespan(WorkerSettings, MailSettings, compose=own_lifespan))

    The tables of their ledgers are made or upgraded before, unless these say `upgrade=False`. If a database
    is away, the application starts after 5 s all the same, and they are made when it answers.

    Args:
        targets: settings of workers, each meaning its queue: a class, an instance or a dict, or the dotted
            path of one, which is imported when the application starts. Or `RedisSettings`, an `ArqRedis` that
            you close yourself, or a function that gives one of these.
        embed_worker: whether the workers of these settings run in this process, too; for small applications
            that are one process. They end with it, as after SIGTERM.
        compose: a lifespan of your own. It begins first and ends last, so what it opens may be used by the
            pools and the workers, an engine of a ledger say; what it yields is the state that FastAPI gets.

    Raises:
        ConfigurationError: when the application starts: none was given, or one cannot be used.
        LedgerError: likewise: the tables of a ledger cannot be used as they are.
    """
    outer = _as_context(compose)
    working = _working if embed_worker else contextlib.nullcontext

    @asynccontextmanager
    async def living(app: FastAPI) -> AsyncIterator[Mapping[str, Any] | None]:
        async with outer(app) as state, open_queues(app, *targets) as queues, working(queues.targets):
            yield state

    return living


@asynccontextmanager
async def open_queues(app: FastAPI, *targets: Any) -> AsyncIterator[OpenQueues]:
    """Do what `lifespan` does for the length of a block, inside of a lifespan of your own.

    Args:
        app: the application, whose `state.arqlite` has the queues meanwhile.
        targets: as for `lifespan`.

    Raises:
        ConfigurationError: none was given, or one cannot be used.
        LedgerError: the tables of a ledger cannot be used as they are.
    """
    async with opened(targets) as queues:
        app.state.arqlite = queues
        try:
            yield queues
        finally:
            del app.state.arqlite


def _as_context(compose: Callable[[Any], Any] | None) -> Lifespan:
    if compose is None:
        return lambda _: contextlib.nullcontext()
    return asynccontextmanager(compose) if inspect.isasyncgenfunction(compose) else compose


@asynccontextmanager
async def _working(targets: Sequence[Any]) -> AsyncIterator[None]:
    """Run the workers of settings until the block ends."""
    if any(isinstance(target, ArqRedis) for target in targets):
        raise ConfigurationError("embed_worker needs settings with functions; a pool has none")
    fleet = create_fleet(targets, handle_signals=False)
    working = asyncio.create_task(fleet.run_and_close(), name="arqlite:embedded-worker")
    working.add_done_callback(_tell_failure)
    try:
        yield
    finally:
        await _end(fleet, working)


async def _end(fleet: Fleet, working: asyncio.Task[None]) -> None:
    fleet.handle_sig(Signals.SIGTERM)
    await asyncio.wait([working])


def _tell_failure(working: asyncio.Task[None]) -> None:
    error = None if working.cancelled() else working.exception()
    if error is not None:
        logger.error("the embedded worker ended by an error; jobs are enqueued, not run", exc_info=error)
