"""Workflows with real workers: results flow on, failures are taken back, and the whole can be steered."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable
from typing import Any

import msgpack
import pytest
from worker_toys import Gate, at_work

from arqlite import (
    PREVIOUS,
    ArqRedis,
    Discard,
    Inspector,
    Snooze,
    Unique,
    Worker,
    Workflow,
    call,
    chain,
    current_job,
    func,
    group,
    task,
)
from arqlite.errors import Cancel, ConfigurationError, InvalidArguments, ResultNotFound
from arqlite.model.states import JobState
from arqlite.telemetry import JobStopped, attach, detach
from arqlite.testing import drain_queue, testing_mode
from arqlite.workflows import WorkflowRun, WorkflowState

Ctx = dict[Any, Any]
MakeWorker = Callable[..., Worker]


async def number(ctx: Ctx, n: int) -> int:
    return n


async def double(ctx: Ctx, n: int) -> int:
    return 2 * n


async def total(ctx: Ctx, numbers: list[int], start: int = 0) -> int:
    return start + sum(numbers)


async def fail(ctx: Ctx, *args: Any) -> None:
    raise ValueError("no luck")


class Diary:
    """Jobs that write down that they ran."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    async def note(self, ctx: Ctx, line: str, *more: Any) -> str:
        self.lines.append(" ".join([line, *map(str, more)]))
        return line


FUNCTIONS = [number, double, total, fail]


async def test_results_flow_on(arq_redis: ArqRedis, make_worker: MakeWorker) -> None:
    """A workflow of named jobs runs in a burst to its end, each with what the others gave."""
    flow = Workflow("sums")
    one = flow.add("one", call(number, 1))
    two = flow.add("two", call(double, one.result))
    flow.add("sum", call(total, [one.result, two.result], start=10))
    run = await arq_redis.enqueue_workflow(flow)
    assert await run.status() == WorkflowState.RUNNING

    await make_worker(FUNCTIONS).main()

    assert await run.wait(1) == WorkflowState.COMPLETED
    assert await run.result("sum", 1) == 13
    assert await run.result(two, 1) == 2


async def test_chain(arq_redis: ArqRedis, make_worker: MakeWorker) -> None:
    """In a chain, functions take what the one before gave, and calls where `PREVIOUS` stands."""
    flow = chain(call(number, 3), double, call(total, [PREVIOUS, 1], start=PREVIOUS))

    run = await arq_redis.enqueue_workflow(flow)
    await make_worker(FUNCTIONS).main()

    assert await run.result("total", 1) == 13


async def test_group_with_a_callback(arq_redis: ArqRedis, make_worker: MakeWorker) -> None:
    """The callback of a group gets all results in order, whoever ended first."""
    run = await arq_redis.enqueue_workflow(group([call(number, n) for n in range(20)], callback=total))

    await make_worker(FUNCTIONS).main()

    assert await run.result("total", 1) == sum(range(20))
    view = await run.view()
    assert view is not None
    assert list(view.steps)[:3] == ["number", "number-2", "number-3"]
    assert len(view.steps["total"].depends_on) == 20


async def test_group_in_a_chain(arq_redis: ArqRedis, make_worker: MakeWorker) -> None:
    """A group in a chain takes what is before it, and gives the list of its results to what is after it."""
    flow = chain(call(number, 5), group([double, call(total, [PREVIOUS, 1]), chain(double, double)]), total)

    run = await arq_redis.enqueue_workflow(flow)
    await make_worker(FUNCTIONS).main()

    assert await run.result("total-2", 1) == 10 + 6 + 20


async def test_chain_in_a_workflow(arq_redis: ArqRedis, make_worker: MakeWorker) -> None:
    """A chain or group can be a part of a workflow; its steps are named after it."""
    flow = Workflow("parts")
    first = flow.add("first", call(number, 1))
    part = flow.include("part", group([call(number, 2), call(number, 3)], callback=total), after=[first])
    flow.add("last", call(double, part.result))

    run = await arq_redis.enqueue_workflow(flow)
    await make_worker(FUNCTIONS).main()

    assert await run.result("last", 1) == 10
    assert await run.result("part.total", 1) == 5


@pytest.mark.parametrize("format_", [pickle, msgpack], ids=["pickle", "msgpack"])
async def test_serializers_of_ones_own(arq_redis: ArqRedis, make_worker: MakeWorker, format_: Any) -> None:
    """Results flow through a serializer of the user's own; one of a step that failed is None."""
    dumps, loads = (pickle.dumps, pickle.loads) if format_ is pickle else (msgpack.packb, msgpack.unpackb)
    arq_redis.job_serializer, arq_redis.job_deserializer = dumps, loads
    diary = Diary()
    flow = Workflow("foreign")
    one = flow.add("one", call("number", 1))
    bad = flow.add("bad", call("fail", one.result))
    flow.add("never", call("double", bad.result))
    flow.add("end", call("note", "got", {"one": [one.result]}, bad.result), even_if_failed=True)
    run = await arq_redis.enqueue_workflow(flow)

    worker = make_worker(
        [*FUNCTIONS, func(diary.note, name="note")], job_serializer=dumps, job_deserializer=loads
    )
    await worker.main()

    assert diary.lines == ["got {'one': [1]} None"]
    assert await run.status() == WorkflowState.FAILED
    with pytest.raises(Cancel, match="step 'bad' failed"):
        await run.result("never", 1)


async def test_saga(arq_redis: ArqRedis, make_worker: MakeWorker) -> None:
    """When a step fails for good, what had been done is taken back, the last first."""
    diary = Diary()
    note = func(diary.note, name="note")
    flow = Workflow("order")
    reserve = flow.add("reserve", call(note, "reserve"), compensate=call(note, "release", PREVIOUS))
    charge = flow.add("charge", call(note, "charge", reserve.result), compensate=call(note, "refund"))
    flow.add("ship", call(fail), after=[charge])
    run = await arq_redis.enqueue_workflow(flow)

    await make_worker([*FUNCTIONS, note]).main()

    assert diary.lines == ["reserve", "charge reserve", "refund", "release reserve"]
    assert await run.wait(1) == WorkflowState.COMPENSATED
    with pytest.raises(ValueError, match="no luck"):
        await run.result("ship", 1)


async def test_wait_hears_of_the_end(arq_redis: ArqRedis, make_worker: MakeWorker) -> None:
    """Who waits for a workflow is told of its end at once, without looking again."""
    gate = Gate()
    run = await arq_redis.enqueue_workflow(chain(call("gate"), call(number, 1)))

    async with at_work(make_worker([number, func(gate, name="gate")])):
        waiting = asyncio.create_task(run.wait(30, poll_delay=30))
        await gate.started.wait()
        gate.open.set()
        assert await asyncio.wait_for(waiting, 10) == WorkflowState.COMPLETED


async def test_cancel_and_retry(arq_redis: ArqRedis, make_worker: MakeWorker) -> None:
    """A cancelled workflow ends its running step, runs no other, and goes on from there when retried."""
    gate = Gate()
    inspector = Inspector(arq_redis)
    flow = Workflow("steered")
    first = flow.add("first", call(number, 1))
    flow.add("gate", call("gate", first.result))
    flow.add("last", call(double, first.result), after=["gate"])
    run = await arq_redis.enqueue_workflow(flow)

    async with at_work(make_worker([number, double, func(gate, name="gate")], allow_abort_jobs=True)):
        await gate.started.wait()
        assert await inspector.cancel_workflow(run.id)
        assert await run.wait(10) == WorkflowState.CANCELLED
        assert gate.ended == ["cancelled"]
        assert not await inspector.cancel_workflow(run.id)
        gate.open.set()
        assert await inspector.retry_workflow(run.id) == 2
        assert await run.wait(10) == WorkflowState.COMPLETED

    assert await run.result("last", 1) == 2
    assert len(gate.calls) == 2


async def test_killed_worker_costs_no_step(
    arq_redis: ArqRedis, make_worker: MakeWorker, eventually: Callable[..., Any]
) -> None:
    """Two workers share a workflow; one of them loses its lease half-way, and each step still counts once."""
    diary = Diary()
    functions = [func(diary.note, name="note"), total, number]
    flow = Workflow("shared")
    start = flow.add("start", call(number, 0))
    parts = [flow.add(f"part{n}", call(number, n), after=[start]) for n in range(50)]
    flow.add("sum", call(total, [part.result for part in parts]))
    flow.add("last", call("note", "done"), after=["sum"])
    first, second = (make_worker(functions, max_jobs=5) for _ in range(2))

    async with at_work(first), at_work(second):
        run = await arq_redis.enqueue_workflow(flow)
        assert first._crew is not None
        engine = first._crew.engine
        session = first._crew.producer.session
        await arq_redis.zadd(engine.keys.live, {str(session): 1}, xx=True)
        await engine.rescue("nobody")
        assert await run.wait(30) == WorkflowState.COMPLETED

    assert await run.result("sum", 1) == sum(range(50))
    assert diary.lines == ["done"]


async def test_burst_ends_when_nothing_can_move(arq_redis: ArqRedis, make_worker: MakeWorker) -> None:
    """A burst waits for a workflow in progress, and not for steps whose turn never comes."""
    flow = Workflow("stuck")
    first = flow.add("first", call("nobody_knows"))
    flow.add("second", call(number, 1), after=[first])
    await arq_redis.enqueue_workflow(flow)

    await asyncio.wait_for(make_worker(FUNCTIONS).main(), 10)

    assert await arq_redis.queue_depth() == 2


async def test_view(arq_redis: ArqRedis, make_worker: MakeWorker) -> None:
    """The inspector shows steps, what they wait for, where their jobs are, and what ended them."""
    flow = Workflow("seen")
    bad = flow.add("bad", call(fail), compensate=call(number, 1))
    flow.add("after", call(number, 1), after=[bad])
    flow.add("later", call(number, 1).options(delay=3600, tags=["Late"], priority=2))
    run = await arq_redis.enqueue_workflow(flow)
    await make_worker(FUNCTIONS, max_burst_jobs=1).main()

    view = await Inspector(arq_redis).workflow(run.id)

    assert view is not None
    assert (view.name, view.state, view.queue) == ("seen", "running", "arq:queue")
    assert {name: step.state for name, step in view.steps.items()} == {
        "bad": JobState.DISCARDED, "after": JobState.CANCELLED, "later": JobState.SCHEDULED,
    }  # fmt: skip
    assert isinstance(view.steps["bad"].error, ValueError)
    assert view.steps["after"].depends_on == ("bad",)
    assert view.steps["bad"].compensation is not None
    drawn = await run.graph()
    assert drawn.startswith("flowchart TD")
    assert "s1 --> s2" in drawn
    assert "s1 -.-> u1" in drawn
    assert '["bad<br/>discarded"]:::discarded' in drawn


async def test_workflows_are_listed_and_forgotten(arq_redis: ArqRedis, make_worker: MakeWorker) -> None:
    """Workflows are listed with the newest first, page by page; one that ended can be deleted."""
    inspector = Inspector(arq_redis)
    runs = []
    for name in ("a", "b", "c"):
        runs.append(await arq_redis.enqueue_workflow(chain(call(number, 1), name=name)))
        await asyncio.sleep(0.002)
    assert [view.name for view in await inspector.workflows(limit=2)] == ["c", "b"]
    assert [view.name for view in await inspector.workflows(offset=2)] == ["a"]
    assert not await inspector.delete_workflow(runs[0].id)
    await make_worker(FUNCTIONS).main()

    assert await inspector.delete_workflow(runs[0].id)

    assert await inspector.workflow(runs[0].id) is None
    assert await runs[0].status() is None
    assert len(await inspector.workflows()) == 2


async def test_workflows_in_some_states(arq_redis: ArqRedis, make_worker: MakeWorker) -> None:
    """Workflows are found by their state, or by several, counted among those; no other word is."""
    inspector = Inspector(arq_redis)
    for name in ("a", "b", "c", "d"):
        await arq_redis.enqueue_workflow(chain(fail if name in "bd" else call(number, 1), name=name))
        await asyncio.sleep(0.002)
    await make_worker(FUNCTIONS).main()
    await arq_redis.enqueue_workflow(chain(call(number, 1), name="e"))

    async def names(state: Any, **page: int) -> list[str]:
        return [view.name for view in await inspector.workflows(state=state, **page)]

    assert await names("failed") == ["d", "b"]
    assert await names(WorkflowState.FAILED, limit=1) == ["d"]
    assert await names("failed", offset=1) == ["b"]
    assert await names("failed", limit=0) == []
    assert await names(["running", WorkflowState.COMPLETED]) == ["e", "c", "a"]
    with pytest.raises(ConfigurationError, match="'fail' is no state of a workflow; did you mean 'failed'"):
        await names("fail")
    with pytest.raises(ConfigurationError, match="state takes a state of workflows, or several, got 3"):
        await names(3)


@pytest.mark.parametrize(
    ("flow", "result"),
    [
        (chain(call(number, 2), double, double), 8),
        (group([call(number, 1), chain(call(number, 2), double)]), [1, 4]),
        (group([group([call(number, 1), call(number, 2)]), call(number, 3)]), [[1, 2], 3]),
        (group([call(number, 1), call(number, 2)], callback=total), 3),
        (chain(call(number, 1), group([double, double])), [2, 2]),
    ],
    ids=["chain", "group", "nested", "callback", "ends with a group"],
)
async def test_result_of_the_whole(
    arq_redis: ArqRedis, make_worker: MakeWorker, flow: Any, result: Any
) -> None:
    """Without a step, a chain gives what its last job gave, and a group the list of its results."""
    run = await arq_redis.enqueue_workflow(flow)
    await make_worker(FUNCTIONS).main()

    assert await run.result(timeout=5) == result
    assert await WorkflowRun(run.id, arq_redis).result() == result


async def test_result_of_a_whole_workflow(arq_redis: ArqRedis, make_worker: MakeWorker) -> None:
    """A workflow gives what the step gave that it ends with; if these are several, one must be named."""
    flow = Workflow("w")
    one = flow.add("one", call(number, 1), compensate=call(number, 1))
    flow.add("two", call(double, one.result))
    run = await arq_redis.enqueue_workflow(flow)
    flow.add("three", call(fail, one.result))
    wide = await arq_redis.enqueue_workflow(flow)
    failing = await arq_redis.enqueue_workflow(chain(call(number, 1), fail))
    with pytest.raises(TimeoutError):
        await run.result(timeout=0.01)
    await make_worker(FUNCTIONS).main()

    assert await run.result() == 2
    with pytest.raises(
        ConfigurationError, match="ends with several steps: say whose result is meant, two, three"
    ):
        await wide.result()
    with pytest.raises(ValueError, match="no luck"):
        await failing.result()


async def test_result_of_a_chain_with_more_steps(arq_redis: ArqRedis, make_worker: MakeWorker) -> None:
    """Who adds steps to the workflow of a chain gets what it gives with those."""
    flow = chain(call(number, 2), double).workflow()
    flow.add("more", call(double, flow.steps[-1].result))
    run = await arq_redis.enqueue_workflow(flow)
    await make_worker(FUNCTIONS).main()

    assert await run.result() == 8


async def test_options_of_jobs_are_not_for_workflows(arq_redis: ArqRedis) -> None:
    """Options of single jobs do not enqueue a workflow, and say how it is done."""
    with pytest.raises(ConfigurationError, match="the steps of a workflow have their own"):
        arq_redis.options(delay=60).enqueue_workflow(chain(call(number, 1)))


async def test_result_of_a_step_outlives_its_job(arq_redis: ArqRedis, make_worker: MakeWorker) -> None:
    """What a step gave to others can be read although the worker keeps no results."""
    flow = Workflow("short")
    one = flow.add("one", call(number, 1))
    flow.add("two", call(double, one.result))
    run = await arq_redis.enqueue_workflow(flow)
    await make_worker(FUNCTIONS, keep_result=0).main()

    assert await run.result("one", 1) == 1
    with pytest.raises(ResultNotFound):
        await run.result("two", 1)


async def test_unknown_workflow(arq_redis: ArqRedis) -> None:
    """A workflow that nobody knows is told as such, and cannot be steered."""
    run = WorkflowRun("nobody", arq_redis)

    assert (await run.status(), await run.view()) == (None, None)
    assert (await run.cancel(), await run.retry()) == (False, 0)
    for attempt in (run.wait(1), run.result("x", 1), run.graph()):
        with pytest.raises(ResultNotFound, match="unknown"):
            await attempt


async def test_unknown_step(arq_redis: ArqRedis) -> None:
    """A step that a workflow has not is told with those it has."""
    run = await arq_redis.enqueue_workflow(chain(call(number, 1), double))

    with pytest.raises(ConfigurationError, match=r"no step 'three' .* there are double, number"):
        await run.result("three", 1)


async def test_all_steps_are_in_one_queue(arq_redis: ArqRedis) -> None:
    """A step of another queue is refused in words; where only steps name a queue, all go there."""
    flow = Workflow("two", queue="a")
    flow.add("x", call(number, 1).options(queue="b"))
    with pytest.raises(ConfigurationError, match="step 'x' is for queue 'b', and workflow 'two' for 'a'"):
        await arq_redis.enqueue_workflow(flow)

    run = await arq_redis.enqueue_workflow(chain(call(number, 1).options(queue="b"), double))

    assert run.queue == "b"
    assert await arq_redis.queue_depth("b") == 2


@pytest.mark.parametrize("given", ["x", call(number, 1), None])
async def test_only_workflows_are_enqueued(arq_redis: ArqRedis, given: Any) -> None:
    """Anything else than a workflow is refused in words."""
    with pytest.raises(ConfigurationError, match="a workflow must be a Workflow"):
        await arq_redis.enqueue_workflow(given)


async def test_result_of_a_step_is_no_argument_elsewhere(arq_redis: ArqRedis) -> None:
    """A result that is not there yet cannot be given to a job outside its workflow."""
    step = Workflow("w").add("one", call(number, 1))

    with pytest.raises((ConfigurationError, InvalidArguments, RuntimeError)):
        await arq_redis.enqueue(double, step.result)
    arq_redis.job_serializer, arq_redis.job_deserializer = pickle.dumps, pickle.loads
    with pytest.raises(RuntimeError, match="can only be an argument of a step"):
        await arq_redis.enqueue(double, step.result)


async def test_cancelled_steps_are_told(arq_redis: ArqRedis, make_worker: MakeWorker) -> None:
    """Steps that are cancelled without a run are reported as ended, once, whoever cancelled them."""
    told: list[str] = []
    attach("told", [JobStopped], lambda event: told.append(event.job_id))
    try:
        flow = Workflow("told")
        bad = flow.add("bad", call(fail))
        flow.add("two", call(number, 1), after=[bad])
        flow.add("three", call(number, 1), after=["two"])
        run = await arq_redis.enqueue_workflow(flow)
        stopped = await arq_redis.enqueue_workflow(flow)
        await stopped.cancel()
        await make_worker(FUNCTIONS).main()
    finally:
        detach("told")

    views = [await one.view() for one in (run, stopped)]
    steps = [step for view in views if view is not None for step in view.steps.values()]
    assert len(told) == len(set(told))
    assert {step.job_id for step in steps} == set(told)


async def test_step_knows_its_workflow(arq_redis: ArqRedis, make_worker: MakeWorker) -> None:
    """A step is told which one of which workflow it is; a job that stands alone is told of none."""
    seen: list[Any] = []

    async def look(ctx: Ctx) -> None:
        job = current_job()
        assert job is not None
        seen.append(job.workflow)

    look_function = func(look, name="look")
    flow = Workflow("w")
    flow.add("a", call(look_function))
    run = await arq_redis.enqueue_workflow(flow)
    await arq_redis.enqueue(look_function)

    await make_worker([look_function]).main()

    assert seen == [(run.id, "a"), None]


async def test_tasks_are_tried_again_before_they_fail(arq_redis: ArqRedis, make_worker: MakeWorker) -> None:
    """A step by Oban's rules fails its workflow only when its attempts are used up; a snooze is no end."""
    diary = Diary()
    attempts: list[int] = []

    @task(max_attempts=3, backoff=0, unique=Unique(period=60))
    async def shaky(ctx: Ctx) -> None:
        attempts.append(1)
        raise ValueError("not yet")

    @task
    async def sleepy(ctx: Ctx) -> Any:
        job = current_job()
        assert job is not None
        return Snooze(0) if job.snoozes == 0 else "awake"

    @task
    async def unwilling(ctx: Ctx) -> Any:
        return Discard("no use")

    note = func(diary.note, name="note")
    flow = Workflow("tries")
    slept = flow.add("sleepy", call(sleepy), compensate=call(note, "undone"))
    flow.add("shaky", call(shaky), after=[slept])
    flow.add("shaky again", call(shaky).options(max_attempts=1), after=[slept])
    flow.add("unwilling", call(unwilling), after=[slept])
    run = await arq_redis.enqueue_workflow(flow)

    await make_worker([shaky, sleepy, unwilling, note]).main()

    assert await run.wait(5) == WorkflowState.COMPENSATED
    assert len(attempts) == 3 + 1
    assert diary.lines == ["undone"]
    view = await run.view()
    assert view is not None
    assert view.steps["unwilling"].state is JobState.DISCARDED


async def test_drain_queue_runs_a_workflow(arq_redis: ArqRedis) -> None:
    """A test can run a workflow to its end without a worker; inline mode refuses it in words."""
    flow = chain(call(number, 2), double, group([double, double], callback=total))
    run = await arq_redis.enqueue_workflow(flow)

    await drain_queue(arq_redis, FUNCTIONS, with_recursion=True)

    assert await run.result("total", 1) == 16
    with testing_mode("inline"), pytest.raises(ConfigurationError, match="inline mode stores nothing"):
        await arq_redis.enqueue_workflow(flow)
