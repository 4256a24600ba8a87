"""Finding out what a message says about money: the interface, and an offline model of rules."""

from app.services.llm.base import (
    Direction,
    ExtractionResult,
    LLMError,
    LLMService,
    LLMUsage,
    ReadableMessage,
)
from app.services.llm.mock import MockLLMService

__all__ = [
    "Direction",
    "ExtractionResult",
    "LLMError",
    "LLMService",
    "LLMUsage",
    "MockLLMService",
    "ReadableMessage",
]
