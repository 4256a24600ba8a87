"""Heartbeat, lifeline, stager, outage: what keeps the lease, rescues, wakes, and waits."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, cast

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from arqlite import Worker
from arqlite.engine import Beat, Engine, Rescued, Size, Token, Waker
from arqlite.errors import ConfigurationError
from arqlite.runtime.doorbell import Doorbell
from arqlite.runtime.health import HealthRecorder
from arqlite.runtime.heartbeat import Heartbeat
from arqlite.runtime.lifeline import Lifeline
from arqlite.runtime.outage import Outage
from arqlite.runtime.stager import Stager
from arqlite.service import Service, Ticker

AWAY = RedisConnectionError("away")


class ToyEngine:
    """Answers beats and rescues with what it was told, the last answer again and again."""

    def __init__(self, *answers: Any) -> None:
        self.answers = deque(answers)
        self.calls: list[Any] = []

    def _answer(self) -> Any:
        answer = self.answers.popleft() if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def beat(self, session: str, lease_ms: int, heard: Sequence[str], vitals: str = "") -> Beat:
        assert threading.current_thread() is not threading.main_thread()
        self.calls.append((session, lease_ms, list(heard)))
        return cast("Beat", self._answer())

    async def rescue(self, session: str) -> Rescued:
        self.calls.append(session)
        return cast("Rescued", self._answer())


def alive(*cancel: str) -> Beat:
    return Beat(True, -1, frozenset(cancel))


def heartbeat(
    engine: ToyEngine,
    heard: Callable[[str, Beat, float], None] = lambda *_: None,
    lease_ms: int = 60,
    hang_s: float | None = None,
    may_cancel: Callable[[str], bool] = lambda _: False,
) -> Heartbeat:
    return Heartbeat(cast("Engine", engine), lambda: "s", lease_ms, hang_s, heard, may_cancel)


async def test_heartbeat_beats_and_is_heard(eventually: Any) -> None:
    """Beats come from a thread of their own, and what they hear comes into the loop; what concerns no job of
    the session is said to be heard.
    """
    engine = ToyEngine(alive("a"), alive("a", "b", "mine"), alive())
    heard: list[Beat] = []
    beats = heartbeat(engine, lambda session, beat, at: heard.append(beat), may_cancel="mine".__eq__)
    await beats.start()

    await eventually(lambda: len(heard) >= 4)
    await beats.stop()

    assert [beat.cancel for beat in heard[:3]] == [{"a"}, {"a", "b", "mine"}, set()]
    assert engine.calls[:4] == [("s", 60, []), ("s", 60, ["a"]), ("s", 60, ["a", "b"]), ("s", 60, [])]


async def test_lease_is_not_trusted_without_beats(eventually: Any) -> None:
    """When beats fail the lease is unsafe before it ends, and safe again with the next good one."""
    engine = ToyEngine(AWAY)
    beats = heartbeat(engine, lease_ms=150)
    await beats.start()
    assert not beats.is_overdue

    await eventually(lambda: beats.is_overdue)
    engine.answers = deque([alive()])
    await eventually(lambda: not beats.is_overdue)

    await beats.stop()


async def test_dead_beat_is_told_and_earns_no_trust(eventually: Any) -> None:
    """A beat that finds its session dead is told to the worker, and does not make the lease safe."""
    heard: list[Beat] = []
    beats = heartbeat(ToyEngine(Beat(False, 0, frozenset())), lambda session, beat, at: heard.append(beat))
    await beats.start()

    await eventually(lambda: heard and beats.is_overdue)
    await beats.stop()

    assert not heard[0].alive


async def test_heartbeat_survives_any_error(eventually: Any, caplog: pytest.LogCaptureFixture) -> None:
    """An unexpected error is told with its traceback, and the next beat comes all the same."""
    engine = ToyEngine(ValueError("odd"), alive())
    beats = heartbeat(engine)
    await beats.start()

    await eventually(lambda: len(engine.calls) >= 3)
    await beats.stop()

    assert "heartbeat failed" in caplog.messages


async def test_hung_loop_is_left_to_others(eventually: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A loop that stands still for longer than any job may is not covered by further beats."""
    engine = ToyEngine(alive())
    beats = heartbeat(engine, hang_s=0.0)
    await beats.start()

    await eventually(lambda: any("the event loop stands still" in message for message in caplog.messages))
    await beats.stop()

    assert engine.calls == []


async def test_no_beat_after_the_end() -> None:
    """Stopped, a heartbeat is silent, and its thread is gone."""
    engine = ToyEngine(alive())
    beats = heartbeat(engine)
    await beats.start()
    await beats.stop()
    before = len(engine.calls)

    assert [thread for thread in threading.enumerate() if thread.name == "arqlite:heartbeat"] == []
    assert len(engine.calls) == before
    await beats.stop()


def lifeline(engine: ToyEngine, doubt_s: Callable[[], float] = lambda: 0.0) -> Lifeline:
    return Lifeline(cast("Engine", engine), lambda: "me", doubt_s)


async def test_lifeline_looks_when_a_lease_ends(eventually: Any) -> None:
    """It looks at once, then when the next lease may end, and sooner when told so."""
    engine = ToyEngine(Rescued({}, 3_600_000))
    line = lifeline(engine)
    await line.start()
    await eventually(lambda: len(engine.calls) == 1)

    line.expect(-1)
    line.expect(1)
    await eventually(lambda: len(engine.calls) == 2)
    await line.stop()

    assert engine.calls == ["me", "me"]


async def test_lifeline_goes_on_until_all_is_moved(eventually: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A big rescue goes on without a pause until nothing remains; each part is told."""
    engine = ToyEngine(Rescued({"dead": 1000}, 0), Rescued({"dead": 5}, 0), Rescued({}, -1))
    line = lifeline(engine)
    await line.start()

    await eventually(lambda: len(engine.calls) == 3)
    await line.stop()

    assert caplog.messages == [
        "worker dead died; 1000 of its jobs were put back",
        "worker dead died; 5 of its jobs were put back",
    ]


async def test_lifeline_survives_an_outage(eventually: Any, caplog: pytest.LogCaptureFixture) -> None:
    """While Redis is away it tries again, saying so once."""
    engine = ToyEngine(AWAY, AWAY, Rescued({}, -1))
    line = lifeline(engine)
    await line.start()

    await eventually(lambda: len(engine.calls) == 3)
    await line.stop()

    assert caplog.messages == ["lifeline: Redis is out of reach (ConnectionError: away), trying again"]


async def test_lifeline_takes_nobody_for_dead_in_doubt(eventually: Any) -> None:
    """After an outage silence is no sign of death: it waits until all could have been heard."""
    doubt = [0.02, 0.01]
    engine = ToyEngine(Rescued({}, -1))
    line = lifeline(engine, lambda: doubt.pop(0) if doubt else 0.0)
    await line.start()

    await eventually(lambda: engine.calls)
    await line.stop()

    assert doubt == []


@pytest.mark.parametrize("repeat", range(20))
async def test_lifeline_stops_while_it_is_woken(repeat: int) -> None:
    """Stopped in the very moment it is woken, it ends (on Python 3.11 `wait_for` swallows that)."""
    line = lifeline(ToyEngine(Rescued({}, 3_600_000)))
    await line.start()
    for _ in range(5):
        await asyncio.sleep(0)

    line.expect(0)

    await asyncio.wait_for(line.stop(), 5)


class AbsentWaker:
    """Loses the first cancellation, as redis-py may on Python 3.11."""

    def __init__(self) -> None:
        self.waiting = asyncio.Event()

    async def wait(self, holds: object) -> Token:
        self.waiting.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()
        return Token()

    async def close(self) -> None: ...


async def test_doorbell_stops_though_a_cancellation_is_lost() -> None:
    """A worker that waits for a token ends when it is told to, not when the wait is over."""
    waker = AbsentWaker()

    async def hand_on() -> None: ...

    bell = Doorbell(cast("Waker", waker), lambda: True, hand_on, lambda: None)
    bell.listen()
    await waker.waiting.wait()

    await asyncio.wait_for(bell.close(), 4)


class SlowClient:
    """A client whose writes arrive when they may."""

    def __init__(self) -> None:
        self.begun, self.may_arrive = asyncio.Event(), asyncio.Event()
        self.arrived: list[str] = []

    async def psetex(self, key: str, ms: int, value: bytes) -> None:
        self.begun.set()
        await self.may_arrive.wait()
        self.arrived.append(key)


class IdleQueue:
    """An engine with nothing in it."""

    async def size(self) -> Size:
        return Size(0, 0, 0, 1)


async def test_health_record_does_not_outlive_its_recorder() -> None:
    """A record that is on its way arrives before the recorder has stopped, so that it can be deleted then."""
    client = SlowClient()
    recorder = HealthRecorder(client, cast("Engine", IdleQueue()), "key", 3600, lambda: (0, 0, 0, 0))
    await recorder.start()
    await client.begun.wait()

    stopping = asyncio.create_task(recorder.stop())
    for _ in range(3):
        await asyncio.sleep(0)
    assert not stopping.done()
    client.may_arrive.set()
    await asyncio.wait_for(stopping, 5)

    assert client.arrived == ["key"]


async def test_stager_wakes_when_a_job_is_due() -> None:
    """It wakes in time, once; a new time replaces the old one; -1 forgets it."""
    woken = asyncio.Event()
    stager = Stager(woken.set)
    loop = asyncio.get_running_loop()

    stager.arm(3_600_000)
    stager.arm(20)
    before = loop.time()
    await asyncio.wait_for(woken.wait(), 5)
    assert loop.time() - before >= 0.019

    stager.arm(0)
    stager.arm(-1)
    assert stager._timer is None
    stager.stop()


def test_outage_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """Its begin and its end are told, not every attempt; pauses grow up to a limit and start afresh."""
    caplog.set_level("INFO")
    outage = Outage("worker")
    outage.is_over()
    assert caplog.messages == []

    pauses = []
    for _ in range(12):
        outage.begins(AWAY)
        pauses.append(outage.next_pause())
    assert outage.is_on
    outage.is_over()
    outage.is_over()

    assert caplog.messages[0] == "worker: Redis is out of reach (ConnectionError: away), trying again"
    assert len(caplog.messages) == 2
    assert caplog.messages[1].startswith("worker: Redis is back after ")
    assert 0.02 < pauses[0] <= 0.05
    assert all(1.0 <= pause <= 2.0 for pause in pauses[-3:])
    assert outage.next_pause() <= 0.05


class Failing(Ticker):
    """A ticker whose first tick fails."""

    def __init__(self) -> None:
        super().__init__(0.001, jitter=0.5, at_once=True)
        self.ticks = 0

    async def tick(self) -> None:
        self.ticks += 1
        if self.ticks == 1:
            raise ValueError("odd")


async def test_ticker_survives_an_error(eventually: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A tick that failed is told with its traceback; the next one comes all the same."""
    ticker = Failing()
    await ticker.start()
    await ticker.start()

    await eventually(lambda: ticker.ticks >= 3)
    await ticker.stop()
    await ticker.stop()

    assert caplog.messages == ["service Failing failed, trying again in 0.0s"]


class Broken(Ticker):
    """A ticker that fails in two ways in turn."""

    def __init__(self) -> None:
        super().__init__(timedelta(milliseconds=1), at_once=True)
        self.ticks = 0

    async def tick(self) -> None:
        self.ticks += 1
        if self.ticks % 2:
            raise ValueError(self.ticks)
        raise KeyError(self.ticks)


async def test_ticker_tells_a_failure_in_full_once(eventually: Any, caplog: pytest.LogCaptureFixture) -> None:
    """The traceback of each kind of failure is shown once; after that a line tells that it failed again."""
    ticker = Broken()
    await ticker.start()
    await eventually(lambda: ticker.ticks >= 5)
    await ticker.stop()

    told = [(record.levelname, record.getMessage(), bool(record.exc_info)) for record in caplog.records[:4]]
    failed = "service Broken failed, trying again in 0.0s"
    assert told == [
        ("ERROR", failed, True),
        ("ERROR", failed, True),
        ("ERROR", "service Broken failed again, trying again in 0.0s: ValueError: 3", False),
        ("ERROR", "service Broken failed again, trying again in 0.0s: KeyError: 4", False),
    ]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"interval": 0}, "interval of Plain must be more than 0 seconds or a timedelta, got 0"),
        ({"interval": -1}, "interval of Plain must be more than 0"),
        ({"interval": timedelta(0)}, "interval of Plain must be more than 0"),
        ({"interval": "5"}, "interval of Plain must be .* got '5'"),
        ({"interval": True}, "interval of Plain must be"),
        ({"interval": float("nan")}, "interval of Plain must be"),
        ({"interval": None}, "interval of Plain must be"),
        ({"interval": 1, "jitter": -0.1}, "jitter of Plain must be a share of its interval such as 0.1"),
        ({"interval": 1, "jitter": "1"}, "jitter of Plain must be"),
        ({"interval": 1, "leader_only": "x"}, "leader_only of Plain must be True or False, got 'x'"),
        ({"interval": 1, "at_once": 1}, "at_once of Plain must be True or False, got 1"),
    ],
)
def test_ticker_that_cannot_work_is_refused(options: dict[str, Any], complaint: str) -> None:
    """What would tick without a pause, or never, is refused in words when it is made."""

    class Plain(Ticker):
        async def tick(self) -> None: ...

    with pytest.raises(ConfigurationError, match=complaint):
        Plain(**options)


class Forgetful(Ticker):
    """Says nothing to those above it."""

    def __init__(self) -> None: ...

    async def tick(self) -> None: ...


class Idle(Ticker):
    """Has no duty."""


class Blocking(Ticker):
    """Has one that nobody can await."""

    def tick(self) -> None: ...  # type: ignore[override]


class Hasty(Service):
    """Starts before it is awaited."""

    def start(self) -> None: ...  # type: ignore[override]


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (Forgetful, r"Forgetful.__init__ must call super\(\).__init__\(interval=...\): it is a Ticker"),
        (lambda: Idle(1), r"the service Idle has no duty: give it one with async def tick\(self\)"),
        (lambda: Blocking(1), r"tick of the service Blocking must be async: async def tick\(self\)"),
        (Hasty, "start of the service Hasty must be async"),
    ],
)
def test_worker_refuses_services_that_cannot_work(make: Callable[[], Service], complaint: str) -> None:
    """A slip in a service is told in words when the worker is made, and not by a worker that ends."""
    with pytest.raises(ConfigurationError, match=complaint):
        Worker([_job], services=[make()])


async def _job(ctx: dict[Any, Any]) -> None: ...


class Silent(Service):
    """Says nothing to those above it, as those who keep no state there may."""

    def __init__(self) -> None:
        self.is_over = asyncio.Event()

    async def run(self) -> None:
        self.is_over.set()


async def test_service_need_not_call_what_is_above_it() -> None:
    """A service of its own runs without `super().__init__()`."""
    service = Silent()
    await service.start()
    await service.is_over.wait()
    await service.stop()


async def test_service_without_work() -> None:
    """A service that overrides nothing starts and stops."""
    service = Service()

    await service.start()
    await service.stop()

    assert service.name == "Service"
