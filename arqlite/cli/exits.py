"""The ways a command for operators ends, each with its code, and a line on stderr instead of a traceback."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import IO, Any, Final

import click

from ..errors import ArqliteError, ConfigurationError, InvalidArguments, LedgerUnavailable, MissingExtra
from .hints import with_advice
from .screen import printable

FAILED: Final = 1
"""It was not done, or not all of it; a job failed; something differs."""
WRONG: Final = 2
"""The command line, the filter or the settings are wrong."""
NOTHING: Final = 3
"""Nothing is meant by the filter or the name."""
OUT_OF_REACH: Final = 4
"""Redis or a ledger is out of reach."""
INTERRUPTED: Final = 130
"""Ctrl-C ended the wait for a job, which goes on; what a shell says of a program that it ended."""


class Ending(click.ClickException):
    """Ends the command with a code and a line on stderr.

    Args:
        message: the line.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message, keep_lines=True))


class Failed(Ending):
    """It was not done, or not all of it."""

    exit_code = FAILED


class Wrong(Ending):
    """The command line, the filter or the settings are wrong."""

    exit_code = WRONG


class OutOfReach(Ending):
    """Redis or a ledger is out of reach."""

    exit_code = OUT_OF_REACH


class Nothing(Ending):
    """Nothing matched, which is no error."""

    exit_code = NOTHING

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the line, and no `Error:` before it."""
        click.echo(self.message, file=file, err=file is None)


@contextlib.contextmanager
def ending_in_words() -> Iterator[None]:
    """End with a line and a code where a person, not a program, has to do something."""
    from redis.exceptions import AuthenticationError, NoPermissionError, RedisError

    try:
        yield
    except BrokenPipeError:
        raise  # nobody reads any more, which click knows to handle
    except MissingExtra as error:
        raise Failed(str(error)) from error
    except (ConfigurationError, InvalidArguments) as error:
        raise Wrong(str(error)) from error
    except LedgerUnavailable as error:
        raise OutOfReach(f"the ledger is out of reach ({error})") from error
    except ArqliteError as error:
        raise Failed(str(error)) from error
    except (AuthenticationError, NoPermissionError) as error:
        raise OutOfReach(f"Redis lets nobody in like this ({_reason(error)})") from error
    except (RedisError, OSError) as error:
        raise OutOfReach(with_advice(f"Redis cannot be reached ({_reason(error)})")) from error
    except Exception as error:
        if not _is_of_database(error):
            raise
        raise OutOfReach(f"the ledger cannot be used ({_reason(error)})") from error


def _is_of_database(error: Exception) -> bool:
    """Whether SQLAlchemy raised it, which need not be there."""
    alchemy = sys.modules.get("sqlalchemy.exc")
    return alchemy is not None and isinstance(error, alchemy.SQLAlchemyError)


def _reason(error: Exception) -> str:
    first, name = str(error).partition("\n")[0], type(error).__name__
    if first and name.startswith("_"):  # of the library's own, which says nothing to people: its words do
        return first
    return f"{name}: {first}" if first else name
