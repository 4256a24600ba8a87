"""People, their connected accounts, and the demo's own."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import settings
from app.core.database import AsyncSessionLocal, insert_into
from app.errors import NotFoundError
from app.models import ConnectedAccount, User
from app.services.providers import MailboxProvider

DEMO_EMAIL = "demo@example.com"


async def create_demo_account() -> None:
    """Make sure that the demo user has the mailbox of the settings; a second call changes nothing.

    In a new database this is user 1.
    """
    path = str(settings.MAILBOX_PATH.expanduser().resolve())
    async with AsyncSessionLocal.begin() as db:
        await db.execute(insert_into(db, User).values(email=DEMO_EMAIL, name="Demo").on_conflict_do_nothing())
        user_id = (await db.execute(select(User.id).where(User.email == DEMO_EMAIL))).scalar_one()
        await db.execute(
            insert_into(db, ConnectedAccount)
            .values(user_id=user_id, provider=MailboxProvider.name, label=path, credentials={"path": path})
            .on_conflict_do_nothing()
        )


async def find_user(db: AsyncSession, user_id: int) -> User:
    """The user; raises NotFoundError."""
    user = await db.get(User, user_id)
    if user is None:
        raise NotFoundError(f"there is no user {user_id}")
    return user


async def find_account(
    db: AsyncSession, user_id: int, provider: str, account_id: int | None = None
) -> ConnectedAccount:
    """The account to fetch from: the one that is named, else the user's only or latest one.

    Of several mailboxes of the demo user it is the one of the settings.

    Raises:
        NotFoundError: there is none, or the named one is another user's or another provider's.
    """
    if account_id is not None:
        account = await db.get(ConnectedAccount, account_id)
        if account is None or (account.user_id, account.provider) != (user_id, provider):
            raise NotFoundError(f"user {user_id} has no {provider} account {account_id}")
        return account
    accounts = await list_accounts(db, user_id, provider)
    if not accounts:
        raise NotFoundError(f"user {user_id} has no {provider} account")
    configured = str(settings.MAILBOX_PATH.expanduser().resolve())
    return next((account for account in accounts if account.label == configured), accounts[-1])


async def list_accounts(
    db: AsyncSession, user_id: int | None = None, provider: str | None = None
) -> Sequence[ConnectedAccount]:
    """Accounts in the order they were connected."""
    statement = select(ConnectedAccount).order_by(ConnectedAccount.id)
    if user_id is not None:
        statement = statement.where(ConnectedAccount.user_id == user_id)
    if provider is not None:
        statement = statement.where(ConnectedAccount.provider == provider)
    return (await db.execute(statement)).scalars().all()
