"""All that is shown and done to queues, wherever they are: for the command line and the dashboard."""

from ..model.query import Query
from .bulk import BULK_LIMIT
from .console import Console
from .places import Place
from .redaction import REDACTED_KEYS
from .views import (
    Attempt,
    AuditLine,
    AuditPage,
    CronLine,
    Done,
    ErrorGroup,
    ErrorGroups,
    Figures,
    FunctionFigures,
    JobDetail,
    JobLine,
    JobPage,
    LedgerInfo,
    Overview,
    Point,
    QueueState,
    ServerInfo,
    SystemInfo,
    Tally,
    TimelineEntry,
    Trouble,
    WorkerInfo,
)

__all__ = (
    "BULK_LIMIT",
    "REDACTED_KEYS",
    "Attempt",
    "AuditLine",
    "AuditPage",
    "Console",
    "CronLine",
    "Done",
    "ErrorGroup",
    "ErrorGroups",
    "Figures",
    "FunctionFigures",
    "JobDetail",
    "JobLine",
    "JobPage",
    "LedgerInfo",
    "Overview",
    "Place",
    "Point",
    "Query",
    "QueueState",
    "ServerInfo",
    "SystemInfo",
    "Tally",
    "TimelineEntry",
    "Trouble",
    "WorkerInfo",
)
