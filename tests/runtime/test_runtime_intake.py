"""From a claimed record to a run, a refusal, or a return."""

from __future__ import annotations

from typing import Any

import pytest

from arqlite.engine import Returned
from arqlite.errors import DeserializationError, JobExecutionFailed
from arqlite.model.codec import Codec, queued_record
from arqlite.model.functions import func
from arqlite.model.memory import Memory, decode
from arqlite.runtime.intake import Intake, Limits, Refused
from arqlite.runtime.run import Run

NOW = 1_700_000_000_000
LIMITS = Limits(timeout_s=300, keep_ms=3_600_000, max_tries=5, max_rescues=3, unknown_ttl_ms=60_000)


async def add(ctx: Any, a: int, b: int = 2) -> int:
    return a + b


def read(
    memory: Memory | None = None,
    *,
    name: str = "add",
    job_try: int | None = None,
    now_ms: int = NOW,
    **extras: Any,
) -> Run | Refused | Returned:
    blob = Codec().encode_job(name, (1,), {"b": 3}, job_try, NOW - 1000, **extras)
    text = memory.encode().encode() if memory else None
    return Intake({"add": func(add)}, LIMITS, Codec(), "q").read(
        "j", queued_record(0, blob), text, now_ms, "w"
    )


def test_plain_job_is_a_run() -> None:
    """A job of a known function becomes a run with its arguments and the worker's limits."""
    run = read()

    assert isinstance(run, Run)
    assert (run.job_id, run.function, list(run.args), run.kwargs) == ("j", "add", [1], {"b": 3})
    assert (run.job_try, run.crashes, run.timeout_s, run.keep_ms) == (1, 0, 300, 3_600_000)
    assert (run.enqueue_ms, run.score_ms, run.queue_name, run.worker) == (NOW - 1000, NOW - 1000, "q", "w")
    assert run.ref == "j:add"


def test_moment_it_was_due() -> None:
    """A deferred job is ranked by when it was due, a retried one by when its retry was."""
    deferred, retried = read(at=NOW - 5), read(Memory(1, 0, NOW - 3), at=NOW - 5)

    assert isinstance(deferred, Run)
    assert isinstance(retried, Run)
    assert (deferred.score_ms, retried.score_ms) == (NOW - 5, NOW - 3)


@pytest.mark.parametrize(
    ("memory", "job_try", "expected"),
    [(None, 3, 3), (Memory(2), None, 3), (Memory(1, 2), None, 4), (Memory(1, 1), 2, 4)],
)
def test_try_counts_every_start(memory: Memory | None, job_try: int | None, expected: int) -> None:
    """The try is the number of this start, starts whose worker died included."""
    run = read(memory, job_try=job_try)

    assert isinstance(run, Run)
    assert run.job_try == expected


@pytest.mark.parametrize(
    ("memory", "options", "text"),
    [
        (Memory(5), {}, "max 5 retries exceeded"),
        (None, {"job_try": 6}, "max 5 retries exceeded"),
        (Memory(0, 3), {}, "worker died 3 times"),
        (None, {"x": NOW - 1}, "job expired"),
    ],
)
def test_refusal(memory: Memory | None, options: dict[str, Any], text: str) -> None:
    """A job out of tries, lives or time is refused, with all that is known of it."""
    refused = read(memory, **options)

    assert isinstance(refused, Refused)
    assert refused.error == JobExecutionFailed(text)
    assert (refused.run.function, refused.run.keep_ms) == ("add", 3_600_000)


def test_attempts_of_a_bare_function_are_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """Who named a bare function, and how often it may fail, hears once that a failure is final."""
    intake = Intake({"add": func(add)}, LIMITS, Codec(), "q")
    for job_id in ("a", "b"):
        blob = Codec().encode_job("add", (1,), {}, None, NOW, ma=5)
        run = intake.read(job_id, queued_record(0, blob), None, NOW, "w")
        assert isinstance(run, Run)

    assert [record.getMessage() for record in caplog.records] == [
        "job a: it was enqueued with max_attempts, and add is a bare function: what fails is not tried again "
        "unless it raises Retry; write @task"
    ]


def test_unreadable_job_is_refused() -> None:
    """A record that is no job is refused, and keeps its bytes."""
    refused = Intake({}, LIMITS, Codec(), "q").read("j", b"Q\x00\xff", None, NOW, "w")

    assert isinstance(refused, Refused)
    assert isinstance(refused.error, DeserializationError)
    assert (refused.run.function, refused.run.blob) == ("<unknown>", b"\xff")


@pytest.mark.parametrize(
    ("since", "delay_ms"), [(0, 500), (NOW - 100, 500), (NOW - 2000, 2000), (NOW - 59_000, 30_000)]
)
def test_unknown_function_is_looked_at_ever_less_often(since: int, delay_ms: int) -> None:
    """A job nobody here knows goes back, at first for half a second and at last for half a minute."""
    memory = Memory(1, 1, 7, since)

    returned = read(memory, name="nobody")

    assert isinstance(returned, Returned)
    assert (returned.place, returned.ms) == ("scheduled", delay_ms)
    assert decode(returned.memory) == memory._replace(unknown_since_ms=since or NOW)


def test_unknown_function_has_an_end() -> None:
    """After `unknown_function_ttl` a job nobody knows is refused, in arq's words and by its name."""
    refused = read(Memory(0, 0, 0, NOW - 60_000), name="nobody")

    assert isinstance(refused, Refused)
    assert refused.error == JobExecutionFailed("function 'nobody' not found")
    assert refused.run.function == "nobody"


@pytest.mark.parametrize(
    ("worker_ms", "options", "keep_ms"),
    [
        (5000, {}, 5000),
        (5000, {"keep_result": 0}, 0),
        (5000, {"keep_result": 9}, 9000),
        (5000, {"keep_result_forever": True}, -1),
        (5000, {"keep_result_forever": True, "keep_result": 9}, -1),
        (-1, {}, -1),
        (-1, {"keep_result_forever": False, "keep_result": 9}, 9000),
        (-1, {"keep_result_forever": False}, 0),
    ],
)
def test_how_long_results_are_kept(worker_ms: int, options: dict[str, Any], keep_ms: int) -> None:
    """The function's word on its results comes before the worker's."""
    limits = Limits(300, worker_ms, 5, 3, 60_000)

    assert limits.keep_ms_of(func(add, **options)) == keep_ms


@pytest.mark.parametrize(
    "carried", [{"ma": "3"}, {"ma": 1.5}, {"p": "high"}, {"g": "tag"}, {"g": {"a": 1}}, {"m": ["a"]}]
)
def test_what_a_stranger_wrote_is_refused(carried: dict[str, Any]) -> None:
    """A job whose attempts, priority, tags or meta are of another kind is no job, and harms nobody later."""
    refused = read(**carried)

    assert isinstance(refused, Refused)
    assert isinstance(refused.error, DeserializationError)


def test_job_of_a_task_tells_what_it_carries() -> None:
    """A run knows its attempt and its limits, and what the job was enqueued with."""
    run = read(Memory(2, 1, snoozes=3, granted=10), job_try=2, ma=9, p=4, g=["a"], m={"b": 1})

    assert isinstance(run, Run)
    assert (run.attempt, run.max_attempts, run.is_last_attempt, run.job_try) == (4, 10, False, 5)
    assert (run.priority, run.tags, run.meta, run.snoozes) == (4, ("a",), {"b": 1, "snoozed": 3}, 3)


def test_meta_is_a_copy() -> None:
    """What a job does to its meta is its own affair."""
    run = read(m={"b": 1})
    assert isinstance(run, Run)

    run.meta["b"] = 2

    assert run.meta == {"b": 1}
