"""The offline language model: reads messages by rules, gives the same answer every time, asks nobody."""

from __future__ import annotations

import asyncio
import datetime as dt
from dataclasses import replace
from typing import Any

from app.services.llm.base import Direction, ExtractionResult, LLMService, LLMUsage, ReadableMessage
from app.services.llm.rules import vocabulary as words
from app.services.llm.rules.category import categorise
from app.services.llm.rules.currency import country_of
from app.services.llm.rules.dates import transaction_day
from app.services.llm.rules.merchant import find_merchant
from app.services.llm.rules.money import find_bare, find_money, sole_currency
from app.services.llm.rules.roles import SUMS, Role, Seen, see_roles
from app.services.llm.rules.text import Prepared, fold, prepare
from app.services.llm.rules.verdict import Verdict, judge
from app.services.llm.tokens import INSTRUCTION_TOKENS, cost_usd, estimate_tokens
from app.services.mail import ParsedMessage

MODEL = "mock-rules-1"
_HEAD_CHARS = 250


class MockLLMService(LLMService):
    """Reads messages by rules; nothing leaves the process. The same message always gets the same answer.

    Tokens are estimated from the text, and the cost is what a small hosted model would have asked for them.
    """

    async def extract_financial_data(self, message: ReadableMessage) -> ExtractionResult:
        """Read one message, in a thread: the rules take milliseconds of the processor."""
        # Taken out here: a database row must not be touched from another thread.
        copy = ParsedMessage(
            subject=message.subject,
            sender=message.sender,
            sender_name=message.sender_name,
            date=message.date,
            text=message.text,
        )
        return await asyncio.to_thread(_read, copy)


def _read(message: ReadableMessage) -> ExtractionResult:
    text = prepare(message.text)
    subject = fold(message.subject)
    amounts = _amounts(text, country_of(message.sender))
    verdict = judge(subject, text.folded, amounts)
    facts = _facts(message, subject, text, verdict) if verdict.is_transaction else {}
    return ExtractionResult(
        is_transaction=verdict.is_transaction,
        confidence=verdict.confidence,
        reason=verdict.reason,
        usage=_usage(message, verdict),
        **facts,
    )


def _amounts(text: Prepared, country: str) -> list[Seen]:
    """The amounts with a currency; if none of them is a sum, the bare numbers of a table that names one."""
    seen = see_roles(text.folded, find_money(text, country))
    if any(one.role in SUMS for one in seen):
        return seen
    currency = sole_currency(text)
    if currency is None:
        return seen
    bare = [replace(one, currency=currency) for one in find_bare(text.folded)]
    return seen + [one for one in see_roles(text.folded, bare) if one.is_tabular and one.role in SUMS]


def _facts(message: ReadableMessage, subject: str, text: Prepared, verdict: Verdict) -> dict[str, Any]:
    """Everything that a transaction has beside the verdict."""
    sentence = verdict.seen.sentence if verdict.seen else ""
    direction = _direction(subject, text.folded, verdict)
    merchant = find_merchant(text, message.sender_name, message.sender, verdict.seen)
    return {
        "amount": verdict.amount,
        "currency": verdict.seen.money.currency if verdict.seen else None,
        "merchant": merchant,
        "date": transaction_day(text.folded, _day_sent(message), sentence),
        "direction": direction,
        "category": categorise(subject, text.folded, fold(merchant or ""), direction),
    }


def _direction(subject: str, folded: str, verdict: Verdict) -> Direction:
    """A written sign decides; else the words of the sentence, or of the first lines of a tabular notice."""
    seen = verdict.seen
    about = seen.sentence if seen and seen.role is Role.STATED else f"{subject}\n{folded[:_HEAD_CHARS]}"
    if seen is not None and seen.role is Role.AMOUNT and seen.money.sign:
        return "credit" if seen.money.sign == "+" else "debit"
    if words.OWN_PAYMENT.search(about) and not words.REPAID.search(about):
        return "debit"  # "we have received your payment"
    return "credit" if words.CREDITED.search(about) else "debit"


def _day_sent(message: ReadableMessage) -> dt.date | None:
    return message.date.date() if message.date else None


def _usage(message: ReadableMessage, verdict: Verdict) -> LLMUsage:
    asked = f"{message.subject}\n{message.sender_name} {message.sender}\n{message.text}"
    prompt_tokens = INSTRUCTION_TOKENS + estimate_tokens(asked)
    completion_tokens = 60 + estimate_tokens(verdict.reason)
    return LLMUsage(
        model=MODEL,
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        cost=cost_usd(prompt_tokens, completion_tokens),
    )
