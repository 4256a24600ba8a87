"""The results as tables that read well in a terminal and in Markdown alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .bars import Bar
from .catalogue import OUR_OWN, System
from .ledgers import BEHIND
from .measures.accept import PREFIX as ACCEPT
from .measures.features import PREFIX as FEATURE
from .measures.features import SERVER as ON_SERVER
from .measures.where import PREFIX
from .rounds import Results
from .stats import Spread, percentile, ratio, spread

DASH = "–"
FUNCTIONS_SHOWN = 20


def render(results: Results, systems: Sequence[System], bars: Sequence[Bar], setting: dict[str, str]) -> str:
    """Write the whole report."""
    names = [system.name for system in systems]
    parts = [
        "## The bars\n\n" + _bars(bars),
        *_figures(results, names),
        "## What was compared\n\n"
        + _table(["system", "configuration"], [[s.name, s.setup] for s in systems]),
        "## What it ran on\n\n" + _table(["", ""], [[key, value] for key, value in setting.items()]),
    ]
    if results.failures:
        parts.append(
            "## Not measured\n\n" + "\n".join(f"- {_one_line(failure)}" for failure in results.failures)
        )
    return "\n\n".join(parts) + "\n"


def _figures(results: Results, names: Sequence[str]) -> list[str]:
    tables = [
        ("Drain of no-op jobs, results kept (jobs/s)", _drain(results, names)),
        ("Cost per drained job, 100 slots", _cost(results, names)),
        ("Enqueue of a small job (jobs/s)", _enqueue(results, names)),
        ("Drain of no-op jobs, a row for each (jobs/s)", _ledger(results, names)),
        ("Enqueue of a small job with its row (jobs/s)", _accepted(results, names)),
        ("Latency (ms)", _latency(results, names)),
        ("Standing costs", _standing(results, names)),
        ("What a feature costs a job that uses it", _features(results)),
        ("Where arqlite's worker spends its time per drained job", _where(results)),
    ]
    return [f"## {title}\n\n{table}" for title, table in tables if table]


def _bars(bars: Sequence[Bar]) -> str:
    rows = []
    for bar in bars:
        bound = f"{'>=' if bar.at_least else '<='} {bar.limit:g} {bar.unit}".strip()
        measured = f"{_ranged(bar.measured)} {bar.unit}".strip() if bar.measured else DASH
        rows.append([bar.text, bound, measured, bar.verdict, bar.note])
    return _table(["bar", "demanded", "measured (range over rounds)", "verdict", "note"], rows)


def _drain(results: Results, names: Sequence[str]) -> str:
    rows = []
    for name in names:
        row = [name]
        for figure in ("rate", "drain10.rate"):
            values = results.of(name, figure)
            row += [_ranged(spread(values)) if values else DASH, _our_times(results, name, figure)]
        rows.append(row)
    return _table(["system", "100 slots", "arqlite is", "10 slots", "arqlite is"], rows)


def _cost(results: Results, names: Sequence[str]) -> str:
    figures = ("client_cpu_us", "server_cpu_us", "commands", "round_trips", "bytes")
    head = [
        "system",
        "client CPU µs",
        "server CPU µs",
        "commands (in scripts too)",
        "round trips",
        "bytes in + out",
    ]
    return _table(head, [[name, *(_median(results, name, figure) for figure in figures)] for name in names])


def _enqueue(results: Results, names: Sequence[str]) -> str:
    rows = []
    for name in names:
        row = [name]
        for figure in ("single", "callers", "bulk"):
            row += [_median(results, name, figure), _our_times(results, name, figure)]
        rows.append(row)
    head = ["system", "one by one", "arqlite is", "32 callers", "arqlite is", "in bulk", "arqlite is"]
    return _table(head, rows)


def _ledger(results: Results, names: Sequence[str]) -> str:
    """List how fast rows become final: as a share of arqlite without any, and against arqlite with them."""
    rows = []
    for name in names:
        final = results.of(name, "ledger.final")
        rows.append(
            [
                name,
                *(
                    _ranged(spread(values)) if (values := results.of(name, figure)) else DASH
                    for figure in ("ledger.rate", "ledger.final")
                ),
                _share_of_plain(results, final),
                _our_times(results, name, "ledger.final", ours=BEHIND),
                *(
                    _median(results, name, f"ledger.{figure}")
                    for figure in ("lag_ms", "client_cpu_us", "database_cpu_us")
                ),
            ]
        )
    head = ["system", "until acknowledged", "until its last row is final", "of the rate without rows"]
    head += [f"{BEHIND} is", "rows behind, ms", "worker CPU µs per job", "database CPU µs"]
    return _table(head, rows)


def _share_of_plain(results: Results, values: list[float]) -> str:
    plain = results.of(OUR_OWN, "ledger.final")
    return f"{ratio(values, plain).median:.0%}" if values and plain else DASH


def _accepted(results: Results, names: Sequence[str]) -> str:
    figures = [f"{ACCEPT}{how}" for how in ("single", "callers", "bulk")]
    head = ["system", "one by one", "32 callers", "in bulk"]
    return _table(head, [[name, *(_median(results, name, figure) for figure in figures)] for name in names])


def _latency(results: Results, names: Sequence[str]) -> str:
    reducers: list[tuple[str, Callable[[list[float]], float]]] = [
        ("pickup_ms", lambda values: percentile(values, 0.5)),
        ("pickup_ms", lambda values: percentile(values, 0.99)),
        ("late_ms", min),
        ("late_ms", lambda values: percentile(values, 0.5)),
        ("late_ms", lambda values: percentile(values, 0.99)),
        ("late_ms", max),
    ]
    rows = []
    for name in names:
        cells = [(results.of(name, figure), reduce) for figure, reduce in reducers]
        rows.append([name, *(_number(reduce(values)) if values else DASH for values, reduce in cells)])
    head = ["system", "pickup p50", "p99", "2,000 due at once: first", "median", "p99", "last"]
    return _table(head, rows)


def _standing(results: Results, names: Sequence[str]) -> str:
    figures = ("idle_commands", "idle_round_trips", "idle_server_cpu", "queued_bytes")
    head = [
        "system",
        "idle commands/s",
        "idle round trips/s",
        "idle server CPU %",
        "bytes per queued small job",
    ]
    return _table(head, [[name, *(_median(results, name, figure) for figure in figures)] for name in names])


def _features(results: Results) -> str:
    """List what each feature adds; the first row is what a job costs without any."""
    found = results.values.get(OUR_OWN, {})
    names = [figure.removeprefix(FEATURE) for figure in found if figure.startswith(FEATURE)]
    figures = [(name, FEATURE + name, ON_SERVER + name) for name in names]
    rows = [[name, *(_median(results, OUR_OWN, figure) for figure in both)] for name, *both in figures]
    return _table(["feature", "client CPU µs it adds per job", "server CPU µs"], rows)


def _where(results: Results) -> str:
    """List the functions that take most, and everything else in one row."""
    found = {
        figure.removeprefix(PREFIX): values[0]
        for figure, values in results.values.get(OUR_OWN, {}).items()
        if figure.startswith(PREFIX)
    }
    total = sum(found.values())
    rows = sorted(found.items(), key=lambda row: -row[1])
    shown = rows[:FUNCTIONS_SHOWN]
    if rest := sum(us for _, us in rows[FUNCTIONS_SHOWN:]):
        shown.append(("everything else", rest))
    head = ["function (what C does for it included)", "client CPU µs", "share"]
    return _table(head, [[name, _number(us), f"{us / total:.0%}"] for name, us in shown])


def _our_times(results: Results, name: str, figure: str, ours: str = OUR_OWN) -> str:
    own, theirs = results.of(ours, figure), results.of(name, figure)
    if name == ours or not own or not theirs:
        return DASH
    return f"{_number(ratio(own, theirs).median)}x"


def _median(results: Results, name: str, figure: str) -> str:
    values = results.of(name, figure)
    return _number(spread(values).median) if values else DASH


def _ranged(value: Spread) -> str:
    if value.low == value.high:
        return _number(value.median)
    return f"{_number(value.median)} ({_number(value.low)}..{_number(value.high)})"


def _number(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.3f}"


def _one_line(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= 300 else f"{words[:80]} [...] {words[-200:]}"


def _table(head: list[str], rows: list[list[str]]) -> str:
    """Lay out a table; rows without a figure are left out, and so is a table without rows."""
    rows = [row for row in rows if any(cell != DASH for cell in row[1:])]
    if not rows:
        return ""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in [head, *rows]
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])
