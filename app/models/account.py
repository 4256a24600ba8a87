"""People and the mailboxes they connected."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, ForeignKey, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, CreatedMixin


class User(CreatedMixin, Base):
    """Somebody who uses the application."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str] = mapped_column(Text, default="")


class ConnectedAccount(CreatedMixin, Base):
    """A mailbox somebody connected.

    Attributes:
        provider: the name `ProviderFactory` knows.
        label: what tells this account from the user's others: an address, a path.
        credentials: what the provider's `connect` needs; never shown by the API.
    """

    __tablename__ = "connected_accounts"
    __table_args__ = (UniqueConstraint("user_id", "provider", "label"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    provider: Mapped[str] = mapped_column(Text)
    label: Mapped[str] = mapped_column(Text)
    credentials: Mapped[dict[str, Any]] = mapped_column(JSON)
