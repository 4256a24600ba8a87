"""Sources of e-mail behind one interface; a mailbox on disk is the first."""

from app.services.providers.base import EmailProvider, ProviderError, RawMessage, SkippedMessage
from app.services.providers.factory import ProviderFactory, UnknownProvider
from app.services.providers.mailbox import MailboxProvider

__all__ = [
    "EmailProvider",
    "MailboxProvider",
    "ProviderError",
    "ProviderFactory",
    "RawMessage",
    "SkippedMessage",
    "UnknownProvider",
]
