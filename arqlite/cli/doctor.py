"""`arqlite doctor`: find what is wrong before it goes wrong."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .defaults import are_named
from .exits import FAILED, ending_in_words
from .hints import hint_of
from .operating import operate
from .output import output_option, tell_facts, tell_json
from .screen import printable
from .targets import OfSettings, all_settings
from .wording import many, size, span, tally

if TYPE_CHECKING:
    from ..console import LedgerInfo, ServerInfo, SystemInfo, Trouble
    from ..migration.findings import Finding

_SEVERITIES = ("error", "warning", "info")


@click.command(cls=OfSettings)
@all_settings
@click.option(
    "--production",
    is_flag=True,
    help="Also find what is fine for development only, and end with 1 on warnings, too.",
)
@click.option(
    "--from-arq", "from_arq", type=click.Path(exists=True, path_type=Path), metavar="PATH",
    help="Look through an application of arq, a folder or a file, for what arqlite does otherwise.",
)  # fmt: skip
@output_option()
@click.pass_context
def doctor(
    ctx: click.Context,
    settings: tuple[str, ...],
    production: bool,
    from_arq: Path | None,
    output: str,
) -> None:
    """Find what is wrong before it goes wrong.

    Looks at the servers, ledgers, queues and workers of SETTINGS, and says of each finding what to do. Ends
    with 1 when there is an error.

    With --from-arq nothing of the application is imported or run. Each finding `differs`, is for a person
    to `check`, or is just `info`; ends with 1 when something differs.
    """
    if from_arq is not None:
        _examine(from_arq, output)
    elif settings or are_named() or production or output == "json":
        _look(settings, production, output)
    else:
        click.echo(ctx.get_help())


def _look(settings: Sequence[str], production: bool, output: str) -> None:
    found = operate(settings, lambda console: console.system(production=production))
    troubles = sorted(found.troubles, key=lambda trouble: _SEVERITIES.index(trouble.severity))
    if output == "json":
        tell_json(found)
    else:
        tell_facts(_places(found))
        for trouble in troubles:
            _tell_trouble(trouble)
        counts = Counter(trouble.severity for trouble in troubles)
        told = [
            many(counts["error"], "error") if counts["error"] else "",
            many(counts["warning"], "warning") if counts["warning"] else "",
            f"{counts['info']} info" if counts["info"] else "",
        ]
        click.echo(", ".join(filter(None, told)) or "nothing found")
    bad = _SEVERITIES[: 2 if production else 1]
    if any(trouble.severity in bad for trouble in troubles):
        raise click.exceptions.Exit(FAILED)


def _places(found: SystemInfo) -> Iterator[tuple[str, str]]:
    for server in found.servers:
        yield server.server, _server(server)
    for ledger in found.ledgers:
        yield ledger.url, _ledger(ledger)
    for queue, leader in found.leaders.items():
        yield f"leader of {queue}", leader


def _server(server: ServerInfo) -> str:
    if server.error:
        return f"cannot be reached: {server.error}"
    most = f" of {size(server.most_memory)}" if server.most_memory else ""
    told = (
        f"{server.product} {server.version}", server.role, f"{size(server.memory)}{most}", server.policy,
        f"persistence {server.persistence or 'unknown'}", f"answers in {server.latency_ms:.1f}ms",
    )  # fmt: skip
    return ", ".join(filter(None, told))


def _ledger(ledger: LedgerInfo) -> str:
    if ledger.error:
        return f"cannot be used: {ledger.error}"
    told = (
        ledger.dialect, ledger.mode, f"revision {ledger.revision or 'none'}", f"{tally(ledger.rows)} rows",
        f"{span(ledger.lag)} behind" if ledger.lag else "", f"answers in {ledger.latency_ms:.1f}ms",
    )  # fmt: skip
    return ", ".join(filter(None, told))


def _tell_trouble(trouble: Trouble) -> None:
    about = f"{trouble.queue}, " if trouble.queue else ""
    click.echo(printable(f"{trouble.severity}: {trouble.text} ({about}{trouble.code})"))
    fix = trouble.fix
    if trouble.code == "redis-away" and (hint := hint_of(trouble.text)):
        fix = hint
    if fix:
        click.echo(printable(f"  -> {fix}"))


def _examine(application: Path, output: str) -> None:
    from ..migration.doctor import examine
    from ..migration.findings import Level

    with ending_in_words():
        found = examine(application)
    if output == "json":
        tell_json([finding.as_dict() for finding in found])
    else:
        _tell(found, application)
    if any(finding.level is Level.DIFFERS for finding in found):
        sys.exit(FAILED)


def _tell(found: list[Finding], where: Path) -> None:
    for finding in found:
        click.echo(str(finding))
    counts = Counter(finding.level.value for finding in found)
    told = ", ".join(f"{counts[level]} {level}" for level in ("differs", "check", "info") if counts[level])
    click.echo(f"{where}: {told or 'nothing found that differs'}")
