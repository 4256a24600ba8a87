"""Money that moved, as told by e-mails."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from sqlalchemy import ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, CreatedMixin, ExactDecimal


class Category(CreatedMixin, Base):
    """A kind of spending or income, found or created by its name."""

    __tablename__ = "categories"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Text, unique=True)


class Transaction(CreatedMixin, Base):
    """Money that moved. What the e-mail does not settle is None."""

    __tablename__ = "transactions"
    __table_args__ = (Index("ix_transactions_user", "user_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    email_id: Mapped[int] = mapped_column(ForeignKey("emails.id"), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    category_id: Mapped[int | None] = mapped_column(ForeignKey("categories.id"))
    amount: Mapped[Decimal | None] = mapped_column(ExactDecimal)
    currency: Mapped[str | None] = mapped_column(Text)
    merchant: Mapped[str | None] = mapped_column(Text)
    date: Mapped[dt.date | None]
    direction: Mapped[str | None] = mapped_column(Text)
