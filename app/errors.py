"""What can go wrong in the application, in words for whoever asked."""

from __future__ import annotations


class ApplicationError(Exception):
    """The base of the application's own errors."""


class NotFoundError(ApplicationError, LookupError):
    """Something was asked for by an id that nothing has."""


class ConflictError(ApplicationError):
    """The thing is there, but not in a state that allows this."""


class QueueUnavailableError(ApplicationError):
    """The queue did not do what was asked of it: it is not open, or Redis is away."""


class DatabaseUnavailableError(ApplicationError):
    """The database is away, so nothing was accepted and nothing changed."""


class MailNotSentError(ApplicationError):
    """The SMTP server did not take a message."""
