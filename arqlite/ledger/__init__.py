"""The SQL ledger: a row for every job, kept by the job's own runner or by the worker's recorder.

Needs the extra `ledger`: `pip install "arqlite[ledger]"`.
"""

try:
    import sqlalchemy.ext.asyncio  # noqa: F401 (asked for once, here, so that every module below may rely on it)
except ImportError as error:
    from ..errors import MissingExtra

    raise MissingExtra("The SQL ledger", "ledger") from error

from ..model.states import Cause, LedgerStatus
from . import store
from .answers import Count, Ended, JobHistory, LedgerHealth, LedgerStats, Page, Percentiles
from .audit import AuditEntry
from .auditor import Auditor
from .autogenerate import include_object, render_item
from .filters import LedgerConditions, LedgerFilter
from .idempotency import KEY_LENGTH, Claim, claim, fingerprint
from .jobs import BaseJob
from .ledger import Ledger
from .outage import DATABASE_AWAY, is_away
from .pruner import LedgerPruner
from .recorder import Recorder
from .retention import Retention
from .rows import OPEN_STATUSES, JobRowMixin, UtcDateTime, utc_now
from .runner import JobRunner
from .schema import create_missing_tables
from .sqlite import configure_sqlite
from .tables import TABLE_PREFIX, AttemptRow, AuditRow, JobRow, LedgerBase

__all__ = (
    "DATABASE_AWAY",
    "KEY_LENGTH",
    "OPEN_STATUSES",
    "TABLE_PREFIX",
    "AttemptRow",
    "AuditEntry",
    "AuditRow",
    "Auditor",
    "BaseJob",
    "Cause",
    "Claim",
    "Count",
    "Ended",
    "JobHistory",
    "JobRow",
    "JobRowMixin",
    "JobRunner",
    "Ledger",
    "LedgerBase",
    "LedgerConditions",
    "LedgerFilter",
    "LedgerHealth",
    "LedgerPruner",
    "LedgerStats",
    "LedgerStatus",
    "Page",
    "Percentiles",
    "Recorder",
    "Retention",
    "UtcDateTime",
    "claim",
    "configure_sqlite",
    "create_missing_tables",
    "fingerprint",
    "include_object",
    "is_away",
    "render_item",
    "store",
    "utc_now",
)
