"""One transaction at a time, whatever the database says to it."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession

from .backlog import Accepted, Run
from .changes import Moment, batch_of
from .outage import is_away, is_conflict
from .overflow import unpacked
from .redaction import Redaction
from .rows import JobRowMixin
from .store import Writing, table_of, writing_to
from .store.bulk import bulk_of

ItemT = TypeVar("ItemT")

_TRIES = 8
_PAUSE_S = 0.01


class Books(Protocol):
    """What of a `Ledger` its writer needs."""

    row_model: type[JobRowMixin]
    redaction: Redaction

    @property
    def is_strict(self) -> bool:
        """Whether rows come first."""

    @property
    def engine(self) -> AsyncEngine:
        """The database."""

    @property
    def sessions(self) -> Callable[[], AsyncSession]:
        """Makes a session."""


class Writer:
    """Writes what was told, each call in a transaction of its own.

    Args:
        ledger: where to.
    """

    def __init__(self, ledger: Books) -> None:
        self._ledger = ledger

    @property
    def moment(self) -> Moment:
        """What a time in ms is to the ledger's database."""
        dialect = self._ledger.engine.dialect
        return bulk_of(dialect.name, dialect.paramstyle).moment

    async def write_runs(self, runs: Sequence[Run]) -> None:
        """Write what was told of runs."""

        async def write(connection: AsyncConnection, writing: Writing) -> None:
            await writing.write(connection, batch_of(told for _, _, told in runs))

        await self._transact(write)

    async def write_accepted(self, accepted: Sequence[Accepted]) -> None:
        """Write the rows of jobs that Redis has accepted."""

        async def write(connection: AsyncConnection, writing: Writing) -> None:
            await writing.accept(connection, [(values, columns) for _, _, values, columns in accepted])

        await self._transact(write)

    async def write_packet(self, packet: bytes) -> None:
        """Write what an overflow gave back."""
        told = unpacked(packet)

        async def write(connection: AsyncConnection, writing: Writing) -> None:
            await writing.accept(connection, list(zip(told.accepted, told.columns, strict=True)))
            await writing.write(connection, batch_of(told.told))

        await self._transact(write)

    async def _transact(self, write: Callable[[AsyncConnection, Writing], Awaitable[None]]) -> None:
        """Do it in one transaction; again if it stood in another one's way."""
        for tries_left in reversed(range(_TRIES)):
            try:
                await self._try(write)
            except Exception as error:
                if not (tries_left and is_conflict(error)):
                    raise
                await asyncio.sleep(_PAUSE_S * random.uniform(0.5, 1.5) * (_TRIES - tries_left))
            else:
                return

    async def _try(self, write: Callable[[AsyncConnection, Writing], Awaitable[None]]) -> None:
        async with self._ledger.sessions() as db, db.begin():
            connection = await db.connection()
            if connection.dialect.name == "postgresql" and not self._ledger.is_strict:
                # What is written later anyway need not wait for the disk as well.
                await connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
            await write(connection, writing_to(table_of(self._ledger.row_model), connection.dialect))


async def write_parts(
    items: Sequence[ItemT],
    write: Callable[[Sequence[ItemT]], Awaitable[None]],
    leave_out: Callable[[ItemT, Exception], None],
) -> Sequence[ItemT]:
    """Write all items; while the database refuses them, halves of them, until the bad ones are found.

    Args:
        items: what to write.
        write: writes some of them in one transaction.
        leave_out: is told what the database refuses by itself, and why.

    Returns:
        What is not written since the database went away meanwhile.

    Raises:
        Exception: the database is away, and nothing is written.
    """
    parts: deque[Sequence[ItemT]] = deque([items])
    while parts:
        part = parts.popleft()
        try:
            await write(part)
        except Exception as error:
            if is_away(error) or is_conflict(error):
                if part is items:
                    raise
                return [item for left in (part, *parts) for item in left]
            if len(part) == 1:
                leave_out(part[0], error)
            else:
                middle = len(part) // 2
                parts.extendleft((part[middle:], part[:middle]))
    return []
