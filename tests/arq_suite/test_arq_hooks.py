"""The hooks around each job."""

from __future__ import annotations

from typing import Any

import pytest
from arq import ArqRedis, func
from arq.jobs import Job, JobStatus
from arq_toys import Ctx, add, again, boom, enqueue


class Book:
    """Writes down which hook came when, and what it saw of the job."""

    def __init__(self, job: Job | None = None) -> None:
        self.entries: list[tuple[str, Any]] = []
        self.job = job

    def hooks(self) -> dict[str, Any]:
        return {"on_job_start": self.start, "on_job_end": self.end, "after_job_end": self.after}

    async def note(self, name: str, ctx: Ctx) -> None:
        seen = await self.job.status() if self.job is not None else ctx["job_try"]
        self.entries.append((name, seen))

    async def start(self, ctx: Ctx) -> None:
        ctx["token"] = ctx["job_id"]
        await self.note("start", ctx)

    async def end(self, ctx: Ctx) -> None:
        assert ctx["token"] == ctx["job_id"]
        await self.note("end", ctx)

    async def after(self, ctx: Ctx) -> None:
        assert ctx["token"] == ctx["job_id"]
        await self.note("after", ctx)


async def test_order(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Start, job, end, result stored, after; all share the job's ctx."""
    job = await enqueue(arq_redis, "work")
    book = Book(job)

    async def work(ctx: Ctx) -> Any:
        book.entries.append(("job", ctx["token"]))

    await make_worker(func(work, name="work"), **book.hooks()).run_check()

    assert book.entries == [
        ("start", JobStatus.in_progress),
        ("job", job.job_id),
        ("end", JobStatus.in_progress),
        ("after", JobStatus.complete),
    ]


async def test_ctx_of_hooks(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Hooks are given what the job is given: the very same dict."""
    seen: list[Any] = []

    async def note(ctx: Ctx) -> None:
        seen.append(ctx)

    await enqueue(arq_redis, "note", _job_id="id")
    hooks = {"on_job_start": note, "on_job_end": note, "after_job_end": note}
    worker = make_worker(func(note, name="note"), ctx={"mine": 1}, **hooks)
    await worker.run_check()

    assert len(seen) == 4
    assert all(ctx is seen[0] for ctx in seen)
    assert seen[0] is not worker.ctx
    assert set(seen[0]) >= {"mine", "redis", "job_id", "job_try", "enqueue_time", "score"}


async def test_failures_and_retries(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Every run has its hooks, however it ends."""
    book = Book()
    await enqueue(arq_redis, "again", 1)

    await make_worker(again, **book.hooks()).run_check()
    await enqueue(arq_redis, "boom")
    await make_worker(boom, **book.hooks()).async_run()

    each = ["start", "end", "after"]
    assert book.entries == [(name, n) for n in (1, 2, 1) for name in each]


@pytest.mark.parametrize("options", [{"_job_try": 9}, {"_expires": 0.01, "_defer_by": 0.05}])
async def test_jobs_that_do_not_run(arq_redis: ArqRedis, make_worker: Any, options: Any) -> None:
    """A job that fails before it runs has none."""
    book = Book()
    await enqueue(arq_redis, "add", **options)
    worker = make_worker(add, **book.hooks())

    await worker.async_run()

    assert worker.jobs_failed == 1
    assert book.entries == []


async def test_hook_sees_what_the_job_left(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A job passes things on to the hooks behind it."""
    seen: list[Any] = []

    async def work(ctx: Ctx) -> None:
        ctx["left"] = "behind"

    async def end(ctx: Ctx) -> None:
        seen.append(ctx["left"])

    await enqueue(arq_redis, "work")
    await make_worker(func(work, name="work"), on_job_end=end, after_job_end=end).run_check()

    assert seen == ["behind", "behind"]
