"""See workflows, and cancel, retry or forget them as a whole."""

from __future__ import annotations

from ..model.flowviews import WorkflowView
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
        self, queue: str | None = None, *, limit: int = _PAGE, offset: int = 0
    ) -> list[WorkflowView]:
        """Tell of the workflows of a queue, the newest first; those that ended as long as they are kept.

        Args:
            queue: the queue; the pool's default.
            limit: how many at most.
            offset: how many of the newest to pass over.
        """
        found = await self._engine(queue).flows(limit, offset)
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

    def _run(self, workflow_id: str, queue: str | None) -> WorkflowRun:
        return WorkflowRun(workflow_id, self.pool, queue)
