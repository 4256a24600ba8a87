"""A job's fate: what became of a run, and whether a job may be started at all."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from arqlite.errors import JobExecutionFailed, Postpone, Retry, RetryJob
from arqlite.model.outcomes import Again, End, Gone, Interrupted, Raised, Returned, Verdict, decide, refuse
from arqlite.model.states import JobState

BOOM = TypeError("boom")


@pytest.mark.parametrize("retry_jobs", [True, False])
@pytest.mark.parametrize("value", [None, 0, "text", ValueError("returned, not raised")])
def test_returned_value_completes(value: Any, retry_jobs: bool) -> None:
    """A job that returns has succeeded, whatever it returns."""
    assert decide(Returned(value), retry_jobs=retry_jobs) == End(JobState.COMPLETED, value)


@pytest.mark.parametrize("retry_jobs", [True, False])
def test_plain_exception_ends_the_job(retry_jobs: bool) -> None:
    """A plain exception fails a job at once, as in arq."""
    assert decide(Raised(BOOM), retry_jobs=retry_jobs) == End(JobState.DISCARDED, BOOM)


@pytest.mark.parametrize(
    ("error", "delay_ms"),
    [
        (Retry(), None),
        (Retry(0), 0),
        (Retry(1.5), 1500),
        (RetryJob(), None),
        (asyncio.CancelledError(), None),
    ],
)
def test_asking_for_another_run(error: BaseException, delay_ms: int | None) -> None:
    """`Retry`, `RetryJob` and a cancellation from within run the job again and count as a try."""
    assert decide(Raised(error), retry_jobs=True) == Again(delay_ms, counts=True)


@pytest.mark.parametrize("error", [Retry(5), RetryJob(), asyncio.CancelledError()])
def test_asking_for_another_run_fails_without_retries(error: BaseException) -> None:
    """With `retry_jobs=False` asking for another run is a failure."""
    assert decide(Raised(error), retry_jobs=False) == End(JobState.DISCARDED, error)


@pytest.mark.parametrize("retry_jobs", [True, False])
def test_postponing_costs_no_try(retry_jobs: bool) -> None:
    """A job that could not begin waits and has lost nothing, also where no job may ask for another run."""
    assert decide(Raised(Postpone(1.5)), retry_jobs=retry_jobs) == Again(1500, counts=False)


def test_shutdown_costs_no_try() -> None:
    """A job that a shutdown interrupted goes back to its old place and has lost nothing."""
    assert decide(Interrupted("shutdown"), retry_jobs=True) == Again(None, counts=False)


@pytest.mark.parametrize(
    ("reason", "state", "error"),
    [
        ("abort", JobState.CANCELLED, asyncio.CancelledError),
        ("timeout", JobState.DISCARDED, TimeoutError),
    ],
)
@pytest.mark.parametrize("retry_jobs", [True, False])
def test_interruption_that_ends(
    reason: Any, state: JobState, error: type[BaseException], retry_jobs: bool
) -> None:
    """An aborted job is cancelled, one over its time has failed; neither runs again."""
    verdict = decide(Interrupted(reason), retry_jobs=retry_jobs)

    assert isinstance(verdict, End)
    assert verdict.state is state
    assert type(verdict.value) is error


def test_shutdown_without_retries_fails() -> None:
    """With `retry_jobs=False` a job that a shutdown interrupted has failed, as in arq."""
    verdict = decide(Interrupted("shutdown"), retry_jobs=False)

    assert isinstance(verdict, End)
    assert verdict.state is JobState.DISCARDED
    assert isinstance(verdict.value, asyncio.CancelledError)


@pytest.mark.parametrize("retry_jobs", [True, False])
def test_lost_lease_decides_nothing(retry_jobs: bool) -> None:
    """A job that is somebody else's by now gets no verdict from here."""
    verdict: Verdict = decide(Interrupted("lost_lease"), retry_jobs=retry_jobs)

    assert verdict == Gone()


FINE = {"tries": 0, "crashes": 0, "max_tries": 5, "max_rescues": 3, "expires_ms": None, "now_ms": 1000}


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        ({}, None),
        ({"tries": 4}, None),
        ({"tries": 5}, "max 5 retries exceeded"),
        ({"tries": 9, "max_tries": 2}, "max 2 retries exceeded"),
        ({"crashes": 2}, None),
        ({"crashes": 3}, "worker died 3 times"),
        ({"crashes": 3, "tries": 5}, "worker died 3 times"),
        ({"expires_ms": 1000}, None),
        ({"expires_ms": 999}, "job expired"),
        ({"expires_ms": 999, "tries": 5}, "job expired"),
    ],
)
def test_refusal(facts: dict[str, Any], text: str | None) -> None:
    """A job is started while it is in time and has tries and lives left; else arq's words say why not."""
    refusal = refuse(**{**FINE, **facts})

    assert refusal == (JobExecutionFailed(text) if text else None)
