"""Limits over all workers of a queue, seen from inside the jobs of several workers."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
from worker_toys import Ctx, at_work, enqueue, lines, traces

from arqlite import ArqRedis, GlobalLimit, RateLimit, Retry, Worker, func
from arqlite.engine import RedisEngine, Turn
from arqlite.errors import ConfigurationError


class Crowd:
    """A job that notes who runs beside it, and when it started, per tenant."""

    def __init__(self, lasts_s: float = 0.0) -> None:
        self.lasts_s = lasts_s
        self.inside: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.starts: list[tuple[float, str]] = []

    async def __call__(self, ctx: Ctx, tenant: str = "", number: int = 0) -> None:
        self.starts.append((time.monotonic(), tenant))
        for who in {tenant, "all"}:
            self.inside[who] += 1
            self.most[who] = max(self.most[who], self.inside[who])
        try:
            await asyncio.sleep(self.lasts_s)
        finally:
            for who in {tenant, "all"}:
                self.inside[who] -= 1

    def most_in(self, window_s: float, tenant: str | None = None) -> int:
        """Tell how many starts the fullest window of this length holds."""
        times = sorted(at for at, who in self.starts if tenant is None or who == tenant)
        most = first = 0
        for last, at in enumerate(times):
            while at - times[first] >= window_s:
                first += 1
            most = max(most, last - first + 1)
        return most


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many jobs each turn of any worker has claimed."""
    claimed: list[int] = []
    turn = RedisEngine.turn

    async def noted(engine: RedisEngine, *args: Any) -> Turn:
        answer = await turn(engine, *args)
        claimed.append(len(answer.job_ids))
        return answer

    monkeypatch.setattr(RedisEngine, "turn", noted)
    return claimed


@contextlib.asynccontextmanager
async def all_at_work(*workers: Worker) -> AsyncIterator[None]:
    async with contextlib.AsyncExitStack() as stack:
        for worker in workers:
            await stack.enter_async_context(at_work(worker))
        yield


def done(*workers: Worker) -> int:
    return sum(worker.jobs_complete for worker in workers)


async def test_rate_holds_in_every_window(arq_redis: ArqRedis, make_worker: Any, eventually: Any) -> None:
    """Three workers start 50 jobs a second, never more in any second; the last ones follow in the fourth."""
    crowd = Crowd()
    options = {"rate_limit": (50, 1), "max_jobs": 20}
    workers = [make_worker([func(crowd, name="crowd")], **options) for _ in range(3)]
    await arq_redis.enqueue_many([("crowd",)] * 170)

    async with all_at_work(*workers):
        await eventually(lambda: done(*workers) == 170, 15)

    assert crowd.most_in(1.0) == 50
    assert crowd.starts[-1][0] - crowd.starts[0][0] < 6


async def test_rate_counts_what_the_function_starts(
    arq_redis: ArqRedis, make_worker: Any, eventually: Any
) -> None:
    """A hook that takes its time before some jobs does not bring their starts together with later ones."""
    crowd = Crowd()

    async def hook(ctx: Ctx) -> None:
        await asyncio.sleep(0.15 if ctx["job_id"].startswith("slow") else 0)

    for number in range(12):
        await enqueue(arq_redis, "crowd", _job_id=f"{'slow' if number % 3 == 0 else 'fast'}{number}")
    workers = [
        make_worker([func(crowd, name="crowd")], rate_limit=(3, 0.2), on_job_start=hook) for _ in range(2)
    ]

    async with all_at_work(*workers):
        await eventually(lambda: done(*workers) == 12)

    assert crowd.most_in(0.2) <= 3


async def test_waiting_for_a_rate_costs_no_turns(
    arq_redis: ArqRedis, make_worker: Any, eventually: Any, turns: list[int]
) -> None:
    """Workers that wait for a rate to reopen do nothing until then."""
    crowd = Crowd()
    workers = [make_worker([func(crowd, name="crowd")], rate_limit=(5, 1.0)) for _ in range(3)]
    await arq_redis.enqueue_many([("crowd",)] * 15)

    async with all_at_work(*workers):
        await eventually(lambda: done(*workers) == 5)
        await asyncio.sleep(0.1)
        before = len(turns)
        await asyncio.sleep(0.5)
        during = len(turns) - before
        await eventually(lambda: done(*workers) == 15, 10)

    assert during <= 3, "each of them may just be hearing when to come back"
    assert len(turns) < 80


async def test_busy_worker_passes_the_reopening_on(
    arq_redis: ArqRedis, make_worker: Any, eventually: Any
) -> None:
    """When the one worker that knows when the rate reopens has no slot then, it tells another one."""
    crowd, gate = Crowd(), asyncio.Event()

    async def long(ctx: Ctx) -> None:
        await gate.wait()

    functions = [func(crowd, name="crowd"), func(long, name="long")]
    busy, idle = (make_worker(functions, rate_limit=(1, 0.4), max_jobs=1) for _ in range(2))
    async with at_work(busy):
        await enqueue(arq_redis, "long")
        await eventually(lambda: len(busy.tasks) == 1)
        async with at_work(idle):
            await enqueue(arq_redis, "crowd")
            await eventually(lambda: idle.jobs_complete == 1, 2)
        gate.set()


async def test_global_limit_holds_over_workers(
    arq_redis: ArqRedis, make_worker: Any, eventually: Any
) -> None:
    """Three workers with ten slots each run three jobs at once, and never four."""
    crowd = Crowd(0.01)
    workers = [make_worker([func(crowd, name="crowd")], global_limit=3) for _ in range(3)]
    await arq_redis.enqueue_many([("crowd",)] * 120)

    async with all_at_work(*workers):
        await eventually(lambda: done(*workers) == 120, 15)

    assert crowd.most["all"] == 3


async def test_freed_place_goes_to_another_worker(
    arq_redis: ArqRedis, make_worker: Any, eventually: Any
) -> None:
    """Where a job ends in a worker whose slots are full of others, an idle worker takes its place at once."""
    doors = {name: asyncio.Event() for name in "abcd"}

    async def stay(ctx: Ctx) -> None:
        await doors[ctx["job_id"]].wait()

    first, second = (make_worker([func(stay, name="stay")], global_limit=2, max_jobs=2) for _ in range(2))
    async with at_work(first):
        for name in "ab":
            await enqueue(arq_redis, "stay", _job_id=name)
        await eventually(lambda: len(first.tasks) == 2)
        async with at_work(second):
            for name in "cd":
                await enqueue(arq_redis, "stay", _job_id=name)
            first.max_jobs = 1
            doors["a"].set()
            await eventually(lambda: len(first.tasks) + len(second.tasks) == 2 and "a" not in first.tasks)
            for door in doors.values():
                door.set()
            await eventually(lambda: done(first, second) == 4)


async def test_partitioned_limits_hold_for_each_tenant(
    arq_redis: ArqRedis, make_worker: Any, eventually: Any
) -> None:
    """Each tenant has two jobs at once over all workers, and the tenants do not hold each other up."""
    crowd = Crowd(0.01)
    limit = GlobalLimit(2, partition_by="args.tenant")
    workers = [make_worker([func(crowd, name="crowd")], global_limit=limit, max_jobs=10) for _ in range(3)]
    for number in range(20):
        for tenant in ("one", "two", "three"):
            await enqueue(arq_redis, "crowd", tenant, number=number)

    async with all_at_work(*workers):
        await eventually(lambda: done(*workers) == 60, 15)

    assert {name: crowd.most[name] for name in ("one", "two", "three")} == {"one": 2, "two": 2, "three": 2}
    assert crowd.most["all"] > 2
    # nothing is left of lanes whose jobs are over
    left = await traces(arq_redis)
    assert not {key for key in left if key.startswith(("lane", "sorting", "rlo"))}


async def test_partitioned_rate_holds_for_each_tenant(
    arq_redis: ArqRedis, make_worker: Any, eventually: Any
) -> None:
    """Each tenant starts its own number of jobs per period, in every window."""
    crowd = Crowd()
    rate = RateLimit(4, 0.5, partition_by="args.tenant")
    workers = [make_worker([func(crowd, name="crowd")], rate_limit=rate) for _ in range(3)]
    for number in range(10):
        for tenant in ("one", "two"):
            await enqueue(arq_redis, "crowd", tenant=tenant, number=number)

    async with all_at_work(*workers):
        await eventually(lambda: done(*workers) == 20, 10)

    assert [crowd.most_in(0.5, tenant) for tenant in ("one", "two")] == [4, 4]
    assert crowd.most_in(0.5) > 4


async def test_partition_by_meta_and_function(arq_redis: ArqRedis, make_worker: Any, eventually: Any) -> None:
    """What a job carries and its function's name tell lanes apart, too; jobs without the field share one."""
    crowd = Crowd(0.02)
    limit = GlobalLimit(1, partition_by=["meta.region", "function"])
    worker = make_worker([func(crowd, name="f"), func(crowd, name="g")], global_limit=limit)
    for region in ("eu", "us", None):
        options = arq_redis.options(meta={} if region is None else {"region": region})
        for name in ("f", "g"):
            for _ in range(2):
                await options.enqueue(name, f"{region}-{name}")

    async with at_work(worker):
        await eventually(lambda: worker.jobs_complete == 12, 10)

    assert set(crowd.most.values()) - {crowd.most["all"]} <= {1}
    assert crowd.most["all"] > 3


async def test_lanes_and_limits_of_functions_hold_together(
    arq_redis: ArqRedis, make_worker: Any, eventually: Any
) -> None:
    """A limit of each tenant and one of the function within a worker are both kept, and all jobs run."""
    crowd, other = Crowd(0.005), Crowd(0.005)
    limit = GlobalLimit(2, partition_by="args.tenant")
    functions = [func(crowd, name="crowd", max_jobs=1), func(other, name="other")]
    workers = [make_worker(functions, global_limit=limit, max_jobs=6) for _ in range(2)]
    for number in range(15):
        for tenant in ("one", "two", "three"):
            await enqueue(arq_redis, "crowd", tenant, number)
            await enqueue(arq_redis, "other", tenant, number)

    async with all_at_work(*workers):
        await eventually(lambda: done(*workers) == 90, 20)

    assert crowd.most["all"] <= 2
    assert max(crowd.most[name] for name in ("one", "two", "three")) <= 2
    assert max(other.most[name] for name in ("one", "two", "three")) <= 2


async def test_retries_count_as_starts(arq_redis: ArqRedis, make_worker: Any, eventually: Any) -> None:
    """A job that runs again starts again, and counts again."""
    starts: list[float] = []

    async def stubborn(ctx: Ctx) -> None:
        starts.append(time.monotonic())
        if ctx["job_try"] < 4:
            raise Retry

    await enqueue(arq_redis, "stubborn")
    worker = make_worker([func(stubborn, name="stubborn")], rate_limit=(2, 0.3))

    async with at_work(worker):
        await eventually(lambda: worker.jobs_complete == 1)

    assert len(starts) == 4
    assert all(later - first > 0.3 for first, later in zip(starts, starts[2:], strict=False))


async def test_burst_waits_for_the_rate(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A burst ends when all jobs are done, also those that have to wait for their rate, in lanes or not."""
    crowd = Crowd()
    for rate in (RateLimit(2, 0.2), RateLimit(1, 0.2, partition_by="args.tenant")):
        crowd.starts.clear()
        await arq_redis.flushdb()
        for tenant in "aabb":
            await enqueue(arq_redis, "crowd", tenant)
        worker = make_worker([func(crowd, name="crowd")], rate_limit=rate)
        await worker.async_run()

        assert worker.jobs_complete == 4
        assert crowd.most_in(0.2) == 2


async def test_settings_that_change_a_limit_say_so(
    arq_redis: ArqRedis, make_worker: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The last worker to start declares the limits; if it changes some, the log says which and how."""
    crowd = func(Crowd(), name="crowd")
    await make_worker([crowd], global_limit=3).async_run()
    assert any("global_limit of queue arq:queue is 3 from now on" in line for line in lines(caplog))
    caplog.clear()

    await make_worker([crowd], global_limit=3).async_run()
    assert not any("global_limit" in line for line in lines(caplog))
    await make_worker([crowd]).async_run()

    assert any("global_limit of queue arq:queue is none from now on" in line for line in lines(caplog))
    rate = RateLimit(10, 0.5, ["args.tenant", "function"])
    await make_worker([crowd], global_limit=GlobalLimit(2, "args.tenant")).async_run()
    await make_worker([crowd], rate_limit=rate).async_run()
    said = "{} of queue arq:queue is {} from now on, as the settings of this worker say; it was {}".format
    for told in (
        ("global_limit", "2, by args.tenant", "none"),
        ("global_limit", "none", "2, by args.tenant"),
        ("rate_limit", "10 per 0.5 s, by args.tenant and function", "none"),
    ):
        assert any(said(*told) in line for line in lines(caplog))


async def test_worker_whose_limits_cannot_be_kept_does_not_start(
    arq_redis: ArqRedis, make_worker: Any
) -> None:
    """Settings that are partitioned otherwise than what an operator has set end the worker in words."""
    from arqlite import Inspector

    await Inspector(arq_redis).scale_queue("arq:queue", global_limit=GlobalLimit(1, "args.a"))
    worker = make_worker([func(Crowd(), name="crowd")], rate_limit=RateLimit(1, 1, "args.b"))

    with pytest.raises(ConfigurationError, match="must be partitioned by the same fields"):
        await worker.async_run()
