"""What is known of a message before it is judged: its head, and its amounts sorted by their roles."""

from __future__ import annotations

import re
from dataclasses import dataclass

from app.services.llm.rules import vocabulary as words
from app.services.llm.rules.roles import Role, Seen

HEAD_CHARS = 1500
"""What a mail is about is said in its first lines."""

_BEFORE = 40
"""So far before a word stands what makes it a possibility ("when the payment is …")."""
_SAME_IN_OTHER_CURRENCY = re.compile(r" ?[|/(=] ?")


@dataclass(frozen=True, slots=True)
class Evidence:
    """A message's folded subject and text, the two together up to the first lines, and its amounts."""

    subject: str
    folded: str
    head: str
    seen: list[Seen]
    stated: list[Seen]
    paid: list[Seen]
    totals: list[Seen]

    @property
    def has_moved(self) -> bool:
        """Whether some amount is said to have moved, in a sentence or by its label."""
        return bool(self.stated or self.paid)

    @property
    def is_receipt(self) -> bool:
        """Whether the first lines are those of a receipt, an order or a booking."""
        return words.RECEIPT.search(self.head) is not None

    def with_role(self, role: Role) -> list[Seen]:
        """The amounts of one role, in the order of the text."""
        return [one for one in self.seen if one.role is role]

    def says(self, pattern: re.Pattern[str]) -> bool:
        """Whether the head tells it as a fact, not as something possible or to come."""
        return any(
            not words.UNREAL.search(self.head[max(0, match.start() - _BEFORE) : match.start()])
            for match in pattern.finditer(self.head)
        )


def gather(subject: str, folded: str, seen: list[Seen]) -> Evidence:
    """The evidence of a message; both texts folded."""
    paid = [one for one in seen if one.role is Role.PAID]
    totals = [one for one in seen if one.role is Role.TOTAL]
    stated = [one for one in seen if one.role is Role.STATED]
    if paid or totals:
        # Far below a receipt's table, sentences about money are conditions and adverts.
        stated = [one for one in stated if one.money.start < HEAD_CHARS]
    return Evidence(
        subject=subject,
        folded=folded,
        head=f"{subject}\n{folded[:HEAD_CHARS]}",
        seen=seen,
        stated=_in_own_currency(stated, folded),
        paid=paid,
        totals=totals,
    )


def _in_own_currency(stated: list[Seen], folded: str) -> list[Seen]:
    """Of amounts in two currencies, what the card or account was charged comes first.

    That is the second of "USD 42.50 | ₹ 3,571.00 from your card", and what "you paid" for what was sent.
    """
    if len({one.money.currency for one in stated}) < 2:
        return stated
    between = folded[stated[0].money.end : stated[1].money.start]
    if _SAME_IN_OTHER_CURRENCY.fullmatch(between):
        return stated[1:]
    charged = [one for one in stated if words.CHARGED.search(one.label)]
    return charged or stated
