"""Everything that is known of one job, from Redis and from its row."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from inspector_toys import enqueue, enqueue_everywhere
from query_toys import minutes, row
from reading_toys import away_ledger, fill, settings

from arqlite import ArqRedis, Inspector, Retry, Worker, call, func, task
from arqlite.console import Console
from arqlite.errors import ConfigurationError
from arqlite.ledger import AttemptRow, Ledger
from arqlite.model.states import Cause, JobState
from arqlite.workflows import Workflow

Eventually = Callable[..., Awaitable[Any]]

ACTIONS = {
    "available": {"cancel", "delete"},
    "executing": {"cancel"},
    "scheduled": {"run", "cancel", "delete"},
    "retryable": {"run", "cancel", "delete"},
    "suspended": {"run", "cancel", "delete"},
    "completed": {"retry", "delete"},
    "discarded": {"retry", "delete"},
    "cancelled": {"retry", "delete"},
}


async def troubled(ctx: dict[Any, Any], note: str, *, password: str = "") -> dict[str, Any]:
    """Fail once, then tell of itself and give something."""
    if ctx["job_try"] == 1:
        raise Retry from ValueError(f"not yet: {note}")
    await ctx["redis"].options(job_id=f"{ctx['job_id']}-child").enqueue("troubled", "child")
    ctx["log"].info("almost there")
    return {"note": note, "token": "t0p"}


async def failing(ctx: dict[Any, Any]) -> None:
    """Fail for good."""
    raise ValueError("it is broken")


@task
async def stepping(ctx: dict[Any, Any]) -> None:
    """Be a step."""


@pytest.mark.parametrize("state", ACTIONS)
async def test_job_of_redis_is_told_with_what_may_be_done(arq_redis: ArqRedis, state: str) -> None:
    """In each state other things may be done to a job, and no others are offered."""
    await enqueue_everywhere(arq_redis)

    detail = await Console([arq_redis]).job(state)

    assert detail is not None
    assert (detail.line.id, str(detail.line.state)) == (state, state)
    assert detail.actions == ACTIONS[state]
    assert detail.sources == {"redis"}


async def test_end_of_a_job_is_told(arq_redis: ArqRedis) -> None:
    """What a job gave is shown, and what it failed with is told as an error."""
    await enqueue_everywhere(arq_redis)
    console = Console([arq_redis])

    fine, broken = await console.job("completed"), await console.job("discarded")

    assert fine is not None
    assert (fine.result, fine.result_is_error) == ("fine", False)
    assert broken is not None
    assert broken.result_is_error
    assert "broken" in broken.result
    assert [entry.what for entry in broken.timeline] == ["started", "discarded", "enqueued"]  # (by its clock)


async def test_cancelled_job_is_never_due(arq_redis: ArqRedis) -> None:
    """A job that was over before its time came has no such step in its way."""
    job = await arq_redis.options(job_id="one", delay=600).enqueue("toy")
    await job.abort(timeout=5)

    detail = await Console([arq_redis]).job("one")

    assert detail is not None
    assert [entry.what for entry in detail.timeline] == ["enqueued", "cancelled"]


async def test_job_that_nobody_asked_for_names_nobody(arq_redis: ArqRedis, ledger: Ledger) -> None:
    """What a row has where nobody said who asked for its job is no name."""
    pool = ArqRedis(connection_pool=arq_redis.connection_pool, ledger=ledger)
    await pool.options(job_id="one", ledger="strict").enqueue("toy")

    detail = await Console([settings(pool, ledger)]).job("one")

    assert detail is not None
    assert "ledger" in detail.sources
    assert (detail.line.triggered_by, detail.timeline[0].detail) == ("", "")
    await pool.aclose()


async def test_nothing_is_known_of_an_unknown_job(arq_redis: ArqRedis, ledger: Ledger) -> None:
    """A job that is nowhere is None, and a slip in its queue is told."""
    console = Console([settings(arq_redis, ledger, queue_name="main")])

    assert await console.job("nobody") is None
    assert await console.job("nobody", "main") is None
    with pytest.raises(ConfigurationError, match="did you mean 'main'"):
        await console.job("nobody", "mian")
    with pytest.raises(ConfigurationError, match="job id"):
        await console.job("")


async def test_job_is_looked_for_in_all_queues(arq_redis: ArqRedis) -> None:
    """An id alone is enough to find a job."""
    await arq_redis.options(job_id="here", queue="second").enqueue("toy")
    console = Console([settings(arq_redis, queue_name=name) for name in ("first", "second")])

    found, elsewhere = await console.job("here"), await console.job("here", "first")

    assert found is not None
    assert found.line.queue == "second"
    assert elsewhere is None


async def test_job_with_a_row_is_told_from_both(ledger: Ledger, arq_redis: ArqRedis) -> None:
    """Attempts, results, lines and children of a job that was run are all there, without its secrets."""
    pool = ArqRedis(connection_pool=arq_redis.connection_pool, ledger=ledger)
    await pool.options(job_id="one", triggered_by="ada", tags=["vip"]).enqueue(
        "troubled", "hm", password="hunter2"
    )
    worker = Worker(
        [func(troubled, keep_result=60)], redis_pool=pool, ledger=ledger, burst=True, handle_signals=False,
        max_tries=3,
    )  # fmt: skip
    await worker.main()
    await worker.close()

    detail = await Console([settings(pool, ledger)]).job("one")

    assert detail is not None
    assert detail.sources == {"redis", "ledger"}
    assert (detail.line.state, detail.line.attempt, detail.line.triggered_by) == (
        JobState.COMPLETED,
        2,
        "ada",
    )
    assert (detail.args, detail.kwargs) == (["hm"], {"password": "***"})
    assert (detail.result, detail.result_is_error) == ({"note": "hm", "token": "***"}, False)
    assert detail.is_redacted
    assert [(one.number, one.state) for one in detail.attempts] == [(1, "retryable"), (2, "completed")]
    whats = [entry.what for entry in detail.timeline]
    assert whats[0] == "enqueued"
    assert whats[-1] == "completed"
    assert whats.count("started") == 2
    assert any("almost there" in line for line in detail.logs)
    assert detail.children == ["one-child"]
    assert "hunter2" not in str(detail)
    await pool.aclose()


async def test_row_alone_is_enough(ledger: Ledger, arq_redis: ArqRedis) -> None:
    """A job that Redis has forgotten is told from its row, with all attempts."""
    error = {"type": "app.Broken", "message": "oh\nno", "traceback": "Traceback ..."}
    one = row(
        "old", JobState.DISCARDED, error_payload=error, attempt=2, record=b"Q\0{}", meta={"cookie": "x"}
    )
    await fill(ledger, [one | {"cause": Cause.ERROR}, row("child", parent="old")])
    async with ledger.sessions.begin() as db:
        for number in (1, 2):
            db.add(
                AttemptRow(
                    job_id="old",
                    queue="main",
                    attempt=number,
                    worker=f"host:{number}",
                    state="retryable" if number == 1 else "discarded",
                    cause=Cause.ERROR,
                    started_at=minutes(number),
                    finished_at=minutes(number + 0.5),
                    error=error,
                )
            )

    detail = await Console([settings(arq_redis, ledger, queue_name="main")]).job("old")

    assert detail is not None
    assert detail.sources == {"ledger"}
    assert (detail.result, detail.result_is_error) == ("app.Broken: oh no", True)
    assert [(one.number, one.worker, one.error_type) for one in detail.attempts] == [
        (1, "host:1", "app.Broken"), (2, "host:2", "app.Broken"),
    ]  # fmt: skip
    assert detail.actions == {"retry"}
    assert detail.children == ["child"]
    assert detail.meta == {"cookie": "***"}


async def test_ended_job_was_due_when_its_row_says(ledger: Ledger, arq_redis: ArqRedis) -> None:
    """Where an end in Redis does not tell when its last run was due, the row does."""
    await enqueue_everywhere(arq_redis)
    live = await Inspector(arq_redis).job("completed")
    assert live is not None
    due = live.inserted_at + timedelta(seconds=90)
    one = row("completed", queue="arq:queue", enqueued_at=live.inserted_at, scheduled_at=due)
    await fill(ledger, [one])

    detail = await Console([settings(arq_redis, ledger)]).job("completed")

    assert detail is not None
    assert (detail.sources, detail.line.due_at) == ({"redis", "ledger"}, due)


async def test_later_job_of_an_id_is_told(ledger: Ledger, arq_redis: ArqRedis) -> None:
    """Where an id was used twice, nothing of the earlier job is mixed into the later one."""
    await fill(ledger, [row("one", JobState.DISCARDED, queue="arq:queue", enqueued_at=minutes(0), attempt=7)])
    await enqueue(arq_redis, "one")

    detail = await Console([settings(arq_redis, ledger)]).job("one")

    assert detail is not None
    assert (detail.line.state, detail.line.attempt, detail.sources) == (JobState.AVAILABLE, 0, {"redis"})


async def test_job_is_told_while_its_ledger_is_away(arq_redis: ArqRedis) -> None:
    """What Redis knows of a job is shown without its row."""
    await enqueue(arq_redis, "one")
    console = Console([settings(arq_redis, away_ledger())])

    detail = await console.job("one")

    assert detail is not None
    assert detail.sources == {"redis"}
    await console.aclose()


async def test_job_is_told_while_redis_is_away(ledger: Ledger) -> None:
    """History is shown without Redis, and what cannot be done is not offered without need."""
    await fill(ledger, [row("one")])

    detail = await Console([settings(None, ledger, queue_name="main")]).job("one")

    assert detail is not None
    assert detail.sources == {"ledger"}


async def test_step_of_a_workflow_names_it(arq_redis: ArqRedis) -> None:
    """A step is told with the workflow it belongs to, and its name there."""
    flow = Workflow("report")
    flow.add("load", call(stepping))
    run = await arq_redis.enqueue_workflow(flow)
    view = await run.view()
    assert view is not None

    detail = await Console([arq_redis]).job(view.steps["load"].job_id)

    assert detail is not None
    assert detail.workflow == (run.id, "load")


async def test_unique_job_has_a_key(arq_redis: ArqRedis) -> None:
    """What keeps equal jobs out is told while the job is open."""
    await arq_redis.options(job_id="one", unique=True).enqueue("toy")

    detail = await Console([arq_redis]).job("one")

    assert detail is not None
    assert detail.unique_key


async def test_names_of_redacted_arguments_are_hidden_in_redis_too(arq_redis: ArqRedis) -> None:
    """What a ledger must not hold is not shown from Redis either, and cannot be asked for."""
    from arqlite.model.query import Query

    keeper = Ledger("sqlite:///unused.db", redact=("user_id",))
    await enqueue(arq_redis, "one", 42)
    console = Console([settings(arq_redis, keeper)])

    with pytest.raises(ConfigurationError, match="not shown"):
        await console.jobs(Query.parse("arg.user_id:42"))
