"""A ledger for tests: SQLite in a file, with the tables it needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import MetaData, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase

from ..ledger import JobRowMixin, LedgerBase, Recorder, configure_sqlite, create_missing_tables
from ..ledger import Ledger as JobLedger


class _Base(DeclarativeBase):
    pass


class LedgerRow(JobRowMixin, _Base):
    """A job's row with nothing of an application's own."""

    __tablename__ = "jobs"


class Ledger:
    """A ledger in a SQLite file; made by `open`.

    Attributes:
        engine: the database.
        sessions: makes a session.
        row: the row class, `LedgerRow`.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self.sessions: async_sessionmaker[AsyncSession] = async_sessionmaker(engine, expire_on_commit=False)
        self.row: type[LedgerRow] = LedgerRow

    @classmethod
    async def open(cls, path: Path) -> Ledger:
        """Make the file, with a table of `LedgerRow`."""
        url = f"sqlite+aiosqlite:///{path}"
        ledger = cls(configure_sqlite(create_async_engine(url, hide_parameters=True)))
        await ledger.create(_Base.metadata)
        await ledger.create(LedgerBase.metadata)
        return ledger

    async def create(self, metadata: MetaData) -> None:
        """Create the missing tables of an application's own, such as `Base.metadata`."""
        await create_missing_tables(self.engine, metadata)

    async def rows(self) -> list[LedgerRow]:
        """Read all rows, in the order they were written."""
        async with self.sessions() as db:
            found = await db.execute(select(self.row).order_by(self.row.created_at, self.row.id))
            return list(found.scalars())

    def recorder(self, **options: Any) -> Recorder:
        """Make a service that keeps the rows of a worker's jobs; options as for `Recorder`."""
        return Recorder(JobLedger(self.engine, row_model=self.row), **options)

    async def close(self) -> None:
        """Close its connections."""
        await self.engine.dispose()
