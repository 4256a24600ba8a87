"""`arqlite doctor`: find what is wrong before it goes wrong."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ..migration.findings import Finding


@click.command()
@click.option(
    "--from-arq", "from_arq", type=click.Path(exists=True, path_type=Path), metavar="PATH",
    help="Look through an application of arq, a folder or a file, for what arqlite does otherwise.",
)  # fmt: skip
@click.option(
    "-o", "--output", type=click.Choice(["text", "json"]), default="text", help="How to tell what was found."
)
@click.pass_context
def doctor(ctx: click.Context, from_arq: Path | None, output: str) -> None:
    """Find what is wrong before it goes wrong.

    With --from-arq nothing of the application is imported or run. Each finding `differs`, is for a person
    to `check`, or is just `info`; ends with 1 when something differs.
    """
    if from_arq is None:
        click.echo(ctx.get_help())
        return

    from ..migration.doctor import examine
    from ..migration.findings import Level

    found = examine(from_arq)
    if output == "json":
        click.echo(json.dumps([finding.as_dict() for finding in found], indent=2, ensure_ascii=False))
    else:
        _tell(found, from_arq)
    if any(finding.level is Level.DIFFERS for finding in found):
        sys.exit(1)


def _tell(found: list[Finding], where: Path) -> None:
    for finding in found:
        click.echo(str(finding))
    counts = Counter(finding.level.value for finding in found)
    told = ", ".join(f"{counts[level]} {level}" for level in ("differs", "check", "info") if counts[level])
    click.echo(f"{where}: {told or 'nothing found that differs'}")
