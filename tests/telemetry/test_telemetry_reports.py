"""Error reports: failures of jobs, handed to whoever wants them, and never in anybody's way."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from telemetry_toys import failed, raised, stopped

from arqlite.errors import ConfigurationError
from arqlite.telemetry import ErrorReport, JobException, execute, has_handlers, report_errors, reports_sent


def test_report_tells_job_and_error() -> None:
    """A report has the job, its error with the traceback, and which attempt it was."""
    reports: list[ErrorReport] = []
    report_errors(reports.append)
    boom = raised(ValueError("boom"))

    execute(failed(boom))
    execute(stopped(error=boom, state="retryable"))

    [report] = reports
    assert (report.error, report.attempt, report.is_last) == (boom, 2, False)
    assert (report.job.function, report.job.job_id, report.job.meta) == ("send", "42", {"tenant": 7})
    assert report.stack.endswith("\nValueError: boom")
    assert report.stack is report.stack


def test_only_last_failures() -> None:
    """With `only_last` an attempt that is followed by another is not reported."""
    reports: list[ErrorReport] = []
    report_errors(reports.append, only_last=True)

    execute(failed(ValueError("first")))
    execute(failed(ValueError("last"), is_last=True, state="discarded"))

    assert [str(report.error) for report in reports] == ["last"]


@pytest.mark.parametrize("ignore", [LookupError, (LookupError, OSError)])
def test_expected_errors_are_not_reported(ignore: Any) -> None:
    """Errors that are expected, and those that derive from them, are nobody's news."""
    reports: list[ErrorReport] = []
    report_errors(reports.append, ignore=ignore)

    execute(failed(KeyError("k")))
    execute(failed(ValueError("boom")))

    assert [type(report.error) for report in reports] == [ValueError]


def test_several_reporters_and_their_ends() -> None:
    """Each reporter is one of its own, ended by what `report_errors` returned."""
    reports: list[Any] = []
    stop_first = report_errors(reports.append)
    stop_second = report_errors(reports.append)

    execute(failed(ValueError()))
    stop_first()
    execute(failed(ValueError()))
    stop_second()
    stop_second()

    assert len(reports) == 3
    assert not has_handlers(JobException)


def test_reporter_that_raises_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A reporter's own fault is told, and nothing else happens."""

    def broken(report: ErrorReport) -> None:
        raise RuntimeError("no network")

    report_errors(broken)
    execute(failed(ValueError()))

    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert caplog.records[0].exc_info


async def test_coroutine_reports_beside_the_jobs() -> None:
    """A coroutine runs as a task; whoever is about to end can wait for it."""
    reports: list[ErrorReport] = []
    may_send = asyncio.Event()

    async def send(report: ErrorReport) -> None:
        await may_send.wait()
        reports.append(report)

    report_errors(send)
    execute(failed(ValueError()))
    assert reports == []
    may_send.set()
    await reports_sent()

    assert len(reports) == 1
    await reports_sent()


async def test_coroutine_that_fails_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A coroutine's error is told with its traceback, and lost to nobody."""

    async def send(report: ErrorReport) -> None:
        raise RuntimeError("no network")

    report_errors(send)
    execute(failed(ValueError()))
    await reports_sent()
    await asyncio.sleep(0)

    assert caplog.messages == ["reporting an error failed"]
    assert caplog.records[0].exc_info


async def test_wait_for_reports_has_an_end(caplog: pytest.LogCaptureFixture) -> None:
    """A reporter that hangs keeps nobody from ending; the log says how many were not sent."""

    async def send(report: ErrorReport) -> None:
        await asyncio.Event().wait()

    report_errors(send)
    execute(failed(ValueError()))
    await reports_sent(patience_s=0.01)

    assert caplog.messages == ["1 error reports were not sent within 0.0s"]


def test_coroutine_without_a_loop(caplog: pytest.LogCaptureFixture) -> None:
    """Where no event loop runs, the log says that a coroutine cannot report."""

    async def send(report: ErrorReport) -> None: ...

    report_errors(send)
    execute(failed(ValueError()))

    assert caplog.messages == [
        "an error report was not sent: no event loop runs here, and its handler is a coroutine"
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"handler": 3}, "handler must be a function that takes an ErrorReport, got 3"),
        ({"handler": print, "ignore": ("ValueError",)}, "ignore must be .*, got 'ValueError'"),
        ({"handler": print, "ignore": int}, "ignore must be"),
    ],
)
def test_bad_reporter_is_refused(arguments: dict[str, Any], words: str) -> None:
    """What cannot report, or cannot be raised, is refused in words."""
    with pytest.raises(ConfigurationError, match=words):
        report_errors(**arguments)
