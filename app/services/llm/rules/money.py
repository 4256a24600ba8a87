"""Finding amounts of money in a text, in the notation of any country."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation

from app.services.llm.rules.currency import (
    ISO_CODES,
    WITHOUT_CENTS,
    WORDLIKE_CODES,
    currency_of,
    is_shared,
    sign_words,
)
from app.services.llm.rules.text import Prepared


@dataclass(frozen=True, slots=True)
class Money:
    """An amount as it stands in the folded text from ``start`` to ``end``.

    ``value`` is never negative; ``sign`` is "-" or "+" where one is written, else "". ``currency`` is None
    only for bare numbers.
    """

    value: Decimal
    currency: str | None
    sign: str
    start: int
    end: int


_SIGN_WORDS = "|".join(map(re.escape, sign_words()))
# A code or word must not be the tail or head of a longer word; a sign such as "$" may stand anywhere.
_BEFORE = rf"(?P<before>(?<![a-z])(?:{_SIGN_WORDS}))"
_AFTER = rf"(?P<after>(?:{_SIGN_WORDS})(?![a-z]|[ .]?[-+]?\d))"
_NUMBER = (
    r"(?P<number>\d{1,3}(?:[ ']\d{3})+(?:[.,]\d{1,2})?(?!\d)"  # 1 234,56 and 1'234.50
    r"|\d+(?:[.,]\d+)*"  # 1,234.56 and 1.234,56 and 1,00,000.00
    r"|(?<!\d)\.\d{2})"
    r"(?:[.,](?:-{1,2}|–)|/-)?"  # 12.- and 500/-
)
_SIGNED = r"(?P<sign>(?<![\w])[-+−–] ?)?"
# "2 March 2025 USD 5" and "12:11 EUR 3": the code belongs to the number after it.
_NO_DATE = r"(?<![\w.,/#])(?<!\d:)(?!(?:19|20)\d\d\s?[a-z$€£¥]+\s?\d)"
_MONEY = re.compile(
    rf"{_SIGNED}(?:{_BEFORE} ?(?P<inner>[-+−] ?)?{_NUMBER}(?: ?{_AFTER})?)"
    rf"|{_SIGNED.replace('sign', 'sign2')}{_NO_DATE}{_NUMBER.replace('number', 'number2')} ?"
    rf"{_AFTER.replace('after', 'after2')}"
)
_GATEWAY = re.compile(r"\bamt=(?P<number>\d+(?:\.\d+)?)\s+curr=(?P<code>\d{3}|[a-z]{3})\b")
_BARE = re.compile(r"(?<![\w.,/#:-])(?P<number>\d{1,3}(?:[ ,.]\d{3})*[.,]\d{2})(?![\w.,/:%-]|\s?%)")
_CODE = re.compile(r"\b[A-Z]{3}\b")
_LARGE_WORD = re.compile(
    r"\s?(?:million|mio\b|millone|millard|milliard|billion|thousand|k\b|m\b|bn\b|万|億|lakh|crore)"
)
_PERCENT = re.compile(r"\s?%")
_ONLY_BEHIND = frozenset("円元원")
_MAX_DIGITS = 15


def find_money(text: Prepared, country: str = "") -> list[Money]:
    """Every amount with a currency, in the order of the text; "2 million dollars" is left out as talk.

    A sign that several countries share means what the message's own codes say, else the sender's country's.
    """
    folded = text.folded
    found = [money for match in _MONEY.finditer(folded) if (money := _read(match, text, country))]
    found += [_read_gateway(match) for match in _GATEWAY.finditer(folded)]
    return sorted(_settle_shared(found, folded), key=lambda money: money.start)


def find_bare(folded: str) -> list[Money]:
    """Numbers with two decimals and no currency beside them, for tables that name the currency elsewhere."""
    bare = []
    for match in _BARE.finditer(folded):
        value = parse_number(match["number"])
        if value is not None:
            bare.append(Money(value, None, "", match.start(), match.end()))
    return bare


def sole_currency(text: Prepared) -> str | None:
    """The one currency that the text names by its code ("All amounts in CAD"); None for none or many."""
    named = {code for code in _CODE.findall(text.shown) if code in ISO_CODES}
    return named.pop() if len(named) == 1 else None


def parse_number(text: str, currency: str | None = None) -> Decimal | None:
    """The value of a number whose separators may be of any country; None if it is none or absurdly long.

    The last of two kinds of separators is the decimal one. A single kind separates thousands when it comes
    more than once or three digits follow it, as "1.234" does.
    """
    compact = re.sub(r"[ ']", "", text)
    if sum(map(str.isdigit, compact)) > _MAX_DIGITS:
        return None
    dot, comma = compact.rfind("."), compact.rfind(",")
    mark = "." if dot > comma else ","
    whole, _, cents = compact.rpartition(mark)
    both = dot >= 0 and comma >= 0
    is_decimal = (both and compact.count(mark) == 1) or (compact.count(mark) == 1 and len(cents) != 3)
    if is_decimal and not (currency in WITHOUT_CENTS and len(cents) == 3):
        compact = f"{re.sub('[.,]', '', whole)}.{cents}"
    else:
        compact = re.sub("[.,]", "", compact)
    try:
        return Decimal(compact)
    except InvalidOperation:
        return None


def _read(match: re.Match[str], text: Prepared, country: str) -> Money | None:
    parts = match.groupdict()
    number = parts["number"] or parts["number2"]
    before, after = parts["before"], parts["after"] or parts["after2"]
    end = match.end()
    if _LARGE_WORD.match(text.folded, end) or (after is None and _PERCENT.match(text.folded, end)):
        return None
    if before in _ONLY_BEHIND or _is_common_word(before or after, match, text):
        return None
    # "$50.00 MXN": of a shared sign and a code, the code is the precise one.
    token = after if after and (before is None or is_shared(before) or not is_shared(after)) else before
    currency = currency_of(token or "", country)
    value = parse_number(number, currency)
    if value is None or currency is None:
        return None
    if before and after and not is_shared(before) and currency_of(before, country) != currency:
        currency, end = currency_of(before, country), match.end("number")
    sign = (parts["sign"] or parts["sign2"] or parts["inner"] or "").strip()
    return Money(value, currency, "+" if sign == "+" else "-" if sign else "", match.start(), end)


def _is_common_word(token: str | None, match: re.Match[str], text: Prepared) -> bool:
    """ "Please try 550" is no Turkish lira, "TRY 550" is."""
    return token in WORDLIKE_CODES and token.upper() not in text.shown[match.start() : match.end()]


def _read_gateway(match: re.Match[str]) -> Money:
    """Payment gateways tell machines: AMT=33.99 CURR=978."""
    return Money(Decimal(match["number"]), currency_of(match["code"]), "", match.start("number"), match.end())


def _settle_shared(found: list[Money], folded: str) -> list[Money]:
    """A "$" in a mail that also writes "CAD 12.00" or "$12.00 MXN" is the dollar of that code."""
    written = [money for money in found if not is_shared(_sign_at(money, folded))]
    dollars = Counter(money.currency for money in written if money.currency in _DOLLARS)
    if len(dollars) != 1:
        return found
    [dollar] = dollars
    return [replace(money, currency=dollar) if _sign_at(money, folded) == "$" else money for money in found]


_DOLLARS = frozenset({"USD", "CAD", "AUD", "NZD", "MXN", "SGD", "HKD", "TWD", "ARS", "CLP", "COP", "UYU"})


def _sign_at(money: Money, folded: str) -> str:
    """The letters and signs of an amount without its digits: "$", "us$", "$mn"."""
    return re.sub(r"[\d.,' +−–-]", "", folded[money.start : money.end])
