"""A workflow as others see it: its state, its steps, and a picture of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from ..utils import ms_to_datetime
from .codec import Codec
from .flowcode import ReadPlan, read_plan, read_result
from .states import JobState


class WorkflowState(StrEnum):
    """Where a workflow is in its life."""

    PLANTING = "planting"
    RUNNING = "running"
    COMPENSATING = "compensating"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    COMPENSATED = "compensated"
    COMPENSATION_FAILED = "compensation_failed"

    @property
    def is_final(self) -> bool:
        """Whether nothing more happens by itself."""
        return self not in (WorkflowState.PLANTING, WorkflowState.RUNNING, WorkflowState.COMPENSATING)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepView:
    """A step of a workflow.

    Attributes:
        name: its name in the workflow.
        job_id: its job.
        function: what that calls.
        state: where the job is in its life; `suspended` while it waits for other steps, and of a
            compensation as long as it is not asked for.
        depends_on: the names of the steps it waits for.
        error: what ended it, if it did not end well.
        compensation: what takes it back, if something does.
    """

    name: str
    job_id: str
    function: str
    state: JobState
    depends_on: tuple[str, ...]
    error: BaseException | None
    compensation: StepView | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowView:
    """Everything that is known of a workflow.

    Attributes:
        id: its id.
        name: its name.
        queue: where its jobs are.
        state: where it is in its life.
        created_at: when it was enqueued (aware).
        finished_at: when it ended; None before.
        steps: its steps by name, in the order they were added.
    """

    id: str
    name: str
    queue: str
    state: WorkflowState
    created_at: datetime
    finished_at: datetime | None
    steps: dict[str, StepView]

    def graph(self) -> str:
        """Draw it as a Mermaid flowchart: steps with their states, compensations dashed."""
        number_of = {name: number for number, name in enumerate(self.steps, 1)}
        lines = ["flowchart TD"]
        for name, step in self.steps.items():
            lines.append(f"    s{number_of[name]}[{_label(name, step)}]:::{step.state}")
            lines += [f"    s{number_of[other]} --> s{number_of[name]}" for other in step.depends_on]
            if step.compensation is not None:
                undo = f"u{number_of[name]}"
                lines.append(
                    f"    {undo}([{_label(step.compensation.function, step.compensation)}])"
                    f":::{step.compensation.state}"
                )
                lines.append(f"    s{number_of[name]} -.-> {undo}")
        shown = {step.state for step in self.steps.values()}
        shown |= {step.compensation.state for step in self.steps.values() if step.compensation is not None}
        lines += [f"    classDef {state} fill:{_COLOURS[state]}" for state in JobState if state in shown]
        return "\n".join(lines)


_COLOURS = {
    JobState.SUSPENDED: "#d1d5db", JobState.SCHEDULED: "#c7d2fe", JobState.AVAILABLE: "#bfdbfe",
    JobState.EXECUTING: "#a7f3d0", JobState.RETRYABLE: "#fde68a", JobState.COMPLETED: "#a5f3fc",
    JobState.DISCARDED: "#fecdd3", JobState.CANCELLED: "#ddd6fe",
}  # fmt: skip
_STATES = {
    b"W": JobState.SUSPENDED, b"H": JobState.SUSPENDED, b"L": JobState.AVAILABLE, b"S": JobState.COMPLETED,
    b"F": JobState.DISCARDED, b"C": JobState.CANCELLED,
}  # fmt: skip


def read_workflow(flow_id: str, queue: str, facts: Mapping[str, bytes], codec: Codec) -> WorkflowView:
    """Make a view of what the queue told. Steps that may run or run are told as available.

    Args:
        flow_id: the workflow's id.
        queue: the queue.
        facts: the fields of the workflow, as `lua/lib/flows.lua` explains them.
        codec: how results are written.
    """
    plans = {
        int(field[2:]): read_plan(value.decode()) for field, value in facts.items() if field.startswith("p:")
    }
    needs: dict[int, list[str]] = {number: [] for number in plans}
    for _, plan in sorted(plans.items()):
        for number in plan.dependents:
            needs[number].append(plan.name)
    views = {
        number: _step(plan, tuple(needs[number]), facts, number, codec) for number, plan in plans.items()
    }
    steps = {
        plan.name: replace(views[number], compensation=views.get(plan.undo))
        for number, plan in sorted(plans.items())
        if "c" not in plan.flags
    }
    ended = facts.get("ended")
    return WorkflowView(
        id=flow_id,
        name=facts["name"].decode(),
        queue=queue,
        state=WorkflowState(facts["state"].decode()),
        created_at=ms_to_datetime(int(facts["at"])),
        finished_at=None if ended is None else ms_to_datetime(int(ended)),
        steps=steps,
    )


def with_states(view: WorkflowView, states: Mapping[str, JobState]) -> WorkflowView:
    """Tell of steps that may run or run where their jobs are, by the ids of the jobs."""

    def told(step: StepView) -> StepView:
        undo = None if step.compensation is None else told(step.compensation)
        return replace(step, state=states.get(step.job_id, step.state), compensation=undo)

    return replace(view, steps={name: told(step) for name, step in view.steps.items()})


def moving_jobs(view: WorkflowView) -> list[str]:
    """Name the jobs of the steps that may run or run."""
    steps = [*view.steps.values(), *(step.compensation for step in view.steps.values() if step.compensation)]
    return [step.job_id for step in steps if step.state is JobState.AVAILABLE]


def _step(
    plan: ReadPlan, needs: tuple[str, ...], facts: Mapping[str, bytes], number: int, codec: Codec
) -> StepView:
    state = _STATES[facts[f"s:{number}"]]
    error: Any = None
    end = facts.get(f"r:{number}", b"")
    if state in (JobState.DISCARDED, JobState.CANCELLED) and len(end) > 1:
        error = read_result(end, codec)
    return StepView(
        name=plan.name, job_id=plan.job_id, function=plan.function, state=state, depends_on=needs,
        error=error if isinstance(error, BaseException) else None,
    )  # fmt: skip


def _label(name: str, step: StepView) -> str:
    shown = name.replace("&", "#amp;").replace('"', "#quot;").replace("<", "#lt;").replace(">", "#gt;")
    return f'"{shown}<br/>{step.state}"'
