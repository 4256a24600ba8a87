"""What speaks against a transaction: failed, planned or merely due payments, deliveries, offers, fraud."""

from __future__ import annotations

import re

from app.services.llm.rules import vocabulary as words
from app.services.llm.rules.evidence import Evidence
from app.services.llm.rules.roles import Role

_ON_DISPATCH = re.compile(r"(?<![a-z])(?:ship|dispatch|despatch|versand|versend|expedi|spedi|envi|odesl)")
_FRAUD_CHARS = 6000
_FIRST_LINES = 8
_FIRST_CHARS = 700


def objection(evidence: Evidence) -> str | None:
    """Why no money moved, whatever amounts the message names; None if nothing speaks against it."""
    if words.CODE.search(evidence.head):
        return "a code to confirm a payment with"
    if words.NO_RECEIPT.search(evidence.folded):
        return "it says itself that it is no receipt"
    if evidence.says(words.FAILED):
        return "the payment failed"
    if _is_fraud(evidence):
        return "reads like fraud or spam"
    if not evidence.has_moved:
        return _objection_without_movement(evidence)
    if _is_advert(evidence):
        return "an advert"
    return None


def _objection_without_movement(evidence: Evidence) -> str | None:
    """What a message may be in which no amount is said to have moved."""
    if words.LIMIT_NOTICE.search(evidence.subject):
        return "a notice about a limit"
    if words.QUOTE.search(evidence.head):
        return "a quotation or a cart"
    if words.POINTS_PAID.search(evidence.folded):
        return "paid with points"
    if _is_delivery(evidence):
        return "a delivery notice"
    if _is_to_come(evidence):
        return "a payment to come or a statement"
    return "an advert" if _is_advert(evidence) else None


def _is_delivery(evidence: Evidence) -> bool:
    """Goods are under way. An order's confirmation says the same of later ("once it has shipped")."""
    if words.SHIPPED.search(evidence.subject):
        return True
    if words.ORDERED.search(evidence.head) or evidence.with_role(Role.AMOUNT):
        return False
    lines = [line for line in evidence.folded.split("\n") if line.strip()]
    return words.SHIPPED.search("\n".join(lines[:_FIRST_LINES])[:_FIRST_CHARS]) is not None


def _is_to_come(evidence: Evidence) -> bool:
    """A payment planned or asked for. A shop that charges a card on dispatch has sold all the same."""
    if evidence.says(words.SETTLED) or words.RECEIPT_SUBJECT.search(evidence.subject):
        return False
    head = evidence.head
    if any(not _ON_DISPATCH.search(head, m.end(), m.end() + 80) for m in words.PLANNED.finditer(head)):
        return True
    is_sale = words.ORDERED.search(head) is not None or words.BILLED.search(head) is not None
    return words.STATEMENT.search(head) is not None and not (evidence.totals and is_sale)


def _is_fraud(evidence: Evidence) -> bool:
    text = f"{evidence.subject}\n{evidence.folded[:_FRAUD_CHARS]}"
    return len({match.group() for match in words.FRAUD.finditer(text)}) >= 2


def _is_advert(evidence: Evidence) -> bool:
    if words.ADVERT.search(evidence.subject) is None or words.ORDERED.search(evidence.subject):
        return False
    return not (evidence.stated and evidence.is_receipt)
