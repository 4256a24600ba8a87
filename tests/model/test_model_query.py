"""The words that say which jobs are meant."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arqlite.errors import ConfigurationError
from arqlite.model.query import Query, Term
from arqlite.model.states import ARQ_STATUS, INCOMPLETE_STATES, LEDGER_STATUS, JobState, LedgerStatus
from arqlite.model.terms import glob_of, literals_of, moment_of, range_of, states_of

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)

_texts = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), min_size=1, max_size=12)
_parts = st.text("abcXYZ_09-$", min_size=1, max_size=6)
_paths = st.lists(_parts, min_size=1, max_size=3).map(".".join)
_named = st.sampled_from(["queue", "function", "node", "worker", "error", "id", "parent", "by", "text"])
_terms = st.one_of(
    st.tuples(_named, st.lists(_texts, min_size=1, max_size=3, unique=True)),
    st.tuples(
        _paths.map("arg.{}".format), st.lists(_texts | st.just(""), min_size=1, max_size=3, unique=True)
    ),
    st.tuples(_paths.map("meta.{}".format), st.lists(_texts, min_size=1, max_size=3, unique=True)),
    st.tuples(
        st.just("state"), st.lists(st.sampled_from([*map(str, JobState), "all"]), min_size=1, unique=True)
    ),
    st.tuples(st.just("status"), st.just(["FAILED", "SUCCESS"])),
    st.tuples(st.just("tag"), st.just(["vip", 'a "b", c', "ü"])),
    st.tuples(st.sampled_from(["attempt", "priority"]), st.just([">2", "1", "3..5"])),
)
_queries = st.lists(
    st.builds(lambda term, negated: Term(term[0], tuple(term[1]), negated), _terms, st.booleans()), max_size=5
).map(lambda terms: Query(tuple(terms)))


@given(_queries)
def test_query_as_text_reads_as_the_same_query(query: Query) -> None:
    """Whatever may be asked can be written into a URL, and is the same when it is read."""
    assert Query.parse(str(query)) == query


@given(st.text(max_size=40))
def test_any_line_is_read_or_refused_in_words(line: str) -> None:
    """No line is too strange to be answered; what was read reads the same again."""
    with contextlib.suppress(ConfigurationError):
        query = Query.parse(line)
        assert Query.parse(str(query)) == query


def test_query_is_read_word_by_word() -> None:
    """A space means and, a comma or, a minus not; a quoted value may have all of them inside."""
    query = Query.parse(
        'state:discarded  -queue:mail,default meta.tenant:"ACME, Ltd" arg.user.id:42 send "a:b"'
    )

    assert query.terms == (
        Term("state", ("discarded",)),
        Term("queue", ("mail", "default"), negated=True),
        Term("meta.tenant", ("ACME, Ltd",)),
        Term("arg.user.id", ("42",)),
        Term("text", ("send",)),
        Term("text", ("a:b",)),
    )


def test_nothing_is_no_condition() -> None:
    """An empty line means every job."""
    assert not Query.parse("  ")
    assert str(Query.parse("")) == ""


def test_spellings_are_put_right() -> None:
    """Names and states may be written large, and as they are called elsewhere."""
    query = Query.parse("State:Discarded TASK:send_* args.a:1 status:failed cause:timeout tags:vip")

    assert str(query) == "state:discarded function:send_* arg.a:1 status:FAILED cause:TIMEOUT tag:vip"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("stat:discarded", "did you mean state:?"),
        ("colour:red", "there are state, status"),
        ("state:discardet", "did you mean 'discarded'? there are suspended"),
        ("state:fialed", "did you mean 'failed'? there are suspended"),
        ("status:FALED", "did you mean 'FAILED'?"),
        ("cause:timout", "did you mean 'TIMEOUT'?"),
        ("attempt:many", "a number is written as 3, >2"),
        ("attempt:5..3", "swap them"),
        ("since:yesterday", "a time is written as"),
        ("since:2h,3h", "takes one time"),
        ("-since:2h", "takes one time"),
        ("group:a failed:1h,2h", "takes one time"),
        ("group:a failed:soon", "a time is written as"),
        ("group:a,b", "takes one group"),
        ("-group:a", "takes one group"),
        ("since:99999999999w", "longer ago than there are jobs"),
        ('tag:"vip', "a quote is not closed"),
        ('tag:v"ip', "must stand in quotes"),
        ('tag:"v"ip', "behind a closing quote"),
        ("tag:", "a value is missing"),
        ("tag:a,,b", "a value is missing"),
        ("-", "a value is missing"),
        ('queue:""', "queue must not be empty"),
        ("arg.:1", "behind each dot"),
        ("arg.a..b:1", "behind each dot"),
        ("id:a\0b", "no job has such characters"),
        ("tag:" + ",".join(map(str, range(501))), "500 values at most"),
        ("a " * 51, "50 words"),
        ("x" * 20_001, "20,000 characters"),
    ],
)
def test_slip_is_answered_in_words(line: str, words: str) -> None:
    """What cannot be read is refused with what may have been meant."""
    with pytest.raises(ConfigurationError, match=r".") as caught:
        Query.parse(line)

    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("state:failed", "state:discarded"),
        ("state:Running,succeeded", "state:executing,completed"),
        ("-state:success", "-state:completed"),
        ("state:queued", "state:available,scheduled,retryable,suspended"),
        ("state:pending,ready", "state:available,scheduled,retryable,suspended"),
        ("state:deferred", "state:scheduled,retryable,suspended"),
        ("state:in_progress,retrying,canceled", "state:executing,retryable,cancelled"),
    ],
)
def test_states_have_other_names(said: str, meant: str) -> None:
    """What people type first for a state is understood, and written as it is called here."""
    assert str(Query.parse(said)) == meant


def test_other_names_of_states_mean_what_statuses_and_arq_say() -> None:
    """A word that is a status of the ledger, too, or one of arq, means the states that have it."""
    for status in LedgerStatus:
        wanted = {state for state in JobState if LEDGER_STATUS[state] is status}
        assert states_of(Query.parse(f"state:{status}").get("state")) == wanted
    for word in ("deferred", "in_progress"):
        wanted = {state for state in JobState if ARQ_STATUS[state].value == word}
        assert states_of(Query.parse(f"state:{word}").get("state")) == wanted


def test_message_names_the_word() -> None:
    """In a long line it is said which word cannot be read."""
    with pytest.raises(ConfigurationError, match=r"\(in '-attempt:x'\)"):
        Query.parse("state:available -attempt:x queue:mail")


def test_term_takes_the_place_of_its_name() -> None:
    """A page replaces one word of a query and keeps the others."""
    query = Query.parse("state:available queue:mail -state:executing")

    assert str(query.with_term("state", "discarded")) == "queue:mail state:discarded"
    assert str(query.with_term("state")) == "queue:mail"
    assert query.get("state") == ("available",)
    assert query.get("tag") == ()


@pytest.mark.parametrize(
    ("value", "inside", "outside"),
    [("3", [3], [2, 4]), (">2", [3, 99], [2]), (">=2", [2], [1]), ("<5", [4, -1], [5]), ("<=5", [5], [6]),
     ("2..4", [2, 3, 4], [1, 5])],
)  # fmt: skip
def test_numbers_may_be_compared(value: str, inside: list[int], outside: list[int]) -> None:
    """A number is one, or all above or below one, or all between two."""
    found = range_of(value)

    assert all(number in found for number in inside)
    assert not any(number in found for number in outside)


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2h", NOW - timedelta(hours=2)),
        ("1h30m", NOW - timedelta(minutes=90)),
        ("1.5d", NOW - timedelta(hours=36)),
        ("1w", NOW - timedelta(weeks=1)),
        ("2026-11-20", datetime(2026, 11, 20, tzinfo=UTC)),
        ("2026-11-20T14:30", datetime(2026, 11, 20, 14, 30, tzinfo=UTC)),
        ("2026-11-20 14:30:05", datetime(2026, 11, 20, 14, 30, 5, tzinfo=UTC)),
        ("2026-11-20T14:30+02:00", datetime(2026, 11, 20, 12, 30, tzinfo=UTC)),
        ("2026-11-20T14:30Z", datetime(2026, 11, 20, 14, 30, tzinfo=UTC)),
    ],
)
def test_times_are_so_long_ago_or_dates(value: str, moment: datetime) -> None:
    """A time is told by how long ago it was, as a day, or to the second."""
    assert moment_of(value, NOW) == moment


def test_until_a_day_is_until_its_end() -> None:
    """Who asks for jobs until a day means those of that day, too; a moment has no end."""
    assert moment_of("2026-11-20", NOW, is_end=True) == datetime(2026, 11, 21, tzinfo=UTC)
    assert moment_of("2026-11-20T14:30", NOW, is_end=True) == datetime(2026, 11, 20, 14, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "literals"),
    [("42", [42, "42"]), ("4.5", [4.5, "4.5"]), ("true", [True, "true"]), ("null", [None, "null"]),
     ("ann", ["ann"]), ("NaN", ["NaN"]), ("9" * 30, ["9" * 30]), ("[1]", ["[1]"]), ("", [""])],
)  # fmt: skip
def test_value_of_an_argument_may_be_a_number_or_its_text(value: str, literals: list[Any]) -> None:
    """Nobody has to know whether a job was given 42 or "42"."""
    assert literals_of(value) == literals


def test_glob_matches_the_whole_value() -> None:
    """A star stands for anything, all else for itself, in any case."""
    assert glob_of("send_*").fullmatch("SEND_mail")
    assert glob_of("*.com").fullmatch("a.b.com")
    assert not glob_of("a.c*").fullmatch("abc")
    assert not glob_of("send").fullmatch("send_mail")
    assert glob_of("a*b*c").fullmatch("a-b-b-c-c")
    assert glob_of("*a*b*").fullmatch("xaxbx")
    assert not glob_of("*b*a*").fullmatch("xaxbx")
    assert glob_of("**").fullmatch("")
    assert not glob_of("ab*b").fullmatch("ab")


@pytest.mark.parametrize("value", ["*" * 40 + "x", "*a" * 40 + "*b", "a*" * 40 + "b"])
def test_glob_of_many_stars_is_soon_done(value: str) -> None:
    """No place is tried twice: a line of text cannot hold up the program that reads it."""
    assert not glob_of(value).fullmatch("a" * 2_000)


def test_group_is_all_of_its_states() -> None:
    """A group of states may be named among states."""
    assert states_of(("incomplete", "completed")) == INCOMPLETE_STATES | {JobState.COMPLETED}
