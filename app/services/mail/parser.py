"""One e-mail from its bytes."""

from __future__ import annotations

from app.services.mail.message import ParsedMessage


def parse_message(raw: bytes) -> ParsedMessage:
    """Read one e-mail leniently; raises UnreadableMessage, and nothing else, when nothing can be read."""
    return ParsedMessage(text=raw.decode("latin-1"))
