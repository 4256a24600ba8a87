"""Work that has steps: chains, groups, workflows of named jobs, and a handle on one that was enqueued."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from redis.exceptions import RedisError

from .engine import EndWatch, EnqueueBatch, NewFlow, NewStep, RedisEngine
from .engine.management import Stop
from .errors import ConfigurationError, ResultNotFound
from .jobs import Job
from .model import checks, tracing
from .model.calls import PLAIN, Options
from .model.codec import Codec
from .model.compositions import Chain, Group, chain, group
from .model.flowcode import ReadPlan, encode_step, read_plan, read_result
from .model.flowviews import StepView, WorkflowState, WorkflowView, moving_jobs, read_workflow, with_states
from .model.options import told_of_askers
from .model.placeholders import PREVIOUS
from .model.states import Cause, JobState
from .model.workflows import Composition, Part, PlannedStep, Step, Workflow
from .telemetry import JobEnqueued, JobStopped, execute, has_handlers
from .utils import new_job_id, timestamp_ms

__all__ = (
    "PREVIOUS",
    "Chain",
    "Group",
    "Part",
    "Step",
    "StepView",
    "Workflow",
    "WorkflowRun",
    "WorkflowState",
    "WorkflowView",
    "chain",
    "group",
)

# How long the ends of steps that were cancelled before they ran are kept.
_CANCELLED_KEEP_MS = 3_600_000
_STATES = {
    "ready": JobState.AVAILABLE,
    "held": JobState.AVAILABLE,
    "scheduled": JobState.SCHEDULED,
    "suspended": JobState.SUSPENDED,
    "running": JobState.EXECUTING,
}


class FlowClient:
    """What a client has to have for workflows; `ArqRedis` has it."""

    job_serializer: Any
    job_deserializer: Any
    default_queue_name: str

    def queue(self, name: str) -> EnqueueBatch:
        raise NotImplementedError

    def end_watch(self, engine: RedisEngine) -> EndWatch:
        raise NotImplementedError


class WorkflowRun:
    """One workflow that was enqueued, by its id.

    Args:
        workflow_id: its id.
        client: the pool, an `ArqRedis`.
        queue: its queue; the pool's default.

    Attributes:
        id: its id.
        queue: its queue.
    """

    def __init__(self, workflow_id: str, client: Any, queue: str | None = None) -> None:
        self.id = workflow_id
        self.queue: str = queue or client.default_queue_name
        self._client: FlowClient = client

    async def status(self) -> WorkflowState | None:
        """Tell where it is in its life; None when it is unknown, or was forgotten."""
        told = await self._engine.look_at_flow(self.id, "state")
        return WorkflowState(told["state"].decode()) if told else None

    async def view(self) -> WorkflowView | None:
        """Tell everything that is known of it; None when nothing is."""
        facts = await self._engine.look_at_flow(self.id)
        if not facts:
            return None
        view = read_workflow(self.id, self.queue, facts, self._codec)
        job_ids = moving_jobs(view)
        peeks = await self._engine.peek_many(job_ids)
        states: dict[str, JobState] = {}
        for job_id, peek in zip(job_ids, peeks, strict=True):
            if peek.home in _STATES:
                states[job_id] = _STATES[peek.home]
            if peek.home == "scheduled" and peek.memory.endswith(":1"):
                states[job_id] = JobState.RETRYABLE
        return with_states(view, states)

    async def graph(self) -> str:
        """Draw it as a Mermaid flowchart, with the states its steps are in.

        Raises:
            ResultNotFound: it is unknown, or was forgotten.
        """
        view = await self.view()
        if view is None:
            raise ResultNotFound(f"workflow {self.id} is unknown, or was forgotten")
        return view.graph()

    async def wait(self, timeout: float | None = None, *, poll_delay: float = 0.5) -> WorkflowState:
        """Wait for its end, compensations included, and tell how it ended. No error of a step is raised.

        Args:
            timeout: seconds to wait; None waits for ever.
            poll_delay: seconds between two looks should the announcement of the end be lost.

        Raises:
            ResultNotFound: it is unknown, or was forgotten.
            TimeoutError: it has not ended in time.
        """
        state = await self._known_state()
        if state.is_final:
            return state
        async with asyncio.timeout(timeout), self._announced() as announced:
            while not (state := await self._known_state()).is_final:
                if announced.done():  # its steps were retried since
                    await asyncio.sleep(poll_delay)
                else:
                    await asyncio.wait([announced], timeout=poll_delay)
        return state

    async def job(self, step: str | Step[Any]) -> Job[Any]:
        """Make the handle on the job of a step.

        Raises:
            ConfigurationError: there is no such step.
            ResultNotFound: the workflow is unknown, or was forgotten.
        """
        _, plans = await self._plans()
        return self._job_of(plans[_number(self.id, plans, step)])

    async def result(self, step: str | Step[Any] | None = None, timeout: float | None = None) -> Any:
        """Wait for the end of a step and return what it gave; what ended it otherwise is raised.

        Args:
            step: the step, or its name. None is the whole: the last step of a chain or of a workflow that
                ends with one, the list of their results where a group without a callback comes last.
            timeout: seconds to wait; None waits for ever.

        Raises:
            ConfigurationError: there is no such step, or none was given and the workflow ends with several.
            ResultNotFound: the workflow is unknown, or the result of the step is not kept.
            TimeoutError: it has not ended in time.
        """
        facts, plans = await self._plans()
        wanted = _whole(self.id, facts, plans) if step is None else _number(self.id, plans, step)
        async with asyncio.timeout(timeout):
            return await self._given(wanted, plans)

    async def cancel(self) -> bool:
        """Cancel it: steps that wait are cancelled, those that run are asked to end, as by `Job.abort`.

        What had been done is taken back by the compensations there are. Returns False when there is nothing
        to cancel: it has ended, is being taken back already, or is unknown.
        """
        stopped = await self._engine.cancel_flow(self.id, _CANCELLED_KEEP_MS)
        stops = [Stop(job_id, _cancelled_body(self._codec)) for job_id in stopped.live]
        answers = await self._engine.cancel_many(stops, _CANCELLED_KEEP_MS)
        for job_id, answer in zip(stopped.live, answers, strict=True):
            if answer == "cancelled" and has_handlers(JobStopped):
                error = asyncio.CancelledError()
                execute(
                    JobStopped(
                        self.queue, job_id, "", 0, "", "cancelled", 0, None, error, timestamp_ms(), 0,
                        cause=Cause.CANCELLED,
                    )
                )  # fmt: skip
        return stopped.done

    async def retry(self) -> int:
        """Let the steps run again that failed, were cancelled or were taken back; what succeeded stays.

        Of one whose compensation failed, the compensations that failed are tried again first.

        Returns:
            How many live again; 0 when it succeeded, is being taken back, or is unknown.
        """
        return await self._engine.retry_flow(self.id)

    def __repr__(self) -> str:
        return f"<workflow run {self.id}>"

    @property
    def _engine(self) -> RedisEngine:
        return self._client.queue(self.queue).engine

    @property
    def _codec(self) -> Codec:
        return Codec(self._client.job_serializer, self._client.job_deserializer)

    async def _known_state(self) -> WorkflowState:
        state = await self.status()
        if state is None:
            raise ResultNotFound(f"workflow {self.id} is unknown, or was forgotten")
        return state

    async def _plans(self) -> tuple[dict[str, bytes], dict[int, ReadPlan]]:
        """Read what is known of it, and the plans of its steps by their numbers."""
        facts = await self._engine.look_at_flow(self.id)
        if not facts:
            raise ResultNotFound(f"workflow {self.id} is unknown, or was forgotten")
        plans = {
            int(field[2:]): read_plan(value.decode())
            for field, value in facts.items()
            if field.startswith("p:")
        }
        return facts, plans

    def _job_of(self, plan: ReadPlan) -> Job[Any]:
        return Job(plan.job_id, self._client, self.queue)

    async def _given(self, wanted: Any, plans: dict[int, ReadPlan]) -> Any:
        """Wait for what a step gives, told by its number, or for each of a list."""
        if isinstance(wanted, list):
            return [await self._given(part, plans) for part in wanted]
        try:
            return await self._job_of(plans[wanted]).result()
        except ResultNotFound:
            value = await self._kept_result(wanted)
        if isinstance(value, BaseException):
            raise value
        return value

    async def _kept_result(self, number: int) -> Any:
        """A workflow keeps what others needed, also where the queue keeps no results."""
        field = f"r:{number}"
        kept = (await self._engine.look_at_flow(self.id, field)).get(field, b"")
        if len(kept) > 1:
            return read_result(kept, self._codec)
        raise ResultNotFound(
            "The result of this step is not kept. Is the worker function configured to keep result?"
        )

    @contextlib.asynccontextmanager
    async def _announced(self) -> AsyncIterator[asyncio.Future[bytes]]:
        """Have the end announced while the block runs."""
        watch = self._client.end_watch(self._engine)
        announced = await watch.announce(self.id)
        try:
            yield announced
        finally:
            with contextlib.suppress(RedisError, OSError):
                await watch.forget(self.id, announced)


async def send_workflow(client: Any, flow: Workflow | Composition) -> WorkflowRun:
    """Store a workflow and let it begin; see `ArqRedis.enqueue_workflow`."""
    workflow = flow.workflow() if isinstance(flow, Composition) else flow
    checks.instance("a workflow", workflow, Workflow, "a Workflow, or what chain() or group() made")
    plan = workflow.plan()
    options = [_settled(step) for step in plan]
    queue = _queue_of(workflow, plan, options) or client.default_queue_name
    if not tracing.tracers:
        return (await _store_workflow(client, workflow, plan, options, queue))[0]
    with tracing.sending(queue, [step.call.function for step in plan]) as accepted:
        run, steps = await _store_workflow(client, workflow, plan, options, queue)
        accepted([step.job_id for step in steps])
        return run


async def _store_workflow(
    client: Any, workflow: Workflow, plan: Sequence[PlannedStep], options: Sequence[Options], queue: str
) -> tuple[WorkflowRun, Sequence[NewStep]]:
    codec = Codec(client.job_serializer, client.job_deserializer)
    flow_id, now_ms = new_job_id(), timestamp_ms()
    numbers = {step.name: step.number for step in plan if not step.undoes}
    steps = [
        _new_step(codec, step, own, flow_id, now_ms, numbers) for step, own in zip(plan, options, strict=True)
    ]
    total, gives = len(numbers), workflow.gives(plan)
    engine: RedisEngine = client.queue(queue).engine
    outcome = "" if gives is None else json.dumps(gives)
    stored = NewFlow(flow_id, workflow.name, workflow.keep_ms, total, steps, outcome)
    async with contextlib.nullcontext() if client.ledger is None else client.outbox.flow(queue, steps):
        if not await engine.compose(stored):
            raise ConfigurationError(
                f"workflow {workflow.name!r} was forgotten before all of it was stored; nothing of it runs"
            )
    if has_handlers(JobEnqueued):
        for step, its in zip(plan[:total], steps, strict=False):
            execute(JobEnqueued(queue, its.job_id, step.call.function))
    return WorkflowRun(flow_id, client, queue), steps


def _number(flow_id: str, plans: Mapping[int, ReadPlan], step: str | Step[Any]) -> int:
    name = step.name if isinstance(step, Step) else step
    for number, plan in plans.items():
        if plan.name == name and "c" not in plan.flags:
            return number
    known = ", ".join(sorted({plan.name for plan in plans.values()}))
    raise ConfigurationError(f"there is no step {name!r} in workflow {flow_id}; there are {known}")


def _whole(flow_id: str, facts: Mapping[str, bytes], plans: Mapping[int, ReadPlan]) -> Any:
    """Tell which steps give what the workflow gives as a whole."""
    gives = facts.get("gives", b"")
    if gives:
        return json.loads(gives)
    last = (plan.name for _, plan in sorted(plans.items()) if not plan.dependents and "c" not in plan.flags)
    raise ConfigurationError(
        f"workflow {flow_id} ends with several steps: say whose result is meant, {', '.join(last)}"
    )


def _settled(step: PlannedStep) -> Options:
    """Tell how a step is enqueued. What its task says of uniqueness is not for steps: none may be missing."""
    return step.call.settled(PLAIN)._replace(unique=None)


def _queue_of(workflow: Workflow, plan: list[PlannedStep], options: list[Options]) -> str | None:
    """Find the one queue of a workflow: a step cannot wait for one of another queue."""
    queue = workflow.queue
    named_by = f"workflow {workflow.name!r}"
    for step, own in zip(plan, options, strict=True):
        if own.queue is None:
            continue
        if queue is not None and own.queue != queue:
            raise ConfigurationError(
                f"step {step.name!r} is for queue {own.queue!r}, and {named_by} for {queue!r}: "
                "all steps of a workflow are in one queue"
            )
        if queue is None:
            queue, named_by = own.queue, f"step {step.name!r}"
    return queue


def _new_step(
    codec: Codec, step: PlannedStep, options: Options, flow_id: str, now_ms: int, numbers: dict[str, int]
) -> NewStep:
    extras: dict[str, Any] = {"w": {"id": flow_id, "step": step.name}, **step.call.known_attempts(options)}
    if options.priority:
        extras["p"] = options.priority
    if options.max_attempts is not None:
        extras["ma"] = options.max_attempts
    if options.tags:
        extras["g"] = options.tags
    if options.meta:
        extras["m"] = options.meta
    extras |= told_of_askers(options)
    job_id = new_job_id()
    written = encode_step(codec, step, job_id, options, now_ms, numbers, **extras)
    record = b"" if step.undoes else written.record
    return NewStep(step.number, job_id, record, written.plan, len(step.needs), written.template)


def _cancelled_body(codec: Codec) -> bytes:
    now_ms = timestamp_ms()
    job = {"f": "<unknown>", "a": (), "k": {}, "et": 0}
    return codec.encode_end(JobState.CANCELLED, asyncio.CancelledError(), 0, now_ms, now_ms, b"", job)
