"""What users may give for a ledger."""

from __future__ import annotations

from typing import Any

from ..errors import ConfigurationError
from .ledger import Ledger


def ledger_of(given: Any) -> Ledger:
    """Make a ledger of the URL of a database or of an `AsyncEngine`; a ledger stays what it is.

    Raises:
        ConfigurationError: it is none of these; the message tells what to give.
    """
    if isinstance(given, Ledger):
        return given
    if isinstance(given, str) and "://" not in given:
        hint = f", and its mode to the ledger: Ledger(url, mode={given!r})" * (given in ("strict", "behind"))
        raise ConfigurationError(
            f"ledger must be a Ledger, or the URL of a database such as 'sqlite:///jobs.db', got {given!r}: "
            f"give it the database{hint}"
        )
    made = Ledger(given)
    made.engine  # noqa: B018 (a driver that is not there is told here, and not by the first job)
    return made


def must_be_a_ledger(given: Any) -> None:
    """Make sure that it is a ledger, where nobody would close one that was made of a URL.

    Raises:
        ConfigurationError: it is something else; the message has no password.
    """
    if not isinstance(given, Ledger):
        raise ConfigurationError(
            f"ledger must be a Ledger, such as Ledger('sqlite:///jobs.db'), got a {type(given).__name__}"
        )
