"""The offline language model."""

from __future__ import annotations

from decimal import Decimal

from app.services.llm.base import ExtractionResult, LLMService, LLMUsage, ReadableMessage


class MockLLMService(LLMService):
    """Reads messages by rules: deterministic, offline, free of charge."""

    async def extract_financial_data(self, message: ReadableMessage) -> ExtractionResult:
        """Read one message by the rules."""
        usage = LLMUsage(model="mock", prompt_tokens=0, completion_tokens=0, cost=Decimal(0))
        return ExtractionResult(is_transaction=False, confidence=0.5, reason="not read", usage=usage)
