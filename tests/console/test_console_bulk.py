"""What is done to many jobs at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from console_now_toys import join
from inspector_toys import enqueue, enqueue_everywhere, states_of
from query_toys import row
from reading_toys import away_ledger, fill, ids, settings
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from worker_toys import at_work

from arqlite import ArqRedis, Inspector, Worker, func, task
from arqlite.console import AskedToEnd, Console, Done
from arqlite.console import bulk as bulk_module
from arqlite.errors import ConfigurationError
from arqlite.ledger import Ledger
from arqlite.model.query import Query
from arqlite.model.states import JobState

Eventually = Callable[..., Awaitable[Any]]
RAN: list[Any] = []


async def noting(ctx: dict[Any, Any], what: str) -> None:
    """Fail for good the first time, and be fine from then on."""
    RAN.append((what, ctx["job_try"]))
    if len(RAN) == 1:
        raise ValueError("not yet")


@pytest.mark.parametrize(
    ("verb", "line", "done", "state"),
    [
        ("retry", "state:all", 6, "available"),
        ("retry", "state:discarded", 1, "available"),
        ("retry", "id:scheduled,executing", 1, "available"),
        ("cancel", "state:all", 5, "cancelled"),
        ("cancel", "-state:executing,scheduled", 3, "cancelled"),
        ("delete", "state:all", 7, "gone"),
        ("delete", "function:toy state:completed,available", 2, "gone"),
    ],
)
async def test_jobs_that_are_meant_are_moved(
    arq_redis: ArqRedis, verb: str, line: str, done: int, state: str
) -> None:
    """Those that are meant, and that such a thing can be done to, are moved; the others stay."""
    await enqueue_everywhere(arq_redis)
    before = await states_of(Inspector(arq_redis))

    told = await getattr(Console([arq_redis]), verb)(Query.parse(line))

    after = await states_of(Inspector(arq_redis))
    changed = {job_id for job_id in before if before[job_id] != after.get(job_id)}
    asked = [AskedToEnd("arq:queue", "executing", "s")] if (verb, line) == ("cancel", "state:all") else []
    assert told == Done(done, done - len(asked), asked=tuple(asked))
    assert len(changed) == done - len(asked)
    assert {after.get(job_id, "gone") for job_id in changed} == {state}


@pytest.mark.parametrize(
    ("line", "moved"),
    [
        ("function:toy", {"discarded", "cancelled", "retryable"}),
        ("function:toy -state:cancelled", {"discarded", "retryable"}),
        ("function:toy status:SUCCESS", {"completed"}),
        ("id:completed", {"completed"}),
        ("id:complet*", set()),
    ],
)
async def test_states_are_those_of_the_verb_where_none_is_named(
    arq_redis: ArqRedis, line: str, moved: set[str]
) -> None:
    """Who names neither a state nor whole ids does not have done again what went well or is to come."""
    await enqueue_everywhere(arq_redis)
    before = await states_of(Inspector(arq_redis))

    told = await Console([arq_redis]).retry(Query.parse(line))

    after = await states_of(Inspector(arq_redis))
    assert {job_id for job_id in before if before[job_id] != after.get(job_id)} == moved
    assert told == Done(len(moved), len(moved))


@pytest.mark.parametrize("verb", ["retry", "cancel", "delete"])
async def test_nothing_is_done_to_all_by_a_slip(arq_redis: ArqRedis, verb: str) -> None:
    """An empty query means every job in a list, and none where something is done."""
    await enqueue(arq_redis, "one")

    with pytest.raises(ConfigurationError, match="state:all"):
        await getattr(Console([arq_redis]), verb)(Query.parse(" "))
    with pytest.raises(ConfigurationError, match="not shown"):
        await getattr(Console([arq_redis]), verb)(Query.parse("arg.password:x"))

    assert await states_of(Inspector(arq_redis)) == {"one": "available"}


async def test_call_ends_at_its_limit(arq_redis: ArqRedis, monkeypatch: pytest.MonkeyPatch) -> None:
    """One call does something to so many jobs at most, and tells that more are left; the next goes on."""
    monkeypatch.setattr(bulk_module, "BULK_LIMIT", 4)
    for number in range(6):
        await enqueue(arq_redis, f"job-{number}")
    console = Console([arq_redis])

    first = await console.cancel(Query.parse("state:available"))
    second = await console.cancel(Query.parse("state:available"))

    assert (first, second) == (Done(4, 4, is_all=False), Done(2, 2))


@pytest.mark.parametrize("verb", ["cancel", "delete"])
async def test_caller_may_set_a_lower_limit(arq_redis: ArqRedis, verb: str) -> None:
    """Who means few jobs says how many at most, and no others are touched."""
    for number in range(5):
        await enqueue(arq_redis, f"job-{number}")
    act = getattr(Console([arq_redis]), verb)

    done = await act(Query.parse("state:available"), limit=2)

    assert done == Done(2, 2, is_all=False)
    assert list((await states_of(Inspector(arq_redis))).values()).count("available") == 3
    with pytest.raises(ConfigurationError, match="limit"):
        await act(Query.parse("state:available"), limit=0)


async def test_jobs_of_a_queue_with_rows_are_moved_as_they_stand(
    ledger: Ledger, arq_redis: ArqRedis, eventually: Eventually
) -> None:
    """Rows tell who is meant, and Redis in which state they are; the audit tells once of the call."""
    pool = ArqRedis(connection_pool=arq_redis.connection_pool, ledger=ledger)
    for number in range(3):
        await pool.options(job_id=f"job-{number}", tags=["vip"] if number else []).enqueue("toy")
    rows = await eventually(lambda: _rows(ledger, 3))
    assert len(rows) == 3
    console = Console([settings(pool, ledger)], by="ada")

    done = await console.cancel(Query.parse("tag:vip function:toy"))

    assert done == Done(2, 2)
    assert await states_of(Inspector(pool)) == {
        "job-0": "available", "job-1": "cancelled", "job-2": "cancelled",
    }  # fmt: skip
    audit = await eventually(lambda: _audit(console, "jobs.cancel"))
    assert [(one.actor, one.queue, one.detail) for one in audit] == [
        ("ada", "arq:queue", {"query": "tag:vip function:toy", "matched": 2, "done": 2})
    ]
    await pool.aclose()


async def test_job_whose_row_is_not_written_yet_is_moved_by_its_id(
    ledger: Ledger, arq_redis: ArqRedis
) -> None:
    """Rows come a moment later: who chose a job of a list that Redis told does not mean its row."""
    await enqueue(arq_redis, "one")
    await fill(ledger, [row("two", JobState.AVAILABLE, queue=arq_redis.default_queue_name)])
    await enqueue(arq_redis, "two")
    console = Console([settings(arq_redis, ledger)])

    assert await console.cancel(Query.parse("id:one,two")) == Done(2, 2)
    assert await states_of(Inspector(arq_redis)) == {"one": "cancelled", "two": "cancelled"}


async def test_job_that_redis_has_forgotten_runs_again(
    ledger: Ledger, arq_redis: ArqRedis, eventually: Eventually
) -> None:
    """A failed job of which only the row is left is made anew of it, with one more attempt."""
    RAN.clear()
    pool = ArqRedis(connection_pool=arq_redis.connection_pool, ledger=ledger)
    await pool.options(job_id="one").enqueue("noting", "hm")
    await _work(pool, ledger)
    await arq_redis.flushdb()
    console = Console([settings(pool, ledger)])

    done = await console.retry(Query.parse("state:discarded"))
    await eventually(lambda: _rows(ledger, 1, status="QUEUED"))
    await _work(pool, ledger)

    assert done == Done(1, 1)
    assert RAN == [("hm", 1), ("hm", 2)]
    assert [one.state for one in await _rows(ledger, 1)] == [JobState.COMPLETED]
    await pool.aclose()


async def test_row_that_keeps_no_job_cannot_run_again(ledger: Ledger, fake: ArqRedis) -> None:
    """A row without its record was meant, and nothing was done to it."""
    await fill(ledger, [row("one", JobState.DISCARDED), row("two", JobState.DISCARDED, record=b"Q\0no job")])
    console = Console([settings(fake, ledger, queue_name="main")])

    assert await console.retry(Query.parse("state:discarded")) == Done(2, 0)


async def test_jobs_are_moved_while_their_ledger_is_away(arq_redis: ArqRedis) -> None:
    """An outage of the database keeps nobody from cancelling what Redis has."""
    await enqueue(arq_redis, "one")
    console = Console([settings(arq_redis, away_ledger())])

    assert await console.cancel(Query.parse("function:toy")) == Done(1, 1)
    await console.aclose()


@pytest.mark.parametrize("is_first", [True, False])
async def test_others_are_moved_while_one_redis_is_away(arq_redis: ArqRedis, is_first: bool) -> None:
    """A Redis that does not answer keeps nobody from moving the jobs of the others, and is told."""
    for number in range(3):
        await enqueue(arq_redis, f"job-{number}")
    dead = settings(None, queue_name="aaa")
    console = Console([dead, arq_redis] if is_first else [arq_redis, dead])

    done = await console.cancel(Query.parse("function:toy"))

    assert (done.matched, done.done, done.is_all) == (3, 3, False)
    assert [(one.code, one.queue) for one in done.troubles] == [("redis-away", "aaa")]
    assert "_Shut" not in done.troubles[0].text
    await console.aclose()


async def test_others_with_rows_are_moved_while_one_redis_is_away(
    ledger: Ledger, arq_redis: ArqRedis
) -> None:
    """Queues that share a ledger and not their Redis are moved one without the other."""
    await enqueue(arq_redis, "one")
    queues = [arq_redis.default_queue_name, "aaa"]
    await fill(ledger, [row(name, JobState.AVAILABLE, queue=name) for name in queues])
    await fill(ledger, [row("one", JobState.AVAILABLE, queue=queues[0])])
    console = Console([settings(None, ledger, queue_name="aaa"), settings(arq_redis, ledger)])

    done = await console.cancel(Query.parse("id:one,aaa"))

    assert (done.matched, done.done, done.is_all) == (1, 1, False)
    assert [one.queue for one in done.troubles] == ["aaa"]
    await console.aclose()


async def test_nothing_is_done_where_no_redis_answers() -> None:
    """Where none of the queues that are meant can be asked, that is an error and no success of nothing."""
    console = Console([settings(None, queue_name="aaa"), settings(None, queue_name="bbb")])

    for _ in range(2):  # the second time nobody asks again, for there was no answer a moment ago
        with pytest.raises((RedisError, OSError)):
            await console.cancel(Query.parse("function:toy"))
    await console.aclose()


async def test_outage_in_the_middle_keeps_what_was_done(
    arq_redis: ArqRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Redis that goes away between two batches leaves the first one done, and that is said."""
    monkeypatch.setattr(bulk_module, "_AT_ONCE", 2)
    for number in range(5):
        await enqueue(arq_redis, f"job-{number}")
    calls = []
    cancel_jobs = Inspector.cancel_jobs_apart

    async def failing(self: Inspector, *args: Any, **options: Any) -> Any:
        calls.append(options)
        if len(calls) == 2:
            raise RedisConnectionError("gone")
        return await cancel_jobs(self, *args, **options)

    monkeypatch.setattr(Inspector, "cancel_jobs_apart", failing)

    done = await Console([arq_redis]).cancel(Query.parse("function:toy"))

    assert (done.matched, done.done, done.is_all) == (2, 2, False)
    assert [one.code for one in done.troubles] == ["redis-away"]


async def test_retry_tells_of_a_ledger_that_is_away(arq_redis: ArqRedis) -> None:
    """What Redis has forgotten is in the rows only: without them nobody knows whether that was all."""
    await enqueue_everywhere(arq_redis)
    console = Console([settings(arq_redis, away_ledger())])

    done = await console.retry(Query.parse("function:toy"))

    assert (done.done, done.is_all) == (3, False)
    assert [one.code for one in done.troubles] == ["ledger-away"]
    await console.aclose()


async def test_purge_cancels_what_waits(arq_redis: ArqRedis) -> None:
    """A purged queue has no job left that waits; those that run or have ended stay."""
    await enqueue_everywhere(arq_redis)
    console = Console([arq_redis])

    done = await console.purge("arq:queue")

    assert done == Done(4, 4)
    assert sorted(await ids(console, "-state:cancelled")) == ["completed", "discarded", "executing"]
    with pytest.raises(ConfigurationError, match="there is no queue"):
        await console.purge("other")


async def _work(pool: ArqRedis, ledger: Ledger) -> None:
    worker = Worker(
        [func(noting, max_tries=1)], redis_pool=pool, ledger=ledger, burst=True, handle_signals=False
    )
    await worker.main()
    await worker.close()


async def _rows(ledger: Ledger, count: int, **conditions: Any) -> Any:
    items = (await ledger.jobs(**conditions)).items
    return items if len(items) == count else None


async def _audit(console: Console, action: str) -> Any:
    return [one for one in (await console.audit()).lines if one.action == action]


@pytest.mark.parametrize(
    ("not_aborted", "runs_on"), [(["toy"], True), (["other"], False), (None, False)], ids=str
)
async def test_running_job_is_told_apart(
    arq_redis: ArqRedis, not_aborted: list[str] | None, runs_on: bool
) -> None:
    """That a running job was cancelled is not said: its worker was asked, and may have told that it won't."""
    await enqueue_everywhere(arq_redis)
    await join(arq_redis, **({} if not_aborted is None else {"not_aborted": not_aborted}))

    told = await Console([arq_redis]).cancel(Query.parse("id:executing"))

    assert told == Done(1, 0, asked=(AskedToEnd("arq:queue", "executing", "s", runs_on),))


async def test_jobs_that_were_asked_to_end_are_looked_at_again(arq_redis: ArqRedis) -> None:
    """Whoever has asked workers to end jobs can look which of them run still."""
    await enqueue_everywhere(arq_redis)
    asked = [AskedToEnd("arq:queue", job_id, "s") for job_id in ("executing", "completed", "gone")]

    assert await Console([arq_redis]).still_running(asked) == asked[:1]


@pytest.mark.parametrize(
    ("may_abort", "not_aborted"), [(False, ["plain"]), (True, [])], ids=["default", "allowed"]
)
async def test_worker_tells_what_it_does_not_abort(
    arq_redis: ArqRedis, make_worker: Any, eventually: Eventually, may_abort: bool, not_aborted: list[str]
) -> None:
    """A worker tells of its functions which ones run on when somebody cancels them: tasks never do."""

    @task(name="a_task")
    async def a_task(ctx: Any) -> None: ...

    async def joined() -> Any:
        return (await Console([arq_redis]).queue("arq:queue")).workers

    worker = make_worker([func(noting, name="plain"), a_task], allow_abort_jobs=may_abort)
    async with at_work(worker):
        [told] = await eventually(joined)

    assert list(told.not_aborted) == not_aborted
