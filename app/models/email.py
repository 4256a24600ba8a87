"""E-mails, and where in the mailbox each of them was met."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, Enum, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, CreatedMixin
from arqlite.ledger import UtcDateTime


class ExtractionStatus(StrEnum):
    """How far the extraction has come with an e-mail."""

    PENDING = "PENDING"
    PROCESSING = "PROCESSING"
    DONE = "DONE"
    FAILED = "FAILED"


class Email(CreatedMixin, Base):
    """One e-mail of one account, read; it has what a language model asks of a `ReadableMessage`.

    Attributes:
        dedupe_key: the same for the same message, wherever in the mailbox it lies.
        sent_at: the Date header as a moment; None where it has none that can be read.
        sent_offset_minutes: the zone the Date header named, which settles the day.
        warnings: what was wrong with the message, in words.
        extraction_error: why the extraction FAILED.
        claimed_by: the job that has it under way; no other job takes it meanwhile.
    """

    __tablename__ = "emails"
    __table_args__ = (
        UniqueConstraint("account_id", "dedupe_key"),
        # Of all e-mails only those not read yet are looked for by status.
        Index(
            "ix_emails_unread",
            "id",
            sqlite_where=text("extraction_status IN ('PENDING', 'PROCESSING')"),
            postgresql_where=text("extraction_status IN ('PENDING', 'PROCESSING')"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("connected_accounts.id"))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    dedupe_key: Mapped[str] = mapped_column(String(64))
    message_id: Mapped[str | None] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(Text)
    sender: Mapped[str] = mapped_column(Text)
    sender_name: Mapped[str] = mapped_column(Text)
    recipients: Mapped[str] = mapped_column(Text)
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    sent_offset_minutes: Mapped[int | None]
    text: Mapped[str] = mapped_column(Text)
    attachments: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    warnings: Mapped[list[str]] = mapped_column(JSON, default=list)
    extraction_status: Mapped[ExtractionStatus] = mapped_column(
        Enum(
            ExtractionStatus, native_enum=False, create_constraint=True, length=16, name="extraction_status"
        ),
        default=ExtractionStatus.PENDING,
    )
    extraction_error: Mapped[str | None] = mapped_column(Text)
    claimed_by: Mapped[str | None] = mapped_column(Text)

    items: Mapped[list[MailboxItem]] = relationship(order_by="MailboxItem.id", lazy="raise")

    @property
    def date(self) -> datetime | None:
        """When it was sent, in the zone it was sent from."""
        if self.sent_at is None:
            return None
        return self.sent_at.astimezone(timezone(timedelta(minutes=self.sent_offset_minutes or 0)))


class MailboxItem(CreatedMixin, Base):
    """One message as the mailbox handed it out: the e-mail it became, or why it could not be read.

    Attributes:
        uid: the provider's name for it, the same in every run.
        source: where it lies, for a person.
        email_id: the e-mail it is; several items are one e-mail when the mailbox holds copies.
        unreadable_reason: why it is no e-mail, in words.
    """

    __tablename__ = "mailbox_items"
    __table_args__ = (UniqueConstraint("account_id", "uid"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("connected_accounts.id"))
    uid: Mapped[str] = mapped_column(Text)
    source: Mapped[str] = mapped_column(Text)
    email_id: Mapped[int | None] = mapped_column(ForeignKey("emails.id"), index=True)
    unreadable_reason: Mapped[str | None] = mapped_column(Text)
