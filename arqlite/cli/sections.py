"""The commands in the sections of their help; none is imported before it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module

import click
from click.shell_completion import CompletionItem

from ..model.slips import meant

_LAST = "Setup"
_NEARLY = 0.7


@dataclass(frozen=True, slots=True)
class Entry:
    """A command that is not imported yet.

    Attributes:
        module: the module of this package that makes it.
        name: what it is called there.
        summary: the first sentence of its help.
    """

    module: str
    name: str
    summary: str


class Sections(click.Group):
    """A group whose commands are listed in sections, and imported when they are asked for.

    Args:
        sections: the commands by their names, in sections by their titles. What is added by `add_command`
            comes at the end of the last one.
    """

    def __init__(self, *, sections: Mapping[str, Mapping[str, Entry]], **attributes: object) -> None:
        super().__init__(**attributes)  # type: ignore[arg-type] # click's own, as they came
        self.sections = sections
        self.entries = {name: entry for section in sections.values() for name, entry in section.items()}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name all commands, section by section."""
        return [*self.entries, *(name for name in super().list_commands(ctx) if name not in self.entries)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; None if there is none of this name."""
        if cmd_name not in self.commands and cmd_name in self.entries:
            entry = self.entries[cmd_name]
            self.add_command(getattr(import_module(f".{entry.module}", __package__), entry.name), cmd_name)
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what each command does, section by section."""
        added = {
            name: command.get_short_help_str()
            for name, command in self.commands.items()
            if name not in self.entries and not command.hidden
        }
        width = max(len(name) for name in self.list_commands(ctx))
        for title, entries in self.sections.items():
            rows = [(name.ljust(width), entry.summary) for name, entry in entries.items()]
            if title == _LAST:
                rows += [(name.ljust(width), summary) for name, summary in added.items()]
            with formatter.section(title):
                formatter.write_dl(rows)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Name the commands that begin so, without an import of them."""
        named = [
            CompletionItem(name, help=entry.summary)
            for name, entry in self.entries.items()
            if name.startswith(incomplete)
        ]
        return named + [item for item in super().shell_complete(ctx, incomplete) if item.type != "plain"]


class WorkerFirst(Sections):
    """A group whose subcommand may be left out: what is no subcommand is a worker's settings.

    A word that can be no settings either is told as a command that there is not.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the `worker` subcommand where arq's users have none."""
        own_options = {"--help", "-V", "--version"}
        if args and args[0] not in self.list_commands(ctx) and args[0] not in own_options:
            if not ctx.resilient_parsing:  # a shell completes what comes later, and wants no errors
                self._refuse_unknown(ctx, args[0])
            args = ["worker", *args]
        return super().parse_args(ctx, args)

    def _refuse_unknown(self, ctx: click.Context, word: str) -> None:
        """A word without a dot is no path: it is a module, or a command that there is not."""
        from .loading import no_module  # here, for the help needs none of it
        from .modules import may_be_module

        if "." in word:
            return
        commands = self.list_commands(ctx)
        if hint := meant(word, commands, {}, _NEARLY):
            raise click.UsageError(f"there is no command {word!r}; {hint}", ctx)
        if ":" in word or word.startswith("-") or may_be_module(word):
            return
        why = no_module(word, meant(word, commands, {}))
        raise click.UsageError(f"there is no command {word!r}, nor such settings: {why}", ctx)
