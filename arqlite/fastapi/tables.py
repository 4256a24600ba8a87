"""The tables of an application's ledgers, made before its first request."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from ..console.places import Place
from ..service import end_task

if TYPE_CHECKING:  # without a ledger there need not be an SQLAlchemy
    from ..ledger import Ledger

logger = logging.getLogger("arqlite.fastapi")

# So long does the start of an application wait for a database that is away; what needs none is answered then.
_START_PATIENCE_S = 5.0


@asynccontextmanager
async def tables_made(places: Iterable[Place]) -> AsyncIterator[None]:
    """Make or upgrade the tables of queues for the first job, as a worker does; those of ledgers that are not
    to do so themselves are left as they are. A database that is away is waited for meanwhile.

    Raises:
        LedgerError: the tables cannot be used as they are.
    """
    ledgers = {place.ledger.identity: place.ledger for place in places if place.ledger is not None}
    making = [
        asyncio.create_task(_make(ledger), name="arqlite:tables")
        for ledger in ledgers.values()
        if ledger.upgrades_itself
    ]
    try:
        if making:
            done, late = await asyncio.wait(making, timeout=_START_PATIENCE_S)
            for task in late:
                task.add_done_callback(_tell_refusal)
            for task in done:
                task.result()
        yield
    finally:
        for task in making:
            await end_task(task)


async def _make(ledger: Ledger) -> None:
    from ..ledger.opening import wait_for_tables

    await wait_for_tables(ledger, "its tables are made when it answers")


def _tell_refusal(making: asyncio.Task[None]) -> None:
    """The application was under way when it turned out that a ledger cannot be used."""
    if not making.cancelled() and (error := making.exception()) is not None:
        logger.error("the ledger cannot be used, and jobs have no rows: %s", error)
