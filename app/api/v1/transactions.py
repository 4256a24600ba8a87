"""Transactions."""

from __future__ import annotations

from fastapi import APIRouter

from app.api.dependencies import After, Database, PageSize
from app.schemas.mail import Page, TransactionOut
from app.services import mail_queries

router = APIRouter(prefix="/transactions", tags=["transactions"])


@router.get("")
async def list_transactions(
    db: Database,
    user_id: int | None = None,
    account_id: int | None = None,
    after: After = 0,
    limit: PageSize = 50,
) -> Page[TransactionOut]:
    """Transactions in the order they were found."""
    rows = await mail_queries.list_transactions(
        db, user_id=user_id, account_id=account_id, after=after, limit=limit
    )
    items = [TransactionOut.model_validate(row) for row in rows]
    return Page(items=items, next=items[-1].id if len(items) == limit else None)
