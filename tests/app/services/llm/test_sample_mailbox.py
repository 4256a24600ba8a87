"""The sample mailbox that the demo reads: every message is read, and the offline model gets each right."""

from __future__ import annotations

from pathlib import Path

import pytest

import app
from app.services.llm import MockLLMService
from app.services.mail import parse_message
from app.services.providers import MailboxProvider

FOLDER = Path(app.__file__).parent / "sample_mailbox"

EXPECTED = {
    "01-order-confirmation.eml": ("34.42", "GBP", "Harbour Books", "2026-03-02", "debit"),
    "02-ride-receipt.eml": ("23.75", "USD", "Swallow Rides", "2026-03-04", "debit"),
    "03-card-debit-notice.eml": ("1249.00", "INR", "GREEN LEAF GROCERS", "2026-03-06", "debit"),
    "04-refund.eml": ("64.95", "USD", "Northlight Outdoor", "2026-03-07", "credit"),
    "05-bestellbestaetigung.eml": ("1234.56", "EUR", "Tischlerei Möbius", "2026-03-08", "debit"),
    "06-prichozi-platba.eml": ("12500.00", "CZK", "Ateliér Křída s.r.o.", "2026-03-09", "credit"),
    "07-debit-card-ja.eml": ("3480", "JPY", "ミナト書店", "2026-03-10", "debit"),
    "08-out-for-delivery.eml": None,
    "09-newsletter.eml": None,
    "10-card-statement.eml": None,
    "11-payment-declined.eml": None,
    "12-broken-receipt.eml": ("10.80", "EUR", "Café Plötzlich", "2026-03-13", "debit"),
    "13-subscription-receipt.eml": ("16.20", "CHF", "Cumulo Hosting", "2026-03-14", "debit"),
    "14-trip-summary.eml": None,
}


@pytest.mark.parametrize("name", EXPECTED)
async def test_sample_message_is_understood(name: str) -> None:
    """What the demo prints for each sample is right."""
    result = await MockLLMService().extract_financial_data(parse_message((FOLDER / name).read_bytes()))

    found = (str(result.amount), result.currency, result.merchant, str(result.date), result.direction)
    assert (found if result.is_transaction else None) == EXPECTED[name]


async def test_mailbox_provider_hands_out_every_sample() -> None:
    """No sample is missing from the table above, and none is skipped."""
    async with MailboxProvider() as provider:
        await provider.connect({"path": FOLDER})
        found = [message.source async for page in provider.pages() for message in page]

        assert found == sorted(EXPECTED)
        assert provider.skipped == []
