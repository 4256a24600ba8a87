"""Workflows whose steps somebody moves by hand: each job has one home and one end all the same."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from engine_toys import HOUR, Queue
from test_engine_flows import Flows, body, end_of_cancelled, saga

from arqlite.engine import Ended, Failure
from arqlite.engine.management import Revival
from arqlite.model.calls import call
from arqlite.model.workflows import Workflow

LIVE = b'Q\0{"f":"f","et":5}'


@pytest.fixture
async def flows(queue: Queue) -> Flows:
    await queue.open("s")
    return Flows(queue)


def pair() -> Workflow:
    """`last` waits for `first`, and takes nothing of it."""
    flow = Workflow("pair")
    flow.add("last", call("f"), after=[flow.add("first", call("f"))])
    return flow


async def let_run(flows: Flows, job_id: str) -> None:
    """Do what `retry_job` does."""
    record = (await flows.engine.peek(job_id)).record
    live = LIVE if record[:1] == b"R" else record
    assert await flows.engine.revive_many([Revival(job_id, record, "", live, "")]) == ["done"]


async def test_cancelled_workflow_leaves_a_step_that_was_let_run_to_cancel(flows: Flows) -> None:
    """A step that somebody let run waits for no other any more: it is among those to be cancelled."""
    await flows.compose(pair())
    await let_run(flows, "last")

    stopped = await flows.engine.cancel_flow("w", HOUR)

    assert (stopped.cancelled, sorted(stopped.live)) == (0, ["first", "last"])
    for job_id in stopped.live:
        assert await flows.engine.cancel(job_id, end_of_cancelled(job_id), HOUR) == "cancelled"
    assert await flows.claim() == []
    assert await flows.state() == "cancelled"


@pytest.mark.parametrize("runs", [False, True])
async def test_failure_leaves_a_step_that_was_let_run(flows: Flows, runs: bool) -> None:
    """A failure ends nothing that somebody let run, and the workflow goes on until that has ended."""
    await flows.compose(pair())
    if not runs:
        assert await flows.claim() == ["first"]
    await let_run(flows, "last")
    if runs:
        assert await flows.claim() == ["first", "last"]

    await flows.end("first", letter="F")

    assert await flows.queue.home("last") == ("running" if runs else "ready")
    assert (await flows.states())["last"] == "available"
    assert await flows.state() == "running"
    await flows.queue.check()
    if not runs:
        assert await flows.claim() == ["last"]
    assert await flows.end("last") == []
    assert await flows.states() == {"first": "discarded", "last": "completed"}
    assert await flows.state() == "failed"


async def failed_compensation(flows: Flows) -> None:
    await flows.compose(saga())
    for job_id in ("reserve", "charge"):
        assert await flows.claim() == [job_id]
        await flows.end(job_id)
    await flows.claim()
    await flows.end("ship", letter="F")
    await flows.claim()
    await flows.end("undo-charge", letter="F")
    assert await flows.claim() == ["undo-reserve"]


async def test_compensation_runs_once_though_both_retry_it(flows: Flows) -> None:
    """A compensation that somebody let run is not stored once more when its workflow is retried."""
    await failed_compensation(flows)
    await flows.end("undo-reserve")
    await let_run(flows, "undo-charge")
    assert await flows.claim() == ["undo-charge"]

    assert await flows.engine.retry_flow("w") == 1

    assert await flows.claim() == []
    await flows.queue.check()
    assert await flows.state() == "compensating"
    await flows.end("undo-charge")
    assert await flows.state() == "compensated"


@pytest.mark.parametrize("early", [False, True])
async def test_compensation_that_succeeds_by_hand_is_done(flows: Flows, early: bool) -> None:
    """A failed compensation that somebody retries by itself took the work back, and is not tried again."""
    await failed_compensation(flows)
    if not early:
        await flows.end("undo-reserve")
        assert await flows.state() == "compensation_failed"

    await let_run(flows, "undo-charge")
    assert await flows.claim() == ["undo-charge"]
    await flows.end("undo-charge")

    if early:
        assert await flows.state() == "compensating"
        await flows.end("undo-reserve")
    assert await flows.state() == "compensated"
    assert await flows.engine.retry_flow("w") == 3


async def test_compensation_that_succeeds_by_hand_before_its_turn(flows: Flows) -> None:
    """A compensation that waits to be tried again, and succeeds by hand meanwhile, is not tried again."""
    await failed_compensation(flows)
    await flows.end("undo-reserve", letter="F")
    assert await flows.engine.retry_flow("w") == 2
    assert await flows.claim() == ["undo-charge"]
    await let_run(flows, "undo-reserve")
    assert await flows.claim() == ["undo-reserve"]
    await flows.end("undo-reserve")

    await flows.end("undo-charge")

    assert await flows.claim() == []
    assert await flows.state() == "compensated"


class Portions:
    """Stores a workflow in two calls, with something done in between."""

    def __init__(self, flows: Flows, between: Callable[[], Awaitable[Any]]) -> None:
        self.whole = flows.engine._call
        self.between = between
        self.calls = 0

    async def __call__(self, script: Any, *args: Any, **kwargs: Any) -> Any:
        reply = await self.whole(script, *args, **kwargs)
        if script.name == "compose":
            self.calls += 1
            if self.calls == 1:
                await self.between()
                # The answer was lost, and the call is made again.
                assert await self.whole(script, *args, **kwargs) == 1
        return reply


@pytest.mark.parametrize("what", ["cancel", "delete", "run", "fail", "start", "revive"])
async def test_steps_moved_while_the_others_are_stored(
    flows: Flows, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """What is done by hand to a step of a workflow that is stored in part counts once it begins."""
    monkeypatch.setattr("arqlite.engine.flows.COMPOSE_CHUNK", 1)
    flow = Workflow("parts")
    first = flow.add("first", call("f"))
    flow.add("last", call("f", first.result))

    async def move() -> None:
        if what == "cancel":
            assert await flows.engine.cancel("first", end_of_cancelled("first"), HOUR) == "cancelled"
        elif what == "delete":
            assert await flows.engine.drop_many(["first"]) == ["done"]
        else:
            await let_run(flows, "first")
            assert await flows.claim() == ["first"]
        if what in ("run", "fail", "revive"):
            await flows.end("first", letter="S" if what == "run" else "F", value=7)
        if what == "revive":
            await let_run(flows, "first")

    monkeypatch.setattr(flows.engine, "_call", Portions(flows, move))

    await flows.compose(flow)

    await flows.queue.check()
    if what == "revive":
        assert await flows.claim() == ["first"]
    if what in ("start", "revive"):
        assert await flows.state() == "running"
        await flows.end("first", value=7)
    if what in ("run", "start", "revive"):
        assert await flows.args("last") == [7]
        assert await flows.claim() == ["last"]
        await flows.end("last")
        assert await flows.state() == "completed"
    else:
        assert (await flows.states())["last"] == "cancelled"
        assert await flows.state() == ("failed" if what == "fail" else "cancelled")
        assert await flows.queue.home("last") == "finished"


async def test_step_that_succeeds_alone_can_be_taken_back(flows: Flows) -> None:
    """A failed step that somebody retries by itself has done its work, and that is taken back like any."""
    flow = Workflow("order")
    first = flow.add("reserve", call("f"), compensate=call("release"))
    flow.add("ship", call("f"), after=[first])
    await flows.compose(flow)
    await flows.claim()
    await flows.end("reserve", letter="F")
    await let_run(flows, "reserve")
    await flows.claim()
    await flows.end("reserve")
    assert await flows.engine.retry_flow("w") == 1
    assert await flows.claim() == ["ship"]

    await flows.end("ship", letter="F")

    assert await flows.claim() == ["undo-reserve"]
    await flows.end("undo-reserve")
    assert await flows.state() == "compensated"


@pytest.mark.parametrize("letter", ["F", "C"])
async def test_workflow_whose_steps_all_succeeded_alone(flows: Flows, letter: str) -> None:
    """When the last step that had not ended well succeeds by itself, its workflow is completed."""
    flow = Workflow("both")
    flow.add("first", call("f"))
    flow.add("last", call("f"), compensate=call("release"))
    await flows.compose(flow)
    await flows.claim()
    await flows.end("first", "last", letter=letter)
    for job_id in ("first", "last"):
        assert await flows.state() == ("failed" if letter == "F" else "cancelled")
        await let_run(flows, job_id)
        await flows.claim()
        await flows.end(job_id)

    assert await flows.state() == "completed"
    assert await flows.claim() == []
    assert await flows.engine.retry_flow("w") == 0
    assert await flows.queue.client.exists(f"{flows.queue.keys.base}undo:w") == 0


async def test_errors_go_with_the_end_of_a_retried_step(flows: Flows) -> None:
    """What the attempts of a step left stays while it is retried, and is kept no longer than its end then."""
    await flows.compose(pair())
    await flows.claim()
    ends = {HOUR: Ended(["first"], [body("first", "F")])}
    await flows.engine.turn("s", 0, ends, (), failures=[Failure("first", HOUR, "an error")])
    errors = flows.queue.keys.errors("first")
    assert 0 < await flows.queue.client.pttl(errors) <= HOUR

    assert await flows.engine.retry_flow("w") == 2

    assert await flows.queue.client.pttl(errors) == -1
    await flows.claim()
    await flows.end("first", keep_ms=HOUR)
    assert 0 < await flows.queue.client.pttl(errors) <= HOUR
    await flows.queue.check()
