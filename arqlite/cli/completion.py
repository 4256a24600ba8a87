"""`arqlite completion`: what has a shell complete arqlite's words."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

_VARIABLE = "_ARQLITE_COMPLETE"


@click.command(
    epilog='bash: eval "$(arqlite completion bash)" in ~/.bashrc; zsh: the same with zsh in ~/.zshrc;'
    " fish: arqlite completion fish > ~/.config/fish/completions/arqlite.fish"
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print what has a shell complete arqlite's words."""
    made = get_completion_class(shell)
    assert made is not None  # noqa: S101 (click has one for each of these)
    source = made(ctx.find_root().command, {}, "arqlite", _VARIABLE)
    # Not its `source()`, which asks the shell for its version: this may be run where there is none.
    click.echo(source.source_template % source.source_vars())
