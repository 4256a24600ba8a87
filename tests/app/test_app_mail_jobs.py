"""Fetching messages and reading them for money."""

from __future__ import annotations

import asyncio
import os
from decimal import Decimal
from email.message import EmailMessage
from typing import Any, ClassVar

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from app.core.database import AsyncSessionLocal
from app.jobs import EmailExtractionJob, EmailFetchJob, JobRunner
from app.models import (
    Category,
    ConnectedAccount,
    Email,
    EmailExtraction,
    ExtractionStatus,
    Job,
    LLMTransaction,
    MailboxItem,
    Transaction,
)
from app.services.email_service import dedupe_key
from app.services.extraction_service import ExtractionService
from app.services.llm import ExtractionResult, LLMError, LLMService, LLMUsage, ReadableMessage
from app.services.mail import ParsedMessage
from arqlite.ledger import LedgerStatus, store

both_databases = pytest.mark.parametrize("engine", ["sqlite", "postgres"], indirect=True)


def message(subject: str, text: str, message_id: str | None = "<1@shop.example>", **headers: str) -> bytes:
    made = EmailMessage()
    made["From"] = "Shop <shop@shop.example>"
    made["To"] = "ada@example.com"
    made["Subject"] = subject
    made["Date"] = headers.get("date", "Sun, 29 Mar 2026 23:30:00 -0500")
    if message_id:
        made["Message-ID"] = message_id
    made.set_content(text)
    return made.as_bytes()


async def fetch(limit: int = 100, **payload: Any) -> Any:
    async with AsyncSessionLocal() as db:
        arguments = {"user_id": 1, "provider": "mailbox", "limit": limit} | payload
        return await JobRunner(db).run_job(EmailFetchJob, "EMAIL_FETCH", arguments, user_id=1)


async def extract(job_class: type[EmailExtractionJob] = EmailExtractionJob, batch_size: int = 10) -> Any:
    async with AsyncSessionLocal() as db:
        return await JobRunner(db).run_job(job_class, "EMAIL_EXTRACTION", {"batch_size": batch_size})


async def count(db: AsyncSession, model: type[Any]) -> int:
    return (await db.execute(select(func.count()).select_from(model))).scalar_one()


class Answers(LLMService):
    """Answers by subject; notes whom it was asked about."""

    asked: ClassVar[list[str]] = []
    gate: ClassVar[asyncio.Event | None] = None

    async def extract_financial_data(self, message: ReadableMessage) -> ExtractionResult:
        self.asked.append(message.subject)
        if self.gate is not None:
            await self.gate.wait()
        if "garbled" in message.subject:
            raise LLMError("the answer was no JSON")
        usage = LLMUsage(model="toy", prompt_tokens=100, completion_tokens=10, cost=Decimal("0.00012"))
        if "receipt" not in message.subject:
            return ExtractionResult(is_transaction=False, confidence=0.9, reason="talk", usage=usage)
        return ExtractionResult(
            is_transaction=True,
            amount=Decimal("12.30"),
            currency="EUR",
            merchant="Shop",
            date=message.date.date() if message.date else None,
            direction="debit",
            category="shopping",
            confidence=0.9,
            reason="paid",
            usage=usage,
        )


class Extraction(EmailExtractionJob):
    llm_class = Answers


@pytest.fixture(autouse=True)
def nobody_asked() -> None:
    Answers.asked.clear()
    Answers.gate = None


@both_databases
async def test_fetch_stores_each_message_once(
    account: ConnectedAccount, mailbox: Any, db: AsyncSession
) -> None:
    """A second run over the same mailbox fetches the same and saves nothing."""
    for number in range(3):
        mailbox(f"{number}.eml", message(f"hello {number}", "text", f"<{number}@shop.example>"))

    first, second = await fetch(), await fetch()

    assert (first["fetched_count"], first["saved_count"], first["user_id"]) == (3, 3, 1)
    assert (second["fetched_count"], second["saved_count"]) == (3, 0)
    assert await count(db, Email) == 3


@both_databases
async def test_unreadable_messages_are_named(
    account: ConnectedAccount, mailbox: Any, db: AsyncSession
) -> None:
    """A message that is no e-mail, or cannot be had, is named with the reason, and the others are stored."""
    mailbox("good.eml", message("hello", "text"))
    mailbox("empty.eml", b"")
    os.mkfifo(mailbox() / "pipe.eml")

    output = await fetch()

    assert (output["fetched_count"], output["saved_count"], output["unreadable_count"]) == (2, 1, 2)
    assert {item["source"]: item["reason"] for item in output["unreadable"]} == {
        "empty.eml": "the message is empty",
        "pipe.eml": "is not a regular file",
    }
    reasons = select(MailboxItem.source, MailboxItem.unreadable_reason).where(MailboxItem.email_id.is_(None))
    assert len((await db.execute(reasons)).all()) == 2


async def test_same_message_id_is_not_the_same_message(
    account: ConnectedAccount, mailbox: Any, db: AsyncSession
) -> None:
    """Two messages that share their Message-ID, as in a redacted export, are both stored."""
    mailbox("a.eml", message("first", "one", "<REDACTED@shop.example>"))
    mailbox("b.eml", message("second", "two", "<REDACTED@shop.example>"))

    assert (await fetch())["saved_count"] == 2


async def test_copies_are_one_email_with_two_places(
    account: ConnectedAccount, mailbox: Any, db: AsyncSession
) -> None:
    """A message that lies in the mailbox twice is one e-mail, and both places are known."""
    for name in ("a.eml", "b.eml"):
        mailbox(name, message("hello", "text"))

    output = await fetch()

    assert (output["fetched_count"], output["saved_count"]) == (2, 1)
    places = (await db.execute(select(MailboxItem.source, MailboxItem.email_id))).all()
    assert sorted(places) == [("a.eml", 1), ("b.eml", 1)]


async def test_limit_is_kept(account: ConnectedAccount, mailbox: Any) -> None:
    """At most `limit` messages are fetched."""
    for number in range(5):
        mailbox(f"{number}.eml", message(f"hello {number}", "text", f"<{number}@shop.example>"))

    assert (await fetch(limit=2))["fetched_count"] == 2


async def test_two_fetches_at_once_store_each_message_once(
    account: ConnectedAccount, mailbox: Any, db: AsyncSession
) -> None:
    """Jobs that fetch the same account at the same moment share the work and break nothing."""
    for number in range(30):
        mailbox(f"{number}.eml", message(f"hello {number}", "text", f"<{number}@shop.example>"))

    outputs = await asyncio.gather(*(fetch() for _ in range(3)))

    assert sum(output["saved_count"] for output in outputs) == 30
    assert await count(db, Email) == 30


async def test_mailbox_that_is_gone_fails_the_job(
    account: ConnectedAccount, mailbox: Any, db: AsyncSession
) -> None:
    """A mailbox that cannot be opened is told in the row, in words."""
    account.credentials = {"path": "/no/such/mailbox"}
    await db.commit()

    with pytest.raises(Exception, match="no mailbox at /no/such/mailbox"):
        await fetch()

    [row] = await store.page(db, Job)
    assert (row.status, row.error_payload["type"]) == (LedgerStatus.FAILED, "ProviderError")


async def test_date_keeps_its_day(account: ConnectedAccount, mailbox: Any, db: AsyncSession) -> None:
    """A message sent late in the evening, west of Greenwich, keeps the day its sender saw."""
    mailbox("late.eml", message("hello", "text"))

    await fetch()

    email = (await db.execute(select(Email))).scalar_one()
    assert email.date is not None
    assert email.date.isoformat() == "2026-03-29T23:30:00-05:00"


async def test_impossible_date_is_no_date(account: ConnectedAccount, mailbox: Any, db: AsyncSession) -> None:
    """A Date header that has no moment in UTC costs the message its date, and nothing else."""
    mailbox("old.eml", message("hello", "text", date="Mon, 01 Jan 0001 00:00:00 +1400"))

    assert (await fetch())["saved_count"] == 1


def test_dedupe_key_tells_fields_apart() -> None:
    """Text that moves from one field to the next makes another message."""
    one = ParsedMessage(subject="ab", sender="c", dedupe_key="k")
    other = ParsedMessage(subject="a", sender="bc", dedupe_key="k")
    assert dedupe_key(one) != dedupe_key(other)


@both_databases
async def test_extraction_keeps_everything(account: ConnectedAccount, mailbox: Any, db: AsyncSession) -> None:
    """Answers, costs, transactions and categories are kept, and each e-mail says that it is DONE."""
    mailbox("1.eml", message("receipt 1", "paid", "<1@shop.example>"))
    mailbox("2.eml", message("receipt 2", "paid", "<2@shop.example>"))
    mailbox("3.eml", message("news", "talk", "<3@shop.example>"))
    await fetch()

    output = await extract(Extraction, batch_size=2)

    assert output == {"processed_count": 3, "transaction_count": 2, "failed_count": 0}
    assert await count(db, EmailExtraction) == 3
    assert await count(db, LLMTransaction) == 3
    assert await count(db, Category) == 1
    transactions = (await db.execute(select(Transaction))).scalars().all()
    assert {(item.amount, item.currency, item.merchant) for item in transactions} == {
        (Decimal("12.30"), "EUR", "Shop")
    }
    cost = (await db.execute(select(LLMTransaction.cost_usd))).scalars().first()
    assert cost == Decimal("0.00012")
    assert set((await db.execute(select(Email.extraction_status))).scalars()) == {ExtractionStatus.DONE}


async def test_nothing_waits_after_an_extraction(account: ConnectedAccount, mailbox: Any) -> None:
    """A second extraction finds nothing to do and asks the model nothing."""
    mailbox("1.eml", message("receipt", "paid"))
    await fetch()
    await extract(Extraction)

    assert (await extract(Extraction))["processed_count"] == 0
    assert Answers.asked == ["receipt"]


async def test_one_failure_does_not_stop_the_others(
    account: ConnectedAccount, mailbox: Any, db: AsyncSession
) -> None:
    """An e-mail that the model cannot read is FAILED with the reason; the rest of its batch is DONE."""
    mailbox("1.eml", message("garbled", "?", "<1@shop.example>"))
    mailbox("2.eml", message("receipt", "paid", "<2@shop.example>"))
    await fetch()

    output = await extract(Extraction)

    assert output == {"processed_count": 2, "transaction_count": 1, "failed_count": 1}
    failed = (await db.execute(select(Email).where(Email.subject == "garbled"))).scalar_one()
    assert (failed.extraction_status, failed.extraction_error) == (
        ExtractionStatus.FAILED,
        "LLMError: the answer was no JSON",
    )


@both_databases
async def test_two_extractions_share_the_work(
    account: ConnectedAccount, mailbox: Any, db: AsyncSession
) -> None:
    """Jobs that run at the same moment ask about no e-mail twice."""
    for number in range(20):
        mailbox(f"{number}.eml", message(f"receipt {number}", "paid", f"<{number}@shop.example>"))
    await fetch()

    outputs = await asyncio.gather(*(extract(Extraction, batch_size=3) for _ in range(3)))

    assert sum(output["processed_count"] for output in outputs) == 20
    assert len(Answers.asked) == len(set(Answers.asked)) == 20
    assert await count(db, Transaction) == 20


@both_databases
async def test_claims_of_a_job_that_ended_are_free(
    account: ConnectedAccount, mailbox: Any, db: AsyncSession, engine: AsyncEngine
) -> None:
    """What a job took and did not finish stays with it while it is open, and is free when it is given up."""
    mailbox("1.eml", message("receipt", "paid"))
    await fetch()
    await store.insert_queued(db, Job, job_id="dead", job_type="X", function="f", queue="email")
    assert len(await ExtractionService(db, "dead").claim(10)) == 1
    await db.commit()

    while_open = await extract(Extraction)
    assert len(await ExtractionService(db, "dead").claim(10)) == 1
    await store.cancel_queued(db, Job, "dead")
    await db.commit()
    afterwards = await extract(Extraction)

    assert (while_open["processed_count"], afterwards["processed_count"]) == (0, 1)


async def test_late_answer_makes_no_second_transaction(
    account: ConnectedAccount, mailbox: Any, db: AsyncSession
) -> None:
    """A job that lost its claim keeps the cost of its question, and neither answer nor transaction."""
    mailbox("1.eml", message("receipt", "paid"))
    await fetch()
    late = ExtractionService(db, "late")
    [email] = await late.claim(10)
    await db.commit()
    await extract(Extraction)

    assert not await late.record(email, await Answers().extract_financial_data(email))
    await db.commit()

    assert (await count(db, Transaction), await count(db, LLMTransaction)) == (1, 2)


async def test_model_is_asked_outside_of_any_transaction(
    account: ConnectedAccount, mailbox: Any, db: AsyncSession
) -> None:
    """While a slow model thinks, others can write."""
    mailbox("1.eml", message("receipt", "paid"))
    await fetch()
    Answers.gate = asyncio.Event()
    extraction = asyncio.create_task(extract(Extraction))
    async with asyncio.timeout(5):
        while not Answers.asked:  # noqa: ASYNC110
            await asyncio.sleep(0.005)

        db.add(Category(name="written meanwhile"))
        await db.commit()

    Answers.gate.set()
    assert (await extraction)["processed_count"] == 1


async def test_the_offline_model_reads_a_receipt(
    account: ConnectedAccount, mailbox: Any, db: AsyncSession
) -> None:
    """From a file in a mailbox to a transaction, with the rules that come with the application."""
    text = "Thank you for your purchase.\n\nYou paid EUR 42.50 to Corner Books on 28 March 2026.\n"
    mailbox("1.eml", message("Your receipt from Corner Books", text))
    await fetch()

    assert (await extract())["transaction_count"] == 1

    transaction = (await db.execute(select(Transaction))).scalar_one()
    assert (transaction.amount, transaction.currency) == (Decimal("42.50"), "EUR")
