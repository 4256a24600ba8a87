"""What becomes of a row that is there when another is written: `j` is the row, and `excluded` the other."""

from __future__ import annotations

from ..rows import BY_QUEUE

# The row is of the same job as the event; as `adoption.decide` has it, ids may be used again.
_SAME_JOB = (
    "coalesce(excluded.enqueued_at = j.enqueued_at,"
    " NOT excluded.enqueued_at > coalesce(j.finished_at, j.started_at), true)"
)
_IS_OPEN = "j.status IN ('QUEUED', 'RUNNING')"
# A job that ended begins again if somebody retried it by hand. After a crash it may be a success whose
# worker died before it told the queue, which must stay one. One that was cancelled before it ran has no
# number to go by.
_MAY_GO_ON = (
    "(j.status NOT IN ('SUCCESS', 'CANCELLED') OR (excluded.crashes <= j.crashes"
    " AND (j.attempt > 0 OR coalesce(excluded.started_at, excluded.updated_at) >= j.finished_at)))"
)
_BEGINS = (
    # A run that was given back is not counted: the next has its number. Its own start may come late.
    f"(j.attempt < excluded.attempt AND {_MAY_GO_ON})"
    " OR (j.attempt = excluded.attempt AND j.status = 'QUEUED'"
    " AND NOT coalesce(j.worker = excluded.worker AND j.started_at >= excluded.started_at, false))"
    # The runner of this very run opened the row, and does not know what the queue stores.
    " OR (j.attempt = excluded.attempt AND j.worker = excluded.worker AND j.status = 'RUNNING'"
    " AND j.record IS NULL AND excluded.record IS NOT NULL)"
)
_WAITS_AGAIN = (
    # FAILED is left, too: the runner writes it when the job raises, and only the queue knows that the
    # job will be tried again.
    f"(j.attempt < excluded.attempt AND {_MAY_GO_ON}) OR (j.attempt = excluded.attempt AND"
    " ((j.status IN ('RUNNING', 'FAILED') AND j.worker = excluded.worker"
    # What its runner has adopted and not started yet runs since then: the end of a run before it comes late.
    " AND coalesce(coalesce(j.started_at, CASE WHEN j.status = 'RUNNING' THEN j.updated_at END)"
    " <= excluded.updated_at, true))"
    " OR (j.status = 'QUEUED' AND j.updated_at < excluded.updated_at)))"
)
_ENDS = (
    # 0 is an end without a run, after any number of them.
    f"(j.attempt < excluded.attempt AND {_MAY_GO_ON}) OR (j.attempt = excluded.attempt AND {_IS_OPEN})"
    f" OR (excluded.attempt = 0 AND {_IS_OPEN} AND coalesce(j.enqueued_at <= excluded.updated_at, true))"
)
_IS_UNREADABLE = "excluded.function = ''"
# What a runner has done of a job that goes on is not done again, whoever runs the job next; and it stays the
# job's output, whatever the function makes of it.
_OUTPUT = (
    f"CASE WHEN {_IS_OPEN} AND excluded.status NOT IN ('FAILED', 'CANCELLED')"
    " THEN coalesce(j.output_payload, excluded.output_payload) ELSE excluded.output_payload END"
)


def _told(name: str) -> str:
    return f"{name} = coalesce(excluded.{name}, j.{name})"


def _known(name: str) -> str:
    return f"{name} = coalesce(j.{name}, excluded.{name})"


ON_EVENT = f"""ON CONFLICT (id, queue) DO UPDATE SET
 status = excluded.status, state = excluded.state, cause = excluded.cause, updated_at = excluded.updated_at,
 finished_at = excluded.finished_at, output_payload = {_OUTPUT},
 {", ".join(map(_told, ("args", "kwargs", "tags", "meta", "max_attempts", "worker", "scheduled_at")))},
 {", ".join(map(_known, ("parent", "enqueued_at", "pushed_at")))},
 record = CASE WHEN {_IS_UNREADABLE} THEN j.record ELSE coalesce(excluded.record, j.record) END,
 priority = CASE WHEN {_IS_UNREADABLE} THEN j.priority ELSE excluded.priority END,
 triggered_by = CASE WHEN j.triggered_by = '{BY_QUEUE}' THEN excluded.triggered_by ELSE j.triggered_by END,
 attempt = CASE WHEN excluded.attempt = 0 THEN j.attempt ELSE excluded.attempt END,
 crashes = CASE WHEN excluded.crashes > j.crashes THEN excluded.crashes ELSE j.crashes END,
 error_payload = CASE WHEN excluded.status = 'QUEUED' AND j.attempt = excluded.attempt
  THEN coalesce(excluded.error_payload, j.error_payload) ELSE excluded.error_payload END,
 queued_at = CASE WHEN excluded.status = 'QUEUED' THEN excluded.queued_at ELSE j.queued_at END,
 started_at = CASE WHEN j.attempt = excluded.attempt AND j.worker = excluded.worker
  AND j.started_at > excluded.started_at THEN j.started_at ELSE coalesce(excluded.started_at, j.started_at)
  END,
 lock = CASE WHEN excluded.status IN ('QUEUED', 'RUNNING') THEN j.lock END,
 memory = CASE excluded.status WHEN 'QUEUED' THEN excluded.memory WHEN 'RUNNING' THEN j.memory END
WHERE {_SAME_JOB} AND CASE excluded.status
 WHEN 'RUNNING' THEN {_BEGINS} WHEN 'QUEUED' THEN {_WAITS_AGAIN} ELSE {_ENDS} END"""

# The start of a job may overtake the word that it was accepted, which then adds what only the client knows.
# So may the word that it was cancelled, which does not even know its function.
ON_ACCEPTED = f"""ON CONFLICT (id, queue) DO UPDATE SET
 job_type = CASE WHEN j.job_type = j.function THEN excluded.job_type ELSE j.job_type END,
 function = CASE WHEN j.function = '' THEN excluded.function ELSE j.function END,
 triggered_by = CASE WHEN j.triggered_by = '{BY_QUEUE}' THEN excluded.triggered_by ELSE j.triggered_by END,
 lock = CASE WHEN {_IS_OPEN} THEN coalesce(j.lock, excluded.lock) END,
 %s
WHERE {_SAME_JOB}"""
ADDED = (
    "args", "kwargs", "tags", "meta", "user_id", "parent", "max_attempts", "enqueued_at", "scheduled_at",
    "pushed_at", "record",
)  # fmt: skip

# What was told of an attempt stays; that it was lost is concluded from a later one, and told ends know
# better. A number is used again after a run that was not counted.
ON_ATTEMPT = """ON CONFLICT (job_id, queue, attempt) DO UPDATE SET
 worker = excluded.worker, state = excluded.state, cause = excluded.cause, started_at = excluded.started_at,
 finished_at = excluded.finished_at, error = excluded.error
WHERE j.started_at < excluded.started_at
 OR (j.worker = excluded.worker AND j.state IN ('executing', 'lost') AND excluded.state <> 'executing'
  AND j.started_at = excluded.started_at)"""

ON_MINUTE = """ON CONFLICT (minute, queue, function, state) DO UPDATE SET
 count = j.count + excluded.count,
 run_ms = j.run_ms + excluded.run_ms, wait_ms = j.wait_ms + excluded.wait_ms,
 longest_run_ms = CASE WHEN j.longest_run_ms < excluded.longest_run_ms THEN excluded.longest_run_ms
  ELSE j.longest_run_ms END,
 longest_wait_ms = CASE WHEN j.longest_wait_ms < excluded.longest_wait_ms THEN excluded.longest_wait_ms
  ELSE j.longest_wait_ms END"""

_ADDED_UP = {
    "postgresql": """(SELECT CAST(json_object_agg(s.key, s.total) AS TEXT) FROM (
  SELECT b.key, sum(CAST(b.value AS BIGINT)) AS total FROM (
   SELECT key, value FROM json_each_text(CAST(j.{0} AS JSON))
   UNION ALL SELECT key, value FROM json_each_text(CAST(excluded.{0} AS JSON))
  ) AS b GROUP BY b.key) AS s)""",
    "sqlite": """(SELECT json_group_object(s.key, s.total) FROM (
  SELECT b.key, sum(b.value) AS total FROM (
   SELECT key, value FROM json_each(j.{0}) UNION ALL SELECT key, value FROM json_each(excluded.{0})
  ) AS b GROUP BY b.key) AS s)""",
}


def on_spread(dialect_name: str) -> str:
    """The counts of both rows are added up, bucket by bucket."""
    added_up = _ADDED_UP[dialect_name]
    sums = ", ".join(f"{name} = {added_up.format(name)}" for name in ("run_ms", "wait_ms"))
    return f"ON CONFLICT (start, span, queue, function) DO UPDATE SET {sums}"
