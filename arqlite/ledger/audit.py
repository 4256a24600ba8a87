"""What was done by hand, as entries of the audit. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

from ..telemetry import JobsManaged, QueuePaused, QueueResumed, QueueScaled, QueueStopped
from .rows import utc_now

Audited: TypeAlias = JobsManaged | QueuePaused | QueueResumed | QueueScaled | QueueStopped

AUDITED = (JobsManaged, QueuePaused, QueueResumed, QueueScaled, QueueStopped)
"""The events that become entries."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Something that was done; the attributes are those of `AuditRow`."""

    action: str
    queue: str = ""
    actor: str = ""
    job_id: str | None = None
    detail: Mapping[str, Any] | None = None
    at: datetime = field(default_factory=utc_now)


def entries_of(event: Audited, at: datetime) -> list[AuditEntry]:
    """The entries for an event that was told at a moment: one for each job, or one for the queue."""
    if isinstance(event, JobsManaged):
        action = f"job.{event.action}"
        return [AuditEntry(action, event.queue, event.by, job_id=job_id, at=at) for job_id in event.job_ids]
    detail: dict[str, Any] = {"node": event.node} if event.node else {}
    if isinstance(event, QueueScaled):
        detail["limits"] = dict(event.limits)
    return [AuditEntry(event.name, event.queue, event.by, detail=detail or None, at=at)]
