"""Look at queues and act on them: for operators, the command line, the dashboard and tests."""

from ..model.filters import JobConditions, JobFilter
from ..model.records import FailedAttempt, JobView
from .finding import QueueDepth
from .inspector import Inspector

__all__ = ("FailedAttempt", "Inspector", "JobConditions", "JobFilter", "JobView", "QueueDepth")
