"""An application that enqueues jobs in its transactions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, create_engine, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from arqlite import ArqRedis
from arqlite.ledger import JobRow, LedgerStatus
from arqlite.model.codec import Codec
from arqlite.outbox import Relay

QUEUE = "arq:queue"


class AppBase(DeclarativeBase):
    pass


class Order(AppBase):
    """What the application writes."""

    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


async def confirm(ctx: dict[Any, Any], name: str = "", *, copies: int = 1) -> str:
    return f"{name} x{copies}"


def connect_args(url: str, schema: str) -> dict[str, Any]:
    """How to connect, so that tables are found in a schema of PostgreSQL."""
    if url.startswith("sqlite"):
        return {"timeout": 10}
    if "+asyncpg" in url:
        return {"server_settings": {"search_path": schema}}
    return {"options": f"-csearch_path={schema}"}


def blocking_engine(url: str, schema: str, **options: Any) -> Engine:
    """The same database for programs without a loop."""
    url = url.replace("+aiosqlite", "").replace("+asyncpg", "+psycopg")
    return create_engine(url, connect_args=connect_args(url, schema), **options)


@dataclass
class Shop:
    """The database, the pool, and questions that tests ask."""

    engine: AsyncEngine
    pool: ArqRedis
    url: str
    schema: str

    @property
    def sessions(self) -> async_sessionmaker[AsyncSession]:
        return async_sessionmaker(self.engine)

    def blocking_engine(self) -> Engine:
        """The same database for programs without a loop."""
        return blocking_engine(self.url, self.schema)

    async def rows(self) -> dict[str, JobRow]:
        async with self.sessions() as db:
            return {row.id: row for row in (await db.execute(select(JobRow))).scalars()}

    async def row(self, job_id: str) -> JobRow:
        return (await self.rows())[job_id]

    async def orders(self) -> set[str]:
        async with self.sessions() as db:
            return set((await db.execute(select(Order.name))).scalars())

    async def queued(self) -> set[str | None]:
        """The ids of jobs in Redis."""
        return {job.job_id for job in await self.pool.queued_jobs()}

    async def is_marked(self, job_id: str) -> bool:
        return (await self.row(job_id)).pushed_at is not None

    def relay(self, *, age: float = 0.0, **options: Any) -> Relay:
        return Relay(
            self.pool.ledger, self.pool.queue(QUEUE).engine, Codec(), age=age, interval=0.01, **options
        )

    async def untouched(self) -> bool:
        """Whether there is nothing anywhere."""
        return not await self.rows() and not await self.orders() and not await self.pool.keys("*")


__all__ = (
    "QUEUE",
    "AppBase",
    "LedgerStatus",
    "Order",
    "Session",
    "Shop",
    "blocking_engine",
    "confirm",
    "connect_args",
)
