"""The words of a command that mean jobs, and their completion in a shell."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from ..model.query import NAMES
from ..model.terms import ALIASES
from .exits import Wrong
from .targets import OfQueues, could_be_settings

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


_NAMES_A_FIELD = re.compile(rf"({'|'.join((*NAMES, *ALIASES))}|(arg|args|meta)\.[^:]+):")


class Filtering(OfQueues):
    """A command with a FILTER, of which words may begin with a dash.

    Attributes:
        does_something: whether something is done to the jobs that are meant, so that it is not to be done to
            those of a word that means settings.
    """

    does_something = False

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put what is no option, `-state:completed`, where click takes it for a word."""
        end = args.index("--") if "--" in args else len(args)
        negated = [arg for arg in args[:end] if _NEGATED.match(arg)]
        if negated:
            kept = [arg for arg in args[:end] if not _NEGATED.match(arg)]
            args = [*kept, "--", *negated, *args[end + 1 :]]
        rest = super().parse_args(ctx, args)
        words, source = ctx.params.get("words"), ctx.get_parameter_source("settings")
        if words and source is not ParameterSource.COMMANDLINE and not ctx.resilient_parsing:
            self._tell_of_settings(ctx, words[0])
        return rest

    def takes_for_settings(self, word: str) -> bool:
        """Whether the first word is the path of settings: a word of a filter is none."""
        return not _NAMES_A_FIELD.match(word) and super().takes_for_settings(word)

    def _tell_of_settings(self, ctx: click.Context, word: str) -> None:
        """Say of a word of the filter that it could be meant for settings."""
        if not (path := could_be_settings(word)):
            return
        told = f"{word} is read as a filter here; for the settings write -s {path}"
        if self.does_something:
            raise click.UsageError(f"{told}, for the filter {_as_filter(word)}. Nothing was done", ctx)
        click.echo(f"note: {told}", err=True)


class Doing(Filtering):
    """A command that does something to the jobs of a FILTER."""

    does_something = True


def _as_filter(word: str) -> str:
    """A word of a filter as nobody takes it for settings."""
    return f"'{word}*'" if ":" in word else f"'function:*{word}*' or 'id:{word}*'"


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
