"""How the dashboard says numbers, times and states."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from arqlite.console import Tally
from arqlite.dashboard import words
from arqlite.model.states import Cause, JobState

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
T = words.THIN
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize(
    ("value", "said"),
    [(0, "0"), (999, "999"), (1_204, f"1{T}204"), (1_284_101, f"1{T}284{T}101"), (0.5, "0.5"), (None, "–")],
)
def test_numbers_have_thin_spaces(value: float | None, said: str) -> None:
    """Thousands are set off by a space at which no line breaks."""
    assert words.number(value) == said


def test_tally_says_how_sure_it_is() -> None:
    """A count that stopped and a guess do not look like exact numbers."""
    said = [words.tally(tally) for tally in (Tally(7), Tally(100_000, "at least"), Tally(2_000, "about"))]

    assert said == ["7", f"100{T}000+", f"≈{T}2{T}000"]
    assert words.tally(None) == "–"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (timedelta(), f"0{T}ms"),
        (timedelta(milliseconds=2.44), f"2.4{T}ms"),
        (timedelta(milliseconds=340), f"340{T}ms"),
        (timedelta(milliseconds=999.7), f"1{T}s"),
        (timedelta(seconds=2.4), f"2.4{T}s"),
        (timedelta(seconds=59.4), f"59{T}s"),
        (timedelta(seconds=72), f"1{T}min 12{T}s"),
        (timedelta(hours=3), f"3{T}h"),
        (timedelta(days=2, hours=4, minutes=9), f"2{T}d 4{T}h"),
        (timedelta(seconds=-3), f"−3{T}s"),
        (1_500, f"1.5{T}s"),
        (None, "–"),
    ],
)
def test_durations_have_two_units_at_most(value: timedelta | float | None, said: str) -> None:
    """A duration is as exact as its size makes sense; a plain number is milliseconds."""
    assert words.duration(value) == said


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        (timedelta(seconds=0.4), "now"),
        (timedelta(seconds=12), f"12{T}s ago"),
        (timedelta(minutes=3, seconds=50), f"3{T}min ago"),
        (timedelta(days=5), f"5{T}d ago"),
        (timedelta(hours=-2, minutes=-1), f"in 2{T}h"),
    ],
)
def test_moments_are_told_from_now(gone: timedelta, said: str) -> None:
    """A time is told by how long ago it was, or how soon it comes."""
    assert words.ago(NOW - gone, NOW) == said


def test_moments_are_told_exactly_in_utc() -> None:
    """Whatever zone a time came in, people and programs read it in UTC."""
    berlin = datetime.fromisoformat("2026-11-20T10:30:00.125+01:00")

    assert words.absolute(berlin) == "2026-11-20 09:30:00 UTC"
    assert words.machine(berlin) == "2026-11-20T09:30:00.125Z"


@pytest.mark.parametrize(
    ("value", "said"),
    [(0, f"0{T}B"), (1_023, f"1023{T}B"), (1_536, f"1.5{T}KiB"), (3 * 1024**3, f"3{T}GiB"), (None, "–")],
)
def test_sizes_are_in_binary_units(value: int | None, said: str) -> None:
    """Bytes are told in the unit that fits."""
    assert words.size(value) == said


def test_a_part_of_nothing_is_no_number() -> None:
    """A share of nothing is not told as 0 %."""
    assert (words.percent(1, 250), words.percent(0, 0)) == (f"0.4{T}%", "–")


def test_every_state_and_cause_has_a_word() -> None:
    """No state and no cause is shown by the name that programs use without somebody having decided so."""
    assert set(words.STATE_WORDS) == set(JobState)
    assert set(words.CAUSE_WORDS) == set(Cause)
    assert words.state_word("lost") == "lost"


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ("queue mail waits", "Queue mail waits."),
        ("set `max_jobs` to 5.", "Set <code>max_jobs</code> to 5."),
        ("`<b>` is <b>", "<code>&lt;b&gt;</code> is &lt;b&gt;."),
        ("one ` alone", "One ` alone."),
        ("", ""),
    ],
)
def test_troubles_are_read_as_sentences(told: str, said: str) -> None:
    """A trouble gets its capital, its full stop and its code, and nothing that it could be markup by."""
    assert words.sentence(told) == said


def test_names_break_behind_their_marks() -> None:
    """A long name goes on in the next line behind a slash or a dot; it is escaped, and its text the same."""
    assert words.breakable("mail@/run/v.sock/1") == "mail@/<wbr>run/<wbr>v.<wbr>sock/<wbr>1"
    assert words.breakable("<b>/x") == "&lt;b&gt;/<wbr>x"


def test_big_integers_keep_their_digits() -> None:
    """A number that no double holds is shown digit by digit."""
    assert words.as_json({"id": 12345678901234567890123}) == '{\n  "id": 12345678901234567890123\n}'


@pytest.mark.parametrize(
    ("meta", "trace"),
    [
        ({"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}, TRACE),
        ({"trace_id": TRACE}, TRACE),
        ({"traceparent": 'javascript:alert(1)//"'}, ""),
        ({"trace_id": 7}, ""),
        ({}, ""),
    ],
)
def test_traces_are_hexadecimal_or_none(meta: dict[str, object], trace: str) -> None:
    """What a job calls its trace gets into a link only if it is one."""
    assert words.trace_of(meta) == trace
