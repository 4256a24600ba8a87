"""The words of a command that mean jobs, and their completion in a shell."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from ..model.query import NAMES
from .exits import Wrong
from .targets import OfQueues

if TYPE_CHECKING:
    from ..console import Query

_NEGATED = re.compile(rf"-({'|'.join(NAMES)}|arg\.[^:]+|meta\.[^:]+):")
_VALUES = {
    "state": ("available", "scheduled", "retryable", "suspended", "executing", "completed", "discarded",
              "cancelled", "failed", "running", "queued", "succeeded"),
    "status": ("QUEUED", "RUNNING", "SUCCESS", "FAILED", "CANCELLED"),
    "cause": ("ERROR", "TIMEOUT", "CANCELLED", "SHUTDOWN", "LOST", "EXPIRED", "REFUSED", "DUPLICATE"),
    "since": ("10m", "1h", "24h", "7d"),
    "failed": ("10m", "1h", "24h", "7d"),
}  # fmt: skip


class Filtering(OfQueues):
    """A command with a FILTER, of which words may begin with a dash."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put what is no option, `-state:completed`, where click takes it for a word."""
        end = args.index("--") if "--" in args else len(args)
        negated = [arg for arg in args[:end] if _NEGATED.match(arg)]
        if negated:
            kept = [arg for arg in args[:end] if not _NEGATED.match(arg)]
            args = [*kept, "--", *negated, *args[end + 1 :]]
        return super().parse_args(ctx, args)


def filter_argument(function: Any) -> Any:
    """Make the argument FILTER: words that must all hold."""
    return click.argument("words", metavar="[FILTER]...", nargs=-1, shell_complete=_complete)(function)


def parsed(words: Sequence[str]) -> Query:
    """Read the words of a filter.

    Raises:
        Ending: they cannot be read.
    """
    from ..console import Query
    from ..errors import ConfigurationError

    try:
        return Query.parse(" ".join(_as_typed(word) for word in words))
    except ConfigurationError as error:
        raise Wrong(str(error)) from error


def _as_typed(word: str) -> str:
    """Give a value its quotes back, which the shell took: a space would end it."""
    if " " not in word or '"' in word:
        return word
    name, separator, value = word.partition(":")
    if not separator or " " in name:
        return word  # several words in quotes: a whole filter
    return word if ":" in value else f'{name}:"{value}"'


def _complete(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    name, separator, start = incomplete.partition(":")
    if separator:
        values = _VALUES.get(name, ())
        return [CompletionItem(f"{name}:{value}") for value in values if value.startswith(start)]
    return [CompletionItem(f"{known}:") for known in NAMES if known.startswith(incomplete)]
