"""One transaction at a time, whatever the database says to it."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from .accepting import AcceptedJob
from .backlog import Accepted, Entry
from .changes import Moment, ToldRun, accepted_values, batch_of
from .outage import is_away, is_conflict
from .overflow import Packet, packed_accepted, packed_rows, unpacked
from .redaction import Redaction
from .rows import JobRowMixin, utc_now
from .store import Writing, table_of, writing_to

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
    def sessions(self) -> Callable[[], AsyncSession]:
        """Makes a session."""


class Writer:
    """Writes what was told, each call in a transaction of its own.

    Args:
        ledger: where to.
    """

    def __init__(self, ledger: Books) -> None:
        self._ledger = ledger

    async def write_runs(self, runs: Sequence[ToldRun]) -> None:
        """Write what was told of runs."""

        async def write(connection: AsyncConnection, writing: Writing) -> None:
            await writing.write(connection, batch_of(runs, writing.bulk.moment, self._ledger.redaction))

        await self._transact(write)

    async def write_accepted(self, jobs: Sequence[AcceptedJob]) -> None:
        """Write the rows of jobs that Redis has accepted."""

        async def write(connection: AsyncConnection, writing: Writing) -> None:
            await writing.accept(connection, *self._accepted(jobs, writing.bulk.moment))

        await self._transact(write)

    async def write_packets(self, packets: Sequence[bytes]) -> None:
        """Write what an overflow gave back."""

        async def write(connection: AsyncConnection, writing: Writing) -> None:
            for packet in packets:
                told: Packet = unpacked(packet, writing.bulk.moment)
                await writing.accept(connection, told.accepted, told.columns)
                await writing.write(connection, told.batch)

        await self._transact(write)

    def packed(self, entries: Sequence[Entry]) -> list[bytes]:
        """Entries of a backlog, for an overflow."""
        runs = [entry for entry in entries if isinstance(entry, ToldRun)]
        jobs = [entry.job for entry in entries if isinstance(entry, Accepted)]
        packets = packed_rows(batch_of(runs, int, self._ledger.redaction))
        return packets + packed_accepted(*self._accepted(jobs, int))

    def _accepted(self, jobs: Sequence[AcceptedJob], moment: Moment) -> tuple[list[Any], list[Any]]:
        last = {(job.id, job.queue): job for job in jobs}  # (an id may occur once in a statement)
        ordered = [last[key] for key in sorted(last)]
        now_ms = int(utc_now().timestamp() * 1_000)
        return accepted_values(ordered, moment, self._ledger.redaction, now_ms), [
            job.columns for job in ordered
        ]

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
