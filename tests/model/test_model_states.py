"""The state machine of a job and its two views."""

from __future__ import annotations

import pytest

from arqlite.model.states import (
    ARQ_STATUS,
    FINAL_STATES,
    LEDGER_STATUS,
    MOVES,
    STATE_LETTERS,
    STATES_BY_LETTER,
    JobState,
    JobStatus,
    LedgerStatus,
    letters_of,
)

S = JobState


def test_both_views_are_total() -> None:
    """Every state has a place in the table of moves, in arq's view and in the ledger's."""
    assert set(MOVES) == set(ARQ_STATUS) == set(LEDGER_STATUS) == set(JobState)


def test_views_show_every_status() -> None:
    """No status of either view is unreachable, but arq's for a job that is nowhere."""
    assert set(ARQ_STATUS.values()) == set(JobStatus) - {JobStatus.not_found}
    assert set(LEDGER_STATUS.values()) == set(LedgerStatus)


def test_final_states_end_a_life() -> None:
    """A job that ended becomes available when somebody retries it, and moves nowhere else."""
    for state in FINAL_STATES:
        assert MOVES[state] == {JobState.AVAILABLE, JobState.SUSPENDED}
    assert all(state.is_final == (state in FINAL_STATES) for state in JobState)


@pytest.mark.parametrize("state", [state for state in JobState if not state.is_final])
def test_every_state_can_reach_an_end(state: JobState) -> None:
    """From everywhere a job can come to success, to failure and to cancellation."""
    reached: set[JobState] = set()
    todo = [state]
    while todo:
        for follower in MOVES[todo.pop()] - reached:
            reached.add(follower)
            todo.append(follower)

    assert reached >= FINAL_STATES


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (S.SCHEDULED, S.EXECUTING),
        (S.AVAILABLE, S.COMPLETED),
        (S.AVAILABLE, S.RETRYABLE),
        (S.RETRYABLE, S.EXECUTING),
        (S.COMPLETED, S.EXECUTING),
        (S.CANCELLED, S.EXECUTING),
    ],
)
def test_impossible_moves_are_not_in_the_table(before: JobState, after: JobState) -> None:
    """A job starts only when it is available, and ends by its own run or by cancellation."""
    assert after not in MOVES[before]


def test_letters() -> None:
    """Each state has a letter of its own, and several are written in one order."""
    assert {STATES_BY_LETTER[letter] for letter in STATE_LETTERS.values()} == set(JobState)
    assert letters_of([S.SUSPENDED, S.AVAILABLE, S.COMPLETED]) == "Sau"


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (S.SCHEDULED, JobStatus.deferred),
        (S.RETRYABLE, JobStatus.deferred),
        (S.AVAILABLE, JobStatus.queued),
        (S.EXECUTING, JobStatus.in_progress),
        (S.COMPLETED, JobStatus.complete),
        (S.DISCARDED, JobStatus.complete),
        (S.CANCELLED, JobStatus.complete),
    ],
)
def test_view_of_arq(state: JobState, status: JobStatus) -> None:
    """arq calls every job that ended complete, also a failed one."""
    assert ARQ_STATUS[state] is status


def test_status_is_written_as_in_arq() -> None:
    """`JobStatus` compares as a string, and its `str` names the member."""
    assert JobStatus.queued == "queued"
    assert str(JobStatus.queued) == "JobStatus.queued"
