"""Group commit: the jobs of one turn of the loop travel in one script."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import pytest
from engine_toys import Queue, job
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from arqlite.engine import EnqueueBatch, LookBatch, NewJob, RedisEngine, Refused, link
from arqlite.engine.batch import Gathering


class Recorder:
    """An engine that notes what it is given; refuses some positions, or fails."""

    def __init__(self, refused: set[int] | None = None, error: Exception | None = None) -> None:
        self.calls: list[list[str]] = []
        self.refused = Refused(refused or ())
        self.error = error

    async def enqueue(self, jobs: Sequence[NewJob]) -> Refused:
        self.calls.append([one.job_id for one in jobs])
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        return self.refused


def batch_of(recorder: Recorder) -> EnqueueBatch:
    return EnqueueBatch(cast("RedisEngine", recorder))


async def test_calls_of_one_tick_are_one_script() -> None:
    """What is enqueued at the same moment goes together; each caller gets the answer to its own job."""
    recorder = Recorder(refused={1})
    batch = batch_of(recorder)

    answers = await asyncio.gather(*[batch.enqueue(job(name)) for name in "abc"])

    assert recorder.calls == [["a", "b", "c"]]
    assert answers == [True, False, True]


async def test_calls_of_two_ticks_are_two_scripts() -> None:
    """Nobody waits for a later caller."""
    recorder = Recorder()
    batch = batch_of(recorder)

    await batch.enqueue(job("a"))
    await batch.enqueue(job("b"))

    assert recorder.calls == [["a"], ["b"]]


async def test_error_reaches_each_caller() -> None:
    """When the script fails, every caller of the tick gets the error, and the next tick starts afresh."""
    recorder = Recorder(error=RedisConnectionError("away"))
    batch = batch_of(recorder)

    answers = await asyncio.gather(*[batch.enqueue(job(name)) for name in "ab"], return_exceptions=True)

    assert answers == [recorder.error, recorder.error]
    recorder.error = None
    assert await batch.enqueue(job("c"))


async def test_caller_that_went_away_disturbs_nobody() -> None:
    """A caller that was cancelled meanwhile takes nobody along."""
    recorder = Recorder()
    batch = batch_of(recorder)
    impatient, patient = (asyncio.create_task(batch.enqueue(job(name))) for name in "ab")
    await asyncio.sleep(0)

    impatient.cancel()

    assert await patient
    with pytest.raises(asyncio.CancelledError):
        await impatient


def test_pool_may_change_its_loop() -> None:
    """A pool that outlives its event loop batches in the next one as if it were new."""
    recorder = Recorder()
    batch = batch_of(recorder)

    async def leave_early() -> None:
        asyncio.ensure_future(batch.enqueue(job("lost"))).cancel()

    asyncio.run(leave_early())

    assert asyncio.run(batch.enqueue(job("a")))
    assert recorder.calls[-1] == ["a"]


async def test_many_callers_on_the_server(queue: Queue) -> None:
    """More callers than one script takes are all answered, the double one with no."""
    batch = EnqueueBatch(queue.engine)
    names = [f"j{n}" for n in range(700)]

    answers: list[Any] = await asyncio.gather(*[batch.enqueue(job(name)) for name in [*names, "j5"]])

    assert answers == [True] * 700 + [False]
    assert (await queue.engine.size()).ready == 700


async def test_looks_of_one_tick_are_one_round_trip(queue: Queue) -> None:
    """What is looked at at the same moment goes together, and each look gets its own answer."""
    await queue.fill("a", "b")
    asked: list[list[str]] = []
    whole = queue.engine.peek_many

    async def counting(job_ids: Sequence[str]) -> Any:
        asked.append(list(job_ids))
        return await whole(job_ids)

    queue.engine.peek_many = counting  # type: ignore[method-assign]
    looks = LookBatch(queue.engine)

    found = await asyncio.gather(*[looks.peek(name) for name in ("a", "nobody", "b")])

    assert asked == [["a", "nobody", "b"]]
    assert [peek.home for peek in found] == ["ready", "absent", "ready"]


async def test_many_looks_go_in_several_trips(queue: Queue) -> None:
    """More looks than one trip carries are all answered, in their order."""
    names = [f"j{n}" for n in range(1100)]
    await queue.fill(*names[::2])

    found = await queue.engine.peek_many(names)

    assert [peek.home for peek in found] == ["ready", "absent"] * 550


async def test_looks_at_a_server_that_forgot_its_scripts(queue: Queue) -> None:
    """A server that lost its scripts gets them again, and every look is answered once."""
    await queue.fill("a", "b")
    await queue.client.script_flush()

    found = await queue.engine.peek_many(["a", "b", "c"])

    assert [peek.home for peek in found] == ["ready", "ready", "absent"]


async def test_many_calls_carry_the_script_once(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that lost its scripts is sent a page of calls with the text of the script in one of them."""
    await queue.client.script_flush()
    exchange_all, sent = link._exchange_all, []

    async def noted(connection: Any, commands: Sequence[Sequence[Any]]) -> list[Any]:
        sent.append([command[0] for command in commands])
        return await exchange_all(connection, commands)

    monkeypatch.setattr(link, "_exchange_all", noted)

    await queue.engine.peek_many(["a", "b", "c"])

    assert sent == [["EVALSHA"] * 3, ["EVAL", "EVALSHA", "EVALSHA"]]


async def test_error_among_many_leaves_no_reply_behind(queue: Queue) -> None:
    """When one of many calls is answered with an error, the connection's next command gets its own reply."""
    await queue.fill("a")
    await queue.client.set(queue.keys.tries, "no hash")

    with pytest.raises(ResponseError):
        await queue.engine.peek_many(["a", "b", "a"])

    assert await queue.client.get(queue.keys.tries) == b"no hash"
    assert await queue.client.delete(queue.keys.tries) == 1


async def test_trips_are_limited() -> None:
    """While as many trips are under way as may be, questions wait; the next trip takes them all along."""
    trips: list[list[int]] = []
    gate = asyncio.Event()

    async def ask_all(questions: list[int]) -> list[int]:
        trips.append(questions)
        await gate.wait()
        return questions

    gathering = Gathering(ask_all, trips=2)
    asked: list[asyncio.Task[int]] = []
    for question in range(5):
        asked.append(asyncio.create_task(gathering.ask(question)))
        await asyncio.sleep(0)  # its task asks
        await asyncio.sleep(0)  # its turn of the loop ends
    assert trips == [[0], [1]]

    gate.set()

    assert await asyncio.gather(*asked) == [0, 1, 2, 3, 4]
    assert trips == [[0], [1], [2, 3, 4]]
