"""Did money move at all, and which of the amounts is it? Decided from the evidence of a message."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from app.services.llm.rules import vocabulary as words
from app.services.llm.rules.evidence import HEAD_CHARS, Evidence, gather
from app.services.llm.rules.objections import objection
from app.services.llm.rules.roles import Role, Seen


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether money moved, the amount that did (None if the message states none), and why in words."""

    is_transaction: bool
    confidence: float
    reason: str
    amount: Decimal | None = None
    seen: Seen | None = None


def judge(subject: str, folded: str, seen: list[Seen]) -> Verdict:
    """Judge a message by its folded subject, its folded text and the amounts seen in it."""
    evidence = gather(subject, folded, seen)
    against = objection(evidence)
    if against:
        return Verdict(False, 0.85, against)
    return _strong(evidence) or _weak(evidence) or _nothing(evidence)


def _strong(evidence: Evidence) -> Verdict | None:
    """A movement told in a sentence, an amount named as paid, or a receipt with its total."""
    if evidence.stated and _is_about(evidence, evidence.stated[0]):
        first = evidence.stated[0]
        return Verdict(True, 0.95, "a sentence says that the money moved", first.money.value, first)
    has_context = evidence.is_receipt or words.MOVED.search(evidence.head) is not None
    if evidence.paid and has_context:
        return Verdict(True, 0.9, "an amount is named as paid", *_paid_amount(evidence))
    if evidence.totals and evidence.is_receipt:
        return Verdict(True, 0.85, "a confirmation or receipt with its total", *_total_amount(evidence))
    return None


def _weak(evidence: Evidence) -> Verdict | None:
    """A movement in the first lines and an amount whose label fits."""
    if words.MOVED.search(evidence.head):
        labelled = evidence.with_role(Role.AMOUNT)
        if labelled:
            booked = next((one for one in labelled if one.money.sign), labelled[0])
            return Verdict(True, 0.8, "a movement with its amount", booked.money.value, booked)
        if evidence.stated and words.ADDRESSED.search(evidence.head):
            first = evidence.stated[0]
            return Verdict(True, 0.6, "a sentence speaks of a movement", first.money.value, first)
    due = evidence.with_role(Role.DUE)
    if due and (evidence.says(words.SETTLED) or words.PAID_ALREADY.search(evidence.head)):
        return Verdict(True, 0.75, "a bill that was paid", due[0].money.value, due[0])
    if not evidence.seen and words.BARE_MOVEMENT.search(evidence.head):
        return Verdict(True, 0.55, "a movement is reported without its amount")
    return None


def _nothing(evidence: Evidence) -> Verdict:
    if evidence.seen:
        return Verdict(False, 0.7, "no amount that moved")
    return Verdict(False, 0.9, "no amount of money")


def _is_about(evidence: Evidence, stated: Seen) -> bool:
    """Whether the message is about this movement: a receipt, an account's notice, or short."""
    if evidence.is_receipt or words.ACCOUNT.search(stated.sentence):
        return True
    is_news = words.ADDRESSED.search(evidence.head) is None
    is_short = len(evidence.folded) < HEAD_CHARS or stated.money.start < HEAD_CHARS // 2
    return is_short and not is_news


def _paid_amount(evidence: Evidence) -> tuple[Decimal, Seen]:
    """Of the amounts named as paid: the total when several cards share it, else the greatest."""
    values = {one.money.value for one in evidence.paid}
    for total in evidence.totals:
        if len(values) > 1 and sum(values) == total.money.value:
            return total.money.value, total
    best = max(evidence.paid, key=lambda one: one.money.value)
    return best.money.value, best


def _total_amount(evidence: Evidence) -> tuple[Decimal, Seen]:
    """Of the totals: the sum of several orders in one mail, else the greatest."""
    best = max(evidence.totals, key=lambda one: one.money.value)
    alike = [
        one.money.value
        for one in evidence.totals
        if one.label == best.label and one.money.currency == best.money.currency
    ]
    rest = sum(alike) - best.money.value
    has_several_orders = len(alike) == len(set(alike)) and rest not in (0, best.money.value)
    return (best.money.value + rest if has_several_orders else best.money.value), best
