"""All that is shown and done to queues, wherever they are: for the command line and the dashboard."""

from ..model.query import Query
from .console import BULK_LIMIT, Console
from .places import Place
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

REDACTED_KEYS = ("password", "passwd", "token", "authorization", "secret", "api_key", "apikey", "cookie")
"""What a console does not show the values of: keys with one of these in them."""

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
