"""Which queues a command is about: `-s SETTINGS`, a path as its first word, or what `defaults` finds."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Sequence
from typing import Any

import click
from click.core import ParameterSource

from .broken import load_in_words
from .defaults import HOW_TO_NAME, VARIABLE, are_named, named
from .modules import CUSTOMARY, defines

_MODULE, _NAME = r"[^\W\d]\w*(?:\.[^\W\d]\w*)*", r"[^\W\d]\w*"
_PATH = re.compile(rf"{_MODULE}\.{_NAME}")
_WITH_COLON = re.compile(rf"({_MODULE}):({_NAME})")
_ONE_WORD = re.compile(_NAME)

settings_option = click.option(
    "-s",
    "--settings",
    multiple=True,
    envvar=VARIABLE,
    metavar="PATH",
    help="Worker settings, package.module.WorkerSettings; may be given again. Or the first word, or"
    f" {VARIABLE}, or [tool.arqlite] in pyproject.toml.",
)


def all_settings(function: Any) -> Any:
    """Make the option, and an argument for settings alone."""
    return settings_option(click.argument("more", metavar="[SETTINGS]...", nargs=-1)(function))


class _SettingsFirst(click.Command):
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take a path in the first word for settings, as where workers are run."""
        if args and not _are_named(ctx, args) and self.takes_for_settings(args[0]):
            args = ["--settings", *args]
        return super().parse_args(ctx, args)

    def takes_for_settings(self, word: str) -> bool:
        """Whether the first word is the path of settings, where no option names any."""
        if _PATH.fullmatch(word):
            return _may_be_settings(word)
        # A name of one word, or two with a colon, may be a queue, a job's id, a function.
        return _says_so_itself(word) and (":" in word or not are_named())

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Say that settings may come first."""
        options, *others = super().collect_usage_pieces(ctx)
        return ["[SETTINGS]", options, *others]


class OfQueues(_SettingsFirst):
    """A command that is about queues; its first word may be the path of their settings."""


class OfSettings(click.Command):
    """A command that is about queues, of which all words are paths of settings."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take the words together with what the option says."""
        rest = super().parse_args(ctx, args)
        if more := ctx.params.pop("more"):
            is_said = ctx.get_parameter_source("settings") is ParameterSource.COMMANDLINE
            ctx.params["settings"] = (*(ctx.params["settings"] if is_said else ()), *more)
        return rest


class GroupOfQueues(_SettingsFirst, click.Group):
    """A group of such commands."""

    def invoke(self, ctx: click.Context) -> Any:
        """Have its commands know the settings that were named before them."""
        if ctx.get_parameter_source("settings") is ParameterSource.COMMANDLINE:
            ctx.meta[__name__] = ctx.params["settings"]
        return super().invoke(ctx)


def loaded(settings: Sequence[str]) -> list[Any]:
    """Import worker settings.

    Raises:
        UsageError: there are none, or none of this name.
    """
    context = click.get_current_context()
    before = context.meta.get(__name__, ())
    if before and context.get_parameter_source("settings") is not ParameterSource.COMMANDLINE:
        settings = before
    paths = named(settings)
    if not paths:
        raise click.UsageError(
            f"which queues? Name worker settings first, app.worker.WorkerSettings, or {HOW_TO_NAME}", context
        )
    return [load_in_words(path) for path in dict.fromkeys(paths)]


def _are_named(ctx: click.Context, args: Sequence[str]) -> bool:
    """Whether an option names settings, here or before the subcommand."""
    before = args[: args.index("--")] if "--" in args else args
    return bool(ctx.meta.get(__name__)) or any(
        arg.startswith("--settings") or re.match("-s([^-]|$)", arg) for arg in before
    )


def could_be_settings(word: str) -> str:
    """The path of the settings that a word could mean, too, as its module has them; empty for none."""
    if not _says_so_itself(word):
        return ""
    return word.replace(":", ".") if ":" in word else f"{word}.{CUSTOMARY}"


def _says_so_itself(word: str) -> bool:
    """Whether a word is `module:Class`, or a module, and the file of that module tells of such settings."""
    are_named()  # from here on modules are found where they are looked for when settings are loaded
    if told := _WITH_COLON.fullmatch(word):
        return defines(*told.groups())
    return _ONE_WORD.fullmatch(word) is not None and defines(word)


def _may_be_settings(path: str) -> bool:
    """Whether a path is to be taken for settings: it can be imported, or nothing else names any."""
    if not are_named():
        return True
    try:
        return importlib.util.find_spec(path.partition(".")[0]) is not None
    except (ImportError, ValueError):
        return False
