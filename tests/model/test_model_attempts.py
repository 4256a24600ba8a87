"""What is kept of a failed attempt."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from arqlite.model.attempts import decode_attempts, encode_attempt
from arqlite.model.records import FailedAttempt

AT, BORN = 1_700_000_000_000, 1_699_999_999_000


class Unshowable(Exception):
    def __str__(self) -> str:
        raise RuntimeError


def caught(error: BaseException, depth: int = 0) -> BaseException:
    """Raise an error at so many calls' depth, so that it has a traceback."""
    try:
        if depth:
            raise caught(error, depth - 1)
        raise error
    except BaseException as seen:
        return seen


def test_round_trip() -> None:
    """An attempt that failed is read again with its number, time, error and worker."""
    entry = encode_attempt(3, AT, BORN, caught(ValueError("no such user")), "host:1:a")

    [attempt] = decode_attempts([entry], BORN)

    assert (attempt.attempt, attempt.worker) == (3, "host:1:a")
    assert attempt.at == datetime.fromtimestamp(AT / 1000, UTC)
    assert (attempt.type, attempt.message) == ("ValueError", "no such user")
    assert attempt.traceback.startswith("Traceback")
    assert attempt.traceback.endswith("ValueError: no such user\n")


def test_error_that_was_never_raised() -> None:
    """What nobody raised, such as a refusal, has no traceback."""
    [attempt] = decode_attempts([encode_attempt(1, AT, BORN, TimeoutError("late"), "w")], BORN)

    assert attempt.traceback == ""


def test_cause_alone_is_shown() -> None:
    """An error made for another one shows the traceback of that."""
    error = TimeoutError("timed out after 5s")
    error.__cause__ = caught(KeyError("inside"))

    [attempt] = decode_attempts([encode_attempt(1, AT, BORN, error, "w")], BORN)

    assert "KeyError: 'inside'" in attempt.traceback


def test_long_ones_are_cut() -> None:
    """Of a message the head is kept, of a traceback the tail: there the error is."""
    error = caught(ValueError("x" * 9000), depth=3)

    [attempt] = decode_attempts([encode_attempt(1, AT, BORN, error, "w")], BORN)

    assert attempt.message == "x" * 2000
    assert len(attempt.traceback) == 8000
    assert attempt.traceback.startswith("[...]\n")
    assert attempt.traceback.endswith("x\n")


def test_error_that_cannot_be_shown() -> None:
    """A broken exception does not keep its attempt from being told."""
    [attempt] = decode_attempts([encode_attempt(1, AT, BORN, caught(Unshowable()), "w")], BORN)

    assert attempt.type == "Unshowable"
    assert "cannot be shown" in attempt.message


def test_text_that_is_no_unicode() -> None:
    """Half a surrogate in a message is escaped."""
    [attempt] = decode_attempts([encode_attempt(1, AT, BORN, caught(ValueError("\ud800")), "w")], BORN)

    assert attempt.message == "\\ud800"


def test_errors_of_an_older_job_of_the_id() -> None:
    """An id that is used again does not inherit what the job before it failed with."""
    entries = [encode_attempt(1, AT, born, ValueError(str(born)), "w") for born in (BORN - 5, BORN)]

    assert [attempt.message for attempt in decode_attempts(entries, BORN)] == [str(BORN)]


@pytest.mark.parametrize("entry", [b"", b"nonsense", b"[]", b'{"et": %d}' % BORN])
def test_entries_of_strangers(entry: bytes) -> None:
    """What none of ours wrote is passed over."""
    good = encode_attempt(1, AT, BORN, ValueError(), "w")

    assert len(decode_attempts([entry, good], BORN)) == 1


def test_attempts_are_values() -> None:
    """Two reads of one entry are equal."""
    entry = encode_attempt(1, AT, BORN, ValueError("a"), "w")

    assert decode_attempts([entry], BORN) == decode_attempts([entry], BORN)
    assert isinstance(decode_attempts([entry], BORN)[0], FailedAttempt)
