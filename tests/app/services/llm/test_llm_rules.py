"""The single rules: amounts, dates, roles, names, tokens."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from app.services.llm.rules.category import categorise
from app.services.llm.rules.currency import country_of
from app.services.llm.rules.dates import find_dates, transaction_day
from app.services.llm.rules.money import find_bare, find_money, parse_number, sole_currency
from app.services.llm.rules.roles import Role, see_roles
from app.services.llm.rules.text import fold, prepare
from app.services.llm.tokens import cost_usd, estimate_tokens

SENT = dt.date(2026, 3, 10)


def amounts(text: str, country: str = "") -> list[str]:
    return [f"{money.sign}{money.value} {money.currency}" for money in find_money(prepare(text), country)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$1,234.56", "1234.56 USD"),
        ("1.234,56 €", "1234.56 EUR"),
        ("€ 12,–", "12 EUR"),
        ("CHF 12.-", "12 CHF"),
        ("EUR 1'234.50", "1234.50 EUR"),
        ("¥1,200", "1200 JPY"),
        ("２，７６０円", "2760 JPY"),
        ("15,800원", "15800 KRW"),
        ("Rs. 500", "500 INR"),
        ("Rs 500/-", "500 INR"),
        ("₹2,64,831.40", "264831.40 INR"),
        ("INR .05", "0.05 INR"),
        ("12,50 Kč", "12.50 CZK"),
        ("+1\u00a0500,50 CZK", "+1500.50 CZK"),
        ("-85,00 CZK", "-85.00 CZK"),
        ("-$8.32", "-8.32 USD"),
        ("US$1,180.38", "1180.38 USD"),
        ("£50.00 GBP", "50.00 GBP"),
        ("$ 63.37 MN", "63.37 MXN"),
        ("$792.00 MXN", "792.00 MXN"),
        ("R$ 1.234,50", "1234.50 BRL"),
        ("129,99 zł", "129.99 PLN"),
        ("1.234 €", "1234 EUR"),
        ("5963,56 Euro", "5963.56 EUR"),
        ("on 2 March 2026 USD 5", "5 USD"),
        ("at 12:11 EUR 3", "3 EUR"),
        ("Visa 1234 $32.78", "32.78 USD"),
        ("AMT=33.99 CURR=978", "33.99 EUR"),
    ],
)
def test_amount_is_found_in_any_notation(text: str, expected: str) -> None:
    """Separators, signs, codes and words of every country."""
    assert amounts(text) == [expected]


@pytest.mark.parametrize(
    "text",
    [
        "order 123.45",
        "100 %",
        "$2 million",
        "35 Millionen Euro",
        "please try 550",
        "30 ft banner",
        "RM 12",
        "元2001年",
        "50 kg",
    ],
)
def test_what_is_no_amount_is_left_alone(text: str) -> None:
    """Numbers, talk of millions, common words and units are no money."""
    assert amounts(text) == []


@pytest.mark.parametrize(
    ("text", "country", "expected"),
    [
        ("$5.00", "", ["5.00 USD"]),
        ("$5.00", "ca", ["5.00 CAD"]),
        ("Total $5.00, charged as CAD 5.00", "", ["5.00 CAD", "5.00 CAD"]),
        ("US$5.00 and CAD 7.00", "", ["5.00 USD", "7.00 CAD"]),
        ("199 kr", "", ["199 SEK"]),
        ("199 kr", "dk", ["199 DKK"]),
        ("12 990 Ft", "hu", ["12990 HUF"]),
    ],
)
def test_shared_sign_means_the_messages_or_the_senders_currency(
    text: str, country: str, expected: list[str]
) -> None:
    """A "$" is the dollar that the message names elsewhere, else that of the sender's country."""
    assert amounts(text, country) == expected


def test_country_is_the_top_level_domain() -> None:
    """Only a country's own domain tells a country."""
    assert [country_of(sender) for sender in ("a@shop.com.mx", "a@shop.com", "shop.mx", "")] == [
        "mx",
        "",
        "",
        "",
    ]


@pytest.mark.parametrize("number", ["1" * 16, "", ".", "1.2.3,4,5"])
def test_absurd_numbers_raise_nothing(number: str) -> None:
    """A number of a hundred digits is an identifier, not a sum."""
    assert parse_number(number) in (None, Decimal("12345"))


def test_bare_numbers_and_the_one_currency_named() -> None:
    """A table may name its currency once, above the numbers."""
    text = prepare("All amounts in CAD.\nTotal   11.30\non 10.03.2026 at 12.30%")

    assert [money.value for money in find_bare(text.folded)] == [Decimal("11.30")]
    assert sole_currency(text) == "CAD"
    assert sole_currency(prepare("USD or EUR")) is None


@pytest.mark.parametrize(
    ("text", "role"),
    [
        ("Order total:\t$5", Role.TOTAL),
        ("Gesamtbetrag inkl. MwSt.: 5 EUR", Role.TOTAL),
        ("Subtotal\t$5", Role.PART),
        ("Total before VAT:\t$5", Role.PART),
        ("Sales tax\t$5", Role.PART),
        ("Amount paid\n$5", Role.PAID),
        ("Visa •••• 1234\t$5", Role.PAID),
        ("VI************1234\t$5", Role.PAID),
        ("Gift card\t-$5", Role.PART),
        ("Importe:\t$5 MN", Role.AMOUNT),
        ("Total amount due :\n$5", Role.DUE),
        ("Available balance: $5", Role.BALANCE),
        ("Your card was charged $5 at the corner shop.", Role.STATED),
        ("$5 has been debited from your account.", Role.STATED),
        ("Your card will be charged $5 on the first of May.", Role.OFFER),
        ("Get up to $5 off your next order", Role.OFFER),
        ("The daily limit of your card is now $5", Role.LIMIT),
        ("Free unlock\t$0.00", Role.PART),
        ("Blue mug\t$5", Role.PLAIN),
    ],
)
def test_amount_has_the_role_that_the_words_around_it_give(text: str, role: Role) -> None:
    """The label in a table, the line above, or the sentence."""
    prepared = prepare(text)

    assert [one.role for one in see_roles(prepared.folded, find_money(prepared))] == [role]


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-09", "2026/03/09 10:20", "2026年3月9日", "09/03/2026", "03/09/2026", "9.3.2026",
        "09-MAR-26", "9 March 2026", "Mar 9, 2026", "March 9", "9. März 2026", "9 de marzo de 2026",
        "9 mars 2026", "09/Mar/2026", "9 marca 2026",
    ],
)  # fmt: skip
def test_date_is_found_in_any_notation(text: str) -> None:
    """What the notation leaves open is settled by the day the message was sent."""
    assert [found.day for found in find_dates(fold(text), SENT)] == [dt.date(2026, 3, 9)]


@pytest.mark.parametrize(
    "text", ["1.2.3.4", "99/99/2026", "31 feb 2026", "tel 030-12-34-56", "12:30", "Room 12 May"]
)
def test_what_is_no_date_is_left_alone(text: str) -> None:
    """Version numbers, phone numbers and days that no calendar has."""
    assert [
        found.day for found in find_dates(fold(text), dt.date(2030, 1, 1)) if found.day.year == 2026
    ] == []


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("Date of purchase: 1 Feb 2026\nDeparture: 12 March 2026", dt.date(2026, 2, 1)),
        ("Arriving:\nThursday, March 12\nThanks", SENT),
        ("Renews March 9, 2027", SENT),
        ("March 9, 2026\nThanks for riding", dt.date(2026, 3, 9)),
        ("no date at all", SENT),
    ],
)
def test_day_of_the_transaction_is_the_labelled_one_else_the_day_of_sending(text: str, day: dt.date) -> None:
    """Days of travel, delivery and renewal are not the day of the payment."""
    assert transaction_day(fold(text), SENT) == day


def test_message_without_any_date_has_no_day() -> None:
    """Nothing is made up."""
    assert transaction_day("paid", None) is None


def test_folding_keeps_every_place() -> None:
    """A place in the folded text is the same place in the shown one."""
    shown = "Ｅｉｎß Łódź İ ﬁ ㈱ ½ Ǆ 1\u00a0500"

    assert len(fold(shown)) == len(shown)
    assert fold("ÚČET Łódź ＡＢ１") == "ucet lodz ab1"


def test_preparing_drops_quotation_marks_and_addresses() -> None:
    """A forwarded receipt reads like the receipt."""
    assert prepare("> > Total: $5\n> <https://x.example/$9>").shown == "Total: $5\n "


def test_category_follows_the_words_and_the_direction() -> None:
    """A refund is one whatever was bought."""
    assert categorise("your ride", "thanks for riding", "swallow", "debit") == "transport"
    assert categorise("your refund", "your ride was refunded", "swallow", "credit") == "refund"
    assert categorise("", "", "", "debit") == "other"


def test_tokens_and_cost() -> None:
    """Four ASCII characters to a token, other letters one each; the cost is in US dollars."""
    assert estimate_tokens("") == 0
    assert estimate_tokens("abcdefgh") == 2
    assert estimate_tokens("請求 abcd") == 4
    assert cost_usd(1_000_000, 0) == Decimal("0.150000")
    assert cost_usd(0, 1_000_000) == Decimal("0.600000")
