"""Every SQL statement of the ledger, as a named function. None of them commits.

A row is moved only by whoever may: statements of a run carry its attempt and worker, statements of
the recorder carry the attempt, and both name the states they move from. A worker that lost its lease,
or an event that comes late, moves nothing. SUCCESS and CANCELLED are never left,
except by a new job that was enqueued under the id of one that has ended.
"""

from .accepting import cancel_queued, fail_unpushed, insert_queued
from .audit import audit, audit_page
from .events import Writing, writing_to
from .finals import FinalRow, finals
from .looking import MAX_PAGE, count_open, find, page
from .moves import table_of
from .pruning import (
    ENDED,
    Gone,
    count_ended,
    count_older,
    count_rows,
    delete_ended,
    delete_older,
    end_of_newest,
)
from .queueing import queue_rows, queue_unless_open
from .runs import adopt, cancel, fail, give_back, mark_started, open_row, reopen, succeed
from .waiting import cancel_unpushed, close_duplicate, find_unpushed, mark_pushed, retract, unpushed

__all__ = (
    "ENDED",
    "MAX_PAGE",
    "FinalRow",
    "Gone",
    "Writing",
    "adopt",
    "audit",
    "audit_page",
    "cancel",
    "cancel_queued",
    "cancel_unpushed",
    "close_duplicate",
    "count_ended",
    "count_older",
    "count_open",
    "count_rows",
    "delete_ended",
    "delete_older",
    "end_of_newest",
    "fail",
    "fail_unpushed",
    "finals",
    "find",
    "find_unpushed",
    "give_back",
    "insert_queued",
    "mark_pushed",
    "mark_started",
    "open_row",
    "page",
    "queue_rows",
    "queue_unless_open",
    "reopen",
    "retract",
    "succeed",
    "table_of",
    "unpushed",
    "writing_to",
)
