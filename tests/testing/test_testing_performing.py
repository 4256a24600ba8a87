"""One job, built and run at once, with nothing stored."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from testing_toys import Broken, act, brief, oban, plain, take

from arqlite import ArqRedis, Cancel, Discard, Retry, Snooze, call, current_job, func, task
from arqlite.errors import ConfigurationError, InvalidArguments, JobExecutionFailed, SerializationError
from arqlite.model.states import JobState
from arqlite.telemetry import JobStarted, JobStopped, attach, detach
from arqlite.testing import all_enqueued, build_job, perform_job


async def note(ctx: dict[str, Any], anything: Any) -> None: ...


async def test_returns_what_the_function_returned() -> None:
    """A job is run here and now, and its value is given as it is."""
    assert await perform_job(act, "ok", 3) == ["ok", 3]
    assert await perform_job(act, "ok", ref=4) == ["ok", 4]
    assert await perform_job(call(act, "ok", 5)) == ["ok", 5]
    assert await perform_job(plain, 4) == 8


async def test_by_name() -> None:
    """A function that is named is found among the functions, or in worker settings."""

    class Settings:
        functions = (act,)

    assert await perform_job("act", "ok", 1, functions=[act]) == ["ok", 1]
    assert await perform_job("act", "ok", 2, functions=Settings) == ["ok", 2]


@pytest.mark.parametrize("fate", [Snooze(60), Cancel("not needed"), Discard("hopeless")])
async def test_returned_fates_are_given_back(fate: Any) -> None:
    """What a job returns to decide its own fate is returned."""

    async def decide(ctx: dict[str, Any]) -> Any:
        return fate

    assert await perform_job(decide) is fate


async def test_earlier_attempts_are_as_told() -> None:
    """A job can be run as the attempt after some that failed, and finds their errors."""
    errors = [Broken("first"), TimeoutError("second")]

    assert await perform_job(oban, "past") == [1, False, []]
    assert await perform_job(oban, "past", errors=errors) == [3, False, ["first", "second"]]
    assert await perform_job(oban, "past", attempt=20) == [20, True, []]
    assert [error.attempt for error in build_job(oban, errors=errors, attempt=9).errors] == [7, 8]


async def test_timeout_of_a_task_is_honoured() -> None:
    """A task that takes too long raises TimeoutError, whether it would be tried again or not."""
    hasty = replace(oban, timeout_s=0.01)

    for max_attempts in (1, 20):
        with pytest.raises(TimeoutError, match="timed out after"):
            await perform_job(hasty, "hang", max_attempts=max_attempts)


async def test_exceptions_escape_when_telemetry_was_told() -> None:
    """What a job raises comes out as it is, and its event has been told before."""
    seen: list[Any] = []
    attach("seen", [JobStarted, JobStopped], seen.append)

    with pytest.raises(Broken) as caught:
        await perform_job(act, "raise", 7)

    detach("seen")
    assert caught.value.args == (7,)
    assert [type(event) for event in seen] == [JobStarted, JobStopped]
    assert (seen[1].state, seen[1].error) == ("discarded", caught.value)


async def test_retry_escapes() -> None:
    """A job that asks for another try is not tried again: the test sees what it asked."""
    with pytest.raises(Retry) as caught:
        await perform_job(act, "retry")

    assert caught.value.defer_score == 60_000


async def test_timeout_is_honoured() -> None:
    """A job that takes too long raises TimeoutError."""
    with pytest.raises(TimeoutError):
        await perform_job(brief, "hang")


async def test_nothing_is_stored(arq_redis: ArqRedis) -> None:
    """A performed job is not enqueued, whatever came of it."""
    await perform_job(act, "ok", pool=arq_redis)
    with pytest.raises(Broken):
        await perform_job(act, "raise", pool=arq_redis)

    assert await all_enqueued(arq_redis) == []
    assert await arq_redis.dbsize() == 0


async def test_current_job_tells_of_it() -> None:
    """Code deep inside finds the job, with a new id each time; outside there is none."""
    first = await perform_job(act, "job")
    second = await perform_job(act, "job", attempt=3, queue="mail", job_id="mine")

    assert first == ["act", first[1], 1, "arq:queue", "testing"]
    assert second == ["act", "mine", 3, "mail", "testing"]
    assert first[1] != (await perform_job(act, "job"))[1]
    assert current_job() is None


async def test_ctx_is_copied() -> None:
    """A job gets a ctx of its own, with what a worker puts there beside what was given."""
    ctx: dict[Any, Any] = {"name": "test"}

    seen = await perform_job(act, "ctx", attempt=2, ctx=ctx)

    assert (seen["name"], seen["job_try"]) == ("test", 2)
    assert ctx == {"name": "test"}


async def test_hooks_of_settings_are_called() -> None:
    """With worker settings the hooks around the job run, and those of the worker's start do not."""
    told: list[str] = []

    def hook(name: str) -> Any:
        async def call_hook(ctx: dict[str, Any]) -> None:
            told.append(name)

        return call_hook

    names = ("on_startup", "on_shutdown", "on_job_start", "on_job_end", "after_job_end")
    settings = {"functions": [act], **{name: hook(name) for name in names}}

    await perform_job(act, "ok", functions=settings)

    assert told == ["on_job_start", "on_job_end", "after_job_end"]


async def test_arguments_and_meta_go_through_json() -> None:
    """Keys become texts and dates their ISO text, unless the annotations say what they were."""

    async def typed(ctx: dict[str, Any], when: date, anything: Any) -> Any:
        return [when, anything]

    job = build_job(typed, date(2030, 1, 2), {1: date(2030, 1, 2)}, meta={"2": (3,)})

    assert (job.args, job.meta) == (("2030-01-02", {"1": "2030-01-02"}), {"2": [3]})
    assert await perform_job(job) == [date(2030, 1, 2), {"1": "2030-01-02"}]


def test_build_job_defaults() -> None:
    """A built job has an id of its own, attempt 1, and is due now."""
    one, other = build_job(act, "ok", 1), build_job(act, "ok", 1)

    assert one.id != other.id
    assert (one.function, one.args, one.attempt, one.state) == ("act", ("ok", 1), 1, JobState.AVAILABLE)
    assert (one.queue, one.priority, one.tags, one.meta) == ("arq:queue", 0, (), {})
    assert abs(datetime.now(UTC) - one.inserted_at) < timedelta(seconds=10)
    assert one.scheduled_at == one.inserted_at


def test_build_job_keeps_what_is_given() -> None:
    """Everything that can be said of a job is kept."""
    at = datetime(2040, 1, 1, tzinfo=UTC)

    job = build_job(
        task(act), "ok", attempt=4, at=at, queue="q", job_id="i", priority=3, max_attempts=9, tags=["A"]
    )

    assert (job.attempt, job.scheduled_at, job.queue, job.id) == (4, at, "q", "i")
    assert (job.priority, job.max_attempts, job.tags, job.state) == (3, 9, ("a",), JobState.SCHEDULED)


async def test_client_in_ctx(arq_redis: ArqRedis) -> None:
    """`ctx["redis"]` is the pool; without one the job is told how to have it, and what else is missing is."""

    async def ask(ctx: dict[str, Any], name: str) -> Any:
        return ctx[name] is arq_redis

    assert await perform_job(ask, "redis", pool=arq_redis)
    assert await perform_job(ask, "redis", ctx={"redis": arq_redis})
    for ctx in (None, {"other": 1}):
        with pytest.raises(ConfigurationError, match=r"give perform_job\(..., pool=...\), or ctx="):
            await perform_job(ask, "redis", ctx=ctx)
        with pytest.raises(KeyError, match="db"):
            await perform_job(ask, "db", ctx=ctx)


async def test_task_without_attempts_left_is_not_run() -> None:
    """An attempt of a task beyond its last is refused in the words of tasks."""
    with pytest.raises(JobExecutionFailed, match="all of its attempts are used up, max_attempts is 20"):
        await perform_job(oban, attempt=21)


async def test_job_without_tries_left_is_not_run() -> None:
    """An attempt beyond the last is refused as by a worker."""
    with pytest.raises(JobExecutionFailed, match="max 2 retries exceeded"):
        await perform_job(func(act, max_tries=2), "ok", attempt=3)


async def test_result_that_cannot_be_stored_is_refused() -> None:
    """A value that no queue could keep fails here as it would there."""
    with pytest.raises(SerializationError, match="object is not plain data"):
        await perform_job(act, "odd")


@pytest.mark.parametrize(
    ("task", "args", "options", "error", "words"),
    [
        (Broken, (), {}, ConfigurationError, "a job is made of a function"),
        (3, (), {}, ConfigurationError, "a job is made of a function"),
        ("act", (), {}, ConfigurationError, "no function is named 'act'; known are none"),
        (
            act,
            (),
            {"max_attempts": -1},
            ConfigurationError,
            "max_attempts must be a whole number of at least 1",
        ),
        (act, (), {"attempt": 0}, ConfigurationError, "attempt must be a whole number of at least 1"),
        (act, (), {"priority": 10}, ConfigurationError, "priority must be 0"),
        (take, (), {}, InvalidArguments, "missing a required argument"),
        (act, (), {"errors": ["broken"]}, ConfigurationError, "errors must be exceptions"),
        (act, ("ok", 0), {"meta": {"a": object()}}, SerializationError, "unable to serialize job"),
        (note, (object(),), {}, SerializationError, "unable to serialize job"),
        (call(act), ("ok",), {}, InvalidArguments, "has its arguments already"),
        (build_job(act), ("ok",), {}, ConfigurationError, "has its arguments and options"),
    ],
)
async def test_what_cannot_be_a_job_is_refused(
    task: Any, args: tuple[Any, ...], options: dict[str, Any], error: type[Exception], words: str
) -> None:
    """What is no function, an option that cannot work, and arguments that do not fit are refused in words."""
    with pytest.raises(error, match=words):
        await perform_job(task, *args, **options)


async def test_parameter_with_the_name_of_an_option() -> None:
    """A keyword with two meanings is refused, and `call` says which is meant."""

    async def tag(ctx: dict[str, Any], tags: list[str]) -> list[str]:
        return tags

    with pytest.raises(InvalidArguments, match=r"give the arguments with arqlite.call"):
        await perform_job(tag, ["a"], tags=["b"])
    assert await perform_job(call(tag, tags=["a"]), tags=["b"]) == ["a"]


async def test_cancelled_caller_ends_the_job() -> None:
    """Whoever stops waiting for a job stops it."""
    begun = asyncio.Event()
    attach("begun", [JobStarted], lambda _: begun.set())
    performing = asyncio.create_task(perform_job(act, "hang"))
    await begun.wait()
    detach("begun")

    performing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await performing

    assert asyncio.all_tasks() == {asyncio.current_task()}
