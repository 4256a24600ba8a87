"""Draining arq's queue: what is moved, what stays, and what it becomes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import fakeredis
import pytest
from migration_toys import DAY_MS, QUEUE, Arq, Move, arq_body, dump

from arqlite import ArqRedis, Job, JobStatus, Worker, func
from arqlite.errors import JobExecutionFailed
from arqlite.utils import timestamp_ms

Make = Callable[..., Worker]


async def add(ctx: dict[str, Any], a: int = 1, b: int = 2) -> int:
    return a + b


async def told(ctx: dict[str, Any], *args: Any) -> list[Any]:
    """Tell what the job was given."""
    return [ctx["job_try"], ctx["enqueue_time"].timestamp(), ctx["score"], *args]


def as_json(envelope: dict[str, Any]) -> bytes:
    return json.dumps(envelope).encode()


async def test_jobs_move_and_run(arq: Arq, move: Move, make_worker: Make, arq_redis: ArqRedis) -> None:
    """A waiting job leaves arq without a trace, runs in arqlite under its id, and is counted."""
    await arq.enqueue("a", "add", 1, b=5)
    await arq.enqueue("b", "add", 2)

    report = await move()

    assert (report.moved, report.due, report.functions, report.is_complete) == (2, 2, {"add": 2}, True)
    assert await arq.keys() == set()
    await make_worker([add]).async_run()
    assert [await Job(job_id, arq_redis).result() for job_id in "ab"] == [6, 4]


async def test_nothing_to_move(move: Move) -> None:
    """An empty queue is drained at once."""
    report = await move()

    assert (report.moved, report.is_complete) == (0, True)


@pytest.mark.parametrize("dry_run", [True, False])
async def test_other_queues_are_named(arq: Arq, move: Move, arq_redis: ArqRedis, dry_run: bool) -> None:
    """A queue that nobody named, or misspelt, is not passed over in silence; foreign sorted sets are."""
    now_ms = timestamp_ms()
    await arq.enqueue("a", "add", 1)
    await arq_redis.set("arq:job:b", arq_body("add"))
    await arq_redis.zadd("other", {"b": now_ms, "c": now_ms})
    await arq_redis.zadd("scores of a game", {"d": 1})
    await arq_redis.zadd("arq:abort", {"a": 1})

    report = await move(dry_run=dry_run)

    assert report.other_queues == {"other": 2}
    assert any("arq's queue 'other' in the same database, with 2 jobs" in line for line in report.lines())


async def test_more_jobs_than_a_page(arq: Arq, move: Move, arq_redis: ArqRedis) -> None:
    """Many jobs move in several batches, each of them once, and the order of their due times stays."""
    now_ms = timestamp_ms()
    for number in range(450):
        await arq.enqueue(f"j{number:03}", "add", number, score=now_ms - number)
    progress: list[tuple[int, int]] = []
    importer = move.importer()
    importer.progress = lambda done, total: progress.append((done, total))

    report = await importer.run()

    assert report.moved == 450
    assert progress[-1] == (450, 450)
    jobs = await arq_redis.queued_jobs()
    assert [job.job_id for job in jobs] == [f"j{number:03}" for number in reversed(range(450))]


async def test_ctx_goes_on_as_arq_had_it(
    arq: Arq, move: Move, make_worker: Make, arq_redis: ArqRedis
) -> None:
    """Try, enqueue time and score of a moved job are those that arq would have told it."""
    now_ms = timestamp_ms()
    await arq.enqueue("new", "told", enqueue_ms=now_ms - 5000, score=now_ms - 5000)
    await arq.enqueue("retried", "told", tries=2, enqueue_ms=now_ms - 5000, score=now_ms - 1000)
    await arq.enqueue("asked", "told", first_try=3, enqueue_ms=now_ms - 5000, score=now_ms - 5000)
    await arq.enqueue("both", "told", first_try=3, tries=3, enqueue_ms=now_ms - 5000, score=now_ms - 5000)
    move.functions = ("told",)

    await move()

    await make_worker([told]).async_run()
    found = {name: await Job(name, arq_redis).result() for name in ("new", "retried", "asked", "both")}
    assert {name: value[0] for name, value in found.items()} == {
        "new": 1,
        "retried": 3,
        "asked": 3,
        "both": 4,
    }
    assert {value[1] for value in found.values()} == {(now_ms - 5000) / 1000}
    assert [found["new"][2], found["retried"][2]] == [now_ms - 5000, now_ms - 1000]


async def test_tries_count_towards_the_most(
    arq: Arq, move: Move, make_worker: Make, arq_redis: ArqRedis
) -> None:
    """A job that arq has tried as often as may be is not tried again."""
    await arq.enqueue("a", tries=5)

    await move()

    await make_worker([add], max_tries=5).async_run()
    with pytest.raises(JobExecutionFailed, match="max 5 retries exceeded"):
        await Job("a", arq_redis).result()


async def test_deferred_job_stays_deferred(arq: Arq, move: Move, arq_redis: ArqRedis) -> None:
    """A deferred job is due in arqlite at the ms at which arq would have run it."""
    due_ms = timestamp_ms() + 3_600_000
    await arq.enqueue("a", score=due_ms, defer_ms=3_600_000)

    report = await move()

    assert (report.deferred, report.due) == (1, 0)
    assert await Job("a", arq_redis).status() is JobStatus.deferred
    info = await Job("a", arq_redis).info()
    assert info is not None
    assert info.score == due_ms


async def test_job_put_first_by_a_negative_delay_is_first(
    arq: Arq, move: Move, make_worker: Make, arq_redis: ArqRedis
) -> None:
    """The trick of a negative delay goes on to work: such a job runs before older ones."""
    ran: list[str] = []

    async def note(ctx: dict[str, Any]) -> None:
        ran.append(ctx["job_id"])

    await arq.enqueue("old", defer_ms=-1000)
    await arq.enqueue("first", defer_ms=-3_600_000)

    await move()

    await make_worker([func(note, name="add")], max_jobs=1).async_run()
    assert ran == ["first", "old"]


async def test_running_job_is_left_to_arq(arq: Arq, move: Move) -> None:
    """A job that a worker of arq runs stays, with all its keys, and is reported."""
    await arq.enqueue("a", running=True, tries=1)
    await arq.enqueue("b")

    report = await move()

    assert report.moved == 1
    assert [(left.job_id, left.hold) for left in report.left] == [("a", "running")]
    assert not report.is_complete
    assert await arq.keys() == {QUEUE, "arq:job:a", "arq:retry:a", "arq:in-progress:a"}


async def test_waits_for_running_jobs(arq: Arq, move: Move) -> None:
    """With `wait` the import ends when a worker's job has ended, and takes one whose lock has expired."""
    await arq.enqueue("ends", running=True)
    await arq.enqueue("lost", running=True)
    move.pauses = [lambda: arq.end("ends"), lambda: arq.client.delete("arq:in-progress:lost")]
    importer = move.importer(wait=True)
    waited: list[int] = []
    importer.waiting = waited.append

    report = await importer.run()

    assert waited == [2, 1]
    assert (report.moved, report.left, report.is_complete) == (1, [], True)
    assert await arq.keys() == set()


async def test_force_takes_running_jobs(arq: Arq, move: Move) -> None:
    """With `force` what arq's workers left behind when they were killed is taken."""
    await arq.enqueue("a", running=True, tries=1)

    report = await move(force=True)

    assert (report.moved, report.is_complete) == (1, True)
    assert await arq.keys() == set()


async def test_job_begun_while_it_was_read_is_left(arq: Arq, move: Move, arq_redis: ArqRedis) -> None:
    """A worker of arq that locks a job after the import has read it keeps it."""
    await arq.enqueue("a")
    importer = move.importer()
    await _before_take(move, lambda: arq.lock("a"))

    report = await importer.run()

    assert (report.moved, [left.hold for left in report.left]) == (0, ["running"])
    assert await Job("a", arq_redis).status() is JobStatus.not_found


async def test_job_changed_while_it_was_read_is_read_again(
    arq: Arq, move: Move, make_worker: Make, arq_redis: ArqRedis
) -> None:
    """A job that ended and was enqueued anew under its id moves as the new one."""
    score = timestamp_ms()
    await arq.enqueue("a", "add", 1, score=score)
    importer = move.importer()
    await _before_take(move, lambda: arq.enqueue("a", "add", 40, score=score))

    report = await importer.run()

    assert report.moved == 1
    await make_worker([add]).async_run()
    assert await Job("a", arq_redis).result() == 42


async def test_job_retried_while_it_was_read_keeps_its_try(
    arq: Arq, move: Move, make_worker: Make, arq_redis: ArqRedis
) -> None:
    """A job that arq tried and gave back at its old place between two steps moves with that try."""
    await arq.enqueue("a", "told")
    move.functions = ("told",)
    importer = move.importer()
    await _before_take(move, lambda: arq.client.set("arq:retry:a", "1"))

    await importer.run()

    await make_worker([told]).async_run()
    assert (await Job("a", arq_redis).result())[0] == 2


async def test_jobs_that_no_page_showed_are_found(
    arq: Arq, move: Move, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What moves up in the queue while pages are turned, as arq ends what stood before, is not left."""
    running = [f"a{number}" for number in range(4)]
    for job_id in running:
        await arq.enqueue(job_id, running=True, defer_ms=-5000)
    await arq.enqueue("b")
    importer = move.importer()
    monkeypatch.setattr("arqlite.migration.importer._PAGE", 4)
    source = move.sources[0]
    page = source.page

    async def page_after_ends(offset: int, limit: int) -> list[bytes]:
        if offset:
            for job_id in running:
                await arq.end(job_id)
        return await page(offset, limit)

    monkeypatch.setattr(source, "page", page_after_ends)

    report = await importer.run()

    assert (report.moved, report.left) == (1, [])


async def test_job_ended_while_it_was_read_is_not_moved(arq: Arq, move: Move, arq_redis: ArqRedis) -> None:
    """A job that arq ends between two steps of the import is arq's, and nothing is left to do."""
    await arq.enqueue("a")
    importer = move.importer()
    await _before_take(move, lambda: arq.end("a"))

    report = await importer.run()

    assert (report.moved, report.is_complete) == (0, True)
    assert await Job("a", arq_redis).status() is JobStatus.not_found


async def test_aborted_jobs_end_as_cancelled(arq: Arq, move: Move, arq_redis: ArqRedis) -> None:
    """A job whose abort was asked for does not run: its result is that it was cancelled."""
    await arq.enqueue("a")
    await arq.client.zadd("arq:abort", {"a": timestamp_ms() + 5})
    await arq.enqueue("pulled", score=1, defer_ms=100_000)

    report = await move()

    assert (report.cancelled, report.moved) == (2, 0)
    for job_id in ("a", "pulled"):
        with pytest.raises(asyncio.CancelledError):
            await Job(job_id, arq_redis).result()
    assert await arq.keys() == set()


async def test_old_abort_of_another_job_stops_nothing(arq: Arq, move: Move) -> None:
    """An abort that arq remembers from before the job was enqueued is not meant for it."""
    await arq.client.zadd("arq:abort", {"a": timestamp_ms() - 60_000})
    await arq.enqueue("a")

    report = await move()

    assert (report.moved, report.cancelled) == (1, 0)


async def test_old_cron_ticks_are_dropped(arq: Arq, move: Move, arq_redis: ArqRedis) -> None:
    """A tick of arq's cron that nobody took is dropped; one that arq has just enqueued is left to it."""
    now_ms = timestamp_ms()
    await arq.enqueue("cron:tick:1", "cron:tick", score=now_ms - 60_000)
    await arq.enqueue("cron:tick:2", "cron:tick", score=now_ms + 500)

    report = await move()

    assert report.crons == 1
    assert [left.job_id for left in report.left] == ["cron:tick:2"]
    assert await Job("cron:tick:1", arq_redis).status() is JobStatus.not_found


async def test_job_without_a_body_ends_as_expired(arq: Arq, move: Move, arq_redis: ArqRedis) -> None:
    """A job whose body arq let expire fails as it would have in arq."""
    await arq.client.zadd(QUEUE, {"a": timestamp_ms()})

    report = await move()

    assert report.expired == 1
    with pytest.raises(JobExecutionFailed, match="job expired"):
        await Job("a", arq_redis).result()
    assert await arq.keys() == set()


async def test_expiry_of_arq_is_dropped_and_that_of_the_application_kept(
    arq: Arq, move: Move, arq_redis: ArqRedis
) -> None:
    """arq's day of patience ends with arq; an `_expires` that was asked for goes on to count."""
    await arq.enqueue("default")
    await arq.enqueue("deferred", defer_ms=7 * DAY_MS)
    await arq.enqueue("asked", ttl_ms=30_000)
    await arq.enqueue("retried", tries=1, score=timestamp_ms() + 1000)

    await move()

    assert [await _expiry_of(arq_redis, name) for name in ("default", "deferred", "retried")] == [None] * 3
    asked = await _expiry_of(arq_redis, "asked")
    assert abs(asked - timestamp_ms() - 30_000) < 5000


async def test_expiry_of_arq_can_be_kept(arq: Arq, move: Move, arq_redis: ArqRedis) -> None:
    """With `keep_expiry` a job expires a day after it was due, as arq has it."""
    await arq.enqueue("a")
    move.keep_expiry = True

    await move()

    assert abs(await _expiry_of(arq_redis, "a") - timestamp_ms() - DAY_MS) < 5000


async def test_unconvertible_jobs_stay(arq: Arq, move: Move) -> None:
    """What cannot be read or written stays in arq's queue untouched, and the reasons are told."""
    await arq.enqueue("odd", "add", object)
    await arq.enqueue("gone", "add")
    await arq.client.set("arq:job:gone", b"\x80\x04\x8c\x07nowhere\x8c\x01X\x93.")
    await arq.enqueue("text", "add", write=as_json)
    await arq.client.zadd(QUEUE, {b"\xff": timestamp_ms()})
    before = await dump(arq.client)

    report = await move()

    assert report.moved == 0
    assert await dump(arq.client) == before
    reasons = {left.job_id: left.reason for left in report.left}
    assert "unable to serialize job" in reasons["odd"]
    assert "No module named 'nowhere'" in reasons["gone"]
    assert "name the deserializer" in reasons["text"]
    assert reasons[r"\xff"] == "its id is no UTF-8"


async def test_job_of_unknown_function_stays(arq: Arq, move: Move, arq_redis: ArqRedis) -> None:
    """A job that no worker of these settings could run stays, unless it was asked for."""
    await arq.enqueue("a", "nobody")

    report = await move()
    move.functions = None
    second = await move()

    assert [left.reason for left in report.left] == ["the settings have no function 'nobody'"]
    assert second.moved == 1


async def test_id_that_arqlite_has_is_refused(arq: Arq, move: Move, arq_redis: ArqRedis) -> None:
    """A job whose id arqlite has already is dropped and named, as arq refuses an id in use."""
    await arq_redis.enqueue_job("add", 1, _job_id="a")
    await arq.enqueue("a", "add", 100)

    report = await move()

    assert (report.moved, report.duplicates, report.is_complete) == (0, ["a"], True)
    info = await Job("a", arq_redis).info()
    assert info is not None
    assert info.args == (1,)
    assert await arq.keys() == set()


async def test_second_run_finds_nothing(arq: Arq, move: Move) -> None:
    """An import that has moved everything moves nothing when it is run again."""
    await arq.enqueue("a")

    await move()
    report = await move()

    assert (report.moved, report.duplicates, report.recovered) == (0, [], 0)


async def test_custom_deserializer(arq: Arq, move: Move, make_worker: Make, arq_redis: ArqRedis) -> None:
    """Jobs of an application with a serializer of its own are read by its deserializer."""
    await arq.enqueue("a", "add", 1, b=5, write=as_json)
    move.deserializer = json.loads

    report = await move()

    assert report.moved == 1
    await make_worker([add]).async_run()
    assert await Job("a", arq_redis).result() == 6


async def test_several_queues_go_into_one(arq: Arq, move: Move) -> None:
    """Several queues of arq may be drained into one of arqlite."""
    await arq.enqueue("a")
    await Arq(arq.client, "other").enqueue("b")
    move.queues = (QUEUE, "other")

    report = await move()

    assert (report.moved, report.queues) == (2, [QUEUE, "other"])


async def test_changes_by_json_are_told(arq: Arq, move: Move) -> None:
    """Arguments that JSON does not carry as they are are told per function."""
    await arq.enqueue("a", "add", (1, 2), [{"x": datetime.now(UTC)}], {1: b"x"})
    await arq.enqueue("b", "add", (1, 2))

    report = await move()

    assert report.changes == {
        "add": {"tuple -> list": 2, "datetime -> text": 1, "dict key int -> text": 1, "bytes -> text": 1}
    }
    assert any("tuple -> list (2)" in line for line in report.lines())


async def test_dry_run_changes_nothing(arq: Arq, move: Move) -> None:
    """A dry run tells what an import would do, and leaves every key as it was."""
    await arq.enqueue("a")
    await arq.enqueue("b", running=True)
    await arq.enqueue("c", "nobody")
    await arq.enqueue("d", defer_ms=5000)
    before = await dump(arq.client)

    report = await move(dry_run=True)

    assert (report.moved, report.deferred, report.dry_run) == (2, 1, True)
    assert sorted(left.hold for left in report.left) == ["running", "unknown function"]
    assert await dump(arq.client) == before


class Bomb:
    """A class of an application; loading its pickle would tell."""

    loaded = 0

    def __reduce__(self) -> Any:
        return _explode, ()


def _explode() -> Bomb:
    Bomb.loaded += 1
    return Bomb()


async def test_dry_run_loads_no_class_of_the_application(arq: Arq, move: Move) -> None:
    """A dry run counts a job by its function, and names the class that it did not load for it."""
    Bomb.loaded = 0
    await arq.enqueue("a", "add", Bomb())

    report = await move(dry_run=True)

    assert (report.moved, report.functions, Bomb.loaded) == (1, {"add": 1}, 0)
    assert report.unread == {f"{_explode.__module__}._explode": 1}


async def test_into_another_database(arq: Arq, move: Move) -> None:
    """The target may be another database or server than the source."""
    target = ArqRedis(fakeredis.FakeAsyncRedis(server=fakeredis.FakeServer()).connection_pool)
    move.pool = target
    await arq.enqueue("a")

    report = await move()

    assert report.moved == 1
    assert await arq.keys() == set()
    assert await Job("a", target).status() is JobStatus.queued
    await target.aclose(close_connection_pool=True)


async def test_endless_producers_do_not_keep_it(
    arq: Arq, move: Move, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An import gives up when the queue grows as fast as it is drained, and says so."""
    importer = move.importer()
    await arq.enqueue("0")
    take, count = move.sources[0].take, iter(range(1, 10_000))

    async def take_and_grow(*args: Any) -> Any:
        taken = await take(*args)
        await arq.enqueue(str(next(count)), defer_ms=-100_000)
        return taken

    monkeypatch.setattr("arqlite.migration.importer._PAGE", 1)
    monkeypatch.setattr("arqlite.migration.importer._MOST_PASSES", 2)
    monkeypatch.setattr(move.sources[0], "page", _one_page(move.sources[0].page))
    monkeypatch.setattr(move.sources[0], "take", take_and_grow)

    report = await importer.run()

    assert report.unfinished
    assert not report.is_complete


def _one_page(page: Any) -> Any:
    """Let each pass see one page."""
    turn = iter(range(10_000))

    async def once(offset: int, limit: int) -> list[bytes]:
        return await page(offset, limit) if next(turn) % 2 == 0 else []

    return once


async def _before_take(move: Move, happens: Callable[[], Any]) -> None:
    """Let something happen once, between the look at a job and its take."""
    source = move.sources[0]
    take = source.take

    async def late(*args: Any) -> Any:
        source.take = take  # type: ignore[method-assign]  # once
        await happens()
        return await take(*args)

    source.take = late  # type: ignore[method-assign]  # the moment that matters


async def _expiry_of(pool: ArqRedis, job_id: str) -> Any:
    record = await pool.hget("aq:{arq:queue}:jobs", job_id)
    return json.loads(record[2:]).get("x")


def test_body_is_arqs() -> None:
    """The bodies that these tests plant have arq's keys in arq's order."""
    import pickle

    assert list(pickle.loads(arq_body("add", 1, b=2))) == ["t", "f", "a", "k", "et"]
