"""What can go wrong in the application, in words for whoever asked."""

from __future__ import annotations

from typing import Self


class ApplicationError(Exception):
    """The base of the application's own errors."""


class NotFoundError(ApplicationError, LookupError):
    """Something was asked for by an id that nothing has."""


class ConflictError(ApplicationError):
    """The thing is there, but not in a state that allows this."""


class InvalidQuestionError(ApplicationError):
    """A list or a figure was asked for by words that mean nothing."""


class QueueUnavailableError(ApplicationError):
    """The queue did not do what was asked of it: it is not open, or Redis is away."""


class DatabaseUnavailableError(ApplicationError):
    """The database is away, so nothing was accepted and nothing changed."""

    @classmethod
    def of(cls, error: BaseException) -> Self:
        """Say so without the error's own words, which may quote what a statement carries."""
        return cls(f"the database is away: {type(error).__name__}")


class MailNotSentError(ApplicationError):
    """The SMTP server did not take a message."""
