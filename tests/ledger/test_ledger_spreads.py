"""How long runs took and waited, in a few counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recorder_toys import START_MS, stopped

from arqlite import telemetry
from arqlite.ledger import Ledger, Recorder
from arqlite.ledger.accepting import AcceptedJob
from arqlite.ledger.spreads import added_up, as_text, bucket_of, middle_of, percentiles

BEGAN = datetime.fromtimestamp(START_MS / 1000, UTC)
ENGINES = pytest.mark.parametrize("engine", ["sqlite", "postgres", "psycopg"], indirect=True)


@given(st.integers(0, 2**45))
def test_time_is_told_to_within_an_eighth(ms: int) -> None:
    """The middle of a bucket is near to all times that it counts."""
    assert abs(middle_of(bucket_of(ms)) - ms) <= ms / 8


@given(st.integers(0, 2**45), st.integers(0, 2**45))
def test_longer_time_is_in_no_lower_bucket(one: int, other: int) -> None:
    """Buckets are in the order of times."""
    assert (bucket_of(one) <= bucket_of(other)) or one > other


def test_clock_that_was_set_back_counts_as_no_time() -> None:
    """A negative time is none."""
    assert bucket_of(-5) == 0


def test_percentiles_of_known_times() -> None:
    """Of a hundred times from 1 to 100 ms the percentiles are where they should be."""
    counts: dict[int, int] = {}
    for ms in range(1, 101):
        counts[bucket_of(ms)] = counts.get(bucket_of(ms), 0) + 1

    median, p95, p99 = percentiles(counts)

    assert (median, p95, p99) == (
        pytest.approx(50, rel=0.13),
        pytest.approx(95, rel=0.13),
        pytest.approx(99, rel=0.13),
    )


def test_nothing_has_no_percentiles() -> None:
    """Without a run all are zero."""
    assert percentiles({}) == (0.0, 0.0, 0.0)


def test_counts_of_two_times_are_added_up() -> None:
    """What was kept as text comes back, bucket by bucket."""
    assert added_up([as_text({3: 1, 7: 2}), as_text({7: 5})]) == {3: 1, 7: 7}


@ENGINES
@pytest.mark.parametrize("has_rows", [True, False], ids=["accepted", "rowless"])
async def test_percentiles_are_told_of_what_was_recorded(ledger: Ledger, has_rows: bool) -> None:
    """Each run counts once, in whatever batches it is written, for the whole and for its function; what never
    ran does not.
    """
    recorder = Recorder(ledger)
    await recorder.start()
    told: dict[str, Any] = {"record": b"Q0", "scheduled_ms": START_MS}
    for part in range(3):
        ids = [f"job-{part}-{number:02}" for number in range(20)]
        if has_rows:
            recorder.accept(
                [
                    AcceptedJob(job_id, "arq:queue", "work", enqueued_ms=START_MS, record=b"Q0")
                    for job_id in ids
                ]
            )
            await recorder.reached(recorder.mark)
        for number, job_id in enumerate(ids):
            run_ms = 1000 if number == 0 else 10
            telemetry.execute(
                stopped(job_id=job_id, at=60_000 * part + run_ms, took=run_ms, queue_time_ms=5, **told)
            )
        telemetry.execute(
            stopped("cancelled", f"never-ran-{part}", at=60_000 * part, took=0, cause="CANCELLED", **told)
        )
        await recorder.reached(recorder.mark)
    await recorder.stop()

    window = {"since": BEGAN - timedelta(hours=1), "until": BEGAN + timedelta(hours=1)}
    [of_all] = await ledger.percentiles(**window)
    [of_function] = await ledger.percentiles(by="function", **window)
    [of_days] = await ledger.percentiles(since=BEGAN - timedelta(days=2), until=BEGAN + timedelta(hours=2))
    assert (of_all.count, of_function.count, of_days.count) == (60, 60, 60)
    assert of_function.function == "work"
    assert of_all.run_ms == (
        pytest.approx(10, rel=0.13),
        pytest.approx(10, rel=0.13),
        pytest.approx(1000, rel=0.13),
    )
    assert of_all.wait_ms[0] == pytest.approx(5, rel=0.13)
    assert await ledger.percentiles(queue="another", **window) == []
    now = BEGAN + timedelta(minutes=3)
    [of_a_moment] = await ledger.percentiles(since=now - timedelta(minutes=1), until=now)
    assert of_a_moment.count > 0  # (what ended just now is in minutes that have begun before)
