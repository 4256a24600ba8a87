"""What users may give for a ledger."""

from __future__ import annotations

from typing import Any

from sqlalchemy import URL
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine

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
    if isinstance(given, URL):
        given = given.render_as_string(hide_password=False)
    if not isinstance(given, str | AsyncEngine):
        raise ConfigurationError(
            "ledger must be a Ledger, the URL of a database such as 'sqlite:///jobs.db', or an AsyncEngine, "
            f"got {given!r}"
        )
    try:
        made = Ledger(given)
        made.engine  # noqa: B018 (a URL that cannot work is told here, and not by the first job)
    except (ArgumentError, ImportError) as error:
        # Not the URL itself: it may have a password in it.
        raise ConfigurationError(
            f"ledger is the URL of no database that can be used here: {error}"
        ) from error
    return made
