"""Create what is missing, also when several processes start at the same moment."""

from __future__ import annotations

from sqlalchemy import MetaData, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

_LOCK = 0x617271_6C697465  # "arqlite"; any number does, if every process takes the same


async def create_missing_tables(engine: AsyncEngine, metadata: MetaData) -> None:
    """Create the tables of `metadata` that the database lacks; the others are left as they are.

    Looking and creating happen in one transaction that one process at a time may hold, so a worker
    and an API that start together do not stumble over each other's tables.
    """
    async with engine.connect() as connection:
        await _take_turn(connection)
        await connection.run_sync(metadata.create_all)
        await connection.commit()


async def _take_turn(connection: AsyncConnection) -> None:
    if connection.dialect.name == "sqlite":
        # The driver opens a transaction before INSERT and UPDATE, not before CREATE TABLE.
        await connection.exec_driver_sql("BEGIN IMMEDIATE")
    elif connection.dialect.name == "postgresql":
        await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
