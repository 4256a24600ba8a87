"""Idempotency keys: unique in SQL, so that of many requests with one key only one makes a job."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

from sqlalchemy import Table, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from ..tables import IdempotencyRow

_KEYS = cast(Table, IdempotencyRow.__table__)


async def take_key(
    db: AsyncSession,
    key: str,
    *,
    fingerprint: str,
    job_id: str,
    queue: str,
    at: datetime,
    free_before: datetime,
) -> IdempotencyRow | None:
    """Take a key that is free, or of a row from before `free_before`; else give the row of who has it.

    Who takes the same key at this moment waits until this transaction ends, one way or the other.
    """
    insert: Any = postgresql.insert if db.get_bind().dialect.name == "postgresql" else sqlite.insert
    row = {"fingerprint": fingerprint, "job_id": job_id, "queue": queue, "created_at": at}
    statement = insert(_KEYS).values(key=key, **row)
    statement = statement.on_conflict_do_update(
        index_elements=[_KEYS.c.key], set_=row, where=_KEYS.c.created_at <= free_before
    ).returning(_KEYS.c.key)
    if (await db.execute(statement)).scalar_one_or_none() is not None:
        return None
    held = select(IdempotencyRow).where(_KEYS.c.key == key)
    return (await db.execute(held.execution_options(populate_existing=True))).scalar_one()
