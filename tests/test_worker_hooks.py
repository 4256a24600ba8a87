"""Hooks: when they are called, what they share, and that none of them takes a worker down."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from worker_toys import Ctx, at_work, counts, end_of, enqueue, lines

from arqlite import ArqRedis, Retry, func
from arqlite.jobs import JobStatus


async def ok(ctx: Ctx) -> str:
    return "fine"


async def boom(ctx: Ctx) -> None:
    raise TypeError("boom")


async def test_hooks_share_the_ctx_of_the_job(arq_redis: ArqRedis, make_worker: Any) -> None:
    """The three hooks and the job get one dict; the result is stored between the last two hooks."""
    seen: list[tuple[str, int, JobStatus]] = []

    async def note(which: str, ctx: Ctx) -> None:
        ctx.setdefault("notes", []).append(which)
        seen.append((which, id(ctx), await job.status()))

    async def start(ctx: Ctx) -> None:
        await note("start", ctx)

    async def end(ctx: Ctx) -> None:
        await note("end", ctx)

    async def after(ctx: Ctx) -> None:
        await note("after", ctx)

    async def work(ctx: Ctx) -> list[str]:
        return list(ctx["notes"])

    job = await enqueue(arq_redis, "work")
    worker = make_worker([func(work, name="work")], on_job_start=start, on_job_end=end, after_job_end=after)
    await worker.run_check()

    assert await job.result() == ["start"]
    assert [(which, status) for which, _, status in seen] == [
        ("start", JobStatus.in_progress),
        ("end", JobStatus.in_progress),
        ("after", JobStatus.complete),
    ]
    assert len({identity for _, identity, _ in seen}) == 1


async def test_end_hooks_follow_failures_and_retries(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Hooks run around every run of a job, however it ended."""
    calls: list[tuple[str, int]] = []

    async def end(ctx: Ctx) -> None:
        calls.append((ctx["job_id"], ctx["job_try"]))

    async def again(ctx: Ctx) -> None:
        if ctx["job_try"] == 1:
            raise Retry

    await enqueue(arq_redis, "again", _job_id="again")
    await enqueue(arq_redis, "boom", _job_id="boom")
    worker = make_worker([func(again, name="again"), boom], on_job_end=end, after_job_end=end, max_jobs=1)
    await worker.async_run()

    assert sorted(calls) == sorted([("again", 1), ("again", 2), ("boom", 1)] * 2)


async def test_start_hook_that_raises_fails_its_job(arq_redis: ArqRedis, make_worker: Any) -> None:
    """An exception of `on_job_start` fails the job it was called for, and no other, and no worker."""

    async def picky(ctx: Ctx) -> None:
        if ctx["job_id"] == "bad":
            raise LookupError("not this one")

    bad = await enqueue(arq_redis, "ok", _job_id="bad")
    good = await enqueue(arq_redis, "ok", _job_id="good")
    worker = make_worker([ok], on_job_start=picky)

    await worker.async_run()

    assert counts(worker) == (1, 1, 0)
    assert await good.result() == "fine"
    with pytest.raises(LookupError, match="not this one"):
        await bad.result()


@pytest.mark.parametrize("hook", ["on_job_end", "after_job_end"])
async def test_end_hook_that_raises_changes_nothing(
    arq_redis: ArqRedis, make_worker: Any, caplog: pytest.LogCaptureFixture, hook: str
) -> None:
    """An exception of a hook after the job is told with its traceback; the outcome stands."""

    async def bad(ctx: Ctx) -> None:
        raise LookupError("hook")

    jobs = [await enqueue(arq_redis, "ok", _job_id=f"j{n}") for n in range(3)]
    worker = make_worker([ok], max_jobs=1, **{hook: bad})

    assert await worker.run_check() == 3

    assert [await job.result() for job in jobs] == ["fine"] * 3
    assert f"{hook} of j0:ok failed; the job's outcome stands" in lines(caplog)
    assert any(record.exc_info and record.exc_info[0] is LookupError for record in caplog.records)


async def test_after_hook_is_not_kept_waiting(arq_redis: ArqRedis, make_worker: Any) -> None:
    """`after_job_end` comes as soon as the result is stored, also when all slots are taken."""

    async def after(ctx: Ctx) -> None: ...

    worker = make_worker([ok], after_job_end=after, max_jobs=1)
    async with at_work(worker):
        async with asyncio.timeout(4):
            for _ in range(3):
                job = await enqueue(arq_redis, "ok")
                assert await job.result() == "fine"

    assert worker.jobs_complete == 3


async def test_hook_after_a_cancelled_job_is_its_own_master(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A hook that follows a timeout meets no cancellation that was meant for the job, and may await."""
    pending: list[int] = []

    async def end(ctx: Ctx) -> None:
        await asyncio.sleep(0)
        task = asyncio.current_task()
        assert task is not None
        pending.append(task.cancelling())

    async def slow(ctx: Ctx) -> None:
        await asyncio.Event().wait()

    await enqueue(arq_redis, "slow")
    worker = make_worker([func(slow, name="slow", timeout=0.02)], on_job_end=end, after_job_end=end)
    await worker.async_run()

    assert pending == [0, 0]


async def test_hooks_are_not_called_for_jobs_that_do_not_run(arq_redis: ArqRedis, make_worker: Any) -> None:
    """No hook is called for a job that ends without a run."""
    called: list[str] = []

    async def hook(ctx: Ctx) -> None:
        called.append(ctx["job_id"])

    await enqueue(arq_redis, "ok", _job_id="exhausted", _job_try=9)
    await enqueue(arq_redis, "ok", _job_id="runs")
    worker = make_worker([ok], on_job_start=hook, on_job_end=hook, after_job_end=hook)
    await worker.async_run()

    assert called == ["runs"] * 3


async def test_startup_and_shutdown(arq_redis: ArqRedis, make_worker: Any) -> None:
    """`on_startup` fills the ctx before the first job, the pool in it; `on_shutdown` sees it last."""
    order: list[str] = []

    async def startup(ctx: Ctx) -> None:
        assert ctx["redis"] is arq_redis
        ctx["database"] = "open"
        order.append("startup")

    async def shutdown(ctx: Ctx) -> None:
        order.append(f"shutdown {ctx['database']}")

    async def work(ctx: Ctx) -> None:
        order.append(f"job {ctx['database']}")

    await enqueue(arq_redis, "work")
    worker = make_worker([func(work, name="work")], on_startup=startup, on_shutdown=shutdown)
    await worker.run_check()
    await worker.close()

    assert order == ["startup", "job open", "shutdown open"]


async def test_startup_that_raises_ends_the_worker(arq_redis: ArqRedis, make_worker: Any) -> None:
    """An exception of `on_startup` leaves `main`; no job was touched."""

    async def startup(ctx: Ctx) -> None:
        raise LookupError("no database")

    job = await enqueue(arq_redis, "ok")

    with pytest.raises(LookupError, match="no database"):
        await make_worker([ok], on_startup=startup).async_run()

    assert await job.status() is JobStatus.queued


async def test_shutdown_that_raises_closes_the_pool(
    arq_redis: ArqRedis, make_worker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exception of `on_shutdown` leaves `close`, and no connection stays open because of it."""
    closed: list[bool | None] = []

    async def shutdown(ctx: Ctx) -> None:
        raise ValueError("no")

    async def aclose(close_connection_pool: bool | None = None) -> None:
        closed.append(close_connection_pool)

    worker = make_worker([ok], on_shutdown=shutdown)
    await worker.run_check()
    with monkeypatch.context() as patched:
        patched.setattr(arq_redis, "aclose", aclose)

        with pytest.raises(ValueError, match="no"):
            await worker.close()

    assert closed == [True]


async def test_hook_that_is_no_coroutine_function(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A plain function for a hook is told in words; one that gives something to await will do."""
    seen: list[str] = []

    async def note(ctx: Ctx) -> None:
        seen.append(ctx["job_id"])

    async def work(ctx: Ctx) -> None: ...

    job = await enqueue(arq_redis, "work", _job_id="a")
    await make_worker([func(work, name="work")], on_job_start=lambda ctx: None).main()
    await enqueue(arq_redis, "work", _job_id="b")
    await make_worker([func(work, name="work")], on_job_end=lambda ctx: note(ctx)).main()

    assert "on_job_start must be an async function, and <function" in str((await end_of(job)).result)
    assert seen == ["b"]
