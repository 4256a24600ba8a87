"""The summary on the screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from app.demo.client import Ledger
from app.demo.export import amount_of, place
from app.demo.summary import Summary
from app.demo.words import STYLES, icon, money, one_line, outcome, plural, span

SHOWN_TRANSACTIONS = 12
SHOWN_UNREADABLE = 10

_TITLES = ("date", "merchant", "amount", "", "category", "message")
_GAP = 2
# Which column gives way where there is no room, and how short it may become.
_CUT_IN_THIS_ORDER = ((5, 20), (1, 16), (4, 8), (5, 8), (1, 8))


def report(console: Console, summary: Summary, *, stays: bool, cwd: Path) -> None:
    """Print what happened and where to look.

    Args:
        console: where to.
        summary: what happened.
        stays: whether everything keeps running after this.
        cwd: where the person stands; paths below it are shown relative to it.
    """
    _print_jobs(console, summary)
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
    grid = _grid()
    for job in summary.jobs:
        grid.add_row(
            icon(job),
            Text(job.title, style="bold"),
            Text(f"{job.queue} queue", style="dim"),
            Text(job.status, style=STYLES[job.status]),
            Text(f"{span(job.seconds):>7}"),
            Text(outcome(job)),
        )
    _put(console, grid)


def _print_mail(console: Console, summary: Summary) -> None:
    if not (fetch := summary.output_of("EMAIL_FETCH")):
        return
    _put(console, Text(_said_of_mail(summary, fetch)))
    if not (unreadable := fetch["unreadable_count"]):
        return
    grid = _grid()
    for message in summary.unreadable[:SHOWN_UNREADABLE]:
        file = one_line(place(summary.mailbox, message["source"]))
        grid.add_row(Text(file, style="bold"), Text(one_line(message["reason"])))
    _put(console, Text(f"{plural(unreadable, 'message')} could not be read:"), above=False)
    _put(console, grid, indent=4, above=False)
    if (rest := unreadable - SHOWN_UNREADABLE) > 0:
        _put(console, Text(f"… and {rest} more: --json FILE names them", style="dim"), indent=4, above=False)


def _said_of_mail(summary: Summary, fetch: Mapping[str, Any]) -> str:
    fetched, saved, unreadable = fetch["fetched_count"], fetch["saved_count"], fetch["unreadable_count"]
    if not fetched and not unreadable:
        return f"No messages in {summary.mailbox}: is it a folder of .eml files, an mbox file or a Maildir?"
    if not saved:
        return "0 new e-mails saved: an earlier run saved all that can be read in this mailbox."
    said = f"{plural(saved, 'new e-mail')} saved."
    if (others := fetched - saved - unreadable) > 0:
        said += f" {plural(others, 'message is a copy', 'messages are copies')} or known from an earlier run."
    return said


def _print_transactions(console: Console, summary: Summary) -> None:
    if not (extraction := summary.output_of("EMAIL_EXTRACTION")):
        return
    known, new = len(summary.transactions), extraction["transaction_count"]
    if not known:
        _put(console, Text("No transactions in this mailbox."))
        return
    of_them = f", {new} of them new" if new != known else ""
    _put(console, Text(f"{plural(known, 'transaction')} in this mailbox{of_them}:"))
    latest = sorted(summary.transactions, key=lambda item: item["date"] or "", reverse=True)
    _put(console, _table(summary, latest[:SHOWN_TRANSACTIONS], room=console.width - 4), indent=4)
    if (rest := known - SHOWN_TRANSACTIONS) > 0:
        _put(
            console,
            Text(f"… and {rest} more: --transactions FILE writes them all", style="dim"),
            indent=4,
            above=False,
        )


def _table(summary: Summary, transactions: Sequence[Mapping[str, Any]], room: int) -> Table:
    """In a narrow terminal the words are cut, and never the figures."""
    rows = [_cells(summary, transaction) for transaction in transactions]
    columns = zip([Text(title) for title in _TITLES], *rows, strict=True)
    widths = [max(cell.cell_len for cell in column) for column in columns]
    left = room - sum(widths) - _GAP * len(widths)
    for number, least in _CUT_IN_THIS_ORDER:
        cut = min(max(-left, 0), max(widths[number] - least, 0))
        widths[number] -= cut
        left += cut
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="dim")
    for title, width in zip(_TITLES, widths, strict=True):
        justify: Literal["left", "right"] = "right" if title == "amount" else "left"
        table.add_column(title, justify=justify, no_wrap=True, overflow="ellipsis", width=width)
    for row in rows:
        table.add_row(*row)
    return table


def _cells(summary: Summary, transaction: Mapping[str, Any]) -> list[Text]:
    amount = money(amount_of(transaction), transaction["currency"])
    is_income = transaction["direction"] == "credit"
    source = transaction["sources"][0] if transaction["sources"] else ""
    return [
        Text(transaction["date"] or "–"),
        Text(one_line(transaction["merchant"] or "–")),
        Text(f"+{amount}" if is_income and amount else amount or "–", style="green" if is_income else ""),
        Text(one_line(transaction["currency"] or "")),
        Text(one_line(transaction["category"] or ""), style="dim"),
        Text(one_line(place(summary.mailbox, source)), style="dim"),
    ]


def _print_places(console: Console, summary: Summary, cwd: Path) -> None:
    places = summary.places
    grid = _grid()
    grid.add_row(_label("API"), Text(f"{places.api}   docs: {places.docs}"))
    grid.add_row(_label("dashboard"), Text(places.dashboard))
    grid.add_row(_label("ledger"), Text(_said_of_ledger(summary.ledger)))
    grid.add_row(_label("database"), Text(_short_url(places.database, cwd)))
    grid.add_row(_label("data"), Text(short(places.data_dir, cwd)))
    grid.add_row(_label("logs"), Text("\n".join(short(log, cwd) for log in places.logs.values())))
    _put(console, grid)


def _said_of_ledger(ledger: Ledger) -> str:
    ended = ", ".join(f"{count} {state}" for state, count in sorted(ledger.ended.items())) or "nothing ended"
    return f"a row for each job and each attempt; in 24 hours: {ended}, {ledger.open} open"


def _print_next(console: Console, summary: Summary, *, stays: bool) -> None:
    api = summary.places.api
    after_the_end = [
        ("scripts/demo", "the same, and it keeps running: try the API and the dashboard"),
        ("scripts/demo --mailbox PATH", "your own mail: a folder of .eml files, an mbox file, a Maildir"),
        ("docs/internals.md", "how a job flows"),
    ]
    while_it_runs = [
        (summary.places.docs, "try the API in a browser"),
        (f"curl -X POST {api}/api/v1/jobs/trigger/sample", "one more job"),
        (f"curl {api}/api/v1/jobs", "the ledger: a row for every job"),
    ]
    grid = _grid()
    for number, (what, why) in enumerate(while_it_runs if stays else after_the_end):
        grid.add_row(_label("" if number else "next"), Text(what, style="cyan"), Text(why, style="dim"))
    _put(console, grid)
    console.print()


def _put(console: Console, what: RenderableType, *, indent: int = 2, above: bool = True) -> None:
    """Print with a margin on the left, and by default with an empty line above."""
    if above:
        console.print()
    console.print(Padding(what, (0, 0, 0, indent), expand=False))


def _grid() -> Table:
    return Table.grid(padding=(0, 2, 0, 0))


def _label(text: str) -> Text:
    return Text(f"{text:<10}", style="bold")


def _short_url(url: str, cwd: Path) -> str:
    """A database's URL; of an SQLite file just its path."""
    scheme, _, path = url.partition(":///")
    return short(Path(path), cwd) if scheme.startswith("sqlite") and path else url
