"""The bars that arqlite has to clear, and whether it did."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Literal

from .catalogue import OUR_LIMITED, OUR_OWN
from .ledgers import BEHIND, BEHIND_SQLITE, PGQUEUER, STRICT, STRICT_SQLITE
from .rounds import Results
from .stats import Spread, percentile, ratio, spread

Verdict = Literal["PASS", "FAIL", "not measured"]

FINAL = "ledger.final"
"""The rate until the last row is final in SQL."""


@dataclass(frozen=True)
class Bar:
    """One requirement and what was measured against it.

    Attributes:
        text: the requirement.
        limit: the bar.
        at_least: whether more is better.
        measured: the figure with its spread over the rounds, None when it is missing.
        unit: how the figure is written.
        note: what a reader has to know beside it.
    """

    text: str
    limit: float
    at_least: bool
    measured: Spread | None
    unit: str
    note: str = ""

    @property
    def verdict(self) -> Verdict:
        if self.measured is None:
            return "not measured"
        held = self.measured.median >= self.limit if self.at_least else self.measured.median <= self.limit
        return "PASS" if held else "FAIL"


def judge(results: Results, *, is_redis_7: bool, server: str) -> list[Bar]:
    """Hold the results against every bar, the project's first, then the engine design's own."""
    memory_note = "" if is_redis_7 else f"measured on {server}; the bar is meant for Redis 7"
    return [
        _times(results, "drain, 100 slots: times arq at its best", "rate", ["arq"], 20),
        _times(results, "drain, 10 slots: times arq at its best", "drain10.rate", ["arq"], 8),
        _times(
            results,
            "drain: times the best of saq, streaq, taskiq",
            "rate",
            ["saq", "streaq", "taskiq", "taskiq list"],
            15,
            or_figure="drain10.rate",
        ),
        _times(results, "drain: times the best of dramatiq, huey", "rate", ["dramatiq", "huey"], 6),
        _times(results, "enqueue in bulk: times arq", "bulk", ["arq"], 10),
        _most(results, "pickup latency, p50", "pickup_ms", 1.5, "ms", lambda v: percentile(v, 0.5)),
        _most(results, "pickup latency, p99", "pickup_ms", 5, "ms", lambda v: percentile(v, 0.99)),
        _most(
            results,
            "lateness of 2,000 jobs due at once, median",
            "late_ms",
            150,
            "ms",
            lambda v: percentile(v, 0.5),
        ),
        _most(results, "round trips per drained job", "round_trips", 0.1, ""),
        _most(results, "commands per second of an idle worker", "idle_commands", 3, "/s"),
        _most(results, "server memory per queued small job", "queued_bytes", 350, "B", note=memory_note),
        _claim_as_worker(results),
        _share_of_plain(results),
        _claim_growth(results),
        _share_of_floor(results),
        _times(results, "design: enqueue, 32 callers: times arq", "callers", ["arq"], 7),
        _most(results, "design: client CPU per drained job", "client_cpu_us", 12, "µs"),
        _most(results, "design: server CPU per drained job", "server_cpu_us", 4, "µs"),
    ]


def judge_ledger(results: Results) -> list[Bar]:
    """Hold the results against the bars of the ledger: rates until the last row is final in SQL."""
    return [
        _best_share(results, "with a ledger: share of the drain without", [BEHIND, BEHIND_SQLITE], 40),
        _best_share(results, "with a strict ledger: share of the drain without", [STRICT, STRICT_SQLITE], 25),
        _times_in_sql(results, "PostgreSQL: times pgqueuer at its best", [*PGQUEUER], 1.5),
        _times_in_sql(results, "PostgreSQL: times oban", ["oban"], 8),
        _times_in_sql(results, "PostgreSQL: times procrastinate", ["procrastinate"], 20),
    ]


def _times_in_sql(results: Results, text: str, peers: list[str], limit: float) -> Bar:
    """Compare with the fastest peer; beside it stands the strict ledger, which commits as durably as they."""
    bar = _times(results, text, FINAL, peers, limit, ours=BEHIND)
    strict = _times(results, text, FINAL, peers, limit, ours=STRICT).measured
    told = [bar.note, f"{STRICT}: {strict.median:.2f} x" if strict else ""]
    return replace(bar, note="; ".join(filter(None, told)))


def _best_share(results: Results, text: str, names: list[str], limit: float) -> Bar:
    """Compare the better of two databases with the drain that keeps no rows, in % of the same round."""
    plain = results.of(OUR_OWN, FINAL)
    shares = {name: ratio(values, plain) for name in names if plain and (values := results.of(name, FINAL))}
    if not shares:
        return Bar(text, limit, at_least=True, measured=None, unit="%")
    best = max(shares, key=lambda name: shares[name].median)
    note = "; ".join(f"{name} {share.median:.0%}" for name, share in shares.items())
    return Bar(text, limit, at_least=True, measured=_percent(shares[best]), unit="%", note=note)


def _times(
    results: Results,
    text: str,
    figure: str,
    peers: list[str],
    limit: float,
    or_figure: str | None = None,
    ours: str = OUR_OWN,
) -> Bar:
    """Compare with the fastest peer; with `or_figure` in the better of its two settings."""
    own = results.of(ours, figure)
    figures = [figure] if or_figure is None else [figure, or_figure]
    rivals = {(peer, one): values for peer in peers for one in figures if (values := results.of(peer, one))}
    if not own or not rivals:
        return Bar(text, limit, at_least=True, measured=None, unit="x")
    best = max(rivals, key=lambda rival: spread(rivals[rival]).median)
    notes = []
    if len(peers) > 1:
        notes.append(f"best: {best[0]}" + (" at its better 10 slots" if best[1] == or_figure else ""))
    if missing := [peer for peer in peers if not any(rival[0] == peer for rival in rivals)]:
        notes.append(f"missing: {', '.join(missing)}")
    return Bar(text, limit, at_least=True, measured=ratio(own, rivals[best]), unit="x", note="; ".join(notes))


def _most(
    results: Results,
    text: str,
    figure: str,
    limit: float,
    unit: str,
    reduce: Callable[[list[float]], float] | None = None,
    note: str = "",
) -> Bar:
    values = results.of(OUR_OWN, figure)
    if values and reduce:
        values = [reduce(values)]
    return Bar(text, limit, at_least=False, measured=spread(values) if values else None, unit=unit, note=note)


def _claim_as_worker(results: Results) -> Bar:
    return _claim(results, "claim cost, server and worker", "_whole_us", "CPU of both", 1.3)


def _claim_growth(results: Results) -> Bar:
    return _claim(results, "claim cost, the server's script alone", "_us", "server", 2.5)


def _claim(results: Results, text: str, figure: str, where: str, limit: float) -> Bar:
    """Compare a claim from a deep backlog with one from a shallow one."""
    deep, shallow = (results.of(OUR_OWN, f"claim_{backlog}{figure}") for backlog in ("deep", "shallow"))
    depth = results.of(OUR_OWN, "claim_depth")
    if depth:
        text += f": {depth[0]:,.0f} queued against 1,000"
    measured = ratio(deep, shallow) if deep and shallow else None
    note = f"{where} {shallow[0]:.2f} -> {deep[0]:.2f} µs per job" if measured else ""
    if depth and depth[0] < 1_000_000:
        note += "; the bar is meant for 1,000,000"
    return Bar(text, limit, at_least=False, measured=measured, unit="x", note=note)


def _share_of_plain(results: Results) -> Bar:
    """Compare the drain with everything on that counts each job with that of the same round without."""
    limited, plain = results.of(OUR_LIMITED, "rate"), results.of(OUR_OWN, "rate")
    text = "drain with hooks, global limit and rate limit: share of the plain one"
    measured = ratio(limited, plain) if limited and plain else None
    return Bar(text, 0.6, at_least=True, measured=measured, unit="x")


def _share_of_floor(results: Results) -> Bar:
    ours, floor = results.of(OUR_OWN, "rate"), results.of("floor", "rate")
    measured = None
    if ours and floor:
        measured = _percent(ratio(ours, floor))
    return Bar("design: drain, share of the floor", 40, at_least=True, measured=measured, unit="%")


def _percent(share: Spread) -> Spread:
    return Spread(share.median * 100, share.low * 100, share.high * 100)


def all_held(bars: Iterable[Bar]) -> bool:
    """Tell whether nothing that was measured failed."""
    return all(bar.verdict != "FAIL" for bar in bars)
