"""Several workers in one event loop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from signal import Signals
from typing import Any

import fakeredis
import pytest
from worker_toys import Ctx, Gate, enqueue

from arqlite import ArqRedis, RedisSettings, func
from arqlite.errors import ConfigurationError
from arqlite.fleet import Fleet, create_fleet
from arqlite.jobs import JobStatus
from arqlite.service import Service


async def ok(ctx: Ctx) -> None: ...


def pool_of(server: fakeredis.FakeServer, database: int) -> ArqRedis:
    return ArqRedis(fakeredis.FakeAsyncRedis(server=server, db=database).connection_pool)


@pytest.fixture
def server() -> fakeredis.FakeServer:
    return fakeredis.FakeServer()


@pytest.fixture
async def pools(server: fakeredis.FakeServer) -> AsyncIterator[list[ArqRedis]]:
    """Two databases to look into; workers have pools of their own, which they close."""
    made = [pool_of(server, 1), pool_of(server, 2)]
    yield made
    for pool in made:
        await pool.aclose(close_connection_pool=True)


def settings(
    server: fakeredis.FakeServer, database: int, function: Any = ok, **options: Any
) -> dict[str, Any]:
    pool = pool_of(server, database)
    return {
        "functions": [func(function, name="work")],
        "redis_pool": pool,
        "handle_signals": False,
        **options,
    }


@contextlib.asynccontextmanager
async def at_work(fleet: Fleet) -> AsyncIterator[asyncio.Task[None]]:
    """Let a fleet run beside the test; it is told to end twice at the end of the block."""
    task = asyncio.create_task(fleet.run_and_close())
    try:
        yield task
    finally:
        fleet.handle_sig(Signals.SIGTERM, "test")
        fleet.handle_sig(Signals.SIGTERM, "test")
        await asyncio.wait_for(asyncio.gather(task, return_exceptions=True), 15)


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


async def test_each_runs_its_own_queue(server: fakeredis.FakeServer, pools: list[ArqRedis]) -> None:
    """A burst of a fleet runs what waits in each database, and ends when all are over."""
    jobs = [await enqueue(pool, "work") for pool in pools]
    fleet = create_fleet([settings(server, 1), settings(server, 2)], burst=True)

    await asyncio.wait_for(fleet.run_and_close(), 15)

    assert [worker.jobs_complete for worker in fleet.workers] == [1, 1]
    assert [await job.status() for job in jobs] == [JobStatus.complete] * 2


async def test_signal_gives_all_jobs_their_time(server: fakeredis.FakeServer, pools: list[ArqRedis]) -> None:
    """A signal shuts all down, and each waits for its jobs as long as its `job_completion_wait` says."""
    patient, impatient = Gate(), Gate()
    for pool in pools:
        await enqueue(pool, "work")
    fleet = create_fleet(
        [settings(server, 1, patient, job_completion_wait=60), settings(server, 2, impatient)]
    )
    async with at_work(fleet) as task:
        await asyncio.gather(patient.started.wait(), impatient.started.wait())
        fleet.handle_sig(Signals.SIGINT)
        await asyncio.wait_for(asyncio.shield(fleet.workers[1].main_task or task), 10)
        patient.open.set()
        await asyncio.wait_for(asyncio.shield(task), 10)

    assert (patient.ended, impatient.ended) == (["returned"], ["cancelled"])


async def test_second_signal_hurries_all(server: fakeredis.FakeServer, pools: list[ArqRedis]) -> None:
    """Who signals twice waits for the jobs of nobody."""
    gates = [Gate(), Gate()]
    for pool in pools:
        await enqueue(pool, "work")
    fleet = create_fleet(
        [settings(server, n, gate, job_completion_wait=60) for n, gate in enumerate(gates, 1)]
    )
    async with at_work(fleet) as task:
        await asyncio.gather(*(gate.started.wait() for gate in gates))
        fleet.handle_sig(Signals.SIGINT)
        fleet.handle_sig(Signals.SIGINT)
        await asyncio.wait_for(asyncio.shield(task), 10)

    assert [gate.ended for gate in gates] == [["cancelled"], ["cancelled"]]


async def test_two_tellers_of_one_signal_do_not_hurry(
    server: fakeredis.FakeServer, pools: list[ArqRedis]
) -> None:
    """The same signal from the terminal and from a supervisor is one signal."""
    gate = Gate()
    await enqueue(pools[0], "work")
    fleet = create_fleet([settings(server, 1, gate, job_completion_wait=60)])
    async with at_work(fleet) as task:
        await gate.started.wait()
        fleet.handle_sig(Signals.SIGINT)
        fleet.handle_sig(Signals.SIGINT, "supervisor")
        await asyncio.sleep(0)
        gate.open.set()
        await asyncio.wait_for(asyncio.shield(task), 10)

    assert gate.ended == ["returned"]


async def test_two_queues_on_one_pool(server: fakeredis.FakeServer, pools: list[ArqRedis]) -> None:
    """Two workers may be given one pool, which is closed when both are over."""
    pool = pool_of(server, 1)
    both = [settings(server, 1, redis_pool=pool), settings(server, 1, redis_pool=pool, queue_name="mail")]
    jobs = [await enqueue(pools[0], "work"), await enqueue(pools[0], "work", _queue_name="mail")]

    await asyncio.wait_for(create_fleet(both, burst=True).run_and_close(), 15)

    assert [await job.status() for job in jobs] == [JobStatus.complete] * 2


async def test_fleet_runs_again_after_a_signal(server: fakeredis.FakeServer, pools: list[ArqRedis]) -> None:
    """A signal ends one run: the next begins as if none had come."""
    fleet = create_fleet([settings(server, 1)], burst=True)
    fleet.handle_sig(Signals.SIGTERM)
    await asyncio.wait_for(fleet.async_run(), 15)
    job = await enqueue(pools[0], "work")

    await asyncio.wait_for(fleet.run_and_close(), 15)

    assert await job.status() is JobStatus.complete


async def test_signal_before_the_start_counts(server: fakeredis.FakeServer, pools: list[ArqRedis]) -> None:
    """A fleet that is told to end before its workers began ends as soon as they have."""
    fleet = create_fleet([settings(server, 1), settings(server, 2)])

    fleet.handle_sig(Signals.SIGTERM)

    await asyncio.wait_for(fleet.run_and_close(), 15)
    assert fleet.failed is None


async def test_failed_start_takes_the_others_along(
    server: fakeredis.FakeServer, pools: list[ArqRedis], caplog: pytest.LogCaptureFixture
) -> None:
    """One whose `on_startup` raises ends the others in order: their jobs end, `on_shutdown` is called."""
    gate, closed = Gate(), []

    async def fail(ctx: Ctx) -> None:
        await gate.started.wait()
        gate.open.set()
        raise RuntimeError("no start")

    async def note(ctx: Ctx) -> None:
        closed.append(ctx)

    await enqueue(pools[0], "work")
    fleet = create_fleet(
        [
            settings(server, 1, gate, on_shutdown=note, job_completion_wait=60),
            settings(server, 2, on_startup=fail),
        ]
    )

    with pytest.raises(RuntimeError, match="no start"):
        await asyncio.wait_for(fleet.run_and_close(), 15)

    first, second = fleet.workers
    assert fleet.failed is second
    assert gate.ended == ["returned"]
    assert closed == [first.ctx]
    assert (
        "the worker of arq:queue, database 2 ended by RuntimeError: no start; the others are shut down, too"
        in said(caplog)
    )


async def test_second_failure_is_told(
    server: fakeredis.FakeServer, pools: list[ArqRedis], caplog: pytest.LogCaptureFixture
) -> None:
    """One error is raised; the log tells of the other, with its traceback."""
    failed = asyncio.Event()

    async def fail(ctx: Ctx) -> None:
        failed.set()
        raise RuntimeError("first")

    async def fail_later(ctx: Ctx) -> None:
        await failed.wait()
        raise RuntimeError("second")

    fleet = create_fleet([settings(server, 1, on_startup=fail_later), settings(server, 2, on_startup=fail)])

    with pytest.raises(RuntimeError, match="first"):
        await asyncio.wait_for(fleet.run_and_close(), 15)

    [record] = [record for record in caplog.records if record.getMessage().endswith("by an error, too")]
    assert record.exc_info is not None
    assert str(record.exc_info[1]) == "second"


async def test_shutdown_hooks_come_when_nobody_works_any_more(
    server: fakeredis.FakeServer, pools: list[ArqRedis]
) -> None:
    """`on_shutdown` of one that ended first waits for the last job of the others; they go in reverse."""
    notes: list[str] = []
    over = asyncio.Event()

    async def work(ctx: Ctx) -> None:
        await over.wait()
        notes.append("job")

    async def first(ctx: Ctx) -> None:
        notes.append("first")

    async def second(ctx: Ctx) -> None:
        notes.append("second")

    await enqueue(pools[0], "work")
    fleet = create_fleet(
        [settings(server, 1, work, on_shutdown=first), settings(server, 2, on_shutdown=second)], burst=True
    )
    task = asyncio.create_task(fleet.run_and_close())
    while fleet.workers[1].main_task is None:  # noqa: ASYNC110 (a worker has no event for it)
        await asyncio.sleep(0)
    await fleet.workers[1].main_task
    over.set()
    await asyncio.wait_for(task, 15)

    assert notes == ["job", "second", "first"]


async def test_failed_shutdown_hook_keeps_nobody_open(
    server: fakeredis.FakeServer, pools: list[ArqRedis]
) -> None:
    """An `on_shutdown` that raises is raised in the end, after the others were closed."""
    closed = []

    async def fail(ctx: Ctx) -> None:
        raise RuntimeError("no end")

    async def note(ctx: Ctx) -> None:
        closed.append(ctx)

    fleet = create_fleet(
        [settings(server, 1, on_shutdown=note), settings(server, 2, on_shutdown=fail)], burst=True
    )

    with pytest.raises(RuntimeError, match="no end"):
        await asyncio.wait_for(fleet.run_and_close(), 15)

    assert closed == [fleet.workers[0].ctx]


async def test_cancelled_fleet_gives_its_jobs_back(
    server: fakeredis.FakeServer, pools: list[ArqRedis]
) -> None:
    """Cancelling a fleet is a shutdown of all, and the cancellation leaves."""
    gates = [Gate(), Gate()]
    jobs = [await enqueue(pool, "work") for pool in pools]
    fleet = create_fleet([settings(server, n, gate) for n, gate in enumerate(gates, 1)])
    task = asyncio.create_task(fleet.run_and_close())
    await asyncio.gather(*(gate.started.wait() for gate in gates))

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 15)
    assert [gate.ended for gate in gates] == [["cancelled"], ["cancelled"]]
    assert [await job.status() for job in jobs] == [JobStatus.queued] * 2


async def test_lines_tell_the_queue(
    server: fakeredis.FakeServer, pools: list[ArqRedis], caplog: pytest.LogCaptureFixture
) -> None:
    """Lines of a worker begin with its queue, those about jobs included; afterwards they no longer do."""
    caplog.set_level(logging.INFO)
    await enqueue(pools[0], "work", _job_id="one")
    both = [settings(server, 1), settings(server, 1, queue_name="100% mail")]

    await asyncio.wait_for(create_fleet(both, burst=True).run_and_close(), 15)
    logging.getLogger("arqlite.worker").info("later")

    lines = said(caplog)
    assert any(line.startswith("[arq:queue] ") and line.endswith("← one:work ● ") for line in lines)
    assert "[100% mail] Starting worker for 1 functions: work" in lines
    assert "later" in lines


async def test_lines_of_one_worker_stay_as_they_are(
    server: fakeredis.FakeServer, caplog: pytest.LogCaptureFixture
) -> None:
    """A fleet of one says what a worker says."""
    caplog.set_level(logging.INFO)

    await asyncio.wait_for(create_fleet([settings(server, 1)], burst=True).run_and_close(), 15)

    assert "Starting worker for 1 functions: work" in said(caplog)


def told_apart(*given: dict[str, Any]) -> list[str]:
    return create_fleet([{"functions": [ok], **one} for one in given])._names


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ([{}, {"queue_name": "mail"}], ["arq:queue", "mail"]),
        (
            [{}, {"redis_settings": RedisSettings(database=3)}],
            ["arq:queue, database 0", "arq:queue, database 3"],
        ),
        (
            [{}, {"redis_settings": RedisSettings(unix_socket_path="/run/redis.sock")}],
            ["arq:queue, database 0 at localhost:6379", "arq:queue, database 0 at /run/redis.sock"],
        ),
        ([{}, {}], ["arq:queue, database 0, worker 1", "arq:queue, database 0, worker 2"]),
    ],
)
def test_names_are_as_long_as_they_have_to_be(settings: list[dict[str, Any]], names: list[str]) -> None:
    """Workers are told apart by their queue, else by the database, the server, or a number."""
    assert told_apart(*settings) == names


class Plain:
    functions = (ok,)


class Diary(Service):
    """A service that two settings might share."""


def test_same_settings_twice_are_refused() -> None:
    """One settings class twice is a mistake, told with what to do instead."""
    with pytest.raises(ConfigurationError, match=r"Plain was given twice.*--processes"):
        create_fleet([Plain, Plain])


def test_no_settings_are_refused() -> None:
    """A fleet of nobody is a mistake."""
    with pytest.raises(ConfigurationError, match="no worker settings were given"):
        create_fleet([])


def test_shared_service_is_refused() -> None:
    """A service belongs to one worker, which stops it at its end."""
    service = Diary()

    with pytest.raises(ConfigurationError, match="two workers share the service Diary"):
        create_fleet([{"functions": [ok], "services": [service]}, {"functions": [ok], "services": [service]}])


def test_shared_ctx_is_kept_apart() -> None:
    """Settings with one `ctx` give each worker a copy: each keeps its own `redis` in it."""
    ctx: Ctx = {"name": "shared"}

    fleet = create_fleet([{"functions": [ok], "ctx": ctx}, {"functions": [ok], "ctx": ctx}])

    first, second = (worker.ctx for worker in fleet.workers)
    assert first == second == ctx
    assert first is not second


def test_mistake_says_whose_it_is() -> None:
    """The error of one of several settings carries a note that names them."""

    class Bad(Plain):
        max_jobs = 0

    with pytest.raises(ConfigurationError) as caught:
        create_fleet([Plain, Bad])

    assert caught.value.__notes__ == [f"in {__name__}.{Bad.__qualname__}"]


def test_options_win_in_all() -> None:
    """Keyword arguments are for each of the workers, as with `run_worker`."""
    fleet = create_fleet([Plain, {"functions": [ok], "max_jobs": 3}], max_jobs=7)

    assert [worker.max_jobs for worker in fleet.workers] == [7, 7]
