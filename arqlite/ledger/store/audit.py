"""The table of what was done by hand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from ..audit import AuditEntry
from ..payloads import jsonable_or_text
from ..tables import AuditRow
from .looking import MAX_PAGE


async def audit(db: AsyncSession, entries: Iterable[AuditEntry]) -> None:
    """Write entries; they are numbered in this order."""
    rows = [
        {
            "at": entry.at,
            "queue": entry.queue,
            "action": entry.action,
            "actor": entry.actor,
            "job_id": entry.job_id,
            "detail": None if entry.detail is None else jsonable_or_text(entry.detail),
        }
        for entry in entries
    ]
    if rows:
        await db.execute(insert(AuditRow), rows)


async def audit_page(
    db: AsyncSession, *, queue: str | None = None, after: int | None = None, limit: int = 50
) -> Sequence[AuditRow]:
    """Entries, the newest first; `after` is the `id` of the last one of the page before."""
    statement = select(AuditRow).order_by(AuditRow.id.desc()).limit(min(limit, MAX_PAGE))
    if queue is not None:
        statement = statement.where(AuditRow.queue == queue)
    if after is not None:
        statement = statement.where(AuditRow.id < after)
    return (await db.execute(statement)).scalars().all()
