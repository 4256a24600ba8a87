"""The default logger: which events become lines, at which level, and what stands in them."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from telemetry_toys import failed, raised, started, stopped

from arqlite.errors import ConfigurationError
from arqlite.telemetry import (
    EVENTS,
    CronFired,
    JobEnqueued,
    JobsPruned,
    JobsRescued,
    LeaderChanged,
    LoopBlocked,
    QueuePaused,
    QueueShutdown,
    ServiceFailed,
    ServiceStarted,
    ServiceStopped,
    WorkerStopped,
    attach_default_logger,
    detach_default_logger,
    execute,
    has_handlers,
)


@pytest.fixture(autouse=True)
def everything(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [json.loads(message) for message in caplog.messages]


def test_line_of_a_stop(caplog: pytest.LogCaptureFixture) -> None:
    """A stop is one JSON object with the job's fields and microseconds; its result is left out."""
    attach_default_logger()
    execute(stopped())

    assert lines(caplog) == [
        {
            "source": "arqlite",
            "event": "job.stop",
            "queue": "mail",
            "job_id": "42",
            "function": "send",
            "attempt": 3,
            "worker": "host:1:a",
            "state": "completed",
            "duration": 12_000,
            "error": None,
            "at_ms": 1012,
            "enqueue_ms": 900,
            "max_attempts": 20,
            "tags": ["urgent"],
            "meta": {"tenant": 7},
            "priority": 0,
            "scheduled_ms": 950,
            "queue_time": 50_000,
            "counted_attempt": 2,
            "crashes": 0,
            "parent": "",
            "triggered_by": "",
            "cause": "",
            "started_ms": 0,
        }
    ]
    assert caplog.records[0].levelno == logging.INFO
    assert caplog.records[0].name == "arqlite.events"


def test_arguments_are_shown_only_if_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    """Arguments may be secret: they are in the lines only with `include_args`."""
    for include_args in (False, True):
        for json_too in (False, True):
            attach_default_logger(include_args=include_args, json=json_too)
            execute(started(record=b"secret"))

    assert ["secret" in message for message in caplog.messages] == [False, False, True, True]
    told = json.loads(caplog.messages[3])
    assert (told["args"], told["kwargs"]) == (["secret"], {"key": "secret"})


def test_line_of_an_exception(caplog: pytest.LogCaptureFixture) -> None:
    """A failure is an ERROR with the error in words and its traceback, in one line."""
    attach_default_logger("DEBUG")
    execute(failed(raised(ValueError("boom"))))

    [told] = lines(caplog)
    assert (told["event"], told["error"], told["state"]) == ("job.exception", "ValueError: boom", "retryable")
    assert told["stacktrace"].startswith("Traceback (most recent call last):\n")
    assert told["stacktrace"].endswith("\nValueError: boom")
    assert caplog.records[0].levelno == logging.ERROR
    assert caplog.records[0].exc_info is None


def test_lines_for_people(caplog: pytest.LogCaptureFixture) -> None:
    """Text has the name and what is worth reading; the traceback follows an error as always."""
    attach_default_logger(json=False)
    execute(stopped(meta={}))
    execute(failed(raised(ValueError("boom"))))
    execute(JobEnqueued("my queue", "4\n2", "send"))

    assert caplog.messages[0] == (
        "job.stop queue=mail job_id=42 function=send attempt=3 worker=host:1:a state=completed "
        "duration=0.012s max_attempts=20 tags=('urgent',) queue_time=0.050s"
    )
    assert " error='ValueError: boom' is_last=False " in caplog.messages[1]
    assert caplog.records[1].exc_text is not None or caplog.records[1].exc_info is not None
    assert caplog.messages[2] == "job.enqueued queue='my queue' job_id='4\\n2' function=send"


def test_levels(caplog: pytest.LogCaptureFixture) -> None:
    """Trouble is told louder, routine more quietly, the rest at the level that was asked for."""
    attach_default_logger(logging.CRITICAL)
    boom = ValueError("boom")
    for event in (
        started(),
        failed(boom),
        LoopBlocked("q", "w", "1", "f", 2.0, "here", 0),
        QueueShutdown("q", "w", 10, ("1",)),
        ServiceStarted("Pruner", "q", {}, 0),
        ServiceStopped("Pruner", "q", {"pruned": 3}, 1.5, 0),
        ServiceFailed("Pruner", "q", {}, 1.5, boom, 0),
    ):
        execute(event)

    assert [(record.levelname, json.loads(record.getMessage())["event"]) for record in caplog.records] == [
        ("CRITICAL", "job.start"),
        ("ERROR", "job.exception"),
        ("WARNING", "loop.blocked"),
        ("WARNING", "queue.shutdown"),
        ("DEBUG", "service.start"),
        ("DEBUG", "service.stop"),
        ("ERROR", "service.exception"),
    ]
    assert json.loads(caplog.messages[5])["duration"] == 1500


def test_shutdown_without_orphans_is_no_line(caplog: pytest.LogCaptureFixture) -> None:
    """A shutdown is worth a line when it found jobs running, and names them."""
    attach_default_logger()
    execute(QueueShutdown("q", "w", 0, ()))
    execute(QueueShutdown("q", "w", 10, ("1", "2")))

    assert [(told["orphaned"], told["elapsed"]) for told in lines(caplog)] == [(["1", "2"], 10_000)]


def test_changes_of_the_leader_are_lines(caplog: pytest.LogCaptureFixture) -> None:
    """Each event of the leader is a change, and a line."""
    attach_default_logger(events="leader")
    execute(LeaderChanged("q", "w", True))

    assert [(told["event"], told["is_leader"]) for told in lines(caplog)] == [("leader.change", True)]


def test_services_tell_their_counts_and_errors(caplog: pytest.LogCaptureFixture) -> None:
    """Rescues, prunings and cron jobs are lines with counts, a failed round is one with its error."""
    attach_default_logger()
    execute(JobsRescued("q", {"host:1:a": 2}))
    execute(JobsPruned("q", 3))
    execute(CronFired("q", "report", "report:5", 5))
    execute(ServiceFailed("Pruner", "q", {"batches": 2}, 1.5, ValueError("boom"), 0))

    rescued, pruned, fired, broken = lines(caplog)
    assert (rescued["event"], rescued["jobs"]) == ("queue.rescue", {"host:1:a": 2})
    assert (pruned["event"], pruned["count"]) == ("queue.prune", 3)
    assert (fired["event"], fired["cron"], fired["job_id"]) == ("cron.fire", "report", "report:5")
    assert (broken["service"], broken["meta"], broken["error"]) == (
        "Pruner", {"batches": 2}, "ValueError: boom",
    )  # fmt: skip


def test_service_that_keeps_failing_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """An outage is one line per service, until the service succeeds or fails in another way."""
    attach_default_logger()

    def fail(error: Exception, service: str = "Pruner") -> None:
        execute(ServiceFailed(service, "q", {}, 1.0, error, 0))

    fail(ConnectionError())
    fail(ConnectionError())
    fail(ConnectionError(), "Lifeline")
    fail(ValueError())
    execute(ServiceStopped("Pruner", "q", {}, 1.0, 0))
    fail(ValueError())

    told = [(one["service"], one["error"]) for one in lines(caplog) if one["event"] == "service.exception"]
    assert told == [
        ("Pruner", "ConnectionError"),
        ("Lifeline", "ConnectionError"),
        ("Pruner", "ValueError"),
        ("Pruner", "ValueError"),
    ]


@pytest.mark.parametrize(
    ("events", "told"),
    [
        ("job", ["job.stop"]),
        (["queue", "worker"], ["queue.pause", "worker.stop"]),
        ("all", ["job.stop", "queue.pause", "worker.stop"]),
    ],
)
def test_categories(caplog: pytest.LogCaptureFixture, events: Any, told: list[str]) -> None:
    """A logger of some categories drops the others; nobody builds events for it."""
    attach_default_logger(events=events)
    for event in (stopped(), QueuePaused("mail"), WorkerStopped("mail", "w", 1, 0, 0)):
        assert has_handlers(type(event)) is (event.name in told)
        execute(event)

    assert [line["event"] for line in lines(caplog)] == told


def test_fields_are_on_the_record(caplog: pytest.LogCaptureFixture) -> None:
    """Handlers and formatters of one's own find the fields as a dict, of JSON and of text lines."""
    attach_default_logger(json=False)
    execute(QueuePaused("mail"))

    assert caplog.records[0].__dict__["arqlite_event"] == {
        "source": "arqlite", "event": "queue.pause", "queue": "mail", "node": "", "by": "",
    }  # fmt: skip


def test_logger_of_some_queues(caplog: pytest.LogCaptureFixture) -> None:
    """A logger of a queue ignores the others' events, but not those that belong to no queue."""
    attach_default_logger(queue="mail")
    execute(stopped())
    execute(stopped(queue="other"))
    execute(ServiceStarted("Sweeper", "", {}, 0))
    attach_default_logger(queue=["mail", "other"])
    execute(stopped(queue="other"))

    assert [line["queue"] for line in lines(caplog)] == ["mail", "", "other"]


def test_second_logger_replaces_the_first(caplog: pytest.LogCaptureFixture) -> None:
    """There is one default logger; another call changes it, and detaching ends it."""
    own = logging.getLogger("shop")
    attach_default_logger()
    attach_default_logger(logger=own)
    execute(stopped())
    attach_default_logger(logger="shop.jobs")
    execute(stopped())
    detach_default_logger()
    detach_default_logger()
    execute(stopped())

    assert [record.name for record in caplog.records] == ["shop", "shop.jobs"]
    assert not any(has_handlers(event_type) for event_type in EVENTS)


def test_lines_that_nobody_wants_are_not_written(caplog: pytest.LogCaptureFixture) -> None:
    """What the logger's level holds back costs no work."""
    caplog.set_level(logging.WARNING, "arqlite.events")
    attach_default_logger()
    execute(stopped(meta=None))  # it would raise

    assert caplog.messages == []


def test_value_that_json_cannot_hold(caplog: pytest.LogCaptureFixture) -> None:
    """Arguments that JSON has no form for become text, and the line is there."""
    attach_default_logger(include_args=True)
    execute(started(args=(object, {1: {2}}), kwargs={}))

    [told] = lines(caplog)
    assert told["args"] == ["<class 'object'>", {"1": [2]}]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"events": "jobs"}, "events must be \"all\" or some of job, worker, .*; got 'jobs'"),
        ({"events": ["job", 3]}, "got 3"),
        ({"level": "LOUD"}, "level must be a level of logging, .*; got 'LOUD'"),
        ({"level": True}, "got True"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], words: str) -> None:
    """A category or level that does not exist is refused in words."""
    with pytest.raises(ConfigurationError, match=words):
        attach_default_logger(**options)


def test_queue_that_is_no_text() -> None:
    """What is no name of a queue, nor several, is refused."""
    with pytest.raises(ConfigurationError, match="queue must be a text or a list of texts, got 3"):
        attach_default_logger(queue=3)  # type: ignore[arg-type]
