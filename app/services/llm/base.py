"""What the extraction job asks of a language model, and what it gets back."""

from __future__ import annotations

import datetime as dt
from abc import ABC, abstractmethod
from decimal import Decimal
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

Direction = Literal["debit", "credit"]


class LLMError(Exception):
    """The language model gave no usable answer for a message."""


class ReadableMessage(Protocol):
    """What a language model needs of a message; ``ParsedMessage`` has it, and so can a database row."""

    @property
    def subject(self) -> str: ...  # noqa: D102
    @property
    def sender(self) -> str: ...  # noqa: D102
    @property
    def sender_name(self) -> str: ...  # noqa: D102
    @property
    def date(self) -> dt.datetime | None: ...  # noqa: D102
    @property
    def text(self) -> str: ...  # noqa: D102


class LLMUsage(BaseModel):
    """What one question to the model took: tokens in and out, and the cost in US dollars."""

    model_config = ConfigDict(frozen=True)

    model: str
    prompt_tokens: int = Field(ge=0)
    completion_tokens: int = Field(ge=0)
    cost: Decimal = Field(ge=0)


class ExtractionResult(BaseModel):
    """What a message says about money.

    ``is_transaction`` is true when the message itself reports money that moved or was charged. The fields
    after it are None where the message does not settle them, and all None when it is no transaction.
    ``amount`` is positive, ``currency`` an ISO 4217 code, ``direction`` as the owner of the mailbox sees it.
    ``confidence`` lies between 0 and 1; ``reason`` says in a few words what decided.
    """

    model_config = ConfigDict(frozen=True)

    is_transaction: bool
    amount: Decimal | None = Field(default=None, gt=0)
    currency: str | None = Field(default=None, pattern=r"^[A-Z]{3}$")
    merchant: str | None = None
    date: dt.date | None = None
    direction: Direction | None = None
    category: str | None = None
    confidence: float = Field(ge=0, le=1)
    reason: str
    usage: LLMUsage


class LLMService(ABC):
    """A language model that reads messages for money."""

    @abstractmethod
    async def extract_financial_data(self, message: ReadableMessage) -> ExtractionResult:
        """Read one message; raises :class:`LLMError` when the model gives no usable answer."""
