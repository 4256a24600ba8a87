"""What services keep in order by the server's clock, which the tests move: ends, dead workers, due jobs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import fakeredis
import pytest
import pytest_asyncio

from arqlite import ArqRedis, Worker, func
from arqlite.crew import Crew
from arqlite.engine import Ended, Engine, NewJob, RedisEngine, Returned
from arqlite.errors import ConfigurationError
from arqlite.model.memory import decode
from arqlite.runtime.pruner import Pruner
from arqlite.settings import WorkerOptions

LEASE_MS = 5000
KEEP_MS = 60_000
FOR_EVER = float("inf")


async def job(ctx: dict[str, Any]) -> None: ...


class Clock:
    """The server's clock, in seconds."""

    def __init__(self) -> None:
        self.seconds = 1_700_000_000.0

    def time(self) -> float:
        return self.seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A server's clock that the test moves."""
    clock = Clock()
    monkeypatch.setattr("fakeredis.commands_mixins.server_mixin.time", SimpleNamespace(time=clock.time))
    return clock


@pytest_asyncio.fixture
async def engine(clock: Clock) -> AsyncIterator[RedisEngine]:
    """A queue on a server with that clock."""
    pool = ArqRedis(fakeredis.FakeAsyncRedis(server=fakeredis.FakeServer()).connection_pool)
    engine = RedisEngine(pool, "q")
    yield engine
    await engine.close()
    await pool.aclose(close_connection_pool=True)


async def claimed(engine: RedisEngine, *job_ids: str, lease_ms: int = 3_600_000) -> None:
    """Let session `s` own these jobs."""
    await engine.enqueue([NewJob(job_id, "", b"Q\x00" + job_id.encode()) for job_id in job_ids])
    await engine.open("s", lease_ms)
    await engine.turn("s", 100, {}, ())


async def end(engine: RedisEngine, *bodies: str, keep_ms: int = KEEP_MS) -> None:
    """End jobs that `s` owns; the first letter of each is its final state."""
    ended = Ended(list(bodies), [body.encode() for body in bodies])
    await engine.turn("s", 0, {keep_ms: ended}, ())


# -- the pruner


async def test_ends_are_forgotten_at_their_age(engine: RedisEngine, clock: Clock) -> None:
    """With 60 s, ends of 60 s and 61 s go in each final state, those of 59 s and all other jobs stay."""
    letters = {"S": "completed", "C": "cancelled", "F": "discarded"}
    await claimed(engine, *(f"{letter}{age}" for letter in letters for age in (59, 60, 61)), "running")
    await engine.enqueue(
        [
            NewJob("waiting", "", b"Q\x00x"),
            NewJob("later", "+3600000", b"Q\x00x"),
            NewJob("again", "", b"Q\x00x"),
        ]
    )
    for age in (61, 60, 59):
        await end(engine, *(f"{letter}{age}" for letter in letters))
        clock.seconds += 1
    clock.seconds += 58

    assert await engine.prune() == 6

    left = {job_id.decode() for job_id in await engine.client.hkeys(engine.keys.jobs)}
    assert left == {"S59", "C59", "F59", "running", "waiting", "later", "again"}


async def test_age_counts_from_the_end_of_a_job(engine: RedisEngine, clock: Clock) -> None:
    """A job is as old as its end, whenever it was enqueued or due."""
    await claimed(engine, "S-old", "C-old", "F-old")
    clock.seconds += 86_400
    await end(engine, "S-old", "C-old", "F-old")
    clock.seconds += 59

    assert await engine.prune() == 0
    clock.seconds += 1
    assert await engine.prune() == 3


async def test_jobs_that_have_not_ended_are_never_pruned(engine: RedisEngine, clock: Clock) -> None:
    """However old they are: waiting, scheduled, retryable and running jobs stay."""
    await claimed(engine, "running", "retryable", "held")
    await engine.turn(
        "s", 0, {},
        [Returned("retryable", "scheduled", 10**9, "1:0:0"), Returned("held", "held", 0, "", "f")],
    )  # fmt: skip
    await engine.enqueue([NewJob("waiting", "", b"Q\x00x"), NewJob("later", "+1000000000", b"Q\x00x")])
    clock.seconds += 500_000

    assert await engine.prune() == 0
    assert await engine.client.hlen(engine.keys.jobs) == 5


class Backlog:
    """An engine that has so many ends to forget."""

    queue = "q"

    def __init__(self, left: int) -> None:
        self.left = left
        self.runs: list[int] = []

    async def prune(self, limit: int) -> int:
        count = min(limit, self.left)
        self.left -= count
        self.runs.append(count)
        return count


async def test_pruner_takes_the_rest_in_later_runs() -> None:
    """A run stops at the limit, and the next one comes soon; then the interval is kept again."""
    backlog: Any = Backlog(25)
    pruner = Pruner(backlog, interval=30, limit=10)

    pauses = []
    for _ in range(3):
        await pruner.tick()
        pauses.append(pruner.next_pause())

    assert backlog.runs == [10, 10, 5]
    assert [pause <= 0.5 for pause in pauses] == [True, True, False]
    assert pauses[-1] >= 30


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("prune_interval", 0, "prune_interval must be at least 0.001 seconds, got 0"),
        ("prune_interval", "1 eon", "prune_interval must be"),
        ("prune_limit", 0, "prune_limit must be a whole number of at least 1, got 0"),
        ("prune_limit", True, "prune_limit must be a whole number"),
        ("keep_result", -1, "keep_result must be at least 0"),
        ("rescue_after", 0, "rescue_after must be at least 15.0 seconds, got 0"),
    ],
)
def test_services_refuse_what_cannot_work(option: str, value: Any, words: str) -> None:
    """No interval, no limit and a span that is none are refused by the option's name."""
    with pytest.raises(ConfigurationError, match=words):
        WorkerOptions(functions=[job], **{option: value})


def test_spans_may_be_timedeltas() -> None:
    """A day and two weeks are as good as their seconds."""
    options = WorkerOptions(
        functions=[job], prune_interval=timedelta(days=1), rescue_after=timedelta(weeks=2)
    )  # type: ignore[arg-type]

    assert (options.prune_interval, options.rescue_after) == (86_400, 1_209_600)


# -- the lifeline


async def test_jobs_of_a_silent_worker_are_rescued_when_its_lease_is_over(
    engine: RedisEngine, clock: Clock
) -> None:
    """With a lease of 5 s, what a worker runs that was silent for 3 s stays; after 7 s it is given back."""
    await claimed(engine, "a", lease_ms=LEASE_MS)
    await engine.open("other", 3_600_000)
    clock.seconds += 3
    assert (await engine.rescue("other")).moved == {}
    assert (await engine.peek("a")).home == "running"

    clock.seconds += 4
    assert (await engine.rescue("other")).moved == {"s": 1}

    assert (await engine.peek("a")).home == "ready"


async def test_rescue_counts_a_crash_and_no_attempt(engine: RedisEngine, clock: Clock) -> None:
    """A rescued job has as many failed attempts as before, and one more crash, counted apart."""
    await claimed(engine, "a", lease_ms=LEASE_MS)
    clock.seconds += 6

    await engine.rescue("other")

    memory = decode((await engine.peek("a")).memory)
    assert (memory.tries, memory.crashes) == (0, 1)


async def test_rescue_leaves_other_queues_alone(engine: RedisEngine, clock: Clock) -> None:
    """A rescue in one queue touches no session and no job of another one."""
    other = RedisEngine(engine.client, "other")
    for one in (engine, other):
        await claimed(one, "a", lease_ms=LEASE_MS)
    clock.seconds += 6

    await engine.rescue("x")

    assert ((await engine.peek("a")).home, (await other.peek("a")).home) == ("ready", "running")
    await other.close()


@pytest.mark.parametrize(
    ("timeouts", "rescue_after", "expected"),
    [
        ([5.0], None, 20.0),
        ([float("inf")], None, float("inf")),
        ([float("inf")], 3600, 3600),
        ([5.0], 60, 60),
    ],
)
async def test_loop_that_stands_still(
    timeouts: list[float], rescue_after: float | None, expected: float
) -> None:
    """A worker whose loop hangs keeps its jobs for the longest timeout and the lease, or `rescue_after`."""
    functions = [func(job, timeout=timeout) for timeout in timeouts]
    pool = ArqRedis(fakeredis.FakeAsyncRedis(server=fakeredis.FakeServer()).connection_pool)
    worker = Worker(functions, redis_pool=pool, rescue_after=rescue_after)

    crew = Crew(worker.options, worker.functions, pool, {}, worker._counters, lambda: None)

    assert crew._heartbeat._hang_s == expected
    await pool.aclose(close_connection_pool=True)


# -- the stager


async def test_due_jobs_are_staged_by_the_next_turn(engine: RedisEngine, clock: Clock) -> None:
    """What was scheduled or is to be tried again and is due starts with the next turn, and nothing else."""
    await claimed(engine, "retry")
    await engine.turn("s", 0, {}, [Returned("retry", "scheduled", 10_000, "1:0:0")])
    await engine.enqueue([NewJob("due", "+10000", b"Q\x00x"), NewJob("later", "+30000", b"Q\x00x")])
    clock.seconds += 20

    turn = await engine.turn("s", 100, {}, ())

    assert sorted(turn.job_ids) == [b"due", b"retry"]
    assert (await engine.peek("later")).home == "scheduled"
    assert turn.next_due_ms == 10_000


async def test_jobs_of_the_past_run_promptly(engine: RedisEngine, clock: Clock) -> None:
    """Of jobs for 2 s ago, 1 s ago and in a second the first two run at once, and the third has not begun."""
    jobs = {"two": "-2000", "one": "-1000", "soon": "+1000"}
    await engine.enqueue([NewJob(job_id, when, b"Q\x00x") for job_id, when in jobs.items()])
    await engine.open("s", 3_600_000)

    assert (await engine.turn("s", 100, {}, ())).job_ids == [b"two", b"one"]
    clock.seconds += 0.02
    assert (await engine.turn("s", 100, {}, ())).job_ids == []
    clock.seconds += 1
    assert (await engine.turn("s", 100, {}, ())).job_ids == [b"soon"]


def test_engines_have_the_verbs_that_services_call() -> None:
    """What the protocol promises of pruning and leading, the engine on Redis has."""
    for verb in ("prune", "lead", "leader", "crons", "publish_crons", "switch_cron", "fire", "rescue"):
        assert callable(getattr(RedisEngine, verb))
        assert callable(getattr(Engine, verb))
