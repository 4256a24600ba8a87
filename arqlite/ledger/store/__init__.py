"""Every SQL statement of the ledger, as a named function. None of them commits.

A row is moved only by whoever may: statements of a run carry its attempt and worker, statements of
the recorder carry the attempt, and both name the states they move from. A worker that lost its lease,
or an event that comes late, moves nothing. SUCCESS and CANCELLED are never left,
except by a new job that was enqueued under the id of one that has ended.
"""

from .accepting import cancel_queued, fail_unpushed, insert_accepted, insert_queued
from .attempts import begin_attempt, end_attempt
from .audit import audit, audit_page
from .byhand import HandledJob, follow_hands
from .charts import ended_runs, oldest_waiting, open_by_state, runs_in_state, spread_runs
from .events import Writing, writing_to
from .finals import FinalRow, finals
from .keys import take_key
from .listing import Found, count_listed, count_states, estimate_listed, list_rows
from .looking import MAX_PAGE, count_open, find, page
from .moves import table_of
from .pruning import (
    ENDED,
    EndedJob,
    count_ended,
    count_older,
    count_rows,
    delete_ended,
    delete_older,
    end_of_newest,
    find_ended,
)
from .queueing import queue_rows, queue_unless_open
from .runs import (
    Asked,
    adopt,
    has_output,
    mark_started,
    note_failure,
    note_output,
    open_row,
    reopen,
    settle,
    succeed,
)
from .summaries import failures, ids_with_rows, values_of
from .waiting import (
    cancel_unpushed,
    close_duplicate,
    find_unpushed,
    mark_pushed,
    retract,
    unpushed,
    withdrawn,
)

__all__ = (
    "ENDED",
    "MAX_PAGE",
    "Asked",
    "EndedJob",
    "FinalRow",
    "Found",
    "HandledJob",
    "Writing",
    "adopt",
    "audit",
    "audit_page",
    "begin_attempt",
    "cancel_queued",
    "cancel_unpushed",
    "close_duplicate",
    "count_ended",
    "count_listed",
    "count_older",
    "count_open",
    "count_rows",
    "count_states",
    "delete_ended",
    "delete_older",
    "end_attempt",
    "end_of_newest",
    "ended_runs",
    "estimate_listed",
    "fail_unpushed",
    "failures",
    "finals",
    "find",
    "find_ended",
    "find_unpushed",
    "follow_hands",
    "has_output",
    "ids_with_rows",
    "insert_accepted",
    "insert_queued",
    "list_rows",
    "mark_pushed",
    "mark_started",
    "note_failure",
    "note_output",
    "oldest_waiting",
    "open_by_state",
    "open_row",
    "page",
    "queue_rows",
    "queue_unless_open",
    "reopen",
    "retract",
    "runs_in_state",
    "settle",
    "spread_runs",
    "succeed",
    "table_of",
    "take_key",
    "unpushed",
    "values_of",
    "withdrawn",
    "writing_to",
)
