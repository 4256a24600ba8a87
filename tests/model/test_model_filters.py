"""Which jobs conditions mean."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from arqlite import func
from arqlite.errors import ConfigurationError
from arqlite.model.filters import JobFilter, contains
from arqlite.model.states import FINAL_STATES, INCOMPLETE_STATES, JobState

ENVELOPE: dict[str, Any] = {
    "f": "send",
    "a": [7, {"to": {"name": "ann", "age": 3}}],
    "k": {"flags": ["a", "b"], "urgent": True},
    "g": ["mail", "critical"],
    "m": {"trace": {"id": 5, "span": 6}},
    "p": 2,
}


async def send(ctx: Any, user_id: int, mail: Any, *, flags: Any = (), urgent: bool = False) -> None:
    """Send nothing."""


@pytest.mark.parametrize(
    ("conditions", "is_meant"),
    [
        ({}, True),
        ({"function": "send"}, True),
        ({"function": ["other", "send"]}, True),
        ({"function": "sen"}, False),
        ({"tags": "mail"}, True),
        ({"tags": ["critical", "mail"]}, True),
        ({"tags": [" MAIL "]}, True),
        ({"tags": ["mail", "other"]}, False),
        ({"priority": 2}, True),
        ({"priority": [0, 2]}, True),
        ({"priority": 0}, False),
        ({"meta": {"trace": {"id": 5}}}, True),
        ({"meta": {"trace": {"id": 6}}}, False),
        ({"meta": [{"trace": {"id": 6}}, {"trace": {"span": 6}}]}, True),
        ({"meta": {"other": None}}, False),
        ({"kwargs": {"urgent": True}}, True),
        ({"kwargs": {"urgent": 1}}, False),
        ({"kwargs": {"flags": ["b"]}}, True),
        ({"kwargs": {"flags": ["c"]}}, False),
        ({"args": {"urgent": True}}, True),
        ({"args": {"user_id": 7}}, False),
        ({"args": (7, {"to": {"name": "ann"}})}, True),
        ({"args": (7,)}, False),
        ({"args": [(8,), {"flags": ["a"]}]}, True),
        ({"function": "send", "tags": "other"}, False),
    ],
)
def test_conditions_of_what_is_written(conditions: dict[str, Any], is_meant: bool) -> None:
    """Values must be equal, of a list one; tags all be there; dicts be had at any depth."""
    assert JobFilter.of(**conditions).matches_job(ENVELOPE) is is_meant


def test_arguments_by_name_of_a_known_function() -> None:
    """Of a function that is handed in, arguments by position are found by their names."""
    wanted = JobFilter.of(function=func(send, name="send"), args={"user_id": 7, "urgent": True})

    assert wanted.matches_job(ENVELOPE)
    assert not wanted.matches_job({**ENVELOPE, "a": [8]})


def test_function_by_itself() -> None:
    """A function stands for its name."""
    assert JobFilter.of(function=send).functions == frozenset({"send"})
    assert JobFilter.of(function=[send, "other"]).functions == frozenset({"send", "other"})


def test_arguments_in_one_dict() -> None:
    """A job whose only argument is a dict is found by what that dict has."""
    wanted = JobFilter.of(args={"id": 1})

    assert wanted.matches_job({"f": "x", "a": [{"id": 1, "more": 2}]})
    assert not wanted.matches_job({"f": "x", "a": [{"id": 2}]})
    assert not wanted.matches_job({"f": "x"})


async def pay(ctx: Any, account: int, note: str = "") -> None: ...


async def note(ctx: Any, order: dict[str, Any]) -> None: ...


async def anything(ctx: Any, **fields: Any) -> None: ...


@pytest.mark.parametrize(
    "conditions",
    [
        {"function": pay, "args": {"acount": 3}},
        {"function": pay, "args": [{"account": 3}, {"acount": 3}]},
        {"function": [pay, note], "kwargs": {"acount": 3}},
        {"function": note, "kwargs": {"acount": 3}},
    ],
)
def test_argument_that_no_function_has_is_refused(conditions: dict[str, Any]) -> None:
    """A slip in the name of an argument is told where the functions are at hand: it would mean no job."""
    with pytest.raises(ConfigurationError, match=r"has no argument 'acount'; .*there are "):
        JobFilter.of(**conditions)


def test_nearest_argument_is_told() -> None:
    """The complaint says which argument was meant."""
    with pytest.raises(ConfigurationError, match="pay has no argument 'acount'; did you mean 'account'"):
        JobFilter.of(function=pay, args={"acount": 3})


@pytest.mark.parametrize(
    "conditions",
    [
        {"function": "pay", "args": {"acount": 3}},
        {"function": [pay, "other"], "args": {"acount": 3}},
        {"function": note, "args": {"id": 3}},
        {"function": [pay, note], "args": {"id": 3}},
        {"function": anything, "kwargs": {"id": 3}},
        {"function": [pay, note], "kwargs": {"order": {"id": 3}}},
    ],
)
def test_argument_that_may_be_there_is_looked_for(conditions: dict[str, Any]) -> None:
    """What a name, a dict as the only argument, or `**` may stand for is not refused."""
    assert not JobFilter.of(**conditions).is_empty


@pytest.mark.parametrize(
    ("state", "states"),
    [
        ("available", {JobState.AVAILABLE}),
        (JobState.EXECUTING, {JobState.EXECUTING}),
        (["completed", JobState.DISCARDED], {JobState.COMPLETED, JobState.DISCARDED}),
        ("incomplete", INCOMPLETE_STATES),
        (["incomplete", "cancelled", "completed", "discarded"], set(JobState)),
        ("all", INCOMPLETE_STATES | FINAL_STATES),
    ],
)
def test_states_and_groups(state: Any, states: set[JobState]) -> None:
    """A state is given as itself, as a text, by the name of its group, or in a list."""
    wanted = JobFilter.of(state=state)

    assert wanted.states == states
    assert all(wanted.matches_state(one) is (one in states) for one in JobState)


@pytest.mark.parametrize(
    ("conditions", "complaint"),
    [
        ({"states": "available"}, "no condition 'states' of jobs; did you mean 'state'"),
        ({"worker": "x"}, "there are state, function, tags, args, kwargs, meta, priority, ids"),
        ({"state": None}, "state must not be None"),
        ({"function": None}, "function must not be None"),
        ({"ids": []}, "ids must not be empty"),
        ({"args": {}}, "args must not be empty"),
        ({"meta": [{}]}, "a pattern in meta must not be empty"),
        ({"tags": ["", " "]}, "tags must not be empty"),
        ({"state": "availible"}, "no state 'availible'; did you mean 'available'"),
        ({"state": ["available", None]}, "no state None"),
        ({"function": 5}, "function must be a function or its name, got 5"),
        ({"args": "x"}, "args must be a dict, a tuple, or a list of them, got 'x'"),
        ({"meta": ("x",)}, "meta must be a dict, or a list of them, got 'x'|got \\('x',\\)"),
        ({"kwargs": 3}, "kwargs must be a dict, or a list of them, got 3"),
        ({"priority": 10}, "priority must be 0 to 9, got 10"),
        ({"priority": "high"}, "priority must be a whole number"),
        ({"ids": ["a", 5]}, "a job id must be a string"),
    ],
)
def test_conditions_that_mean_nothing_are_refused(conditions: dict[str, Any], complaint: str) -> None:
    """A condition nobody knows, None and what is empty are told in words: a slip must not mean all jobs."""
    with pytest.raises(ConfigurationError, match=complaint):
        JobFilter.of(**conditions)


def test_what_a_filter_has_to_look_at() -> None:
    """A filter tells whether it can be answered without a look at the jobs."""
    assert JobFilter.of().is_empty
    assert JobFilter.of(state="completed").asks_only_for_states
    assert not JobFilter.of(state="completed", priority=0).asks_only_for_states
    assert not JobFilter.of(state="completed", ids="a").asks_only_for_states
    assert JobFilter.of(priority=0).reads_jobs
    assert not JobFilter.of(ids="a", state="all").reads_jobs


def test_what_json_has_no_word_for() -> None:
    """A datetime is found as the text it was written as, and as itself where a serializer kept it."""
    moment = datetime(2030, 1, 1, tzinfo=UTC)

    assert contains({"at": "2030-01-01T00:00:00Z"}, {"at": moment})
    assert contains({"at": moment}, {"at": moment})
    assert not contains({"at": "2031-01-01T00:00:00Z"}, {"at": moment})
