"""The database: engine, sessions, the ledger of jobs, and the tables at the start."""

from __future__ import annotations

from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from app.core.config import settings
from app.core.tasks import SECRETS
from app.models import Base
from arqlite.ledger import Ledger, configure_sqlite, create_missing_tables

# What a statement carries, people's mail above all, has no place in errors and logs.
engine = configure_sqlite(
    create_async_engine(settings.database_url, hide_parameters=True, pool_pre_ping=True)
)

AsyncSessionLocal = async_sessionmaker(engine, expire_on_commit=False)

ledger = Ledger(engine, redact=SECRETS)
"""A row for every job, in the application's own database, so that both can be committed together."""


async def create_tables() -> None:
    """Create the tables that are missing; any number of processes may do so at the same moment."""
    await ledger.upgrade()
    await create_missing_tables(engine, Base.metadata)


def insert_into(db: AsyncSession, model: type[Base]) -> Any:
    """An INSERT that knows `on_conflict_…`, which SQLAlchemy has per database only."""
    make = postgresql.insert if db.get_bind().dialect.name == "postgresql" else sqlite.insert
    return make(model)
