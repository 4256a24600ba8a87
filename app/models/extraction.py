"""What a language model said about an e-mail, and what it cost to ask."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from sqlalchemy import ForeignKey, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, CreatedMixin, ExactDecimal


class EmailExtraction(CreatedMixin, Base):
    """The answer for one e-mail; an e-mail has at most one, however often its job was repeated."""

    __tablename__ = "email_extractions"

    id: Mapped[int] = mapped_column(primary_key=True)
    email_id: Mapped[int] = mapped_column(ForeignKey("emails.id"), unique=True)
    is_transaction: Mapped[bool]
    amount: Mapped[Decimal | None] = mapped_column(ExactDecimal)
    currency: Mapped[str | None] = mapped_column(Text)
    merchant: Mapped[str | None] = mapped_column(Text)
    date: Mapped[dt.date | None]
    direction: Mapped[str | None] = mapped_column(Text)
    category: Mapped[str | None] = mapped_column(Text)
    confidence: Mapped[float]
    reason: Mapped[str] = mapped_column(Text)
    model: Mapped[str] = mapped_column(Text)


class LLMTransaction(CreatedMixin, Base):
    """One question to a language model: tokens and cost. Asked again after a crash, it costs again."""

    __tablename__ = "llm_transactions"

    id: Mapped[int] = mapped_column(primary_key=True)
    email_id: Mapped[int] = mapped_column(ForeignKey("emails.id"), index=True)
    job_id: Mapped[str | None] = mapped_column(Text, index=True)
    model: Mapped[str] = mapped_column(Text)
    prompt_tokens: Mapped[int]
    completion_tokens: Mapped[int]
    cost_usd: Mapped[Decimal] = mapped_column(ExactDecimal)
