"""What happens inside arqlite, as events that anyone may follow."""

from .core import Event, attach, detach, execute, has_handlers
from .events import (
    JobEnqueued,
    JobStarted,
    JobStopped,
    LeaderChanged,
    LoopBlocked,
    WorkerStarted,
    WorkerStopped,
)

__all__ = (
    "Event",
    "JobEnqueued",
    "JobStarted",
    "JobStopped",
    "LeaderChanged",
    "LoopBlocked",
    "WorkerStarted",
    "WorkerStopped",
    "attach",
    "detach",
    "execute",
    "has_handlers",
)
