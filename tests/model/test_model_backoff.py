"""How long a job that failed waits."""

from __future__ import annotations

import logging
import random
from datetime import timedelta
from typing import Any

import pytest

from arqlite.errors import ConfigurationError
from arqlite.model.backoff import (
    Backoff,
    FailedJob,
    checked_backoff,
    default_delay,
    delay_of,
    exponential,
    jitter,
)

BOOM = ValueError("boom")


def least() -> float:
    return 0.0


def most() -> float:
    return 0.999999


def failed(attempt: int = 1, max_attempts: int = 20, error: BaseException = BOOM) -> FailedJob:
    return FailedJob("j", "send", "q", attempt, max_attempts, error, meta={"pace": 7})


@pytest.mark.parametrize(
    ("attempt", "seconds"),
    [(1, 17), (2, 19), (3, 23), (4, 31), (5, 47), (10, 1039), (15, 32_783), (20, 1_048_591)],
)
def test_formula(attempt: int, seconds: int) -> None:
    """Without chance the delay after each attempt is 15 s and a power of 2."""
    assert default_delay(attempt, 20, chance=least) == seconds


@pytest.mark.parametrize("attempt", range(1, 21))
def test_chance_only_lengthens(attempt: int) -> None:
    """The delay is at least that of the formula and at most a tenth more."""
    base = default_delay(attempt, 20, chance=least)

    assert all(base <= default_delay(attempt, 20) <= base * 1.1 for _ in range(50))


@pytest.mark.parametrize("max_attempts", [*range(1, 31), 50, 99, 100, 1000])
def test_delays_grow_and_have_an_end(max_attempts: int) -> None:
    """The delay grows from attempt to attempt where each has a power of its own, and has an end."""
    delays = [default_delay(n, max_attempts, chance=least) for n in range(1, max_attempts + 1)]

    assert delays == sorted(delays)
    assert max_attempts > 20 or len(set(delays)) == len(delays)
    assert default_delay(max_attempts, max_attempts, chance=most) <= (2**20 + 15) * 1.1


@pytest.mark.parametrize(("attempt", "power"), [(1, 0), (5, 1), (50, 10), (99, 20), (100, 20)])
def test_many_attempts_share_the_curve(attempt: int, power: int) -> None:
    """More than 20 attempts are counted in twentieths of them."""
    assert default_delay(attempt, 100, chance=least) == 15 + 2**power


def test_exponential() -> None:
    """The power of 2 is multiplied, padded and bounded as asked."""
    assert exponential(1) == 2
    assert exponential(1, mult=100) == 200
    assert exponential(1, min_pad=10) == 12
    assert (exponential(10), exponential(11)) == (1024, 1024)
    assert exponential(11, max_pow=11) == 2048


@pytest.mark.parametrize(
    ("mode", "mult", "low", "high"),
    [("both", 0.1, 180, 220), ("inc", 0.1, 200, 220), ("dec", 0.1, 180, 200), ("both", 0.5, 100, 300)],
)
def test_jitter(mode: Any, mult: float, low: float, high: float) -> None:
    """A delay is changed in the direction, and by the part, that was asked for."""
    values = [jitter(200, mode, mult) for _ in range(500)]

    assert low <= min(values) < low + 20 * mult * 10
    assert high - 20 * mult * 10 < max(values) <= high


def test_jitter_of_no_mode() -> None:
    """A mode that there is not is refused in words."""
    with pytest.raises(ConfigurationError, match=r"must be 'both', 'inc' or 'dec', got 'up'"):
        jitter(200, "up")  # type: ignore[arg-type]


def test_jitter_takes_its_chance_from_outside() -> None:
    """Whoever hands in a source of chance gets the same delays again."""
    one, other = random.Random(7), random.Random(7)

    assert jitter(200, chance=one.random) == jitter(200, chance=other.random)


@pytest.mark.parametrize(
    ("backoff", "attempt", "ms"),
    [
        (None, 2, 19_000),
        (5, 9, 5000),
        (0, 1, 0),
        (timedelta(minutes=1), 1, 60_000),
        ((15, 120, 600, 3600), 1, 15_000),
        ((15, 120, 600, 3600), 4, 3_600_000),
        ([15, timedelta(minutes=2)], 9, 120_000),
        (lambda job: job.attempt * 60, 3, 180_000),
        (lambda job: timedelta(seconds=job.meta["pace"]), 1, 7000),
        (lambda job: 1 if isinstance(job.error, ValueError) else 2, 10, 1000),
    ],
)
def test_delay(backoff: Backoff | None, attempt: int, ms: int) -> None:
    """A constant, a list whose last entry goes on, a function of the failed job, or the formula."""
    assert delay_of(backoff, failed(attempt), chance=least) == ms


def broken(job: FailedJob) -> float:
    raise KeyError("pace")


@pytest.mark.parametrize("backoff", [broken, lambda _: "soon", lambda _: -1, lambda _: None, lambda _: True])
def test_broken_function_costs_no_attempt(backoff: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A function that raises, or gives no delay, is told in the log, and the formula is used."""
    with caplog.at_level(logging.ERROR):
        assert delay_of(backoff, failed(3), chance=least) == 23_000

    assert "backoff of j:send failed; the default formula is used" in caplog.text


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("soon", "backoff must be seconds"),
        (-1, "backoff must be seconds"),
        (True, "backoff must be seconds"),
        (float("nan"), "backoff must be seconds"),
        ([], "must not be an empty list"),
        ([1, "two"], r"backoff\[1\] must be a number of seconds"),
        ([1, -2], r"backoff\[1\] must be at least 0 seconds"),
        (int, "backoff must be seconds"),
    ],
)
def test_backoff_that_cannot_work(value: Any, words: str) -> None:
    """What gives no seconds is refused in words, where it is said."""
    with pytest.raises(ConfigurationError, match=words):
        checked_backoff(value)
