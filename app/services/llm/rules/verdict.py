"""Did money move at all, and which of the amounts is it? Decided from the roles and the kind of mail."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from app.services.llm.rules import vocabulary as words
from app.services.llm.rules.roles import Role, Seen

HEAD_CHARS = 1500
"""What a mail is about is said in its first lines."""


_SAME_IN_OTHER_CURRENCY = re.compile(r" ?[|/(=] ?")


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
    head = f"{subject}\n{folded[:HEAD_CHARS]}"
    objection = _objection(subject, head, folded, seen)
    if objection:
        return Verdict(False, 0.85, objection)
    stated = _in_own_currency([one for one in seen if one.role is Role.STATED], folded)
    paid = [one for one in seen if one.role is Role.PAID]
    totals = [one for one in seen if one.role is Role.TOTAL]
    is_receipt = words.RECEIPT.search(head) is not None
    if stated and (is_receipt or words.ACCOUNT.search(stated[0].sentence) or _is_about(stated[0], folded)):
        return _found("a sentence says that the money moved", 0.95, stated[0].money.value, stated[0])
    if paid and (is_receipt or words.MOVED.search(head)):
        return _found("an amount is named as paid", 0.9, *_paid_amount(paid, totals))
    if totals and is_receipt:
        return _found("a confirmation or receipt with its total", 0.85, *_total_amount(totals))
    labelled = [one for one in seen if one.role is Role.AMOUNT]
    if labelled and words.MOVED.search(head):
        booked = next((one for one in labelled if one.money.sign), labelled[0])
        return _found("a movement with its amount", 0.8, booked.money.value, booked)
    due = [one for one in seen if one.role is Role.DUE]
    if due and words.SETTLED.search(head):
        return _found("a bill that was paid", 0.75, due[0].money.value, due[0])
    if stated and words.MOVED.search(head):
        return _found("a sentence speaks of a movement", 0.6, stated[0].money.value, stated[0])
    if not seen and words.BARE_MOVEMENT.search(head):
        return Verdict(True, 0.55, "a movement is reported without its amount")
    return Verdict(False, 0.7 if seen else 0.9, "no amount that moved" if seen else "no amount of money")


def _found(reason: str, confidence: float, amount: Decimal, seen: Seen) -> Verdict:
    return Verdict(True, confidence, reason, amount, seen)


def _in_own_currency(stated: list[Seen], folded: str) -> list[Seen]:
    """Of "USD 42.50 | ₹ 3,571.00 from your card" the second is what the card was charged."""
    if len(stated) < 2 or stated[0].money.currency == stated[1].money.currency:
        return stated
    between = folded[stated[0].money.end : stated[1].money.start]
    return stated[1:] if _SAME_IN_OTHER_CURRENCY.fullmatch(between) else stated


def _is_about(stated: Seen, folded: str) -> bool:
    """A short notice whose one sentence is the movement, as banks and wallets send."""
    return len(folded) < HEAD_CHARS or folded.find(stated.sentence[:40]) < HEAD_CHARS // 2


def _objection(subject: str, head: str, folded: str, seen: list[Seen]) -> str | None:
    """What says that no money moved, whatever amounts there are."""
    moved = any(one.role is Role.STATED for one in seen)
    paid = any(one.role is Role.PAID for one in seen)
    if words.NO_RECEIPT.search(folded):
        return "it says itself that it is no receipt"
    if _speaks_of_failure(head):
        return "the payment failed"
    if _is_fraud(subject, folded):
        return "reads like fraud or spam"
    if words.LIMIT.search(subject) and not moved:
        return "a notice about a limit"
    if words.QUOTE.search(head) and not (moved or paid):
        return "a quotation or a cart"
    if not moved and not paid and _is_delivery(subject, folded, head, seen):
        return "a delivery notice"
    if not moved and not paid and _is_to_come(subject, head, seen):
        return "a payment to come or a statement"
    if words.ADVERT.search(subject) and not (moved and words.RECEIPT.search(head)):
        return "an advert"
    return None


def _speaks_of_failure(head: str) -> bool:
    """A failure that is told, not one that terms and conditions speak of as possible."""
    return any(
        not words.UNREAL.search(head[max(0, m.start() - 40) : m.start()]) for m in words.FAILED.finditer(head)
    )


def _is_delivery(subject: str, folded: str, head: str, seen: list[Seen]) -> bool:
    """Goods are under way. An order's confirmation says the same of later ("once it has shipped")."""
    if words.SHIPPED.search(subject):
        return True
    if words.ORDERED.search(head) or any(one.role is Role.AMOUNT for one in seen):
        return False
    return words.SHIPPED.search(_first_lines(subject, folded)) is not None


def _is_to_come(subject: str, head: str, seen: list[Seen]) -> bool:
    if words.SETTLED.search(head) or words.RECEIPT_SUBJECT.search(subject):
        return False
    if words.PLANNED.search(head):
        return True
    is_order = words.ORDERED.search(head) is not None and any(one.role is Role.TOTAL for one in seen)
    return words.STATEMENT.search(head) is not None and not is_order


def _is_fraud(subject: str, folded: str) -> bool:
    found = {match.group() for match in words.FRAUD.finditer(f"{subject}\n{folded[:6000]}")}
    return len(found) >= 2


def _first_lines(subject: str, folded: str) -> str:
    lines = [line for line in folded.split("\n") if line.strip()]
    return "\n".join([subject, *lines[:8]])[:700]


def _paid_amount(paid: list[Seen], totals: list[Seen]) -> tuple[Decimal, Seen]:
    """Of the amounts named as paid: the total when several cards share it, else the greatest."""
    values = list(dict.fromkeys(one.money.value for one in paid))
    for total in totals:
        if len(values) > 1 and sum(values) == total.money.value:
            return total.money.value, total
    best = max(paid, key=lambda one: one.money.value)
    return best.money.value, best


def _total_amount(totals: list[Seen]) -> tuple[Decimal, Seen]:
    """Of the totals: the sum of several orders in one mail, else the greatest."""
    best = max(totals, key=lambda one: one.money.value)
    alike = [one for one in totals if one.label == best.label and one.money.currency == best.money.currency]
    if len(alike) > 1 and len({one.money.value for one in alike}) == len(alike):
        rest = sum(one.money.value for one in alike if one is not best)
        if rest != best.money.value:
            return best.money.value + rest, best
    return best.money.value, best
