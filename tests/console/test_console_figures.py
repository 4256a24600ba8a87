"""What ended, as charts: steps, sums, and the overview's tiles."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from console_now_toys import QUEUE, dead_settings, join, noop
from postgres import postgres_url  # noqa: F401 (a fixture)
from reading_toys import away_ledger
from sqlalchemy import insert, text
from sqlite_threads import sqlite_threads_end  # noqa: F401 (a fixture)

from arqlite import ArqRedis, func
from arqlite.console import Console
from arqlite.console.figures import asked_for
from arqlite.console.minutes import minutes_until
from arqlite.errors import ConfigurationError
from arqlite.ledger import Ledger
from arqlite.ledger.spreads import as_text, bucket_of
from arqlite.ledger.tables import MinuteRow, SpreadRow

NOW = datetime(2026, 11, 26, 14, 7, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture(params=["sqlite", "postgres"])
async def ledger(request: pytest.FixtureRequest, tmp_path: Any) -> AsyncIterator[Ledger]:
    """An empty ledger on each database."""
    if request.param == "sqlite":
        made = Ledger(f"sqlite:///{tmp_path / 'jobs.db'}")
    else:
        made = Ledger(request.getfixturevalue("postgres_url"))
        async with made.engine.begin() as connection:
            await connection.execute(text("DROP SCHEMA public CASCADE"))
            await connection.execute(text("CREATE SCHEMA public"))
    await made.upgrade()
    yield made
    await made.aclose()


async def ended(ledger: Ledger, ago_min: int = 0, state: str = "completed", **values: Any) -> None:
    """Write that runs ended so many minutes ago."""
    minute = int(time.time()) // 60 - ago_min
    told = {
        "queue": QUEUE, "function": "noop", "count": 1, "run_ms": 10, "wait_ms": 1, "longest_run_ms": 10,
        "longest_wait_ms": 1,
    }  # fmt: skip
    async with ledger.sessions.begin() as db:
        await db.execute(insert(MinuteRow), [{**told, "minute": minute, "state": state, **values}])


async def measured(ledger: Ledger, run_ms: dict[int, int], **values: Any) -> None:
    """Write how long runs took in the five minutes before these."""
    start = int(time.time()) // 300 * 5 - 5
    told = {"start": start, "span": 5, "queue": QUEUE, "function": "noop", **values}
    counts = {bucket_of(ms): count for ms, count in run_ms.items()}
    async with ledger.sessions.begin() as db:
        await db.execute(
            insert(SpreadRow),
            [{**told, "run_ms": as_text(counts), "wait_ms": as_text({0: sum(counts.values())})}],
        )


@pytest.mark.parametrize(
    ("since", "per", "begin", "count"),
    [
        (None, "minute", NOW.replace(hour=13, second=0), 61),
        (NOW - timedelta(minutes=5), "minute", NOW.replace(minute=2, second=0), 6),
        (NOW - 6 * HOUR, "minute", NOW.replace(hour=8, second=0), 361),
        (NOW - 24 * HOUR, "hour", NOW.replace(day=25, minute=0, second=0), 25),
        (NOW - timedelta(days=30), "day", datetime(2026, 10, 27, tzinfo=UTC), 31),
    ],
)
def test_steps_grow_with_the_time(since: datetime | None, per: str, begin: datetime, count: int) -> None:
    """A chart has whole steps that hold the time asked for, and never thousands of them."""
    asked = asked_for(since, None, None, None, NOW)

    assert (asked.per, asked.span.since, asked.span.count) == (per, begin, count)
    assert asked.span.until >= NOW


@pytest.mark.parametrize(
    ("since", "until", "why"),
    [
        (NOW, NOW - HOUR, "since must be before until"),
        (datetime(2026, 1, 1), None, "time zone"),  # noqa: DTZ001
        (None, datetime(2026, 1, 1), "time zone"),  # noqa: DTZ001
    ],
)
def test_time_that_cannot_be_is_refused(since: Any, until: Any, why: str) -> None:
    """A time that ends before it begins, or is nowhere, is said to be wrong."""
    with pytest.raises(ConfigurationError, match=why):
        asked_for(since, until, None, None, NOW)


def test_last_minutes_hold_this_one() -> None:
    """The newest of the last minutes is the one that has not ended."""
    span = minutes_until(NOW)

    assert span.place(NOW) == 59
    assert span.place(NOW - timedelta(minutes=59)) == 0


async def test_figures_tell_functions_apart(arq_redis: ArqRedis, ledger: Ledger) -> None:
    """Runs are added up over all, and for each function by itself, the busiest first."""
    await ended(ledger, 2, count=5)
    await ended(ledger, 3, "discarded", count=2)
    await ended(ledger, 3, "retryable", count=3)
    await ended(ledger, 3, "snoozed")
    await ended(ledger, 3, "cancelled", function="send", count=4)
    await ended(ledger, 2, queue="another")
    arq_redis.ledger = ledger

    async with Console([arq_redis]) as console:
        figures = await console.figures()
        only = await console.figures(queue=QUEUE, function="send", since=datetime.now(UTC) - 24 * HOUR)

    assert (figures.overall.total, figures.overall.failed) == (15, 2)
    assert [(one.function, one.total, one.failed) for one in figures.functions] == [
        ("noop", 11, 2), ("send", 4, 0),
    ]  # fmt: skip
    point = max(figures.overall.points, key=lambda point: point.cancelled)
    assert (point.completed, point.failed, point.cancelled, point.retried) == (0, 2, 4, 4)
    assert (len(only.functions), only.overall.total, len(only.overall.points)) == (1, 4, 25)
    assert figures.overall.run_ms is None


async def test_figures_tell_percentiles(arq_redis: ArqRedis, ledger: Ledger) -> None:
    """How long runs took is told of each function, and of all together if all of them are shown."""
    await ended(ledger, 6, count=100)
    await ended(ledger, 6, function="send", count=100)
    await measured(ledger, {2: 95, 1_000: 5})
    await measured(ledger, {3: 100}, function="send")
    arq_redis.ledger = ledger

    async with Console([arq_redis]) as console:
        figures = await console.figures()

    noop, send = figures.functions
    assert noop.run_ms == (2, 2, pytest.approx(1_000, rel=0.13))
    assert (send.run_ms, send.wait_ms) == ((3, 3, 3), (0, 0, 0))
    assert figures.overall.run_ms == (3, 3, pytest.approx(1_000, rel=0.13))


async def test_percentiles_of_others_are_not_told(arq_redis: ArqRedis, ledger: Ledger) -> None:
    """Where a ledger has queues that are not looked at, nothing is said of two queues together."""
    await ended(ledger, 6)
    await measured(ledger, {2: 1})
    await measured(ledger, {9_000: 1}, queue="another")
    arq_redis.ledger = ledger
    mail = ArqRedis(arq_redis.connection_pool, default_queue_name="mail", ledger=ledger)

    async with Console([arq_redis, mail]) as console:
        both = await console.figures()
        one = await console.figures(queue=QUEUE)

    assert both.overall.run_ms is None
    assert both.functions[0].run_ms == one.overall.run_ms == (2, 2, 2)


async def test_figures_need_a_ledger(arq_redis: ArqRedis) -> None:
    """Without a ledger there are no figures, and a queue that is not there is said so."""
    async with Console([arq_redis]) as console:
        figures = await console.figures()
        with pytest.raises(ConfigurationError, match="no queue 'mail'"):
            await console.figures(queue="mail")

    assert (figures.overall.total, list(figures.functions)) == (0, [])


async def test_overview_adds_up_all_queues(arq_redis: ArqRedis, ledger: Ledger) -> None:
    """The first look has the numbers of all queues, and what a queue that is away says."""
    arq_redis.ledger = ledger
    engine = await join(arq_redis)
    await arq_redis.options(job_id="a").enqueue("noop")
    await engine.turn("s", 1, {}, ())
    await engine.close()
    await arq_redis.options(job_id="b").enqueue("noop")
    await ended(ledger, 1, count=7)
    await ended(ledger, 600, "discarded", count=2)
    await ended(ledger, 60 * 25, "discarded", count=9)
    await ended(ledger, 1, "discarded", queue="another", count=50)

    async with Console([arq_redis, dead_settings(functions=[noop])]) as console:
        first = await console.overview()

    assert (first.ready, first.running, first.failed) == (1, 1, 2)
    assert first.oldest is not None
    assert [state.key for state in first.queues] == [QUEUE, "dead"]
    assert sum(point.completed for point in first.points) == sum(first.queues[0].ended) == 7
    assert [trouble.code for trouble in first.troubles] == ["redis-away"]


async def test_overview_says_how_sure_it_is(arq_redis: ArqRedis, ledger: Ledger, tmp_path: Any) -> None:
    """Sums that lack a queue or a ledger that is away are lower bounds, and the first look says so."""
    arq_redis.ledger = ledger
    await arq_redis.options(job_id="a").enqueue("noop")
    await ended(ledger, 600, "discarded", count=2)
    silent = Ledger(f"sqlite:///{tmp_path / 'nowhere' / 'jobs.db'}")
    near = ArqRedis(connection_pool=arq_redis.connection_pool, default_queue_name="near", ledger=silent)

    looks = []
    others: list[Any]
    for others in ([], [dead_settings(functions=[noop])], [near]):
        async with Console([arq_redis, *others]) as console:
            looks.append(await console.overview())

    assert [(look.ready, look.failed) for look in looks] == [(1, 2)] * 3
    assert [look.now_is_exact for look in looks] == [True, False, True]
    assert [look.past_is_exact for look in looks] == [True, True, False]
    assert [bool(queue.ledger_error) for queue in looks[2].queues] == [False, True]


async def test_overview_shows_the_last_failures(arq_redis: ArqRedis, make_worker: Any) -> None:
    """The last five groups of failures are there, the newest first."""

    async def fail(ctx: Any, kind: str) -> None:
        raise type(kind, (Exception,), {})(kind)

    for number in range(7):
        await arq_redis.enqueue_job("fail", f"Fault{number}")
    worker = make_worker([func(fail, name="fail")], max_tries=1, max_jobs=1, keep_result=60)
    await worker.async_run()

    async with Console([arq_redis]) as console:
        first = await console.overview()

    assert [group.error_type for group in first.errors] == [f"Fault{number}" for number in (6, 5, 4, 3, 2)]


async def test_overview_without_a_ledger_knows_no_failures(arq_redis: ArqRedis) -> None:
    """What nobody counted is None, and not 0."""
    async with Console([arq_redis]) as console:
        first = await console.overview()

    assert (first.failed, first.oldest, len(first.points)) == (None, None, 60)


async def test_overview_shows_live_numbers_while_a_ledger_is_away(arq_redis: ArqRedis, tmp_path: Any) -> None:
    """A ledger that does not answer is told as a trouble; what Redis knows stays."""
    arq_redis.ledger = Ledger(f"sqlite:///{tmp_path / 'nowhere' / 'jobs.db'}")
    await join(arq_redis)
    async with Console([arq_redis]) as console:
        first = await console.overview()
        states = await console.queues()

    assert first.failed is None
    assert [trouble.code for trouble in first.troubles] == ["ledger-away"]
    assert len(first.queues[0].workers) == len(states[0].workers) == 1
    assert list(states[0].ended) == []


async def test_ledger_that_is_away_is_told_with_the_figures(arq_redis: ArqRedis) -> None:
    """Where nobody counted for want of a ledger's answer, that is said, and is no hour without a run."""
    arq_redis.ledger = away_ledger()
    async with Console([arq_redis]) as console:
        found = await console.figures()

    assert found.overall.total == 0
    assert [one.code for one in found.troubles] == ["ledger-away"]
