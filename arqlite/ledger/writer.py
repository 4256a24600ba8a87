"""One transaction at a time, whatever the database says to it."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Protocol, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession

from .backlog import Accepted, Run
from .batches import Batch, batch_of
from .changes import Moment, Values
from .databases import read_committed
from .outage import is_away, is_conflict
from .overflow import unpacked
from .redaction import Redaction
from .rows import JobRowMixin
from .store import Writing, table_of, writing_to
from .store.bulk import bulk_of

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

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
    def owns_engine(self) -> bool:
        """Whether nobody else uses the engine."""

    @property
    def engine(self) -> AsyncEngine:
        """The database."""

    @property
    def sessions(self) -> Callable[[], AsyncSession]:
        """Makes a session."""


class Writer:
    """Writes what was told, each call in a transaction of its own, or two.

    Args:
        ledger: where to.
    """

    def __init__(self, ledger: Books) -> None:
        self._ledger = ledger
        self._kept: list[tuple[AsyncSession, AsyncConnection]] = []

    @property
    def moment(self) -> Moment:
        """What a time in ms is to the ledger's database."""
        dialect = self._ledger.engine.dialect
        return bulk_of(dialect.name, dialect.paramstyle).moment

    @property
    def takes_two(self) -> bool:
        """Whether two calls at the same time are sooner done than one after the other, and take nothing from
        others.
        """
        return self._ledger.owns_engine and self._ledger.engine.dialect.name != "sqlite"

    @property
    def _writing(self) -> Writing:
        return writing_to(table_of(self._ledger.row_model), self._ledger.engine.dialect)

    async def write_runs(self, runs: Sequence[Run]) -> None:
        """Write what was told of runs."""

        await self._write(batch_of(told for _, _, told in runs))

    async def write_accepted(self, accepted: Sequence[Accepted]) -> None:
        """Write the rows of jobs that Redis has accepted."""

        await self._transact(partial(_accept, [(values, columns) for _, _, values, columns in accepted]))

    async def write_packets(self, packets: Sequence[bytes]) -> None:
        """Write what an overflow gave back."""

        for packet in map(unpacked, packets):
            accepted = list(zip(packet.accepted, packet.columns, strict=True))
            await self._transact(partial(_accept, accepted))
            await self._write(batch_of(packet.told))

    async def rest(self) -> None:
        """Give back the connections that were kept for the next call."""
        while self._kept:
            db, _ = self._kept.pop()
            await db.close()

    async def _write(self, batch: Batch) -> None:
        """Write a batch in one statement if all of it is as it mostly is, else in a transaction behind that.

        Each locks its rows in the order of ids: so two writers never wait for each other.
        """
        left: Batch | None = batch
        if batch.ends and self._writing.writes_ends:
            left = await self._write_ends(batch)
        elif batch.ends:
            left = batch.with_ends(batch.ends)
        if left is not None:
            await self._transact(partial(_write_rest, left))

    async def _write_ends(self, batch: Batch) -> Batch | None:
        write = partial(_write_ends, batch)
        if self._ledger.owns_engine:
            return await self._repeat(partial(self._state, write))
        # Connections of an application may have been given what holds for a transaction only.
        return await self._transact(write)

    async def _state(self, write: Callable[[AsyncConnection, Writing], Awaitable[ResultT]]) -> ResultT:
        """Do it by a connection that commits each statement."""
        async with self._connection() as connection:
            return await write(connection, self._writing)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[AsyncConnection]:
        """A connection that commits each statement by itself; it is kept unless it fails."""
        db, connection = self._kept.pop() if self._kept else (self._ledger.sessions(), None)
        try:
            if connection is None:
                connection = await db.connection(execution_options={"isolation_level": "AUTOCOMMIT"})
            yield connection
        except BaseException:
            await db.close()
            raise
        self._kept.append((db, connection))

    async def _transact(self, write: Callable[[AsyncConnection, Writing], Awaitable[ResultT]]) -> ResultT:
        """Do it in one transaction."""
        # A pool may have no other connection than one that is kept here.
        await self.rest()
        return await self._repeat(partial(self._try, write))

    async def _repeat(self, attempt: Callable[[], Awaitable[ResultT]]) -> ResultT:
        """Do it; again if it stood in another transaction's way."""
        for tries_left in reversed(range(_TRIES)):
            try:
                return await attempt()
            except Exception as error:
                if not (tries_left and is_conflict(error)):
                    raise
                await asyncio.sleep(_PAUSE_S * random.uniform(0.5, 1.5) * (_TRIES - tries_left))
        raise AssertionError("the last try returns or raises")  # pragma: no cover

    async def _try(self, write: Callable[[AsyncConnection, Writing], Awaitable[ResultT]]) -> ResultT:
        async with self._ledger.sessions() as db:
            await read_committed(db)
            connection = await db.connection()
            result = await write(connection, self._writing)
            await db.commit()
            return result


async def _write_ends(batch: Batch, connection: AsyncConnection, writing: Writing) -> Batch | None:
    return await writing.write_ends(connection, batch)


async def _write_rest(batch: Batch, connection: AsyncConnection, writing: Writing) -> None:
    await writing.write(connection, batch)


async def _accept(
    jobs: Sequence[tuple[Values, Mapping[str, Any]]], connection: AsyncConnection, writing: Writing
) -> None:
    await writing.accept(connection, jobs)


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
