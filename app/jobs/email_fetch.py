"""Fetching the messages of a connected account."""

from __future__ import annotations

from typing import Any

from app.jobs.base import BaseJob
from app.services.account_service import find_account
from app.services.email_service import EmailService, Unreadable
from app.services.providers import MailboxProvider, ProviderFactory

LISTED_UNREADABLE = 200
"""The job's output names this many; the table `mailbox_items` has them all."""


class EmailFetchJob(BaseJob):
    """Input: `{user_id, provider, limit, account_id}`. Each page is kept as soon as it is read."""

    async def run(self) -> dict[str, Any]:
        """Fetch, and tell `{fetched_count, saved_count, user_id, …}`.

        `fetched_count` is what the mailbox handed out, at most `limit`; `saved_count` what of it is new.
        `unreadable` names the messages that are no e-mail and those the mailbox could not hand out.
        """
        user_id = int(self.input_payload["user_id"])
        provider_name = self.input_payload.get("provider", MailboxProvider.name)
        account = await find_account(self.db, user_id, provider_name, self.input_payload.get("account_id"))
        account_id, credentials = account.id, account.credentials
        emails = EmailService(self.db, account)
        fetched_count = saved_count = 0
        unreadable: list[Unreadable] = []
        async with ProviderFactory.create(provider_name) as provider:
            await provider.connect(credentials)
            async for page in provider.pages(limit=self.input_payload.get("limit")):
                stored = await emails.store_page(page)
                await self.db.commit()
                fetched_count += len(page)
                saved_count += stored.saved_count
                unreadable += stored.unreadable
            unreadable += await emails.store_skipped(provider.skipped)
        return {
            "fetched_count": fetched_count,
            "saved_count": saved_count,
            "user_id": user_id,
            "account_id": account_id,
            "unreadable_count": len(unreadable),
            "unreadable": [
                {"source": message.source, "reason": message.reason}
                for message in unreadable[:LISTED_UNREADABLE]
            ],
        }
