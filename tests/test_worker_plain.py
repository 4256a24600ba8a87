"""Plain job functions: they run in threads, one slot each, and end as coroutine functions do."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from signal import Signals
from typing import Any

import pytest
from worker_toys import Ctx, at_work, counts, end_of, enqueue, lines

from arqlite import ArqRedis, RedisSettings, Retry, create_pool, cron, current_job, func, run_in_loop
from arqlite.errors import JobExecutionFailed, JobInterrupted, RetryJob
from arqlite.jobs import JobStatus


class ThreadGate:
    """A plain job that tells when it has started, and then runs Python until it is told to end."""

    def __init__(self) -> None:
        self.started = threading.Event()
        self.open = False
        self.tries: list[int] = []
        self.ended: list[str] = []

    def __call__(self, ctx: Ctx) -> str:
        self.tries.append(ctx["job_try"])
        self.started.set()
        try:
            while not self.open:
                time.sleep(0.001)
        except JobInterrupted:
            self.ended.append("interrupted")
            raise
        return "through"


@pytest.fixture
def in_c() -> Iterator[threading.Lock]:
    """A lock that a job may wait for: as deep in C as can be, until it is released."""
    lock = threading.Lock()
    lock.acquire()
    yield lock
    if lock.locked():
        lock.release()


async def started(event: threading.Event) -> None:
    assert await asyncio.to_thread(event.wait, 10)


async def test_result_of_a_plain_function(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A plain function runs in a thread of the worker and its result is the job's."""
    seen: list[str] = []

    def resize(ctx: Ctx, path: str, *, width: int) -> dict[str, Any]:
        seen.append(threading.current_thread().name)
        return {"path": path, "width": width, "try": ctx["job_try"], "id": ctx["job_id"], "own": ctx["own"]}

    job = await enqueue(arq_redis, "resize", "a.png", width=3, _job_id="r")
    await make_worker([func(resize, name="resize")], ctx={"own": 5}).run_check()

    assert await job.result() == {"path": "a.png", "width": 3, "try": 1, "id": "r", "own": 5}
    assert seen[0].startswith("arqlite:plain")


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (ValueError("no"), ValueError("no")),
        (SystemExit(3), JobExecutionFailed("SystemExit: 3")),
        (KeyboardInterrupt(), JobExecutionFailed("KeyboardInterrupt")),
        (GeneratorExit(), JobExecutionFailed("GeneratorExit")),
        (StopIteration("x"), RuntimeError("coroutine raised StopIteration")),
        (JobInterrupted(), JobExecutionFailed("arqlite.errors.JobInterrupted")),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_exception_is_the_jobs_failure(
    arq_redis: ArqRedis, make_worker: Any, error: BaseException, kept: Exception
) -> None:
    """Whatever a plain function raises fails its job, and neither the thread nor the worker."""

    def fail(ctx: Ctx) -> None:
        raise error

    def fine(ctx: Ctx) -> str:
        return "fine"

    failing, other = await enqueue(arq_redis, "fail"), await enqueue(arq_redis, "fine")
    worker = make_worker([func(fail, name="fail"), func(fine, name="fine")], max_jobs=1)
    await worker.main()

    assert repr((await end_of(failing)).result) == repr(kept)
    assert await other.result() == "fine"
    assert counts(worker) == (1, 1, 0)


@pytest.mark.parametrize("ask", [Retry(0.01), RetryJob()], ids=repr)
async def test_job_may_ask_for_another_try(arq_redis: ArqRedis, make_worker: Any, ask: Exception) -> None:
    """`Retry` and `RetryJob` do from a thread what they do from a coroutine."""

    def again(ctx: Ctx) -> int:
        if ctx["job_try"] == 1:
            raise ask
        return int(ctx["job_try"])

    job = await enqueue(arq_redis, "again")
    worker = make_worker([func(again, name="again")])
    await worker.main()

    assert await job.result() == 2
    assert counts(worker) == (1, 0, 1)


async def test_each_thread_sees_its_own_job(arq_redis: ArqRedis, make_worker: Any) -> None:
    """`current_job` works in a thread, and in coroutines that it has run in the loop."""

    async def deep() -> str:
        await asyncio.sleep(0)
        job = current_job()
        return job.job_id if job else "none"

    def who(ctx: Ctx) -> list[str]:
        job = current_job()
        return [ctx["job_id"], job.job_id if job else "none", run_in_loop(deep())]

    jobs = [await enqueue(arq_redis, "who", _job_id=f"j{i}") for i in range(8)]
    await make_worker([func(who, name="who")], max_jobs=3).run_check()

    assert [await job.result() for job in jobs] == [[f"j{i}"] * 3 for i in range(8)]


async def test_slots_are_honest(arq_redis: ArqRedis, make_worker: Any) -> None:
    """`max_jobs` plain jobs run at once, more than Python's own pool would have threads for, and no more."""
    at_once = 40
    barrier = threading.Barrier(at_once, timeout=20)
    running: list[int] = []
    most: list[int] = []

    def meet(ctx: Ctx) -> None:
        running.append(1)
        most.append(len(running))
        barrier.wait()
        running.pop()

    for _ in range(2 * at_once):
        await enqueue(arq_redis, "meet")
    worker = make_worker([func(meet, name="meet")], max_jobs=at_once)
    await worker.run_check()

    assert worker.jobs_complete == 2 * at_once
    assert max(most) == at_once


async def test_hooks_are_around_it(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Hooks share `ctx` with a plain function as they do with a coroutine."""
    told: list[Any] = []

    async def on_start(ctx: Ctx) -> None:
        ctx["from_hook"] = 1

    async def on_end(ctx: Ctx) -> None:
        told.append(("end", ctx["from_job"]))

    async def after_end(ctx: Ctx) -> None:
        told.append(("after", ctx["from_job"]))

    def plain(ctx: Ctx) -> None:
        ctx["from_job"] = ctx["from_hook"] + 1

    await enqueue(arq_redis, "plain")
    await make_worker(
        [func(plain, name="plain")], on_job_start=on_start, on_job_end=on_end, after_job_end=after_end
    ).run_check()

    assert told == [("end", 2), ("after", 2)]


async def test_cron_job_may_be_plain(make_worker: Any) -> None:
    """A cron job may be a plain function."""
    ran: list[str] = []

    def tick(ctx: Ctx) -> None:
        ran.append(threading.current_thread().name)

    await make_worker(
        cron_jobs=[cron(tick, name="cron:tick", month=2, day=29, run_at_startup=True)], max_burst_jobs=1
    ).main()

    assert ran[0].startswith("arqlite:plain")


async def test_handed_on_coroutine_is_awaited(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A decorator that knows nothing of coroutines does not keep one from being run."""

    async def inner(ctx: Ctx, a: int) -> int:
        return a * 2

    job = await enqueue(arq_redis, "wrapped", 4)
    await make_worker([func(lambda ctx, a: inner(ctx, a), name="wrapped")]).run_check()

    assert await job.result() == 8


async def test_what_is_called_may_be_any_callable(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Partials, methods and replaced functions run, too."""

    class Box:
        def method(self, ctx: Ctx, a: int) -> int:
            return a + 1

    def plain(ctx: Ctx, a: int, b: int) -> int:
        return a + b

    replaced = func(Box().method, name="replaced")
    replaced.coroutine = lambda ctx, a: a * 100
    jobs = [await enqueue(arq_redis, name, 2) for name in ("partial", "method", "replaced")]
    await make_worker(
        [func(functools.partial(plain, b=5), name="partial"), func(Box().method, name="method"), replaced]
    ).run_check()

    assert [await job.result() for job in jobs] == [7, 3, 200]


async def test_timeout_ends_a_python_loop(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A function that runs Python code is ended when its time is over, and the slot goes to the next job."""
    gate = ThreadGate()
    job = await enqueue(arq_redis, "gate")
    other = await enqueue(arq_redis, "other")
    worker = make_worker(
        [func(gate, name="gate", timeout=0.05), func(lambda ctx: "ran", name="other")], max_jobs=1
    )
    await worker.main()

    assert gate.ended == ["interrupted"]
    assert isinstance((await end_of(job)).result, TimeoutError)
    assert await other.result() == "ran"


async def test_slot_is_held_while_c_code_runs(
    arq_redis: ArqRedis, make_worker: Any, eventually: Any, in_c: threading.Lock
) -> None:
    """C code cannot be interrupted: the job is timed out when it returns, and holds its slot until then."""
    began = threading.Event()
    after: list[str] = []

    def deep(ctx: Ctx) -> None:
        began.set()
        in_c.acquire()
        after.append("went on")

    job = await enqueue(arq_redis, "deep")
    worker = make_worker(
        [func(deep, name="deep", timeout=0.02), func(lambda ctx: "ran", name="other")], max_jobs=1
    )
    async with at_work(worker):
        await started(began)
        other = await enqueue(arq_redis, "other")
        run = next(iter(worker._crew.producer.active))
        await eventually(lambda: run.cancel_reason == "timeout")
        assert await other.status() is JobStatus.queued
        in_c.release()
        assert await other.result(timeout=10) == "ran"

    assert after == []
    assert isinstance((await end_of(job)).result, TimeoutError)


async def test_c_function_itself_is_timed_out(
    arq_redis: ArqRedis, make_worker: Any, in_c: threading.Lock
) -> None:
    """A function that is C through and through ends by itself, and its job is timed out all the same."""
    wait = functools.partial(in_c.acquire, timeout=0.2)
    job = await enqueue(arq_redis, "wait")
    other = await enqueue(arq_redis, "other")
    worker = make_worker(
        [func(lambda ctx: "ran", name="other"), func(_Without(wait), name="wait", timeout=0.02)], max_jobs=1
    )
    await worker.main()

    assert isinstance((await end_of(job)).result, TimeoutError)
    assert await other.result() == "ran"


class _Without:
    """Calls a function without `ctx`."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self.function = function

    def __call__(self, ctx: Ctx) -> Any:
        return self.function()


async def test_abort(arq_redis: ArqRedis, make_worker: Any) -> None:
    """`Job.abort` interrupts the thread and cancels the job."""
    gate = ThreadGate()
    job = await enqueue(arq_redis, "gate")
    worker = make_worker([func(gate, name="gate")], allow_abort_jobs=True)
    async with at_work(worker):
        await started(gate.started)
        assert await job.abort(timeout=10)

    assert gate.ended == ["interrupted"]
    assert isinstance((await end_of(job)).result, asyncio.CancelledError)


async def test_shutdown_gives_it_back(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A shutdown interrupts a plain function, and the job runs again without a lost try."""
    gate = ThreadGate()
    job = await enqueue(arq_redis, "gate")
    for _ in range(2):
        worker = make_worker([func(gate, name="gate", max_tries=1)])
        async with at_work(worker):
            await started(gate.started)
        assert counts(worker) == (0, 0, 1)
        gate.started.clear()

    gate.open = True
    assert await make_worker([func(gate, name="gate", max_tries=1)]).run_check() == 1
    assert gate.ended == ["interrupted", "interrupted"]
    assert gate.tries == [1, 1, 1]
    assert await job.result() == "through"


async def test_what_is_done_at_shutdown_is_done(
    arq_redis: ArqRedis, make_worker: Any, eventually: Any, in_c: threading.Lock
) -> None:
    """A function that was deep in C at a shutdown and then got to its end does not do its work twice."""
    began = threading.Event()

    def last(ctx: Ctx) -> str:
        began.set()
        with contextlib.suppress(JobInterrupted):
            in_c.acquire()
        return "done"

    job = await enqueue(arq_redis, "last")
    worker = make_worker([func(last, name="last")])
    async with at_work(worker):
        await started(began)
        run = next(iter(worker._crew.producer.active))
        worker.handle_sig(Signals.SIGTERM)
        await eventually(lambda: run.cancel_reason == "shutdown")
        in_c.release()

    assert await job.result() == "done"
    assert counts(worker) == (1, 0, 0)


async def test_failing_cleanup_is_told(
    arq_redis: ArqRedis, make_worker: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """What an interrupted function's cleanup raises goes to the log; the outcome is the interruption's."""

    def careless(ctx: Ctx) -> None:
        try:
            while True:
                time.sleep(0.001)
        finally:
            raise ValueError("dropped")

    job = await enqueue(arq_redis, "careless", _job_id="c")
    await make_worker([func(careless, name="careless", timeout=0.02)]).main()

    assert isinstance((await end_of(job)).result, TimeoutError)
    assert "c:careless was cancelled and raised ValueError: dropped" in lines(caplog)


async def test_stubborn_thread_is_told_of(
    arq_redis: ArqRedis, make_worker: Any, monkeypatch: pytest.MonkeyPatch, in_c: threading.Lock
) -> None:
    """A worker that ends while a thread does not says so, and keeps its job to itself."""
    monkeypatch.setattr("arqlite.crew._CANCEL_PATIENCE_S", 0.05)
    began = threading.Event()

    def deep(ctx: Ctx) -> None:
        began.set()
        in_c.acquire()

    job = await enqueue(arq_redis, "deep")
    worker = make_worker([func(deep, name="deep")])
    async with at_work(worker):
        await started(began)

    assert worker.has_stubborn_jobs
    assert await job.status() is JobStatus.in_progress
    in_c.release()
    await asyncio.wait_for(worker._crew._vigil, 10)
    assert await job.status() is JobStatus.queued


async def test_no_thread_is_left(arq_redis: ArqRedis, make_worker: Any) -> None:
    """The worker's threads end with it; a worker without plain functions has none."""
    await enqueue(arq_redis, "plain")

    await make_worker([func(lambda ctx: None, name="plain")]).run_check()

    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("arqlite")] == []


# -- run_in_loop


async def test_redis_is_used_from_a_thread(arq_redis: ArqRedis, make_worker: Any) -> None:
    """`run_in_loop` makes what lives in the event loop usable, and raises what that raises."""

    async def broken() -> None:
        raise LookupError("not there")

    def plain(ctx: Ctx) -> list[Any]:
        run_in_loop(ctx["redis"].set("seen", "yes"))
        with pytest.raises(LookupError, match="not there"):
            run_in_loop(broken())
        return [run_in_loop(ctx["redis"].get("seen")).decode()]

    job = await enqueue(arq_redis, "plain")
    await make_worker([func(plain, name="plain")]).run_check()

    assert await job.result() == ["yes"]


async def test_cancelled_job_cancels_what_it_waits_for(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A timeout reaches through `run_in_loop`, and cleanup may use it once more."""
    notes: list[str] = []

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            notes.append("coroutine cancelled")
            await asyncio.sleep(0)
            notes.append("coroutine ended")
            raise

    def plain(ctx: Ctx) -> None:
        try:
            run_in_loop(wait())
        except JobInterrupted:
            notes.append("interrupted")
            run_in_loop(ctx["redis"].set("cleaned", "up"))
            raise

    job = await enqueue(arq_redis, "plain")
    await make_worker([func(plain, name="plain", timeout=0.05)]).main()

    assert notes == ["coroutine cancelled", "coroutine ended", "interrupted"]
    assert await arq_redis.get("cleaned") == b"up"
    assert isinstance((await end_of(job)).result, TimeoutError)


async def test_threads_of_the_job_may_reenter(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A thread that a job starts with the job's context uses the loop, too."""

    def plain(ctx: Ctx) -> int:
        def one() -> Any:
            return run_in_loop(ctx["redis"].incr("n"))

        with ThreadPoolExecutor(3) as pool:
            contexts = [contextvars.copy_context() for _ in range(6)]
            return sum(pool.map(lambda context: context.run(one), contexts))

    job = await enqueue(arq_redis, "plain")
    await make_worker([func(plain, name="plain")]).run_check()

    assert await job.result() == sum(range(1, 7))


async def test_coroutine_functions_are_told_to_await(arq_redis: ArqRedis, make_worker: Any) -> None:
    """`run_in_loop` in the event loop would wait for itself, and says so."""

    async def job_function(ctx: Ctx) -> None:
        run_in_loop(asyncio.sleep(0))

    job = await enqueue(arq_redis, "f")
    await make_worker([func(job_function, name="f")]).main()

    assert "await instead" in str((await end_of(job)).result)


def test_outside_of_a_job_it_says_where_it_works() -> None:
    """`run_in_loop` without a worker tells what it is for, and leaves no unawaited coroutine."""
    with pytest.raises(RuntimeError, match="for plain job functions, while a worker runs them"):
        run_in_loop(asyncio.sleep(0))


async def test_interrupt_never_reaches_the_next_job(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Timeouts that come just when their function ends hit neither the thread nor the job after it."""
    jobs = 300
    switch = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    told: list[int] = []

    def racer(ctx: Ctx, seconds: float) -> str:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            pass
        return "in time"

    def innocent(ctx: Ctx) -> str:
        for _ in range(200):  # many bytecodes to be hit at
            told.count(0)
        return "unharmed"

    racers, innocents = [], []
    for i in range(jobs):
        racers.append(await enqueue(arq_redis, "racer", 0.003 + (i % 20 - 10) * 0.00005))
        innocents.append(await enqueue(arq_redis, "innocent"))
    worker = make_worker(
        [func(racer, name="racer", timeout=0.003), func(innocent, name="innocent")], max_jobs=2
    )
    try:
        await worker.main()
    finally:
        sys.setswitchinterval(switch)

    assert [await job.result() for job in innocents] == ["unharmed"] * jobs
    ends = [(await end_of(job)).result for job in racers]
    assert {"in time" if end == "in time" else type(end) for end in ends} <= {"in time", TimeoutError}
    assert worker.jobs_complete + worker.jobs_failed == 2 * jobs


STUBBORN = """
import sys, threading
from pathlib import Path
from arqlite import RedisSettings, Worker, func

def deep(ctx, file):
    Path(file).touch()
    threading.Event().wait()

Worker([func(deep, name="deep")], redis_settings=RedisSettings.from_dsn(sys.argv[1])).run()
"""


@pytest.mark.real
async def test_process_ends_although_a_thread_does_not(
    real_url: str, tmp_path: Path, eventually: Any
) -> None:
    """A worker process that is told to end does, whatever its threads do, and says so."""
    pool = await create_pool(RedisSettings.from_dsn(real_url))
    await enqueue(pool, "deep", str(tmp_path / "began"))
    await pool.aclose(close_connection_pool=True)
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "-c", STUBBORN, real_url, stderr=asyncio.subprocess.PIPE
    )
    await eventually((tmp_path / "began").exists, within=20)

    worker.send_signal(Signals.SIGTERM)
    _, said = await asyncio.wait_for(worker.communicate(), 20)

    assert worker.returncode == 1
    assert b"leaving jobs behind that ignore their cancellation" in said
