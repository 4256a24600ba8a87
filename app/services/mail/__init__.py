"""Reading one e-mail from its bytes, however broken it is."""

from app.services.mail.message import Attachment, ParsedMessage, UnreadableMessage
from app.services.mail.parser import parse_message

__all__ = ["Attachment", "ParsedMessage", "UnreadableMessage", "parse_message"]
