"""See workflows, and cancel, retry or forget them as a whole."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any

from ..errors import ConfigurationError
from ..model.filters import closest
from ..model.flowviews import WorkflowState, WorkflowView
from ..workflows import WorkflowRun
from .base import Looking

_PAGE = 100


class FlowControl(Looking):
    """What is done to workflows."""

    async def workflow(self, workflow_id: str, queue: str | None = None) -> WorkflowView | None:
        """Tell everything that is known of a workflow; None when nothing is.

        Args:
            workflow_id: its id, `WorkflowRun.id`.
            queue: its queue; the pool's default.
        """
        return await self._run(workflow_id, queue).view()

    async def workflows(
        self,
        queue: str | None = None,
        *,
        state: WorkflowState | str | Iterable[WorkflowState | str] | None = None,
        limit: int = _PAGE,
        offset: int = 0,
    ) -> list[WorkflowView]:
        """Tell of the workflows of a queue, the newest first; those that ended as long as they are kept.

        Args:
            queue: the queue; the pool's default.
            state: only those in this state, or in one of these; None is any.
            limit: how many at most.
            offset: how many of the newest to pass over, of those that are in such a state.

        Raises:
            ConfigurationError: there is no such state.
        """
        if state is None:
            found = await self._engine(queue).flows(limit, offset)
        else:
            wanted = self._in_states(queue, _states(state))
            found = [one async for place, one in _numbered(wanted, offset + limit) if place >= offset]
        views = [await self.workflow(workflow_id, queue) for workflow_id in found]
        return [view for view in views if view is not None]

    async def cancel_workflow(self, workflow_id: str, queue: str | None = None) -> bool:
        """Cancel a workflow; see `WorkflowRun.cancel`."""
        return await self._run(workflow_id, queue).cancel()

    async def retry_workflow(self, workflow_id: str, queue: str | None = None) -> int:
        """Let the steps of a workflow run again that did not end well; see `WorkflowRun.retry`."""
        return await self._run(workflow_id, queue).retry()

    async def delete_workflow(self, workflow_id: str, queue: str | None = None) -> bool:
        """Forget a workflow that has ended. Its jobs stay as long as their results are kept.

        Returns whether it was known; one that goes on is left alone.
        """
        return await self._engine(queue).drop_flow(workflow_id) == 1

    async def _in_states(self, queue: str | None, states: frozenset[WorkflowState]) -> AsyncIterator[str]:
        """Name the workflows in these states, the newest first."""
        place = 0
        while page := await self._engine(queue).flows(_PAGE, place):
            place += len(page)
            looks = await asyncio.gather(*[self._run(workflow_id, queue).status() for workflow_id in page])
            for workflow_id, state in zip(page, looks, strict=True):
                if state in states:
                    yield workflow_id

    def _run(self, workflow_id: str, queue: str | None) -> WorkflowRun:
        return WorkflowRun(workflow_id, self.pool, queue)


async def _numbered(names: AsyncIterator[str], most: int) -> AsyncIterator[tuple[int, str]]:
    """Number names from 0, and ask for no more than so many."""
    place = 0
    while place < most:
        try:
            name = await anext(names)
        except StopAsyncIteration:
            return
        yield place, name
        place += 1


def _states(given: Any) -> frozenset[WorkflowState]:
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, Iterable):
        raise ConfigurationError(f"state takes a state of workflows, or several, got {given!r}")
    known = [state.value for state in WorkflowState]
    states = set()
    for name in names:
        if name not in known:
            raise ConfigurationError(f"{name!r} is no state of a workflow; {closest(str(name), known)}")
        states.add(WorkflowState(name))
    return frozenset(states)
