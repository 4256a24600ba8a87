"""E-mails, and the messages that are none."""

from __future__ import annotations

from fastapi import APIRouter

from app.api.dependencies import After, Database, PageSize
from app.models import ExtractionStatus
from app.schemas.mail import EmailOut, Page, UnreadableOut
from app.services import mail_queries

router = APIRouter(prefix="/emails", tags=["emails"])


@router.get("")
async def list_emails(
    db: Database,
    account_id: int | None = None,
    status: ExtractionStatus | None = None,
    after: After = 0,
    limit: PageSize = 50,
) -> Page[EmailOut]:
    """E-mails in the order they were stored; `sources` tells where in the mailbox each of them lies."""
    rows = await mail_queries.list_emails(db, account_id=account_id, status=status, after=after, limit=limit)
    items = [EmailOut.model_validate(row) for row in rows]
    return Page(items=items, next=items[-1].id if len(items) == limit else None)


@router.get("/counts")
async def count_emails(db: Database, account_id: int | None = None) -> dict[ExtractionStatus, int]:
    """How many e-mails there are in each extraction status, for those who show progress."""
    return await mail_queries.count_emails(db, account_id=account_id)


@router.get("/unreadable")
async def list_unreadable(
    db: Database, account_id: int | None = None, after: After = 0, limit: PageSize = 50
) -> Page[UnreadableOut]:
    """Messages that could not be read, each with the reason."""
    rows = await mail_queries.list_unreadable(db, account_id=account_id, after=after, limit=limit)
    items = [UnreadableOut.model_validate(row) for row in rows]
    return Page(items=items, next=items[-1].id if len(items) == limit else None)
