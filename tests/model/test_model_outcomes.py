"""A job's fate: what became of a run, and whether a job may be started at all."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from typing import Any

import pytest

from arqlite import Cancel, Discard, Snooze, Task, task
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
        (
            {"tries": 2, "max_tries": 2, "is_task": True},
            "all of its attempts are used up, max_attempts is 2",
        ),
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

    assert (refusal.error if refusal else None) == (JobExecutionFailed(text) if text else None)


# -- tasks


@dataclass
class Job:
    """A run, as far as a decision wants to know it."""

    attempt: int = 1
    max_attempts: int = 20
    job_id: str = "j"
    function: str = "send"
    queue_name: str = "q"
    errors: tuple[Any, ...] = ()
    tags: tuple[str, ...] = ()
    meta: dict[str, Any] = field(default_factory=dict)
    priority: int = 0
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)

    @property
    def is_last_attempt(self) -> bool:
        return self.attempt >= self.max_attempts


async def send(ctx: Any) -> None: ...


def of_task(
    outcome: Any, attempt: int = 1, max_attempts: int = 20, *, retry_jobs: bool = True, **options: Any
) -> Verdict:
    job: Any = Job(attempt, max_attempts)
    made: Task[..., Any] = task(**options)(send)
    return decide(outcome, retry_jobs=retry_jobs, task=made, job=job, chance=lambda: 0.0)


@pytest.mark.parametrize("ask", [Returned, Raised])
@pytest.mark.parametrize("made", [None, task(send)])
@pytest.mark.parametrize("retry_jobs", [True, False])
def test_snooze_costs_no_attempt(ask: Any, made: Any, retry_jobs: bool) -> None:
    """`Snooze`, returned or raised, by a task or not, runs the job later and is no failure."""
    job: Any = Job(20, 20)

    verdict = decide(ask(Snooze(60)), retry_jobs=retry_jobs, task=made, job=job)

    assert verdict == Again(60_000, counts=False, is_snooze=True)


@pytest.mark.parametrize("ask", [Returned, Raised])
@pytest.mark.parametrize("made", [None, task(send)])
@pytest.mark.parametrize(
    ("control", "state"),
    [(Cancel("moved"), JobState.CANCELLED), (Discard("no such user"), JobState.DISCARDED)],
)
def test_job_that_gives_up(ask: Any, made: Any, control: Any, state: JobState) -> None:
    """`Cancel` and `Discard`, returned or raised, end the job with their reason, at any attempt."""
    job: Any = Job()

    assert decide(ask(control), retry_jobs=True, task=made, job=job) == End(state, control)


def test_task_that_returns_completes() -> None:
    """What a task returns is its result, at any attempt."""
    assert of_task(Returned({"sent": 1}), 20) == End(JobState.COMPLETED, {"sent": 1})


@pytest.mark.parametrize("error", [BOOM, asyncio.CancelledError(), JobExecutionFailed("SystemExit: 1")])
def test_failed_task_is_tried_again(error: BaseException) -> None:
    """Whatever a task raises, it is tried again after its back-off, and the attempt counts."""
    assert of_task(Raised(error), 3) == Again(23_000, counts=True, error=error)


@pytest.mark.parametrize(
    ("attempt", "max_attempts", "is_last"),
    [(1, 1, True), (1, 2, False), (2, 2, True), (19, 20, False), (20, 20, True), (21, 20, True)],
)
def test_attempts_are_used_up(attempt: int, max_attempts: int, is_last: bool) -> None:
    """The failure of the last attempt is final, of one before it is not."""
    verdict = of_task(Raised(BOOM), attempt, max_attempts)

    assert isinstance(verdict, End if is_last else Again)
    assert not is_last or verdict == End(JobState.DISCARDED, BOOM)


@pytest.mark.parametrize(
    ("options", "error", "is_tried_again"),
    [
        ({"retry_on": OSError}, ConnectionError(), True),
        ({"retry_on": OSError}, ValueError(), False),
        ({"retry_on": (OSError, ValueError)}, ValueError(), True),
        ({"retry_on": ()}, ValueError(), False),
        ({"retry_on": OSError}, TimeoutError(), True),
        ({"discard_on": ValueError}, ValueError(), False),
        ({"discard_on": ValueError}, UnicodeError(), False),
        ({"discard_on": ValueError}, KeyError(), True),
        ({"retry_on": OSError, "discard_on": ConnectionError}, ConnectionError(), False),
        ({"retry_on": OSError, "discard_on": ConnectionError}, OSError(), True),
    ],
)
def test_which_errors_are_tried_again(
    options: dict[str, Any], error: BaseException, is_tried_again: bool
) -> None:
    """`retry_on` names what alone is tried again, `discard_on` what is not and comes first."""
    verdict = of_task(Raised(error), **options)

    assert isinstance(verdict, Again if is_tried_again else End)
    assert is_tried_again or verdict == End(JobState.DISCARDED, error)


def test_timeout_of_a_task_is_a_failure() -> None:
    """A task over its time is tried again like any other; its error says after how long, and where it was."""
    where = asyncio.CancelledError()

    verdict = of_task(Interrupted("timeout", where), 10, timeout=0.005, backoff=1)

    assert isinstance(verdict, Again)
    assert (verdict.delay_ms, verdict.counts) == (1000, True)
    assert isinstance(verdict.error, TimeoutError)
    assert str(verdict.error) == "timed out after 0.005s"
    assert verdict.error.__cause__ is where


def test_timeout_of_the_last_attempt() -> None:
    """A task over its time at its last attempt is discarded."""
    verdict = of_task(Interrupted("timeout"), 20, timeout=5)

    assert isinstance(verdict, End)
    assert (verdict.state, str(verdict.value)) == (JobState.DISCARDED, "timed out after 5s")


@pytest.mark.parametrize("ask", [Returned, Raised])
@pytest.mark.parametrize(
    ("error", "delay_ms"), [(Retry(), None), (Retry(5), 5000), (Retry(0), 0), (RetryJob(), None)]
)
def test_task_that_asks_for_another_attempt(ask: Any, error: Any, delay_ms: int | None) -> None:
    """`Retry` of a task is an attempt that failed, with the delay that it names."""
    verdict = of_task(ask(error), 3, retry_on=OSError)

    assert verdict == Again(delay_ms, counts=True, error=error)


@pytest.mark.parametrize("error", [Retry(5), RetryJob()])
def test_no_attempt_is_left_to_ask_for(error: BaseException) -> None:
    """`Retry` at the last attempt discards the job at once, and says why."""
    verdict = of_task(Raised(error), 5, 5)

    assert isinstance(verdict, End)
    assert verdict.state is JobState.DISCARDED
    assert str(verdict.value) == "asked to be run again at attempt 5 of 5, and there is no other"
    assert verdict.value.__cause__ is error


def test_returned_retry_of_a_bare_function() -> None:
    """A bare function that returns a `Retry` has that as its result, as in arq."""
    retry = Retry(5)

    assert decide(Returned(retry), retry_jobs=True) == End(JobState.COMPLETED, retry)


@pytest.mark.parametrize(
    ("reason", "verdict"),
    [("shutdown", Again(None, counts=False)), ("lost_lease", Gone())],
)
def test_interruption_that_costs_a_task_nothing(reason: Any, verdict: Verdict) -> None:
    """A shutdown gives a task's job back at no cost, and a lost one is somebody else's."""
    assert of_task(Interrupted(reason), 20) == verdict


def test_aborted_task_is_cancelled() -> None:
    """A task's job that somebody aborts is cancelled, not tried again."""
    verdict = of_task(Interrupted("abort"), 1)

    assert isinstance(verdict, End)
    assert verdict.state is JobState.CANCELLED


@pytest.mark.parametrize("error", [BOOM, Retry(1)])
def test_task_without_retries(error: BaseException) -> None:
    """A worker with `retry_jobs=False` tries no failed job again, of a task either."""
    assert of_task(Raised(error), retry_jobs=False) == End(JobState.DISCARDED, error)


def test_postponed_task_has_not_begun() -> None:
    """A task's job that could not begin costs no attempt, even at its last one."""
    assert of_task(Raised(Postpone(1.5)), 20) == Again(1500, counts=False)


@pytest.mark.parametrize(
    ("given", "state", "text"),
    [
        (Snooze, JobState.DISCARDED, r"the job returned the class Snooze: say Snooze\(seconds\)"),
        (Cancel, JobState.CANCELLED, "cancelled"),
        (Discard, JobState.DISCARDED, "discarded"),
    ],
)
def test_a_class_is_returned_instead_of_an_object(given: type, state: JobState, text: str) -> None:
    """`return Cancel` is as good as `raise Cancel`; `return Snooze` says not for how long, and is told."""
    verdict = decide(Returned(given), retry_jobs=True)

    assert isinstance(verdict, End)
    assert verdict.state is state
    assert re.fullmatch(text, str(verdict.value))


def test_another_class_is_a_result() -> None:
    """What a class that is none of these means, its job knows."""
    assert decide(Returned(int), retry_jobs=True) == End(JobState.COMPLETED, int)
