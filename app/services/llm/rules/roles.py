"""What each amount in a message is: paid, a total, a balance, an offer, … by the words around it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from app.services.llm.rules import vocabulary as words
from app.services.llm.rules.money import Money


class Role(Enum):
    """What an amount tells."""

    STATED = "a sentence says that it moved"
    PAID = "labelled as paid, or charged to a card"
    TOTAL = "labelled as a total"
    AMOUNT = "labelled as the amount"
    PLAIN = "no label"
    PART = "a part of a total: tax, fee, item, discount"
    BALANCE = "what is left on an account"
    LIMIT = "a limit"
    DUE = "to be paid later"
    OFFER = "an advert's promise"


SUMS = frozenset({Role.STATED, Role.PAID, Role.TOTAL, Role.AMOUNT})
"""The roles that what a transaction was about can have."""


@dataclass(frozen=True, slots=True)
class Seen:
    """An amount with its role, the label (or clause) before it and the sentence it stands in, both folded."""

    money: Money
    role: Role
    label: str
    sentence: str
    is_tabular: bool


MAX_AMOUNTS = 400
"""Price lists go on for ever; so many amounts are looked at."""
_MAX_LABEL = 90
_NEAR = 50
"""So far behind an amount a "will be" still speaks of it; later stand advice and conditions."""
_REACH = 400
"""No clause is longer; a text without line ends and full stops must not cost the square of its length."""
_SOFT_WRAP = 55
"""A line of plain text at least this long that ends in the middle of a sentence goes on in the next line."""
_SENTENCE_END = re.compile(r"(?:[!?。]|(?<!\bno)(?<!\brs)(?<!\bmr)(?<!\bltd)(?<!\binc)(?<!\bst)\.)(?=\s|$)")
_MOVE_BEFORE = re.compile(
    r"(?:znizen\w*|zvysen\w*|zvysil\w*|snizil\w*|reduced|increased|decreased|verringert"
    r"|erhoht) (?:se )?(?:o|by|um)"
    r"(?: castku| sumu)?\s*$"
)
_LABEL_ENDS = " \t:-–|="
_LABEL_WORD = re.compile(r"[^\W\d_]{2,}")
_LETTER = re.compile(r"[^\W\d_]")


def see_roles(folded: str, found: list[Money]) -> list[Seen]:
    """Every amount with its role, in the order of the text."""
    seen = []
    previous_end = 0
    for number, money in enumerate(found[:MAX_AMOUNTS]):
        next_start = found[number + 1].start if number + 1 < len(found) else len(folded)
        seen.append(_see(folded, money, previous_end, next_start))
        previous_end = money.end
    return seen


def _see(folded: str, money: Money, previous_end: int, next_start: int) -> Seen:
    start = max(_clause_start(folded, money.start), previous_end)
    before = _label_cell(folded[start : money.start], folded, money, previous_end)
    rest = folded[money.end : money.end + 120].partition("\n")[0]
    after = _SENTENCE_END.split(rest[: max(0, next_start - money.end)], maxsplit=1)[0]
    is_tabular = not _is_prose(before, rest)
    if is_tabular:
        before = (
            before.rstrip("\t").rpartition("\t")[2] if _LETTER.search(before.rpartition("\t")[2]) else before
        )
    label = before.strip(_LABEL_ENDS)[-_MAX_LABEL:]
    if is_tabular and not _LETTER.search(label):
        label = _line_above(folded, money.start, previous_end)
    sentence = _sentence(folded, money)
    return Seen(money, _role(money, label, after, sentence, is_tabular), label, sentence, is_tabular)


def _label_cell(clause: str, folded: str, money: Money, previous_end: int) -> str:
    """The clause before an amount; the whole line where an abbreviation cut a label ("Total incl. VAT:")."""
    reach = max(0, money.start - _REACH)
    line_start = max(folded.rfind("\n", reach, money.start) + 1, reach, previous_end)
    line = folded[line_start : money.start]
    is_cut = len(clause.split()) <= 1 and len(clause) < len(line) <= _MAX_LABEL
    return line if is_cut and line.endswith(("\t", ":", ": ", "= ")) else clause


def _role(money: Money, label: str, after: str, sentence: str, is_tabular: bool) -> Role:
    if money.value == 0:
        return Role.PART
    if _MOVE_BEFORE.search(label):
        return Role.STATED
    if words.OFFER_BEFORE.search(label[-30:] + " ") or words.OFFER_AFTER.match(after):
        return Role.OFFER
    if is_tabular:
        return _role_by_label(money, label)
    return _role_by_sentence(label, after, sentence)


def _role_by_label(money: Money, label: str) -> Role:
    """The role that a label in a table or on a line of its own gives."""
    if words.LIMIT.search(label):
        return Role.LIMIT
    if words.TOTAL.search(label) and not words.DUE.search(label):
        return Role.PART if words.TOTAL_OF_PART.search(label) else _paid_or(Role.TOTAL, label)
    if words.DUE.search(label):
        return Role.DUE
    if (words.INSTRUMENT.search(label) or words.MASKED_CARD.search(label)) and money.sign != "-":
        return Role.PART if words.OTHER_THAN_MONEY.search(label) else Role.PAID
    if words.BALANCE.search(label):
        return Role.BALANCE
    if words.PAID_LABEL.search(label):
        return Role.PAID
    if words.PART.search(label):
        return Role.PART
    return Role.AMOUNT if words.AMOUNT.search(label) else Role.PLAIN


def _paid_or(role: Role, label: str) -> Role:
    return Role.PAID if words.PAID_LABEL.search(label) else role


def _role_by_sentence(label: str, after: str, sentence: str) -> Role:
    """The role that a sentence gives: its words before the amount count more than those after it."""
    tail = label[-40:]
    if words.MASKED_CARD.search(label):
        return Role.PAID
    if words.BALANCE.search(label):
        return Role.BALANCE
    if words.LIMIT.search(tail):
        return Role.LIMIT
    if words.UNREAL.search(label) or words.UNREAL.search(after[:_NEAR]):
        return Role.DUE if words.DUE.search(sentence) else Role.OFFER
    if words.DUE.search(tail):
        return Role.DUE
    if words.MOVED.search(label or sentence) or words.MOVED.search(after):
        return Role.STATED
    if words.TOTAL.search(tail) and not words.TOTAL_OF_PART.search(tail):
        return Role.TOTAL
    if words.AMOUNT.search(tail):
        return Role.AMOUNT
    return Role.PART if words.PART.search(tail) else Role.PLAIN


def _is_prose(before: str, after: str) -> bool:
    """Whether the words around an amount are a sentence rather than a label and its value."""
    if before.endswith("\t") or after.startswith("\t") or before.rstrip().endswith((":", "=")):
        return False
    return len(before.split()) >= 5 or len(_LABEL_WORD.findall(f"{before} {after.partition(chr(9))[0]}")) >= 5


def _clause_start(folded: str, place: int) -> int:
    """Where the clause before ``place`` starts: at a sentence's end, a table cell or a hard line break."""
    start = max(0, place - _REACH)
    chunk = folded[start:place]
    line_start = _hard_line_start(chunk)
    ends = [match.end() for match in _SENTENCE_END.finditer(chunk, line_start)]
    return start + (ends[-1] if ends else line_start)


def _hard_line_start(chunk: str) -> int:
    line_start = chunk.rfind("\n") + 1
    while line_start > 0:
        above_start = chunk.rfind("\n", 0, line_start - 1) + 1
        above = chunk[above_start : line_start - 1].rstrip()
        if len(above) < _SOFT_WRAP or "\t" in above or above.endswith((".", ":", "!", "?", "。")):
            break
        line_start = above_start
    return line_start


def _line_above(folded: str, place: int, previous_end: int) -> str:
    """The nearest line above with a letter, if no other amount stands between and it is short: a label."""
    reach = max(0, place - _REACH)
    line_start = folded.rfind("\n", reach, place)
    above = folded[max(previous_end, reach) : max(line_start, 0)].rstrip()
    lines = [line for line in above.split("\n")[-4:] if line.strip()]
    while lines and not _LETTER.search(lines[-1]):
        lines.pop()
    if not lines or len(lines[-1]) > _MAX_LABEL:
        return ""
    return lines[-1].strip(_LABEL_ENDS)


def end_of_sentence(folded: str, place: int) -> int:
    """Where the sentence around ``place`` ends: at a full stop, or with a line that is not wrapped."""
    last = min(len(folded), place + _REACH)
    stop = _SENTENCE_END.search(folded, place, last)
    end = stop.start() if stop else last
    while (line_end := folded.find("\n", place, end)) >= 0:
        line = folded[folded.rfind("\n", max(0, line_end - _REACH), line_end) + 1 : line_end]
        if len(line) < _SOFT_WRAP or "\t" in line:
            return line_end
        place = line_end + 1
    return end


def _sentence(folded: str, money: Money) -> str:
    end = min(end_of_sentence(folded, money.end), money.end + 250)
    return folded[_clause_start(folded, money.start) : end]
