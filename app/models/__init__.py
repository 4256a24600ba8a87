"""The tables."""

from app.models.account import ConnectedAccount, User
from app.models.base import Base
from app.models.email import Email, ExtractionStatus, MailboxItem
from app.models.extraction import EmailExtraction, LLMTransaction
from app.models.job import Job
from app.models.transaction import Category, Transaction

__all__ = [
    "Base",
    "Category",
    "ConnectedAccount",
    "Email",
    "EmailExtraction",
    "ExtractionStatus",
    "Job",
    "LLMTransaction",
    "MailboxItem",
    "Transaction",
    "User",
]
