"""Workflows in the queue: steps that wait, go on, fail, are taken back, cancelled, retried and forgotten."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from engine_toys import FOREVER, HOUR, Queue, ids

from arqlite import PREVIOUS, ArqRedis
from arqlite.engine import Ended, NewFlow, NewStep, RedisEngine
from arqlite.engine.flows import COMPOSE_CHUNK
from arqlite.engine.management import Revival
from arqlite.errors import Cancel
from arqlite.model.calls import PLAIN, call
from arqlite.model.codec import Codec
from arqlite.model.flowcode import encode_step
from arqlite.model.flowviews import WorkflowView, read_workflow
from arqlite.model.memory import decode
from arqlite.model.states import JobState
from arqlite.model.workflows import Workflow

CODEC = Codec()
LETTERS = {"S": JobState.COMPLETED, "F": JobState.DISCARDED, "C": JobState.CANCELLED}


def flow_of(workflow: Workflow, flow_id: str = "w", keep_ms: int = HOUR) -> NewFlow:
    """Lay a workflow out for the queue; the job of a step has its name, a compensation `undo-` before it."""
    plan = workflow.plan()
    numbers = {step.name: step.number for step in plan if not step.undoes}
    steps = []
    for step in plan:
        job_id = f"undo-{step.name}" if step.undoes else step.name
        options = step.call.settled(PLAIN)
        written = encode_step(CODEC, step, job_id, options, 1_700_000_000_000, numbers)
        record = b"" if step.undoes else written.record
        steps.append(NewStep(step.number, job_id, record, written.plan, len(step.needs), written.template))
    return NewFlow(flow_id, workflow.name, keep_ms, len(numbers), steps)


def body(job_id: str, letter: str = "S", value: Any = None, blob: bytes = b'{"f":"f","et":5}') -> bytes:
    end = value if letter == "S" else ValueError(f"{job_id} broke")
    return CODEC.encode_end(LETTERS[letter], end, 1, 5, 6, blob)


def end_of_cancelled(job_id: str) -> bytes:
    """What `cancel` takes: it puts the job behind it by itself."""
    return body(job_id, "C", blob=b"")


class Flows:
    """A queue with a session, and short words for what these tests do."""

    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        self.engine = queue.engine
        self.claimed: list[str] = []

    async def compose(self, workflow: Workflow, flow_id: str = "w", keep_ms: int = HOUR) -> None:
        assert await self.engine.compose(flow_of(workflow, flow_id, keep_ms))

    async def claim(self, want: int = 100) -> list[str]:
        turn = await self.engine.turn("s", want, {}, ())
        self.claimed += ids(turn)
        return sorted(ids(turn))

    async def end(
        self, *job_ids: str, letter: str = "S", value: Any = None, keep_ms: int = HOUR
    ) -> list[bytes]:
        bodies = [body(job_id, letter, value) for job_id in job_ids]
        return (await self.engine.turn("s", 0, {keep_ms: Ended(list(job_ids), bodies)}, ())).lost

    async def view(self, flow_id: str = "w") -> WorkflowView:
        return read_workflow(flow_id, "q", await self.engine.look_at_flow(flow_id), CODEC)

    async def states(self, flow_id: str = "w") -> dict[str, str]:
        return {name: step.state.value for name, step in (await self.view(flow_id)).steps.items()}

    async def state(self, flow_id: str = "w") -> str:
        return (await self.view(flow_id)).state.value

    async def args(self, job_id: str) -> Any:
        """Read what a job is to be called with."""
        peek = await self.engine.peek(job_id)
        return CODEC.decode_job(peek.record[2:]).get("a", [])


@pytest.fixture
async def flows(queue: Queue) -> Flows:
    await queue.open("s")
    return Flows(queue)


def diamond() -> Workflow:
    """`fetch`, then `left` and `right`, then `join`."""
    flow = Workflow("diamond")
    fetch = flow.add("fetch", call("f"))
    left = flow.add("left", call("f", fetch.result))
    right = flow.add("right", call("f", fetch.result, "x"))
    flow.add("join", call("f", [left.result, right.result]))
    return flow


def saga() -> Workflow:
    """`reserve`, `charge` and `ship` one after the other; the first two can be taken back."""
    flow = Workflow("order")
    reserve = flow.add("reserve", call("f"), compensate=call("release"))
    charge = flow.add(
        "charge", call("f", reserve.result), compensate=call("refund", reserve.result, PREVIOUS)
    )
    flow.add("ship", call("f", charge.result))
    return flow


async def test_steps_wait_for_what_they_need(flows: Flows) -> None:
    """A diamond runs in its order: the join when both sides have ended, with both results."""
    await flows.compose(diamond())

    assert await flows.queue.home("join") == "suspended"
    assert await flows.claim() == ["fetch"]
    await flows.end("fetch", value={"n": 1})
    assert await flows.args("left") == [{"n": 1}]
    assert await flows.args("right") == [{"n": 1}, "x"]
    assert await flows.claim() == ["left", "right"]
    await flows.end("right", value="r")
    assert await flows.claim() == []
    await flows.end("left", value="l")
    assert await flows.args("join") == [["l", "r"]]
    assert await flows.claim() == ["join"]
    assert await flows.state() == "running"
    await flows.end("join")
    assert await flows.state() == "completed"
    assert (await flows.view()).finished_at is not None


async def test_one_turn_ends_a_step_and_claims_the_next(flows: Flows) -> None:
    """The turn that ends a step brings those that waited for it, and leaves a token for others."""
    await flows.compose(diamond())
    await flows.claim()
    await flows.queue.take_token()

    turn = await flows.engine.turn("s", 1, {HOUR: Ended(["fetch"], [body("fetch")])}, ())

    assert len(ids(turn)) == 1
    assert await flows.queue.take_token()


async def test_results_need_not_be_kept(flows: Flows) -> None:
    """A step whose result the queue does not keep gives it to those that wait for it."""
    await flows.compose(diamond())
    await flows.claim()

    await flows.end("fetch", value=[1, "zwei", None], keep_ms=0)

    assert await flows.args("left") == [[1, "zwei", None]]
    assert await flows.queue.home("fetch") == "absent"


async def test_waiting_job_shows_where_a_result_goes(flows: Flows) -> None:
    """While it waits, a job shows a mark where the result of another step will be."""
    await flows.compose(diamond())

    assert await flows.args("right") == [{"$arqlite": "result", "of": "fetch"}, "x"]


async def test_suspended_jobs_are_counted(flows: Flows) -> None:
    """Jobs that wait for others have not ended, but nobody need wait for them alone."""
    await flows.compose(diamond())

    size = await flows.engine.size()

    assert (size.ready, size.suspended, size.jobs, size.moving) == (1, 3, 4, 1)


async def test_fan_out_and_join(flows: Flows) -> None:
    """A hundred jobs run side by side, and one with all their results in order."""
    flow = Workflow("fan")
    start = flow.add("start", call("f"))
    parts = [flow.add(f"part{n}", call("f", start.result, n)) for n in range(100)]
    flow.add("join", call("f", [part.result for part in parts]))
    await flows.compose(flow)
    await flows.claim()
    await flows.end("start")
    claimed = await flows.claim(200)

    assert len(claimed) == 100
    for job_id in claimed:
        await flows.end(job_id, value=int(job_id[4:]) ** 2)

    assert await flows.args("join") == [[n**2 for n in range(100)]]


async def test_delay_counts_from_the_end_of_what_comes_before(flows: Flows) -> None:
    """A step with a delay is scheduled when its time to wait for others is over; priorities stay."""
    flow = Workflow("late")
    first = flow.add("first", call("f"))
    flow.add("second", call("f").options(delay=3600, priority=3), after=[first])
    await flows.compose(flow)
    await flows.claim()

    await flows.end("first")

    peek = await flows.engine.peek("second")
    assert peek.home == "scheduled"
    assert peek.record[1] == 3
    turn = await flows.engine.turn("s", 0, {}, ())
    assert HOUR - 5000 < turn.next_due_ms <= HOUR


@pytest.mark.parametrize("letter", ["F", "C"])
async def test_failure_cancels_what_waits(flows: Flows, letter: str) -> None:
    """When a step fails or is cancelled, what waits for it is cancelled, and others run on."""
    flow = diamond()
    flow.add("other", call("f"))
    await flows.compose(flow)
    await flows.claim()

    await flows.end("fetch", letter=letter)

    ended = "discarded" if letter == "F" else "cancelled"
    assert await flows.states() == {
        "fetch": ended, "left": "cancelled", "right": "cancelled", "join": "cancelled", "other": "available",
    }  # fmt: skip
    error = (await flows.view()).steps["join"].error
    assert isinstance(error, Cancel)
    assert str(error) == f"step 'fetch' {'failed' if letter == 'F' else 'was cancelled'}"
    assert await flows.queue.home("join") == "finished"
    assert await flows.state() == "running"
    await flows.end("other")
    assert await flows.state() == ("failed" if letter == "F" else "cancelled")


async def test_even_if_failed(flows: Flows) -> None:
    """A step that was told so runs although what it waits for failed, with None as its result."""
    flow = Workflow("careful")
    first = flow.add("first", call("f"))
    second = flow.add("second", call("f", first.result))
    flow.add("report", call("f", [first.result, second.result]), even_if_failed=True)
    await flows.compose(flow)
    await flows.claim()

    await flows.end("first", letter="F")

    assert await flows.claim() == ["report"]
    assert await flows.args("report") == [[None, None]]
    await flows.end("report")
    assert await flows.state() == "failed"


async def test_saga(flows: Flows) -> None:
    """What had succeeded is taken back, the last first, one after the other, with the results it needs."""
    await flows.compose(saga())
    for job_id in ("reserve", "charge"):
        assert await flows.claim() == [job_id]
        await flows.end(job_id, value=f"id of {job_id}")
    await flows.claim()

    await flows.end("ship", letter="F")

    assert await flows.state() == "compensating"
    assert await flows.args("undo-charge") == ["id of reserve", "id of charge"]
    assert await flows.claim() == ["undo-charge"]
    await flows.end("undo-charge")
    assert await flows.claim() == ["undo-reserve"]
    await flows.end("undo-reserve")
    assert await flows.state() == "compensated"


async def test_success_is_not_taken_back(flows: Flows) -> None:
    """Nothing is compensated when all goes well, and no compensation is ever a job."""
    await flows.compose(saga())
    for job_id in ("reserve", "charge", "ship"):
        await flows.claim()
        await flows.end(job_id)

    assert await flows.state() == "completed"
    assert await flows.claim() == []
    assert await flows.queue.home("undo-charge") == "absent"


async def test_failed_compensation(flows: Flows) -> None:
    """The others are tried all the same; a retry tries those that failed, and then all is taken back."""
    await flows.compose(saga())
    for job_id in ("reserve", "charge"):
        await flows.claim()
        await flows.end(job_id)
    await flows.claim()
    await flows.end("ship", letter="F")
    await flows.claim()
    await flows.end("undo-charge", letter="F")
    assert await flows.claim() == ["undo-reserve"]
    await flows.end("undo-reserve")
    assert await flows.state() == "compensation_failed"

    assert await flows.engine.retry_flow("w") == 1

    assert await flows.state() == "compensating"
    assert await flows.claim() == ["undo-charge"]
    await flows.end("undo-charge")
    assert await flows.state() == "compensated"


async def test_retry_runs_what_did_not_end_well(flows: Flows) -> None:
    """A retried workflow goes on where it failed: what succeeded stays, and its results are still there."""
    await flows.compose(diamond())
    await flows.claim()
    await flows.end("fetch", value=7)
    await flows.claim()
    await flows.end("left", value=8)
    await flows.end("right", letter="F")
    assert await flows.state() == "failed"

    assert await flows.engine.retry_flow("w") == 2

    assert await flows.states() == {
        "fetch": "completed", "left": "completed", "right": "available", "join": "suspended",
    }  # fmt: skip
    assert await flows.args("right") == [7, "x"]
    assert await flows.claim() == ["right"]
    await flows.end("right", value=9)
    assert await flows.args("join") == [[8, 9]]
    await flows.claim()
    await flows.end("join")
    assert await flows.state() == "completed"
    assert await flows.engine.retry_flow("w") == 0


async def test_retry_of_what_was_taken_back(flows: Flows) -> None:
    """A workflow that was taken back does again what was, in its order, and can be taken back again."""
    await flows.compose(saga())
    for letter in ("F", "S"):
        for job_id in ("reserve", "charge"):
            assert await flows.claim() == [job_id]
            await flows.end(job_id)
        await flows.claim()
        await flows.end("ship", letter=letter)
        if letter == "F":
            for job_id in ("undo-charge", "undo-reserve"):
                assert await flows.claim() == [job_id]
                await flows.end(job_id)
            assert await flows.engine.retry_flow("w") == 3

    assert await flows.state() == "completed"


async def test_retry_when_nothing_is_kept(flows: Flows) -> None:
    """A workflow can be retried although the queue keeps no ends of jobs."""
    await flows.compose(diamond())
    await flows.claim()
    await flows.end("fetch", letter="F", keep_ms=0)
    assert await flows.state() == "failed"

    assert await flows.engine.retry_flow("w") == 4

    assert await flows.claim() == ["fetch"]


async def test_cancel(flows: Flows) -> None:
    """Cancelling ends what waits for others and names what may run; what was done is taken back."""
    await flows.compose(saga())
    await flows.claim()
    await flows.end("reserve")

    stopped = await flows.engine.cancel_flow("w", HOUR)

    assert (stopped.done, stopped.cancelled, stopped.live) == (True, 1, ["charge"])
    assert await flows.engine.cancel("charge", end_of_cancelled("charge"), HOUR) == "cancelled"
    assert await flows.states() == {"reserve": "completed", "charge": "cancelled", "ship": "cancelled"}
    assert await flows.claim() == ["undo-reserve"]
    assert not (await flows.engine.cancel_flow("w", HOUR)).done
    await flows.end("undo-reserve")
    assert await flows.state() == "compensated"


async def test_cancelling_one_step(flows: Flows) -> None:
    """A step that waits can be cancelled like any job, and what waits for it with it."""
    await flows.compose(diamond())

    assert await flows.engine.cancel("left", end_of_cancelled("left"), HOUR) == "cancelled"

    assert (await flows.states())["join"] == "cancelled"
    await flows.claim()
    await flows.end("fetch")
    assert await flows.claim() == ["right"]


async def test_deleted_step_counts_as_cancelled(flows: Flows) -> None:
    """Nothing waits for ever for a job that somebody deleted."""
    await flows.compose(diamond())

    assert await flows.engine.drop_many(["fetch"]) == ["done"]

    assert set((await flows.states()).values()) == {"cancelled"}
    assert await flows.state() == "cancelled"


async def test_double_end_counts_once(flows: Flows) -> None:
    """The end of a step that comes again moves nothing; neither does that of a session that lost it."""
    await flows.compose(diamond())
    await flows.claim()
    await flows.end("fetch")
    await flows.claim()

    await flows.end("left")
    assert await flows.end("left") == [b"left"]

    assert await flows.queue.home("join") == "suspended"


async def test_lost_session(flows: Flows) -> None:
    """What a dead worker ran, runs again; its own late end is refused, and the workflow goes on once."""
    await flows.compose(diamond())
    await flows.claim()
    await flows.queue.open("t")
    await flows.queue.end_lease("s")
    await flows.engine.rescue("t")
    assert await flows.queue.claim("t") == ["fetch"]
    assert await flows.queue.home("left") == "suspended"

    await flows.engine.turn("t", 0, {HOUR: Ended(["fetch"], [body("fetch")])}, ())

    assert sorted(await flows.queue.claim("t")) == ["left", "right"]


async def test_stored_twice_is_stored_once(flows: Flows) -> None:
    """A call that is made again, as its answer was lost, changes nothing of a workflow that has begun."""
    flow = flow_of(diamond())
    assert await flows.engine.compose(flow)
    await flows.claim()
    await flows.end("fetch")

    assert await flows.engine.compose(flow)

    assert await flows.states() == {
        "fetch": "completed", "left": "available", "right": "available", "join": "suspended",
    }  # fmt: skip


async def test_large_workflow_begins_when_all_is_there(flows: Flows) -> None:
    """Nothing runs of a workflow that is stored in part; if it is left so, it is forgotten."""
    flow = Workflow("large")
    steps = [flow.add(f"s{n}", call("f")) for n in range(COMPOSE_CHUNK + 1)]
    laid_out = flow_of(flow)
    whole = flows.engine._call
    calls = 0

    async def broken(script: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise ConnectionError
        return await whole(script, *args, **kwargs)

    flows.engine._call = broken  # type: ignore[method-assign]
    with pytest.raises(ConnectionError):
        await flows.engine.compose(laid_out)
    assert await flows.claim() == []
    assert (await flows.engine.size()).suspended == COMPOSE_CHUNK
    assert await flows.state() == "planting"

    await flows.queue.client.zadd(flows.queue.keys.over, {"w": 1})
    await flows.engine.prune()
    assert (await flows.engine.size()).jobs == 0
    assert await flows.engine.look_at_flow("w") == {}

    assert await flows.engine.compose(laid_out)
    assert len(await flows.claim(1000)) == len(steps)


async def test_long_chain_of_cancellations(flows: Flows) -> None:
    """A failure at the head of thousands of steps ends all of them."""
    flow = Workflow("long")
    before = flow.add("s0", call("f"))
    for n in range(1, 2500):
        before = flow.add(f"s{n}", call("f", before.result))
    await flows.compose(flow)
    await flows.claim()

    await flows.end("s0", letter="F")

    assert await flows.state() == "failed"
    assert (await flows.engine.size()).jobs == 0
    assert await flows.queue.home("s2499") == "finished"


@pytest.mark.parametrize("keep_ms", [0, HOUR, FOREVER])
async def test_forgetting(flows: Flows, keep_ms: int) -> None:
    """An ended workflow is forgotten when its time is over, with all its keys, or when it is deleted."""
    await flows.compose(saga(), keep_ms=keep_ms)
    assert await flows.engine.drop_flow("w") == -1
    for job_id in ("reserve", "charge", "ship"):
        await flows.claim()
        await flows.end(job_id, keep_ms=0)
    assert await flows.engine.flows(10, 0) == ["w"]

    await flows.engine.prune()
    assert (await flows.engine.look_at_flow("w") == {}) == (keep_ms == 0)
    assert await flows.engine.drop_flow("w") == (0 if keep_ms == 0 else 1)

    assert await flows.engine.flows(10, 0) == []
    left = {key.decode().removeprefix(flows.queue.keys.base) for key in await flows.queue.client.keys("*")}
    assert left <= {"live", "wake"}


async def test_end_is_announced(flows: Flows, eventually: Callable[..., Any]) -> None:
    """Who awaits the end of a workflow hears of it; nothing is left behind where it is unknown or over."""
    await flows.compose(saga())
    assert await flows.engine.mind_many(["w", "nobody"]) == [True, False]
    await flows.claim()

    await flows.end("reserve", letter="F")

    assert await flows.queue.client.scard(flows.queue.keys.wait) == 0
    assert await flows.engine.mind_many(["w"]) == [False]


async def test_step_that_was_let_run_by_hand(flows: Flows) -> None:
    """A step that somebody let run before its time has one home, and runs once."""
    flow = diamond()
    flow.add("also", call("f"), after=["fetch"])
    await flows.compose(flow)
    record = (await flows.engine.peek("also")).record
    assert await flows.engine.revive_many([Revival("also", record, "", record, "")]) == ["done"]
    assert await flows.claim() == ["also", "fetch"]

    await flows.end("fetch")
    await flows.end("also")

    assert await flows.claim() == ["left", "right"]


async def test_step_that_takes_a_result_waits_for_it(flows: Flows) -> None:
    """Nobody can let a step run whose arguments are not there yet."""
    await flows.compose(diamond())
    record = (await flows.engine.peek("left")).record

    assert await flows.engine.revive_many([Revival("left", record, "", record, "")]) == ["refused"]

    assert await flows.queue.home("left") == "suspended"


async def test_step_that_was_retried_alone(flows: Flows) -> None:
    """A failed step that somebody retries by itself counts as completed when the workflow is retried."""
    await flows.compose(diamond())
    await flows.claim()
    await flows.end("fetch", letter="F")
    record = (await flows.engine.peek("fetch")).record
    live = b'Q\0{"f":"f","et":5}'
    assert await flows.engine.revive_many([Revival("fetch", record, "", live, "")]) == ["done"]
    await flows.claim()
    await flows.end("fetch", value=4)
    assert await flows.claim() == []

    assert await flows.engine.retry_flow("w") == 3

    assert await flows.claim() == ["left", "right"]
    assert await flows.args("left") == [4]


def layers(width: int) -> Workflow:
    """Each of the second layer waits for all of the first, and takes what they give."""
    flow = Workflow("layers")
    first = [flow.add(f"a{n}", call("f")) for n in range(width)]
    for n in range(width):
        flow.add(f"b{n}", call("f", [step.result for step in first]))
    return flow


@pytest.mark.parametrize("letter", ["S", "F", "C"])
async def test_many_that_wait_for_many(flows: Flows, letter: str) -> None:
    """Steps that end in one turn let all run that waited for them, or end them, each once."""
    await flows.compose(layers(20))
    claimed = await flows.claim()
    assert await flows.end(*claimed[1:], value=1) == []

    await flows.end(claimed[0], letter=letter, value=1)

    states = await flows.states()
    assert {states[f"b{n}"] for n in range(20)} == {"available" if letter == "S" else "cancelled"}
    if letter == "S":
        assert await flows.args("b7") == [[1] * 20]
    await flows.queue.check()


@pytest.mark.real
@pytest.mark.parametrize("letter", ["S", "F"])
async def test_cost_of_many_that_wait_for_many(real_url: str, letter: str) -> None:
    """What the end of a layer costs grows with the steps of both, and not with each pair of them."""
    pool = ArqRedis.from_url(real_url)
    engine = RedisEngine(pool, "q")
    calls = []
    for width in (20, 40):
        await pool.flushdb()
        await engine.open("s", HOUR)
        await engine.compose(flow_of(layers(width)))
        claimed = ids(await engine.turn("s", 100, {}, ()))
        await pool.config_resetstat()
        bodies = [body(job_id, letter, 1) for job_id in claimed]
        await engine.turn("s", 0, {HOUR: Ended(claimed, bodies)}, ())
        calls.append(sum(stat["calls"] for stat in (await pool.info("commandstats")).values()))

    assert calls[1] < 2.1 * calls[0]
    await engine.close()
    await pool.aclose(close_connection_pool=True)


async def swept(flows: Flows) -> None:
    """End `fetch` so that three other steps end with it."""
    await flows.compose(diamond())
    await flows.claim()
    await flows.end("fetch", letter="F")


async def test_swept_steps_are_told_by_one_until_it_has_told(flows: Flows) -> None:
    """Word of steps that ended with another comes to one session, and again until that says it has told."""
    await flows.queue.open("t")
    await swept(flows)
    turn, leave = flows.engine.turn, flows.engine.leave

    first = (await turn("s", 0, {}, (), told=())).swept
    assert sorted(first) == [b"join", b"left", b"right"]
    assert sorted((await turn("s", 0, {}, (), told=())).swept) == sorted(first)
    assert (await turn("t", 0, {}, (), told=())).swept == ()
    assert (await turn("s", 0, {}, (), told=first[:2])).swept == [first[2]]
    assert (await turn("s", 0, {}, (), told=first[:2])).swept == [first[2]]
    await leave("s", first[2:])
    assert (await turn("t", 0, {}, (), told=())).swept == ()
    await leave("t")
    assert not await flows.queue.client.keys("*telling*")


@pytest.mark.parametrize("dies", [False, True])
async def test_swept_steps_are_told_by_others(flows: Flows, dies: bool) -> None:
    """What a session was given to tell, and did not before its end, another one tells."""
    await swept(flows)
    assert len((await flows.engine.turn("s", 0, {}, (), told=())).swept) == 3
    await flows.queue.open("t")

    if dies:
        await flows.queue.end_lease("s")
        await flows.engine.rescue("t")
    else:
        await flows.engine.leave("s")

    assert len((await flows.engine.turn("t", 0, {}, (), told=())).swept) == 3


async def test_who_tells_nobody_leaves_word_of_swept_steps(flows: Flows) -> None:
    """A session without anybody to tell takes no word of them; without anybody at all it goes after a day."""
    await swept(flows)

    assert (await flows.engine.turn("s", 0, {}, ())).swept == ()

    assert 0 < await flows.queue.client.pttl(f"{flows.queue.keys.base}swept") <= 24 * HOUR
    assert len((await flows.engine.turn("s", 0, {}, (), told=())).swept) == 3


@pytest.mark.parametrize("has_ledger", [False, True])
async def test_retried_steps_tell_when_they_were_revived(flows: Flows, has_ledger: bool) -> None:
    """The steps of a retried workflow carry when that was, for a ledger says that they have ended."""
    if has_ledger:
        assert await flows.engine.mark(await flows.engine.watch(), "m", 1, HOUR)
    await flows.compose(diamond())
    await flows.claim()
    await flows.end("fetch", letter="F")

    assert await flows.engine.retry_flow("w") == 4

    memories = [decode(await flows.queue.memory(step)) for step in ("fetch", "left", "right", "join")]
    assert [memory.revived_ms > 0 for memory in memories] == [has_ledger] * 4
