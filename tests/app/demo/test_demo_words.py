"""The demo's words: durations, amounts, what became of a job."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from app.demo.client import Accepted
from app.demo.following import FollowedJob
from app.demo.words import money, one_line, outcome, plural, span


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.0, "<1 ms"), (0.0031, "3 ms"), (0.412, "0.41 s"), (12.4, "12 s"), (125.0, "2 min 5 s")],
)
def test_span_is_said_as_people_say_it(seconds: float, said: str) -> None:
    """A duration has the unit that fits its size."""
    assert span(seconds) == said


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        ("9.9", "EUR", "9.90"),
        ("1180", "USD", "1180.00"),
        ("12963", "JPY", "12963"),
        ("12963.00", "JPY", "12963"),
        ("1.5", "JPY", "1.5"),
        ("12.345", "KWD", "12.345"),
        ("1E+3", "EUR", "1000.00"),
        ("0", None, "0.00"),
    ],
)
def test_amount_has_two_digits_and_loses_none(amount: str, currency: str | None, shown: str) -> None:
    """Two digits, of yen none, and never a digit less than the message told."""
    assert money(Decimal(amount), currency) == shown


def test_unknown_amount_is_empty() -> None:
    """A transaction without an amount shows none."""
    assert money(None, "EUR") == ""


def test_one_is_not_plural() -> None:
    """One message is no messages."""
    assert [plural(count, "message") for count in (0, 1, 2)] == ["0 messages", "1 message", "2 messages"]


def test_mail_cannot_move_the_cursor() -> None:
    """Control characters and bidirectional marks of a message never reach the terminal."""
    assert one_line("\x1b[2JPay\r\n\u202enow\u2028 Café\x07") == "[2JPay now Café"


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ({"fetched_count": 5, "saved_count": 4, "unreadable_count": 1}, "5 fetched, 4 saved, 1 unreadable"),
        ({"fetched_count": 5, "saved_count": 5, "unreadable_count": 0}, "5 fetched, 5 saved"),
        ({"processed_count": 3, "transaction_count": 1, "failed_count": 0}, "3 read, 1 transaction"),
        (
            {"processed_count": 3, "transaction_count": 0, "failed_count": 2},
            "3 read, 0 transactions, 2 failed",
        ),
        ({"message": "the base queue works"}, "the base queue works"),
    ],
)
def test_outcome_tells_the_counts(output: dict[str, Any], said: str) -> None:
    """A job's outcome is what it counted."""
    assert outcome(_job({"status": "SUCCESS", "output_payload": output})) == said


def test_outcome_of_failed_job_is_its_error() -> None:
    """A job that failed tells why, on one line."""
    job = _job({"status": "FAILED", "error_payload": {"type": "ValueError", "message": "no\nluck"}})

    assert outcome(job) == "ValueError: no luck"


def _job(seen: dict[str, Any]) -> FollowedJob:
    return FollowedJob(title="JOB", queue="base", accepted=Accepted("1", "/1"), seen=seen)
