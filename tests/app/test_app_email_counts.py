"""Counting e-mails for those who show progress."""

from __future__ import annotations

import httpx
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import ConnectedAccount, Email, ExtractionStatus


async def test_every_status_is_counted(
    api: httpx.AsyncClient, db: AsyncSession, account: ConnectedAccount
) -> None:
    """Each status is told, with 0 if no e-mail has it, and other accounts' e-mails are left out."""
    for number, status in enumerate(
        [ExtractionStatus.PENDING, ExtractionStatus.PENDING, ExtractionStatus.DONE]
    ):
        db.add(_email(account, str(number), status))
    await db.commit()

    mine = (await api.get(f"/api/v1/emails/counts?account_id={account.id}")).json()
    others = (await api.get(f"/api/v1/emails/counts?account_id={account.id + 1}")).json()

    assert mine == {"PENDING": 2, "PROCESSING": 0, "DONE": 1, "FAILED": 0}
    assert set(others.values()) == {0}


def _email(account: ConnectedAccount, key: str, status: ExtractionStatus) -> Email:
    return Email(
        account_id=account.id,
        user_id=account.user_id,
        dedupe_key=key,
        subject="",
        sender="",
        sender_name="",
        recipients="",
        text="",
        extraction_status=status,
    )
