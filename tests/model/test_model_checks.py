"""What callers hand in: taken in its plain form, or refused in words."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from arqlite.errors import ConfigurationError
from arqlite.model import checks


@pytest.mark.parametrize("value", [0, True, 2.0, "3", None, math.nan])
def test_count_takes_whole_numbers_only(value: Any) -> None:
    """A count is an int, large enough, and no bool."""
    assert checks.count("n", 1, 1) == 1
    assert checks.count("n", -7) == -7

    with pytest.raises(ConfigurationError, match=r"^n must be a whole number of at least 1, got "):
        checks.count("n", value, 1)


def test_spans_become_seconds() -> None:
    """A number stays what it is, a timedelta becomes seconds; also the longest one there is."""
    assert checks.seconds("s", 2) == 2
    assert checks.seconds("s", -0.5) == -0.5
    assert checks.seconds("s", timedelta(minutes=1)) == 60
    assert checks.seconds("s", timedelta.max) > 1e13


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("5", "s must be a number of seconds or a timedelta, got '5'"),
        (True, "s must be a number of seconds or a timedelta, got True"),
        (None, "s must be a number of seconds or a timedelta, got None"),
        (math.nan, "s must be a finite number of seconds, got nan"),
        (math.inf, "s must be a finite number of seconds, got inf"),
        (10**400, "s must be a finite number of seconds, got 1000"),
        (-1, "s must be at least 0 seconds, got -1"),
        (timedelta(days=-1), "s must be at least 0 seconds, got datetime.timedelta(days=-1)"),
    ],
)
def test_bad_spans_are_refused(value: Any, text: str) -> None:
    """What is no span, endless or too short is refused in words that quote it."""
    with pytest.raises(ConfigurationError) as caught:
        checks.seconds("s", value, 0)

    assert str(caught.value).startswith(text)


def test_time_limit_may_be_infinite() -> None:
    """Infinity is no limit; a limit of nothing, or of nothing that is a number, is refused."""
    assert checks.time_limit("t", timedelta(seconds=3)) == 3
    assert checks.time_limit("t", math.inf) == math.inf
    assert checks.time_limit("t", 10**400) == math.inf

    for value in (0, -1, math.nan):
        with pytest.raises(ConfigurationError, match=r"^t must be more than 0 seconds, got "):
            checks.time_limit("t", value)


def test_moments_become_ms() -> None:
    """A datetime becomes ms since 1970; anything else, and the ends of time, are refused."""
    assert checks.moment_ms("m", datetime(1970, 1, 2, tzinfo=UTC)) == 86_400_000

    with pytest.raises(ConfigurationError, match=r"^m must be a datetime, got '2020'"):
        checks.moment_ms("m", "2020")
    with pytest.raises(ConfigurationError, match=r"^m cannot be told as a time: "):
        checks.moment_ms("m", datetime.min)  # noqa: DTZ901 (the point is that it has no zone)


def test_functions_and_instances() -> None:
    """What cannot be called is no function, and what is of another class is told so."""
    checks.function("f", print)
    checks.instance("i", {}, dict, "a dict")

    with pytest.raises(ConfigurationError, match=r"^f must be a function, got 5$"):
        checks.function("f", 5)
    with pytest.raises(ConfigurationError, match=r"^i must be a dict, got 5$"):
        checks.instance("i", 5, dict, "a dict")


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ([None, "", " Foo ", "FOO", "bar", 1], ("foo", "bar", "1")),
        (("b", "a"), ("b", "a")),
        ([], ()),
        (iter(["x"]), ("x",)),
    ],
)
def test_tags(given: Any, taken: tuple[str, ...]) -> None:
    """Tags are trimmed texts in lower case, each once and in the order given; nothing is no tag."""
    assert checks.tags(given) == taken


@pytest.mark.parametrize("given", ["x", 5, [True], [["x"]], [b"x"]])
def test_what_is_no_tag(given: Any) -> None:
    """A text is no list of tags, and a tag is a text or a number."""
    with pytest.raises(
        ConfigurationError, match=r"^(tags must be a list of texts|a tag must be a text), got "
    ):
        checks.tags(given)


def test_meta() -> None:
    """What a job carries is a dict with texts for keys."""
    assert checks.meta({"a": [1]}) == {"a": [1]}
    for given in ({1: 2}, [("a", 1)], "a", None):
        with pytest.raises(ConfigurationError, match=r"^meta must be a dict whose keys are texts, got "):
            checks.meta(given)


def test_priorities() -> None:
    """A priority is 0 to 9."""
    assert [checks.priority("priority", value) for value in (0, 9)] == [0, 9]

    for value in (-1, 10, "high", True, 1.5):
        with pytest.raises(ConfigurationError, match="priority must be"):
            checks.priority("priority", value)
