"""Lists of e-mails and transactions, page by page."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from app.models import Category, Email, ExtractionStatus, MailboxItem, Transaction

_EMAIL_FIELDS = (
    *("id", "account_id", "subject", "sender", "sender_name", "date"),
    *("attachments", "warnings", "extraction_status", "extraction_error"),
)
_TRANSACTION_FIELDS = ("id", "email_id", "user_id", "amount", "currency", "merchant", "date", "direction")


async def list_emails(
    db: AsyncSession,
    *,
    account_id: int | None,
    status: ExtractionStatus | None,
    after: int,
    limit: int,
) -> list[dict[str, Any]]:
    """E-mails in the order they were stored, with the places in the mailbox where each lies."""
    statement = select(Email).options(selectinload(Email.items)).where(Email.id > after)
    if account_id is not None:
        statement = statement.where(Email.account_id == account_id)
    if status is not None:
        statement = statement.where(Email.extraction_status == status)
    emails = (await db.execute(statement.order_by(Email.id).limit(limit))).scalars().all()
    return [
        {name: getattr(email, name) for name in _EMAIL_FIELDS}
        | {"sources": [item.source for item in email.items]}
        for email in emails
    ]


async def count_emails(db: AsyncSession, *, account_id: int | None) -> dict[ExtractionStatus, int]:
    """How many e-mails there are in each extraction status; each status is named, if only with 0."""
    statement = select(Email.extraction_status, func.count()).group_by(Email.extraction_status)
    if account_id is not None:
        statement = statement.where(Email.account_id == account_id)
    counted = (await db.execute(statement)).all()
    return dict.fromkeys(ExtractionStatus, 0) | dict(counted)


async def list_unreadable(
    db: AsyncSession, *, account_id: int | None, after: int, limit: int
) -> list[MailboxItem]:
    """Messages that are no e-mail."""
    statement = select(MailboxItem).where(MailboxItem.email_id.is_(None), MailboxItem.id > after)
    if account_id is not None:
        statement = statement.where(MailboxItem.account_id == account_id)
    return list((await db.execute(statement.order_by(MailboxItem.id).limit(limit))).scalars())


async def list_transactions(
    db: AsyncSession, *, user_id: int | None, account_id: int | None, after: int, limit: int
) -> list[dict[str, Any]]:
    """Transactions in the order they were found, with their e-mail and their category."""
    statement = (
        select(Transaction, Email, Category.name)
        .join(Email, Email.id == Transaction.email_id)
        .outerjoin(Category, Category.id == Transaction.category_id)
        .options(selectinload(Email.items))
        .where(Transaction.id > after)
    )
    if user_id is not None:
        statement = statement.where(Transaction.user_id == user_id)
    if account_id is not None:
        statement = statement.where(Email.account_id == account_id)
    rows = (await db.execute(statement.order_by(Transaction.id).limit(limit))).all()
    return [
        {name: getattr(transaction, name) for name in _TRANSACTION_FIELDS}
        | {
            "sources": [item.source for item in email.items],
            "subject": email.subject,
            "category": category,
        }
        for transaction, email, category in rows
    ]
