"""Runs that a recorder takes from its worker as they are, without an event for each."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from ledger_toys import row_of
from recorder_toys import START_MS, Sessions, ToyLedger, attempts_of, written

from arqlite import telemetry
from arqlite.ledger import LedgerStatus, Recorder
from arqlite.model.functions import func
from arqlite.model.memory import NOTHING
from arqlite.runtime.beginnings import Beginnings
from arqlite.runtime.run import Run
from arqlite.runtime.telling import start_of, tell_stop
from arqlite.telemetry import JobStarted, JobStopped


async def work(ctx: dict[Any, Any]) -> None:
    """Never called."""


def a_run(job_id: str = "job-1", queue: str = "arq:queue", job_try: int = 1) -> Run:
    """A run that began 10 ms after its job was enqueued, and took 40 ms."""
    stored = {"f": "work", "et": START_MS}
    run = Run(
        job_id, "work", func(work), (), {}, b'{"f":"work"}', job_try, NOTHING, START_MS, START_MS, queue,
        "host:1:a", stored=stored,
    )  # fmt: skip
    run.started_ms, run.finished_ms, run.has_begun = START_MS + 10, START_MS + 50, True
    return run


class Starts(Beginnings):
    """Hands out the starts that it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[JobStarted] = []

    def take(self) -> list[JobStarted]:
        given, self.given = self.given, []
        return given


@pytest.fixture
def starts() -> Starts:
    return Starts()


@pytest.fixture
async def worker_recorder(toy_ledger: ToyLedger, starts: Starts) -> AsyncIterator[Recorder]:
    """The recorder of a worker of `arq:queue`."""
    made = Recorder(toy_ledger, "arq:queue", beginnings=starts)
    made.sessions.add("host:1:a")
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of jobs of whose ends events were made."""
    ids: list[str] = []
    real = JobStopped.__init__

    def noted(self: JobStopped, queue: str, job_id: str, *others: Any) -> None:
        ids.append(job_id)
        real(self, queue, job_id, *others)

    monkeypatch.setattr(JobStopped, "__init__", noted)
    return ids


async def test_good_end_needs_no_event(
    worker_recorder: Recorder, sessions: Sessions, made: list[str]
) -> None:
    """A job that ended well has its rows, and nobody made an event for them."""
    tell_stop(a_run(), "completed", {"sent": 1})
    await written(lambda: worker_recorder.waiting == 0)

    row, [attempt] = await row_of(sessions), await attempts_of(sessions)
    assert (row.status, row.output_payload, row.attempt) == (LedgerStatus.SUCCESS, {"sent": 1}, 1)
    assert (row.duration.total_seconds(), attempt.worker) == (0.04, "host:1:a")  # type: ignore[union-attr]
    assert made == []


async def test_others_get_the_event(worker_recorder: Recorder, sessions: Sessions, made: list[str]) -> None:
    """Whoever listens beside the recorder is told as ever."""
    heard: list[JobStopped] = []
    with telemetry.attached(JobStopped, heard.append):
        tell_stop(a_run(), "completed", "sent")
    await written(lambda: worker_recorder.waiting == 0)

    assert [(event.job_id, event.result) for event in heard] == [("job-1", "sent")]
    assert (await row_of(sessions)).status == LedgerStatus.SUCCESS
    assert made == ["job-1"]


@pytest.mark.parametrize(
    ("run", "state", "status"),
    [
        (a_run(), "retryable", LedgerStatus.QUEUED),
        (a_run(), "discarded", LedgerStatus.FAILED),
        (a_run(job_try=2), "completed", LedgerStatus.SUCCESS),
    ],
    ids=["tried again", "failed", "second start"],
)
async def test_other_ends_are_told_by_their_event(
    worker_recorder: Recorder, sessions: Sessions, made: list[str], run: Run, state: Any, status: Any
) -> None:
    """What is less common has its event, and its rows of that."""
    tell_stop(run, state, None if state == "completed" else ValueError("boom"))
    await written(lambda: worker_recorder.waiting == 0)

    assert (await row_of(sessions)).status == status
    assert made == ["job-1"]


async def test_run_of_another_queue_is_not_taken(worker_recorder: Recorder, made: list[str]) -> None:
    """Its own recorder takes it; this one neither records it nor has an event made."""
    tell_stop(a_run(queue="mail"), "completed", None)

    assert (worker_recorder.mark, made) == (0, [])


@pytest.mark.parametrize("is_written", [False, True], ids=["start waits", "start is written"])
async def test_end_meets_its_start(
    worker_recorder: Recorder, sessions: Sessions, starts: Starts, is_written: bool
) -> None:
    """A run whose start was told is one run, whether or not its start was written before its end came."""
    run = a_run()
    if is_written:
        starts.given.append(start_of(run))
        starts.heard()
        await written(lambda: worker_recorder.mark == 1 and worker_recorder.waiting == 0)
        assert (await row_of(sessions)).status == LedgerStatus.RUNNING
    else:
        worker_recorder.take(start_of(run))
    tell_stop(run, "completed", None)
    await written(lambda: worker_recorder.waiting == 0)

    [attempt] = await attempts_of(sessions)
    assert (attempt.state, (await row_of(sessions)).status) == ("completed", LedgerStatus.SUCCESS)
