"""Keeping e-mails: each message once, and each place in the mailbox accounted for."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.database import insert_into
from app.models import ConnectedAccount, Email, MailboxItem
from app.services.mail import ParsedMessage, UnreadableMessage, parse_message
from app.services.providers import RawMessage, SkippedMessage


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A message that became no e-mail: where it lies, and why, in words."""

    source: str
    reason: str


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of one page: how many e-mails are new, and which messages could not be read."""

    saved_count: int
    unreadable: list[Unreadable]


class EmailService:
    """Stores what a provider handed out. Commits nothing: the job decides when."""

    def __init__(self, db: AsyncSession, account: ConnectedAccount) -> None:
        self.db = db
        self.account_id = account.id
        self.user_id = account.user_id

    async def store_page(self, page: Sequence[RawMessage]) -> Stored:
        """Read a page, in a thread, and keep what is new of it."""
        read = await asyncio.to_thread(_read_page, page)
        emails = dict(self._email_row(message) for _, message in read.readable)
        saved_count = await self._insert_emails(list(emails.values()))
        ids = await self._ids_of(list(emails))
        items = [
            self._item_row(raw.uid, raw.source, email_id=ids[dedupe_key(message)])
            for raw, message in read.readable
        ]
        items += [self._item_row(raw.uid, raw.source, reason=reason) for raw, reason in read.unreadable]
        await self._upsert_items(items)
        return Stored(saved_count, [Unreadable(raw.source, reason) for raw, reason in read.unreadable])

    async def store_skipped(self, skipped: Sequence[SkippedMessage]) -> list[Unreadable]:
        """Keep the names of messages that the provider could not even hand out."""
        await self._upsert_items(
            [self._item_row(message.source, message.source, reason=message.reason) for message in skipped]
        )
        return [Unreadable(message.source, message.reason) for message in skipped]

    async def _insert_emails(self, rows: list[dict[str, Any]]) -> int:
        """Insert what is new; another job that stores the same mailbox at this moment does no harm."""
        if not rows:
            return 0
        statement = insert_into(self.db, Email).values(rows).on_conflict_do_nothing().returning(Email.id)
        return len((await self.db.execute(statement)).all())

    async def _ids_of(self, keys: list[str]) -> dict[str, int]:
        statement = select(Email.dedupe_key, Email.id).where(
            Email.account_id == self.account_id, Email.dedupe_key.in_(keys)
        )
        return {row.dedupe_key: row.id for row in await self.db.execute(statement)}

    async def _upsert_items(self, rows: list[dict[str, Any]]) -> None:
        """A file may be replaced under the same name, so what an item became is written anew each time."""
        if not rows:
            return
        statement = insert_into(self.db, MailboxItem).values(list({row["uid"]: row for row in rows}.values()))
        await self.db.execute(
            statement.on_conflict_do_update(
                index_elements=["account_id", "uid"],
                set_={name: statement.excluded[name] for name in ("source", "email_id", "unreadable_reason")},
            )
        )

    def _item_row(
        self, uid: str, source: str, *, email_id: int | None = None, reason: str | None = None
    ) -> dict[str, Any]:
        return {
            "account_id": self.account_id,
            "uid": uid,
            "source": source,
            "email_id": email_id,
            "unreadable_reason": reason,
        }

    def _email_row(self, message: ParsedMessage) -> tuple[str, dict[str, Any]]:
        key = dedupe_key(message)
        sent_at, offset_minutes = _moment_of(message.date)
        return key, {
            "account_id": self.account_id,
            "user_id": self.user_id,
            "dedupe_key": key,
            "message_id": message.message_id,
            "subject": message.subject,
            "sender": message.sender,
            "sender_name": message.sender_name,
            "recipients": message.to,
            "sent_at": sent_at,
            "sent_offset_minutes": offset_minutes,
            "text": message.text,
            "attachments": [asdict(attachment) for attachment in message.attachments],
            "warnings": list(message.warnings),
        }


def dedupe_key(message: ParsedMessage) -> str:
    """The same for the same message wherever it lies, and another for every other message.

    A Message-ID alone does not tell messages apart: exports replace it by one and the same word, and
    broken senders use it twice. So what a reader sees belongs to the key.
    """
    seen = (message.dedupe_key, message.sender, message.subject, message.text)
    digest = hashlib.sha256()
    for part in seen:
        encoded = part.encode("utf-8", "surrogatepass")
        digest.update(len(encoded).to_bytes(8, "big"))
        digest.update(encoded)
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class _ReadPage:
    readable: list[tuple[RawMessage, ParsedMessage]]
    unreadable: list[tuple[RawMessage, str]]


def _read_page(page: Sequence[RawMessage]) -> _ReadPage:
    read = _ReadPage([], [])
    for raw in page:
        try:
            read.readable.append((raw, parse_message(raw.raw)))
        except UnreadableMessage as error:
            read.unreadable.append((raw, error.reason))
    return read


def _moment_of(date: datetime | None) -> tuple[datetime | None, int | None]:
    """The moment and the zone's offset; a Date header in the year 1 or 9999 may have no moment in UTC."""
    if date is None:
        return None, None
    try:
        moment = date.astimezone(UTC)
    except OverflowError:
        return None, None
    offset = date.utcoffset()
    return moment, 0 if offset is None else round(offset.total_seconds() / 60)
