"""What arq does wrong, or is known for, and what holds here instead.

`ROWS` goes through the list of arq's known bugs and traps: each has the tests that hold arqlite to better, or
the sentence of docs/from-arq.md that says why it is as it is. What no other file tests is tested below.
"""

from __future__ import annotations

import ast
import asyncio
import re
import time
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import BusyLoadingError, OutOfMemoryError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from worker_toys import Ctx, at_work, counts, end_of, enqueue

from arqlite import ArqRedis, Retry, func
from arqlite.engine import RedisEngine
from arqlite.jobs import Job

CHECKOUT = Path(__file__).parents[1]
DOCS = "docs/from-arq.md: "

ROWS: dict[str, tuple[str, ...]] = {
    "1 concurrency of all workers is capped at queue_read_limit": (
        "tests/test_worker.py::test_thirty_workers_fill_all_their_slots",
    ),
    "2 a poll starts max_jobs jobs at most": ("tests/test_arq_bugs.py::test_slots_do_not_wait_for_a_poll",),
    "3 an idle worker is slow to start": ("tests/test_worker.py::test_idle_worker_starts_a_job_at_once",),
    "4 two dozen commands per job": ("tests/test_arq_bugs.py::test_few_round_trips_per_job",),
    "5 the jobs of a dead worker wait for the longest timeout": (
        "tests/runtime/test_runtime_leases.py::test_dead_workers_jobs_run_elsewhere_in_time",
        "tests/chaos/test_chaos_worker_death.py::"
        "test_job_of_a_killed_worker_runs_elsewhere_within_lease_and_two_seconds",
    ),
    "6 jobs run twice at a time, and the late one overwrites the result": (
        "tests/runtime/test_runtime_leases.py::test_blocked_loop_keeps_its_lease",
        "tests/runtime/test_runtime_leases.py::test_lost_lease_cancels_and_writes_nothing",
        "tests/runtime/test_runtime_leases.py::test_late_end_is_not_written",
        "tests/chaos/test_chaos_freeze.py::test_late_acks_of_a_frozen_worker_are_refused",
    ),
    "7 a deploy costs a try": ("tests/test_worker_shutdown.py::test_three_shutdowns_cost_no_try",),
    "8 exceptions and timeouts are final": (
        DOCS + "an exception or a timeout fails a job at once and only `Retry` repeats it",
    ),
    "9 an error of Redis ends the worker": (
        "tests/test_arq_bugs.py::test_no_error_of_redis_ends_a_worker",
        "tests/runtime/test_runtime_leases.py::test_worker_survives_killed_connections",
        "tests/chaos/test_chaos_server_loss.py::test_killed_server_loses_nothing",
        "tests/chaos/test_chaos_network.py::test_blackhole_is_survived",
    ),
    "10 an exception in a hook ends the worker": (
        "tests/test_arq_bugs.py::test_no_error_of_a_hook_ends_a_worker",
        "tests/test_worker_hooks.py::test_start_hook_that_raises_fails_its_job",
        "tests/test_worker_hooks.py::test_end_hook_that_raises_changes_nothing",
    ),
    "11 exhausted tries and how long results are kept": (
        "tests/test_worker.py::test_result_kept_forever",
        "tests/test_worker_retries.py::test_exhausted_job_keeps_no_result_if_told_so",
    ),
    "12 an id is not free while its result is kept": (
        "tests/test_jobs.py::test_delete",
        "tests/test_client_upkeep.py::test_forgotten_id_is_free",
    ),
    "13 aborting an unknown id kills the next job of that id": (
        "tests/test_jobs.py::test_abort_of_an_unknown_job_leaves_no_trace",
        "tests/test_arq_bugs.py::test_abort_of_an_unknown_id_spares_the_next_job",
    ),
    "14 abort on a full worker, and without a kept result": (
        "tests/test_jobs.py::test_abort_of_a_waiting_job",
        "tests/test_jobs.py::test_abort_without_a_result_kept",
        "tests/runtime/test_runtime_ahead.py::test_abort_of_a_job_claimed_ahead_ends_it_at_once",
    ),
    "15 a second worker runs a retry too early": (
        "tests/test_arq_bugs.py::test_no_worker_runs_a_retry_early",
    ),
    "16 a job that waits for a day is lost": (
        "tests/test_arq_bugs.py::test_backlog_older_than_a_day_runs",
        "tests/test_worker.py::test_job_without_expiry_never_expires",
    ),
    "17 a job of an unknown function is lost": (
        "tests/test_arq_bugs.py::test_rolling_deploy_loses_no_job",
        "tests/test_worker.py::test_unknown_function_is_kept_for_a_worker_that_knows_it",
        "tests/test_worker.py::test_unknown_function_fails_in_the_end",
    ),
    "18 cron: duplicates, clock changes, missed times": (
        "tests/runtime/test_runtime_scheduler.py::test_once_over_many_workers",
        "tests/runtime/test_runtime_scheduler.py::test_worker_that_runs_through_a_clock_change",
        "tests/runtime/test_runtime_scheduler.py::test_times_while_no_worker_ran",
        "tests/test_cron.py::test_fixed_id_is_a_singleton",
    ),
    "19 ids and results are one heap for all queues": (
        "tests/engine/test_engine_keys.py::test_queues_do_not_touch_each_other",
        "tests/test_worker.py::test_queue_of_its_own",
    ),
    "20 Redis Cluster": (
        "tests/engine/test_engine_keys.py::test_all_keys_of_a_queue_are_in_one_slot",
        DOCS + "a queue's keys are in one slot",
    ),
    "21 TLS, sentinels, URLs": (
        "tests/test_connections.py::test_sentinel_secrets_and_certificates_reach_everybody",
        "tests/test_connections.py::test_host_of_a_certificate_is_checked",
        "tests/test_connections.py::test_dsn",
    ),
    "22 pickle: who writes to Redis runs code": (
        "tests/model/test_model_codec.py::test_nothing_is_imported_by_a_name_from_redis",
        "tests/model/test_model_codec.py::test_json_envelope_is_readable_by_anyone",
        "tests/test_worker.py::test_unreadable_job_fails",
    ),
    "23 an exception must be importable where it is read": (
        "tests/model/test_model_failures.py::test_unknown_class_is_told_in_words",
    ),
    "24 listings block Redis and fail on one record": (
        "tests/test_arq_bugs.py::test_listings_do_not_block_redis",
        "tests/test_connections.py::test_record_that_cannot_be_read_hides_no_other",
    ),
    "25 health is one record for all workers": (
        "tests/test_worker_health.py::test_health_record_outlives_another_worker",
        "tests/test_worker_health.py::test_check_health",
    ),
    "26 a job's own log lines do not know the job": (
        "tests/test_worker.py::test_current_job_deep_inside",
        "tests/test_worker_health.py::test_lines_of_a_job",
    ),
    "27 types: calls, results, settings classes, cron fields": (
        "tests/test_typed.py::test_checker_accepts_the_good_and_refuses_the_bad",
        DOCS + "any class, an instance or a dict; cron fields take lists and tuples",
    ),
    "28 new versions of Python": ("tests/test_arq_bugs.py::test_nothing_that_python_has_dropped",),
}


def _missing(place: str) -> str | None:
    """Say what is not there of a place that a row names."""
    if place.startswith(DOCS):
        page = (CHECKOUT / DOCS.removesuffix(": ")).read_text()
        sentence = " ".join(place.removeprefix(DOCS).split())
        return None if sentence in " ".join(page.split()) else place
    file, _, name = place.partition("::")
    if not (CHECKOUT / file).is_file():
        return place
    tests = ast.walk(ast.parse((CHECKOUT / file).read_text()))
    names = {node.name for node in tests if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    return None if not name or name in names else place


def test_every_row_is_accounted_for() -> None:
    """The 28 rows have tests that are there, or sentences that are there."""
    assert [int(row.split()[0]) for row in ROWS] == list(range(1, 29))
    assert all(ROWS.values())
    assert [place for places in ROWS.values() for place in places if _missing(place)] == []


@pytest.mark.parametrize(
    "place", ["tests/nowhere.py", "tests/test_arq_bugs.py::test_nothing", DOCS + "no such sentence"]
)
def test_missing_places_are_seen(place: str) -> None:
    """A test or a sentence that is not there is found missing."""
    assert _missing(place) == place


async def test_slots_do_not_wait_for_a_poll(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A slot is filled again as soon as its job ends (arq: 10 jobs per 0.5 s, whatever the slots)."""

    async def work(ctx: Ctx) -> None:
        await asyncio.sleep(0.03)

    await arq_redis.enqueue_many([("work",)] * 100)
    worker = make_worker([func(work, name="work")])
    before = time.perf_counter()

    assert await worker.run_check() == 100

    assert time.perf_counter() - before < 2.5


@pytest.mark.real
@pytest.mark.parametrize("arq_redis", ["real"], indirect=True)
async def test_few_round_trips_per_job(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Enqueueing and running jobs takes few calls of the server (arq: 23 commands per job)."""

    async def ok(ctx: Ctx) -> None: ...

    await enqueue(arq_redis, "ok")
    await arq_redis.config_resetstat()
    for _ in range(200):
        await enqueue(arq_redis, "ok")
    assert await make_worker([func(ok, name="ok")]).run_check() == 201

    calls: Any = await arq_redis.info("commandstats")
    scripts = sum(stat["calls"] for name, stat in calls.items() if name.startswith("cmdstat_eval"))
    assert 200 <= scripts < 300


@pytest.mark.parametrize(
    "error",
    [
        RedisConnectionError("gone"),
        RedisTimeoutError("slow"),
        BusyLoadingError("loading"),
        OutOfMemoryError("full"),
        OSError("broken pipe"),
        EOFError("cut"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_no_error_of_redis_ends_a_worker(
    arq_redis: ArqRedis, make_worker: Any, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Whatever Redis answers to a turn, the worker tries again, and jobs run once."""
    runs: list[str] = []

    async def ok(ctx: Ctx) -> str:
        runs.append(ctx["job_id"])
        return "ok"

    turn, left = RedisEngine.turn, 3

    async def troubled(self: RedisEngine, *args: Any) -> Any:
        nonlocal left
        if left:
            left -= 1
            raise error
        return await turn(self, *args)

    worker = make_worker([func(ok, name="ok")])
    async with at_work(worker) as working:
        assert await (await enqueue(arq_redis, "ok", _job_id="before")).result(timeout=5) == "ok"
        left = 3
        monkeypatch.setattr(RedisEngine, "turn", troubled)
        assert await (await enqueue(arq_redis, "ok", _job_id="after")).result(timeout=10) == "ok"
        assert not working.done()

    assert runs == ["before", "after"]
    assert left == 0
    assert counts(worker) == (2, 0, 0)


@pytest.mark.parametrize("hook", ["on_job_start", "on_job_end", "after_job_end"])
@pytest.mark.parametrize(
    "error", [ValueError("mine"), RedisConnectionError("gone"), asyncio.CancelledError()], ids=repr
)
async def test_no_error_of_a_hook_ends_a_worker(
    arq_redis: ArqRedis, make_worker: Any, hook: str, error: BaseException
) -> None:
    """Whatever a hook raises, the worker goes on with all its slots, and no job stays locked."""

    async def bad(ctx: Ctx) -> None:
        if ctx["job_id"] == "bad" and ctx["job_try"] == 1:
            raise error

    async def ok(ctx: Ctx) -> str:
        return "ok"

    await enqueue(arq_redis, "ok", _job_id="bad")
    worker = make_worker([func(ok, name="ok")], max_jobs=1, **{hook: bad})
    async with at_work(worker) as working:
        assert await (await enqueue(arq_redis, "ok")).result(timeout=5) == "ok"
        assert not working.done()

    assert worker.tasks == {}
    assert await arq_redis.queue_depth() == 0


async def test_abort_of_an_unknown_id_spares_the_next_job(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A job enqueued under an id that was aborted before it existed runs like any other."""

    async def ok(ctx: Ctx) -> str:
        return "ok"

    assert await Job("later", arq_redis).abort(timeout=5) is False
    job = await enqueue(arq_redis, "ok", _job_id="later")

    assert await make_worker([func(ok, name="ok")], allow_abort_jobs=True).run_check() == 1
    assert await job.result() == "ok"


async def test_no_worker_runs_a_retry_early(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A deferred retry waits its time on every worker."""
    starts: list[float] = []

    async def later(ctx: Ctx) -> None:
        starts.append(time.time())
        if ctx["job_try"] < 3:
            raise Retry(0.1)

    function = func(later, name="later")
    jobs = [await enqueue(arq_redis, "later") for _ in range(5)]
    workers = [make_worker([function], max_jobs=2) for _ in range(3)]

    await asyncio.gather(*(worker.async_run() for worker in workers))

    assert len(starts) == 15
    for job in jobs:
        ended = await end_of(job)
        assert ended.job_try == 3
        assert (ended.start_time - ended.enqueue_time).total_seconds() >= 0.195


async def test_backlog_older_than_a_day_runs(
    arq_redis: ArqRedis, make_worker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Jobs that have waited for days run (arq fails them as expired, their arguments gone)."""

    async def echo(ctx: Ctx, text: str) -> str:
        return text

    days_ago = int(time.time() * 1000) - 3 * 86_400_000
    monkeypatch.setattr("arqlite.offering.timestamp_ms", lambda: days_ago)
    old = await enqueue(arq_redis, "echo", "kept")
    monkeypatch.undo()

    assert await make_worker([func(echo, name="echo")]).run_check() == 1
    assert await old.result() == "kept"
    assert (await end_of(old)).enqueue_time.timestamp() * 1000 == days_ago


async def test_rolling_deploy_loses_no_job(arq_redis: ArqRedis, make_worker: Any) -> None:
    """While old and new workers share a queue, jobs of functions that one of them lacks run on the other."""

    async def old(ctx: Ctx) -> str:
        return "old"

    async def new(ctx: Ctx) -> str:
        return "new"

    of_old = make_worker([func(old, name="old")])
    of_new = make_worker([func(new, name="new")])
    async with at_work(of_old), at_work(of_new):
        jobs = [await enqueue(arq_redis, name) for _ in range(10) for name in ("old", "new")]
        results = await asyncio.gather(*(job.result(timeout=15) for job in jobs))

    assert results == ["old", "new"] * 10
    assert (counts(of_old), counts(of_new)) == ((10, 0, 0), (10, 0, 0))


@pytest.mark.real
@pytest.mark.parametrize("arq_redis", ["real"], indirect=True)
async def test_listings_do_not_block_redis(arq_redis: ArqRedis, make_worker: Any) -> None:
    """`queued_jobs` and `all_job_results` go through Redis step by step, never with `KEYS`."""

    async def ok(ctx: Ctx) -> None: ...

    await arq_redis.enqueue_many([("ok",)] * 5)
    await make_worker([func(ok, name="ok")]).run_check()
    await enqueue(arq_redis, "ok", _defer_by=60)
    await arq_redis.config_resetstat()

    assert len(await arq_redis.all_job_results()) == 5
    assert len(await arq_redis.queued_jobs()) == 1

    calls: Any = await arq_redis.info("commandstats")
    used = {name.removeprefix("cmdstat_") for name in calls} - {"client|setinfo", "select", "info"}
    assert used <= {"scan", "hscan", "zscan", "config|resetstat", "hello"}


def test_nothing_that_python_has_dropped() -> None:
    """`asyncio.get_event_loop`, which makes no loop any more since Python 3.14, is not used."""
    found = [
        str(file)
        for file in (CHECKOUT / "arqlite").rglob("*.py")
        if re.search(r"\bget_event_loop\(|set_event_loop_policy\(|\basyncio\.coroutine\b", file.read_text())
    ]

    assert found == []
