"""One worker of a queue leads: who it is, who follows it, and what only the leader does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from signal import Signals
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from worker_toys import Ctx, at_work

from arqlite import ArqRedis, Inspector, Service, Worker, cron
from arqlite.runtime.leadership import Leadership
from arqlite.service import Host, Ticker
from arqlite.telemetry import LeaderChanged, attach, detach


async def job(ctx: Ctx) -> None: ...


@pytest.fixture
def changes() -> Iterator[list[LeaderChanged]]:
    """The changes of leadership that were told."""
    told: list[LeaderChanged] = []
    attach("test", [LeaderChanged], told.append)
    yield told
    detach("test")


def session_of(worker: Worker) -> str | None:
    assert worker._crew is not None
    return worker._crew.producer.session


# -- over workers


async def test_one_of_two_workers_leads_and_the_other_follows_at_once(
    make_worker: Any, arq_redis: ArqRedis, eventually: Any, changes: list[LeaderChanged]
) -> None:
    """Two workers have one leader; when it stops, the other takes over by its word and not by its clock."""
    # With such a lease nobody looks by himself for ten minutes.
    first, second = (make_worker([job], lease=1800) for _ in range(2))
    inspector = Inspector(arq_redis)
    async with at_work(second), at_work(first):
        await eventually(lambda: first.is_leader or second.is_leader)
        await eventually(lambda: session_of(first) and session_of(second))
        leader, other = (first, second) if first.is_leader else (second, first)
        assert not other.is_leader
        assert await inspector.leader() == session_of(leader)
        leading = session_of(leader)
        leader.handle_sig(Signals.SIGTERM)
        await eventually(lambda: other.is_leader)
        assert await inspector.leader() == session_of(other)
        following = session_of(other)

    assert not first.is_leader
    assert not second.is_leader
    assert await inspector.leader() is None
    assert [(told.worker, told.is_leader) for told in changes] == [
        (leading, True), (leading, False), (following, True), (following, False),
    ]  # fmt: skip
    assert {told.queue for told in changes} == {"arq:queue"}


async def test_each_queue_has_a_leader(make_worker: Any, eventually: Any) -> None:
    """Workers of two queues lead both."""
    one, two = make_worker([job], queue_name="one"), make_worker([job], queue_name="two")

    async with at_work(one), at_work(two):
        await eventually(lambda: one.is_leader and two.is_leader)


def test_worker_that_does_not_run_leads_nothing(make_worker: Any) -> None:
    """Before its start nobody has to be asked."""
    assert not make_worker([job]).is_leader


async def test_burst_fires_reboot_before_it_looks_for_jobs(make_worker: Any) -> None:
    """A burst worker that leads runs what is for `@reboot`, and then ends."""
    ran: list[str] = []

    async def warm(ctx: Ctx) -> None:
        ran.append(ctx["job_id"])

    await make_worker(cron_jobs=[cron(warm, name="warm", crontab="@reboot")]).async_run()

    assert ran == ["warm:startup"]


# -- one worker's belief


class Throne:
    """An engine in which somebody may lead already, or that cannot be asked."""

    queue = "q"

    def __init__(self) -> None:
        self.holder: str | None = None
        self.is_away = False
        self.resigned: list[str] = []

    async def lead(self, session: str, *, runs: bool = True) -> bool:
        if self.is_away:
            raise RedisConnectionError("away")
        if not runs:
            self.resigned.append(session)
            self.holder = None
            return False
        self.holder = self.holder or session
        return self.holder == session


class Believer:
    """A leadership whose session and lease are the test's."""

    def __init__(self, throne: Any) -> None:
        self.session: str | None = "s1"
        self.lease_is_safe = True
        self.changes = 0
        self.leadership = Leadership(
            throne, lambda: self.session, lambda: self.lease_is_safe, self._changed, interval=3600
        )

    def _changed(self) -> None:
        self.changes += 1


async def test_leader_that_lost_its_lease_leads_no_more(changes: list[LeaderChanged]) -> None:
    """A lease in doubt, a session that is another one by now, and no session at all are no leadership."""
    throne = Throne()
    believer = Believer(throne)
    await believer.leadership.tick()
    assert believer.leadership.is_leader

    believer.lease_is_safe = False
    assert not believer.leadership.is_leader
    believer.leadership.doubt()
    believer.lease_is_safe = True
    assert not believer.leadership.is_leader, "it has to be elected again"

    await believer.leadership.tick()
    assert believer.leadership.is_leader
    believer.session = "s2"
    assert not believer.leadership.is_leader
    await believer.leadership.tick()
    assert not believer.leadership.is_leader
    believer.session = None
    await believer.leadership.tick()
    assert not believer.leadership.is_leader
    assert [(told.worker, told.is_leader) for told in changes] == [
        ("s1", True), ("s1", False), ("s1", True), ("s1", False),
    ]  # fmt: skip
    assert believer.changes == 4


async def test_another_leader_is_not_replaced() -> None:
    """Who finds somebody else in the lead follows, until that place is free."""
    throne = Throne()
    throne.holder = "other"
    believer = Believer(throne)

    await believer.leadership.tick()
    assert not believer.leadership.is_leader

    throne.holder = None
    believer.leadership.hurry()
    await believer.leadership.tick()
    assert believer.leadership.is_leader


async def test_trouble_with_redis_elects_nobody() -> None:
    """While Redis cannot be asked a worker that does not lead says no, and starts and stops all the same."""
    throne = Throne()
    throne.is_away = True
    believer = Believer(throne)

    await believer.leadership.start()
    assert not believer.leadership.is_leader
    await believer.leadership.stop()

    assert throne.resigned == []


async def test_round_that_asks_nothing_ends_no_outage(caplog: pytest.LogCaptureFixture) -> None:
    """Who asks nothing while its lease is in doubt says not that Redis is back; who got an answer does."""
    caplog.set_level("INFO", "arqlite.worker")
    throne = Throne()
    throne.is_away = True
    believer = Believer(throne)
    await believer.leadership.tick()

    believer.lease_is_safe = False
    await believer.leadership.tick()
    assert [record.levelname for record in caplog.records] == ["WARNING"]

    throne.is_away, believer.lease_is_safe = False, True
    await believer.leadership.tick()
    assert "leadership: Redis is back" in caplog.text


async def test_leader_resigns_when_it_stops() -> None:
    """At its end a leader gives its place back; one who could not be told so loses it with the lease."""
    throne = Throne()
    believer = Believer(throne)
    await believer.leadership.start()

    await believer.leadership.stop()
    assert throne.resigned == ["s1"]
    assert not believer.leadership.is_leader

    await believer.leadership.start()
    throne.is_away = True
    await believer.leadership.stop()
    assert not believer.leadership.is_leader


# -- services of the user's


class Counting(Ticker):
    """Counts its ticks."""

    def __init__(self, **options: Any) -> None:
        super().__init__(0.001, at_once=True, **options)
        self.ticks = 0

    async def tick(self) -> None:
        self.ticks += 1


class Odd(Counting):
    """A service with a host of its own, that says nothing to those above it."""

    host = "localhost"

    def join(self, host: Host) -> None:
        self.joined = host


async def test_ticker_for_the_leader_ticks_while_its_worker_leads(make_worker: Any, eventually: Any) -> None:
    """Of two workers one ticks; when that ends the other one does."""
    tickers = Odd(leader_only=True), Odd(leader_only=True)
    first, second = (make_worker([job], services=[ticker], lease=1800) for ticker in tickers)
    async with at_work(first):
        await eventually(lambda: tickers[0].ticks > 2)
        async with at_work(second):
            await eventually(lambda: session_of(second))
            assert tickers[0].leads()
            assert tickers[0].joined.is_leader()
            assert (tickers[1].leads(), tickers[1].ticks) == (False, 0)
            first.handle_sig(Signals.SIGTERM)
            await eventually(lambda: tickers[1].ticks > 2)
            assert not tickers[0].leads()


async def test_ticker_for_the_leader_does_not_tick_alone(eventually: Any) -> None:
    """Without a worker nobody leads; other tickers tick in every worker, and without any."""
    quiet, busy = Counting(leader_only=True), Counting()
    await quiet.start()
    await busy.start()

    await eventually(lambda: busy.ticks > 3)
    await asyncio.gather(quiet.stop(), busy.stop())

    assert quiet.ticks == 0
    assert not quiet.leads()


async def test_service_without_a_duty_may_ask_who_leads(make_worker: Any) -> None:
    """Any service knows whether its worker leads, whatever it overrides."""

    class Asking(Service):
        answer: bool | None = None

        async def stop(self) -> None:
            self.answer = self.leads()

    asking = Asking()
    await make_worker([job], services=[asking]).async_run()

    assert asking.answer is True
