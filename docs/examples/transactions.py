"""Jobs in transactions: `python transactions.py`."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import Depends, FastAPI
from sqlalchemy import create_engine, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from arqlite import ArqRedis, RedisSettings, Worker, create_pool, task
from arqlite.embedded import EmbeddedServer
from arqlite.ledger import Ledger, configure_sqlite
from arqlite.transactions import Outbox

REDIS = RedisSettings.from_dsn(os.environ.get("REDIS_URL") or EmbeddedServer.ensure().url())
FILE = f"{tempfile.mkdtemp()}/shop.db"

engine = configure_sqlite(create_async_engine(f"sqlite+aiosqlite:///{FILE}"))
new_session = async_sessionmaker(engine, expire_on_commit=False)
ledger = Ledger(engine)


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str]


sent: asyncio.Queue[str] = asyncio.Queue()


@task(max_attempts=10)
async def confirm(ctx: dict[str, Any], email: str) -> None:
    sent.put_nowait(email)


async def place_order(pool: ArqRedis, session: AsyncSession, email: str) -> None:
    session.add(Order(email=email))
    await pool.options(session=session).enqueue(confirm, email)
    if "@" not in email:
        raise ValueError(email)  # no order, and no mail
    await session.commit()  # the order, and the mail: Redis has the job when this returns


async def a_session() -> AsyncIterator[AsyncSession]:
    async with new_session() as session:
        yield session


api = FastAPI()


@api.post("/orders")
async def post_order(email: str, session: Annotated[AsyncSession, Depends(a_session)]) -> str:
    async with session.begin():
        session.add(Order(email=email))
        options = {"user_id": 7, "job_type": "CONFIRMATION"}
        job = await api.state.pool.options(session=session, row=options).enqueue(confirm, email)
    return str(job.job_id)


async def import_orders(pool: ArqRedis, session: AsyncSession, emails: list[str]) -> None:
    async with session.begin():
        for email in emails:
            try:
                async with session.begin_nested():  # a savepoint: its job goes with it
                    session.add(Order(email=email))
                    await pool.options(session=session).enqueue(confirm, email)
                    if "@" not in email:
                        raise ValueError(email)
            except ValueError as error:
                print("left out:", error)


outbox = Outbox(ledger)
blocking_engine = create_engine(f"sqlite:///{FILE}")


def view(email: str) -> str:
    with Session(blocking_engine) as session, session.begin():
        session.add(Order(email=email))
        job = outbox.enqueue(session, confirm, email)
    return job.job_id


class WorkerSettings:
    functions = [confirm]
    redis_settings = REDIS
    ledger = ledger


async def main() -> None:
    await ledger.upgrade()
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    pool = await create_pool(REDIS, ledger=ledger)
    api.state.pool = pool

    async with new_session() as session:
        await place_order(pool, session, "ada@example.org")
    async with new_session() as session:
        try:
            await place_order(pool, session, "nobody")
        except ValueError:
            print("rolled back:", [job.args for job in await pool.queued_jobs()])
    async with new_session() as session:
        await post_order("bob@example.org", session)
    async with new_session() as session:
        await import_orders(pool, session, ["eve@example.org", "no address"])
    await asyncio.to_thread(view, "flo@example.org")

    worker = Worker([confirm], redis_settings=REDIS, ledger=ledger, handle_signals=False)
    working = asyncio.create_task(worker.main())
    async with new_session() as session:
        ordered = list((await session.scalars(select(Order.email).order_by(Order.id))).all())
    print("ordered:", ordered)
    print("sent:", sorted([await sent.get() for _ in ordered]) == ordered)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    await worker.close()
    await pool.aclose()
    await engine.dispose()


if __name__ == "__main__":
    asyncio.run(main())
