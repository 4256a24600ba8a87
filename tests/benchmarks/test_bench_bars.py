from __future__ import annotations

from benchmarks.bars import Bar, all_held, judge
from benchmarks.rounds import Results


def results_of(**systems: dict[str, float | list[float]]) -> Results:
    results = Results()
    for name, figures in systems.items():
        results.add(name, figures)
    return results


def bar_about(text: str, results: Results, *, is_redis_7: bool = True) -> Bar:
    (bar,) = (bar for bar in judge(results, is_redis_7=is_redis_7, server="valkey 9") if text in bar.text)
    return bar


def test_bar_is_cleared_by_enough_times_the_peer():
    """Twenty times arq's rate clears the bar of twenty, a little less does not."""
    enough = results_of(arqlite={"rate": 60_000.0}, arq={"rate": 3_000.0})
    less = results_of(arqlite={"rate": 59_000.0}, arq={"rate": 3_000.0})

    assert bar_about("100 slots", enough).verdict == "PASS"
    assert bar_about("100 slots", less).verdict == "FAIL"


def test_rivals_count_at_their_better_setting():
    """A peer that is faster with 10 slots is compared at 10, even with our 100."""
    results = results_of(
        arqlite={"rate": 50_000.0},
        saq={"rate": 2_000.0, "drain10.rate": 4_000.0},
        streaq={"rate": 1_000.0},
    )

    bar = bar_about("best of saq", results)

    assert bar.measured is not None
    assert (bar.measured.median, bar.verdict) == (12.5, "FAIL")


def test_missing_peer_is_named():
    """A peer that could not be measured stands beside the verdict; it is never dropped silently."""
    results = results_of(arqlite={"rate": 60_000.0}, huey={"rate": 7_000.0})

    assert "missing: dramatiq" in bar_about("dramatiq, huey", results).note


def test_unmeasured_bar_neither_passes_nor_fails():
    """What was not measured says so, and does not fail a strict run."""
    judged = judge(Results(), is_redis_7=True, server="redis 7")

    assert {bar.verdict for bar in judged} == {"not measured"}
    assert all_held(judged)


def test_memory_on_another_server_says_so():
    """The memory bar is meant for Redis 7; a figure of another server is marked."""
    results = results_of(arqlite={"queued_bytes": 200.0})

    assert "valkey 9" in bar_about("memory", results, is_redis_7=False).note


def test_percentiles_come_from_all_rounds_together():
    """Latencies of all rounds stand in one list, and one slow job in a thousand does not move the p99."""
    results = results_of(arqlite={"pickup_ms": [0.7] * 500})
    results.add("arqlite", {"pickup_ms": [0.7] * 499 + [80.0]})

    bar = bar_about("p99", results)

    assert (bar.measured is not None and bar.measured.median, bar.verdict) == (0.7, "PASS")


def test_limits_may_cost_a_share_of_the_plain_drain():
    """With hooks and both limits on, 60 % of the plain drain clears the bar and less does not."""
    enough = results_of(**{"arqlite": {"rate": 10_000.0}, "arqlite limits": {"rate": 6_000.0}})
    less = results_of(**{"arqlite": {"rate": 10_000.0}, "arqlite limits": {"rate": 5_900.0}})

    assert bar_about("share of the plain", enough).verdict == "PASS"
    assert bar_about("share of the plain", less).verdict == "FAIL"


def test_claims_are_judged_on_both_sides_and_on_the_server_alone():
    """A deep backlog may slow the script down, and a claim as a whole by three tenths."""
    results = results_of(
        arqlite={
            "claim_depth": 1_000_000, "claim_shallow_us": 3.0, "claim_deep_us": 4.8,
            "claim_shallow_whole_us": 6.0, "claim_deep_whole_us": 8.1,
        }
    )  # fmt: skip

    assert bar_about("the server's script alone", results).verdict == "PASS"
    assert bar_about("server and worker", results).verdict == "FAIL"
