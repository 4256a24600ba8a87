"""The verbs of workflows: jobs that wait for other jobs. Each is one script, see `lua/lib/flows.lua`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from .keys import Keys
from .scripts import Script, load

# A script holds the server while it runs; what a step brings along is more than what a job does.
COMPOSE_CHUNK = 300
_PRUNE_AT_ONCE = 5


class NewStep(NamedTuple):
    """A step of a workflow to be stored.

    Attributes:
        number: its number, from 1.
        job_id: the id of its job.
        record: the job as in `NewJob`; empty for a compensation, which has no job before it is asked for.
        plan, template: as `model.flowcode` writes them.
        needs: how many others it waits for.
    """

    number: int
    job_id: str
    record: bytes
    plan: str
    needs: int
    template: bytes


class NewFlow(NamedTuple):
    """A workflow to be stored.

    Attributes:
        flow_id: its id.
        name: its name.
        keep_ms: how long it is known after its end, -1 for ever.
        total: how many steps it has, compensations left out.
        steps: all of them, compensations included.
        gives: what it gives as a whole, for whoever reads it.
    """

    flow_id: str
    name: str
    keep_ms: int
    total: int
    steps: Sequence[NewStep]
    gives: str = ""


class FlowStopped(NamedTuple):
    """What came of cancelling a workflow.

    Attributes:
        done: whether it went on until now, and what it did was not being taken back.
        cancelled: how many steps that waited for others were cancelled.
        live: the jobs of steps that may run or run, for `cancel`.
    """

    done: bool
    cancelled: int
    live: list[str]


class FlowVerbs:
    """The verbs of workflows, of one queue."""

    keys: Keys
    client: Any

    async def compose(self, flow: NewFlow) -> bool:
        """Nowhere -> suspended; once all are there, those that wait for nothing -> ready or scheduled.

        Returns whether that was done; False when it took so long that the first steps have been forgotten.
        """
        roots = ",".join(str(step.number) for step in flow.steps if step.record and step.needs == 0)
        args = {
            "wid": flow.flow_id, "name": flow.name, "keep_ms": flow.keep_ms, "total": flow.total,
            "first": "1", "roots": "", "gives": flow.gives,
        }  # fmt: skip
        for start in range(0, len(flow.steps), COMPOSE_CHUNK):
            rest: list[Any] = []
            for step in flow.steps[start : start + COMPOSE_CHUNK]:
                rest += (step.number, step.job_id, step.record, step.plan, step.needs, step.template)
            if start + COMPOSE_CHUNK >= len(flow.steps):
                args["roots"] = roots
            if not await self._call(load("compose"), args, rest, {"flow": self.keys.flow(flow.flow_id)}):
                return False
            args["first"] = args["gives"] = ""
        return True

    async def look_at_flow(self, flow_id: str, *fields: str) -> dict[str, bytes]:
        """Tell what is known of a workflow, or some of that; nothing of one that is unknown."""
        told = await self._call(load("flow_look"), {}, fields, {"flow": self.keys.flow(flow_id)})
        return {told[place].decode(): told[place + 1] for place in range(0, len(told), 2)}

    async def cancel_flow(self, flow_id: str, keep_ms: int) -> FlowStopped:
        """Suspended -> finished, for all steps of a workflow that still wait for others."""
        code, *facts = await self._call(load("flow_cancel"), {"wid": flow_id, "ttl_ms": keep_ms})
        if code != 1:
            return FlowStopped(False, 0, [])
        cancelled, live = facts
        return FlowStopped(True, int(cancelled), [job_id.decode() for job_id in live])

    async def retry_flow(self, flow_id: str) -> int:
        """Finished -> suspended or ready, for the steps that did not end well or were taken back.

        Returns how many; 0 also for a workflow that is unknown, and while it is being taken back.
        """
        return max(int(await self._call(load("flow_retry"), {"wid": flow_id})), 0)

    async def drop_flow(self, flow_id: str) -> int:
        """Forget a workflow. Returns 1 when done, 0 when it is unknown, -1 when it goes on."""
        return int(await self._call(load("flow_drop"), {"wid": flow_id}))

    async def prune_flows(self) -> int:
        """Forget workflows that ended long enough ago, and remains of those never stored in full."""
        total = 0
        while True:
            forgotten = int(await self._call(load("flow_prune"), {"limit": _PRUNE_AT_ONCE}))
            total += forgotten
            if forgotten < _PRUNE_AT_ONCE:
                return total

    async def flows(self, limit: int, offset: int) -> list[str]:
        """Name the workflows that are known, the newest first."""
        found = await self.client.zrevrange(self.keys.flows, offset, offset + limit - 1) if limit > 0 else []
        return [flow_id.decode() for flow_id in found]

    async def _call(
        self,
        script: Script,
        args: dict[str, Any],
        rest: Sequence[Any] = (),
        keys: dict[str, str] | None = None,
    ) -> Any:
        raise NotImplementedError
