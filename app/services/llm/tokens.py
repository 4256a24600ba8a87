"""How many tokens a text takes and what they cost, estimated as a small hosted model would bill it."""

from __future__ import annotations

import math
import re
from decimal import Decimal

PROMPT_USD_PER_MILLION = Decimal("0.15")
COMPLETION_USD_PER_MILLION = Decimal("0.60")
INSTRUCTION_TOKENS = 320
"""What the instructions and the schema of the answer would add to every question."""

_MILLION = Decimal(1_000_000)
_ASCII_RUN = re.compile(r"[\x00-\x7f]+")
_CHARS_PER_TOKEN = 4


def estimate_tokens(text: str) -> int:
    """About four ASCII characters to a token; letters of other scripts take one token each."""
    ascii_chars = sum(len(run) for run in _ASCII_RUN.findall(text))
    return math.ceil(ascii_chars / _CHARS_PER_TOKEN) + len(text) - ascii_chars


def cost_usd(prompt_tokens: int, completion_tokens: int) -> Decimal:
    """The cost of one question in US dollars, to six decimals."""
    cost = prompt_tokens * PROMPT_USD_PER_MILLION + completion_tokens * COMPLETION_USD_PER_MILLION
    return (cost / _MILLION).quantize(Decimal("0.000001"))
