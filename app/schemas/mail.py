"""Accounts, e-mails and transactions as the API shows them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from app.models import ExtractionStatus

T = TypeVar("T")


class _FromRow(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class AccountOut(_FromRow):
    """A connected account; its credentials stay inside."""

    id: int
    user_id: int
    provider: str
    label: str
    created_at: dt.datetime


class EmailOut(_FromRow):
    """An e-mail in a list."""

    id: int
    account_id: int
    sources: list[str]
    subject: str
    sender: str
    sender_name: str
    date: dt.datetime | None
    attachments: list[dict[str, Any]]
    warnings: list[str]
    extraction_status: ExtractionStatus
    extraction_error: str | None


class UnreadableOut(_FromRow):
    """A message of the mailbox that is no e-mail, and why."""

    id: int
    account_id: int
    source: str
    unreadable_reason: str


class TransactionOut(_FromRow):
    """Money that moved, and the e-mail that told of it."""

    id: int
    email_id: int
    user_id: int
    sources: list[str]
    subject: str
    amount: Decimal | None
    currency: str | None
    merchant: str | None
    date: dt.date | None
    direction: str | None
    category: str | None


class Page(BaseModel, Generic[T]):
    """One page; hand `next` back as `after` for the page after it."""

    items: list[T]
    next: int | None
