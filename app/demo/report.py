"""The summary on the screen."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from app.demo.export import amount_of, place
from app.demo.summary import Summary
from app.demo.words import STYLES, icon, money, one_line, outcome, plural, span

SHOWN_TRANSACTIONS = 12
SHOWN_UNREADABLE = 10


def report(console: Console, summary: Summary, *, stays: bool, cwd: Path) -> None:
    """Print what happened and where to look.

    Args:
        console: where to.
        summary: what happened.
        stays: whether everything keeps running after this.
        cwd: where the person stands; paths below it are shown relative to it.
    """
    console.print()
    _print_jobs(console, summary)
    console.print()
    _print_mail(console, summary)
    _print_transactions(console, summary)
    _print_places(console, summary, cwd)
    _print_next(console, summary, stays=stays)


def short(path: Path, cwd: Path) -> str:
    """A path as the person in `cwd` would type it."""
    for start, sign in ((cwd, ""), (Path.home(), "~/")):
        if path.is_relative_to(start) and path != start:
            return f"{sign}{path.relative_to(start)}"
    return str(path)


def _print_jobs(console: Console, summary: Summary) -> None:
    grid = Table.grid(padding=(0, 2, 0, 0))
    for justify in ("left", "left", "left", "left", "right", "left"):
        grid.add_column(justify=justify)  # type: ignore[arg-type]  # rich's Literal, widened by the tuple
    for job in summary.jobs:
        grid.add_row(
            icon(job),
            Text(job.title, style="bold"),
            Text(f"{job.queue} queue", style="dim"),
            Text(job.status, style=STYLES[job.status]),
            Text(span(job.seconds)),
            Text(outcome(job)),
        )
    console.print(Padding(grid, (0, 0, 0, 2)))


def _print_mail(console: Console, summary: Summary) -> None:
    if not (fetch := summary.output_of("EMAIL_FETCH")):
        return
    fetched, saved = fetch["fetched_count"], fetch["saved_count"]
    unreadable = fetch["unreadable_count"]
    if not fetched and not unreadable:
        said = f"No messages in {summary.mailbox}: is it a folder of .eml files, an mbox file or a Maildir?"
    elif saved:
        said = f"{plural(saved, 'new e-mail')} saved."
        if others := max(fetched - saved - unreadable, 0):
            said += f" {plural(others, 'message is a copy', 'messages are copies')} or known from an earlier run."
    else:
        said = "0 new e-mails: all that can be read in this mailbox was saved by an earlier run."
    console.print(Padding(Text(said), (0, 0, 0, 2)))
    if unreadable:
        console.print(Padding(Text(f"{plural(unreadable, 'message')} could not be read:"), (0, 0, 0, 2)))
        _print_unreadable(console, summary, unreadable)


def _print_unreadable(console: Console, summary: Summary, count: int) -> None:
    grid = Table.grid(padding=(0, 2, 0, 0))
    for message in summary.unreadable[:SHOWN_UNREADABLE]:
        grid.add_row(
            Text(one_line(place(summary.mailbox, message["source"])), style="bold"),
            Text(one_line(message["reason"])),
        )
    if (rest := count - SHOWN_UNREADABLE) > 0:
        grid.add_row(Text(f"… and {rest} more: --json FILE names them", style="dim"))
    console.print(Padding(grid, (0, 0, 0, 4)))


def _print_transactions(console: Console, summary: Summary) -> None:
    known = len(summary.transactions)
    if not summary.output_of("EMAIL_EXTRACTION"):
        return
    new = summary.output_of("EMAIL_EXTRACTION")["transaction_count"]
    said = f"{plural(known, 'transaction')} in this mailbox" + (f", {new} new:" if known != new else ":")
    console.print(Padding(Text(said if known else "No transactions in this mailbox."), (0, 0, 1, 2)))
    if not known:
        return
    latest = sorted(summary.transactions, key=lambda item: item["date"] or "", reverse=True)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("date", no_wrap=True)
    table.add_column("merchant", no_wrap=True, overflow="ellipsis", max_width=30)
    table.add_column("amount", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("category", no_wrap=True, overflow="ellipsis", max_width=16)
    table.add_column("message", no_wrap=True, overflow="ellipsis", max_width=36)
    for transaction in latest[:SHOWN_TRANSACTIONS]:
        table.add_row(*_cells(summary, transaction))
    console.print(Padding(table, (0, 0, 0, 4)))
    if (rest := known - SHOWN_TRANSACTIONS) > 0:
        console.print(
            Padding(Text(f"… and {rest} more: --transactions FILE writes them all", style="dim"), (0, 0, 0, 4))
        )


def _cells(summary: Summary, transaction: Mapping[str, Any]) -> list[Text]:
    amount = money(amount_of(transaction), transaction["currency"])
    is_income = transaction["direction"] == "credit"
    source = transaction["sources"][0] if transaction["sources"] else ""
    return [
        Text(transaction["date"] or "?"),
        Text(one_line(transaction["merchant"] or "?")),
        Text(f"+{amount}" if is_income and amount else amount, style="green" if is_income else ""),
        Text(one_line(transaction["currency"] or "")),
        Text(one_line(transaction["category"] or ""), style="dim"),
        Text(one_line(place(summary.mailbox, source)), style="dim"),
    ]


def _print_places(console: Console, summary: Summary, cwd: Path) -> None:
    places = summary.places
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="bold", width=12)
    grid.add_column(overflow="fold")
    grid.add_row("API", Text(f"{places.api}   (docs: {places.docs})"))
    grid.add_row("data", Text(short(places.data_dir, cwd)))
    grid.add_row("database", Text(short_url(places.database, cwd)))
    for name, log in places.logs.items():
        grid.add_row(f"{name} log" if name == next(iter(places.logs)) else "", Text(short(log, cwd)))
    console.print()
    console.print(Padding(grid, (0, 0, 0, 2)))


def _print_next(console: Console, summary: Summary, *, stays: bool) -> None:
    console.print()
    if not stays:
        steps = [
            ("scripts/demo", "the same, and it keeps running: open the API's docs in a browser"),
            ("scripts/demo --mailbox PATH", "your own mail: a folder of .eml files, an mbox file, a Maildir"),
            ("docs/internals.md", "how a job flows"),
        ]
    else:
        api = summary.places.api
        steps = [
            (f"{summary.places.docs}", "try the API in a browser"),
            (f"curl -X POST {api}/api/v1/jobs/trigger/sample", "one more job"),
            (f"curl {api}/api/v1/jobs", "the ledger: a row for every job"),
        ]
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="bold", width=12)
    for number, (what, why) in enumerate(steps):
        grid.add_row("next" if number == 0 else "", Text(what, style="cyan"), Text(why, style="dim"))
    console.print(Padding(grid, (0, 0, 0, 2)))
    console.print()


def short_url(url: str, cwd: Path) -> str:
    """A database's URL; of an SQLite file just its path."""
    scheme, _, path = url.partition(":///")
    return short(Path(path), cwd) if scheme.startswith("sqlite") and path else url
