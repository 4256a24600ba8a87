"""What the offline model finds in messages of many kinds and languages."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from llm_messages import NO_TRANSACTIONS, TRANSACTIONS, Case

from app.services.llm import MockLLMService
from app.services.mail import ParsedMessage


@pytest.fixture
def llm() -> MockLLMService:
    return MockLLMService()


@pytest.mark.parametrize("case", TRANSACTIONS, ids=lambda case: case.name)
async def test_transaction_is_found_with_its_facts(llm: MockLLMService, case: Case) -> None:
    """Money moved: the amount, the currency, the direction and the other party come out."""
    result = await llm.extract_financial_data(case.message)

    assert result.is_transaction, result.reason
    assert f"{result.amount} {result.currency}" == case.money
    assert result.direction == case.direction
    if case.merchant:
        assert result.merchant == case.merchant
    assert result.date is not None
    assert result.category is not None


@pytest.mark.parametrize("case", NO_TRANSACTIONS, ids=lambda case: case.name)
async def test_look_alike_is_no_transaction(llm: MockLLMService, case: Case) -> None:
    """Offers, bills to pay, failed and planned payments, deliveries and fraud are none."""
    result = await llm.extract_financial_data(case.message)

    assert not result.is_transaction, result.reason
    assert (result.amount, result.currency, result.merchant, result.date) == (None, None, None, None)
    assert (result.direction, result.category) == (None, None)


async def test_answer_is_the_same_every_time(llm: MockLLMService) -> None:
    """The model is deterministic, usage and confidence included."""
    message = TRANSACTIONS[0].message

    assert await llm.extract_financial_data(message) == await llm.extract_financial_data(message)


async def test_usage_grows_with_the_message(llm: MockLLMService) -> None:
    """Tokens and cost follow the length of what was asked."""
    short = TRANSACTIONS[0].message
    long = replace(short, text=short.text + " and so on" * 1000)

    few, many = [(await llm.extract_financial_data(message)).usage for message in (short, long)]

    assert few.model == many.model == "mock-rules-1"
    assert many.prompt_tokens - few.prompt_tokens == 2500
    assert many.cost > few.cost > Decimal(0)


async def test_empty_message_is_no_transaction(llm: MockLLMService) -> None:
    """A message without subject, text, sender and date is answered all the same."""
    assert not (await llm.extract_financial_data(ParsedMessage())).is_transaction


@pytest.mark.parametrize("unit", ["$1 ", "Total: $5\n", "1 111 ", "paid to a ", "1 jan ", "x" * 70 + "\n"])
async def test_endless_text_is_read_in_bounded_time(llm: MockLLMService, unit: str) -> None:
    """A hostile text must not cost the square of its length: the time limit of the test run would tell."""
    text = unit * (200_000 // len(unit))

    result = await llm.extract_financial_data(ParsedMessage(subject="Receipt", text=text))

    assert result.usage.prompt_tokens > 0
