"""The rule of unique jobs: what may be said, what is made of it, and how parts of it are put together."""

from __future__ import annotations

import math
import warnings
from datetime import timedelta
from typing import Any

import pytest

from arqlite import Unique
from arqlite.errors import ConfigurationError
from arqlite.model.states import INCOMPLETE_STATES, JobState
from arqlite.model.unique import merged, option, rule


def test_defaults() -> None:
    """By default an equal job counts for a minute after it was enqueued, unless it came to nothing."""
    unique = Unique()

    assert unique.period == 60
    assert unique.fields == ("args", "function", "queue")
    assert (unique.keys, unique.timestamp, unique.action) == ((), "inserted_at", "ignore")
    assert unique.states == INCOMPLETE_STATES | {JobState.COMPLETED}
    assert (unique.period_ms, unique.letters, unique.replaced_in) == (60_000, "Saersu", {})


@pytest.mark.parametrize(
    ("period", "ms"),
    [
        (1, 1000),
        (0.5, 500),
        (1e-9, 1),
        (timedelta(minutes=2), 120_000),
        (math.inf, -1),
        (Unique.forever, -1),
        (7 * 86_400, 604_800_000),
    ],
)
def test_periods(period: Any, ms: int) -> None:
    """A period is seconds, a timedelta or infinity."""
    assert Unique(period=period).period_ms == ms


def test_period_is_kept_in_seconds() -> None:
    """A timedelta is kept as its seconds."""
    assert Unique(period=timedelta(minutes=2)).period == 120


@pytest.mark.parametrize("period", [3_600_000, timedelta(days=8)])
def test_long_period_is_probably_a_slip(period: Any) -> None:
    """Who writes an hour in milliseconds is told how many days that is."""
    with pytest.warns(
        UserWarning, match=r"the period of Unique is \d+ seconds, \d+ days; is it meant"
    ) as seen:
        Unique(period=period)

    assert seen[0].filename == __file__


@pytest.mark.parametrize(
    ("states", "letters"),
    [
        ("all", "CFSaersu"),
        ("incomplete", "aersu"),
        ("scheduled", "s"),
        ("successful", "Saersu"),
        (["available", "scheduled", "executing"], "aes"),
        ((JobState.AVAILABLE, "completed"), "Sa"),
    ],
)
def test_states(states: Any, letters: str) -> None:
    """States are a group by its name, or a list of them."""
    assert Unique(states=states).letters == letters


def test_states_without_one_to_enqueue_in_are_probably_a_slip() -> None:
    """Where no waiting job counts, any number of equal ones may wait; who says so is warned."""
    with pytest.warns(
        UserWarning, match="states of Unique are completed, executing, none that a job is enqueued in"
    ):
        Unique(states=["completed", "executing"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Unique(states=["suspended"])


@pytest.mark.parametrize(
    ("fields", "compared"),
    [
        (["worker"], ("function", "queue")),
        (["function"], ("function", "queue")),
        (["queue"], ("queue",)),
        (["meta", "args"], ("args", "meta", "queue")),
    ],
)
def test_fields(fields: Any, compared: tuple[str, ...]) -> None:
    """Oban's word for a function is as good as ours, and a queue is compared whether it is named or not."""
    assert Unique(fields=fields).fields == compared


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"period": 0}, "the period of Unique must be more than 0 seconds, got 0"),
        ({"period": -1}, "the period of Unique must be more than 0 seconds, got -1"),
        ({"period": timedelta(0)}, "the period of Unique must be more than 0 seconds"),
        ({"period": "60"}, "the period of Unique must be a number of seconds or a timedelta, got '60'"),
        ({"period": True}, "the period of Unique must be a number of seconds"),
        ({"period": None}, "the period of Unique must be a number of seconds"),
        ({"period": math.nan}, "the period of Unique must be more than 0 seconds"),
        ({"fields": ["bogus"]}, "fields of Unique are some of args, meta, function, queue, got 'bogus'"),
        ({"fields": "args"}, "fields of Unique must be a list of names, got 'args'"),
        ({"fields": []}, "fields of Unique are empty"),
        ({"fields": [5]}, "each of the fields of Unique must be a text, got 5"),
        ({"keys": "id"}, "keys of Unique must be a list of names, got 'id'"),
        ({"keys": {"id": 1}}, "keys of Unique must be a list of names"),
        ({"keys": [1]}, "each of the keys of Unique must be a text, got 1"),
        (
            {"keys": ["id"], "fields": ["function"]},
            r"keys \['id'\] of Unique are looked up in args or meta, but",
        ),
        (
            {"states": "done"},
            r"states of Unique are a group \(all, incomplete, scheduled, successful\) or a list",
        ),
        ({"states": 5}, "states of Unique must be the name of a group"),
        ({"states": []}, "states of Unique are empty"),
        ({"states": ["done"]}, "states of Unique: there is no state 'done'; there are suspended, scheduled"),
        ({"states": ["successful"]}, "states of Unique: there is no state 'successful'"),
        ({"timestamp": "updated_at"}, "timestamp of Unique must be inserted_at or scheduled_at"),
        (
            {"replace": "priority"},
            r'replace of Unique must be a list of options, as \["priority"\], or a dict',
        ),
        (
            {"replace": ["bogus"]},
            "replace of Unique: some of args, max_attempts, meta, priority, scheduled_at",
        ),
        ({"replace": ["queue"]}, "replace of Unique: a job keeps its queue; cancel it"),
        ({"replace": ["worker"]}, "replace of Unique: a job keeps its worker"),
        ({"replace": {"scheduled": True}}, "replace of Unique must be a list of options"),
        ({"replace": {"waiting": ["priority"]}}, "replace of Unique: there is no state 'waiting'"),
        ({"replace": {"completed": ["tags"]}}, "a job that is completed has ended and stays as it is"),
        ({"replace": ["args"], "fields": ["args"], "keys": ["id"]}, "would give a job the args of another"),
        ({"on_conflict": "stop"}, "on_conflict of Unique must be ignore, replace or raise, got 'stop'"),
        ({"on_conflict": "replace"}, 'on_conflict="replace" of Unique needs replace'),
    ],
)
def test_what_cannot_work_is_refused(options: dict[str, Any], text: str) -> None:
    """A rule that cannot work is refused where it is written, in words."""
    with pytest.raises(ConfigurationError, match=text):
        Unique(**options)


def test_replace_for_all_states_and_by_state() -> None:
    """A list is for every state of a job that has not ended, a dict for those it names."""
    for_all = Unique(replace=["priority", "args", "priority"])
    by_state = Unique(replace={"scheduled": ["priority"], "available": ["tags"]})

    assert for_all.replaced_in == dict.fromkeys(INCOMPLETE_STATES, ("args", "priority"))
    assert by_state.replaced_in == {JobState.SCHEDULED: ("priority",), JobState.AVAILABLE: ("tags",)}
    assert for_all.action == by_state.action == "replace"
    assert Unique(replace=["tags"], on_conflict="raise").action == "raise"
    assert {for_all, by_state, Unique()}  # rules can be told apart, and kept in sets


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (None, None),
        (False, None),
        (True, Unique(period=Unique.forever)),
        (Unique(keys=["id"]), Unique(keys=["id"])),
        ({"keys": ["id"]}, Unique(keys=["id"])),
    ],
)
def test_short_forms(given: Any, meant: Unique | None) -> None:
    """True is the default rule for ever, False and None are none, a dict is the default rule but for that."""
    assert rule(option(given)) == meant


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ([], r"unique must be a Unique, a dict of its options, True \(for ever\) or False, got \[\]"),
        ({}, "unique has no options, {}; say True, or some of period, fields, keys, states"),
        ({"perod": 5}, "unique has no option 'perod'; there are period, fields, keys"),
        ({"period": 0}, "the period of Unique must be more than 0"),
        ("yes", "unique must be a Unique"),
        (60, "unique must be a Unique"),
    ],
)
def test_forms_that_mean_nothing(given: Any, text: str) -> None:
    """What stands for no rule is refused, and so is each option that cannot work, before it is merged."""
    with pytest.raises(ConfigurationError, match=text):
        option(given)


@pytest.mark.parametrize(
    ("own", "common", "meant"),
    [
        ({"keys": ["id"]}, Unique(period=90), Unique(period=90, keys=["id"])),
        ({"period": 5}, Unique(period=90, keys=["id"]), Unique(period=5, keys=["id"])),
        ({"keys": ["id"]}, {"period": 90}, Unique(period=90, keys=["id"])),
        ({"keys": ["id"]}, True, Unique(period=Unique.forever, keys=["id"])),
        ({"keys": ["id"]}, False, Unique(keys=["id"])),
        ({"keys": ["id"]}, None, Unique(keys=["id"])),
        ({"on_conflict": "ignore"}, Unique(replace=["tags"]), Unique(replace=["tags"], on_conflict="ignore")),
        (
            {"on_conflict": "replace"},
            Unique(replace=["tags"]),
            Unique(replace=["tags"], on_conflict="replace"),
        ),
        ({"replace": ["tags"]}, Unique(), Unique(replace=["tags"])),
        (Unique(keys=["id"]), Unique(period=90), Unique(keys=["id"])),
        (True, Unique(period=90), Unique(period=Unique.forever)),
        (False, Unique(period=90), None),
        (None, Unique(period=90), Unique(period=90)),
    ],
)
def test_parts_are_merged(own: Any, common: Any, meant: Unique | None) -> None:
    """What is said of one job wins option by option; a whole rule, True or False stands for itself."""
    assert rule(merged(option(own), option(common))) == meant


def test_parts_that_do_not_go_together() -> None:
    """Parts that are right by themselves may still not go together."""
    with pytest.raises(ConfigurationError, match=r"keys \['id'\] of Unique are looked up in args or meta"):
        rule(merged({"fields": ["function"]}, Unique(keys=["id"])))


def test_an_option_that_there_is_not() -> None:
    """A slip in the name of an option is told with the right one."""
    with pytest.raises(ConfigurationError, match=r"Unique has no option 'perod'; did you mean 'period'\?"):
        Unique(perod=5)  # type: ignore[call-arg]
    with pytest.raises(ConfigurationError, match=r"unique has no option 'perod'; .*did you mean 'period'\?"):
        option({"perod": 5})


def test_one_state_is_a_list_of_one() -> None:
    """A state by its name alone is as good as a list of it; `scheduled` is both a state and a group."""
    assert Unique(states="available").states == {JobState.AVAILABLE}
    assert Unique(states="scheduled").states == {JobState.SCHEDULED}
    with pytest.raises(ConfigurationError, match=r"got 'complete'; the states are .*completed"):
        Unique(states="complete")


def test_replace_by_groups_of_states() -> None:
    """A group stands for those of its states that have not ended; what is said of a state goes before."""
    rule = Unique(replace={"available": ["tags"], "incomplete": ["priority"]})

    assert rule.replaced_in == {
        **dict.fromkeys(INCOMPLETE_STATES, ("priority",)),
        JobState.AVAILABLE: ("tags",),
    }
    assert Unique(replace={"successful": ["meta"]}).replaced_in == dict.fromkeys(INCOMPLETE_STATES, ("meta",))
