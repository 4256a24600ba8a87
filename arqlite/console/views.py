"""What a console shows: plain values, the same for the command line, the dashboard and its JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from ..model.limits import GlobalLimit, RateLimit
from ..model.states import Cause, JobState, LedgerStatus

Precision = Literal["exact", "at least", "about"]
Severity = Literal["error", "warning", "info"]
Source = Literal["redis", "ledger"]


@dataclass(frozen=True, slots=True)
class Tally:
    """How many there are.

    Attributes:
        value: the number.
        precision: `exact`; `at least`, where counting stopped; `about`, where a database guessed.
    """

    value: int
    precision: Precision = "exact"


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that an operator should know, with what to do about it.

    Attributes:
        severity: how bad it is.
        code: what it is, for programs: `no-worker`, `queue-paused`, `redis-away`, `ledger-lag`, ...
        text: what it is, in a sentence.
        fix: what to do, in a sentence; empty where nothing is to be done.
        queue: the key of the queue it is about; empty for none.
    """

    severity: Severity
    code: str
    text: str
    fix: str = ""
    queue: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerInfo:
    """A worker of a queue, for as long as it holds its lease.

    Attributes:
        queue: the key of its queue.
        session: its name, `host:pid:...`.
        node: where it runs, as operators call it.
        pid: its process; 0 if unknown.
        version: of arqlite; empty if it does not tell.
        limit: how many jobs it runs at once.
        running: the ids of the jobs it has.
        started_at: when it started; None if unknown.
        is_paused: whether it claims nothing.
        leads: whether it is the leader of its queue.
        memory: bytes that its process has in memory; None if it does not tell.
        loop_lag: by how much its event loop is late; None if it does not tell.
        functions: what it can run, at most 100; empty if it does not tell.
        function_count: how many it can run; 0 if it does not tell.
        not_aborted: those whose running jobs run on when they are cancelled, for it has
            `allow_abort_jobs=False`, at most 100; empty if it does not tell, too.
    """

    queue: str
    session: str
    node: str
    pid: int
    version: str = ""
    limit: int = 0
    running: Sequence[str] = ()
    started_at: datetime | None = None
    is_paused: bool = False
    leads: bool = False
    memory: int | None = None
    loop_lag: timedelta | None = None
    functions: Sequence[str] = ()
    function_count: int = 0
    not_aborted: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class WorkerList:
    """The workers of several queues.

    Attributes:
        workers: those that hold a lease, by node and session.
        troubles: which queues could not be asked: of their workers nothing is known.
    """

    workers: Sequence[WorkerInfo]
    troubles: Sequence[Trouble] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueState:
    """A queue as it is now.

    Attributes:
        key: what the console knows it by, in URLs and commands: its name, with its database or server where
            the name alone does not tell it apart.
        name: what workers and the ledger call it.
        server: where it is, without a password: `localhost:6379/1`.
        error: why its Redis could not be asked; empty if it could. All numbers are zero then.
        is_paused: whether it is paused on all nodes that were not resumed since.
        available, scheduled, retryable, suspended, executing: how many jobs are in each state that has not
            ended.
        oldest: how long the eldest available job has waited; None without one.
        limit: how many jobs each worker runs at once, if an operator has said so.
        slots: how many jobs can run at once: of all workers that are not paused, within the limit of the
            whole queue; 0 without such a worker.
        global_limit, rate_limit: what holds for all workers together.
        rate_used: how many starts count against the rate now.
        node_limits, node_pauses: what was settled for single nodes.
        workers: those that hold a lease.
        ended: runs that ended in each of the last 60 minutes, the newest last; empty without a ledger.
        has_ledger: whether its jobs have rows.
        ledger_error: why its ledger could not be asked; empty if it could, or was not. `ended` is empty then.
        retryable_is_exact: whether `retryable` was counted; where many had trouble it is an estimate, and
            `scheduled` is what is left of those that wait for their time.
    """

    key: str
    name: str
    server: str
    error: str = ""
    is_paused: bool = False
    available: int = 0
    scheduled: int = 0
    retryable: int = 0
    suspended: int = 0
    executing: int = 0
    oldest: timedelta | None = None
    limit: int | None = None
    slots: int = 0
    global_limit: GlobalLimit | None = None
    rate_limit: RateLimit | None = None
    rate_used: int | None = None
    node_limits: Mapping[str, int] = field(default_factory=dict)
    node_pauses: Mapping[str, bool] = field(default_factory=dict)
    workers: Sequence[WorkerInfo] = ()
    ended: Sequence[int] = ()
    has_ledger: bool = False
    ledger_error: str = ""
    retryable_is_exact: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What ended within one step of a chart.

    Attributes:
        at: when the step began.
        completed, failed, cancelled, retried: how many runs ended so; `failed` are the final failures, and
            `retried` those whose job runs again, snoozes included.
    """

    at: datetime
    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    retried: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLine:
    """A job as a list shows it.

    Attributes:
        queue: the key of its queue.
        id, function, state, priority, tags: as everywhere.
        status, cause: as the ledger has them; `status` follows from the state without one.
        arguments: what it is called with, on one short line, redacted.
        attempt, max_attempts: which attempt it is at, and how many it may have, if that is known.
        enqueued_at, due_at, started_at, finished_at: when, as far as that is known or has happened.
        worker: who runs it, or ran it last; empty for nobody.
        triggered_by, parent: who asked for it, and the id of the job that enqueued it; empty for nobody.
        error: the last error on one line; empty for none.
        source: where this was read.
    """

    queue: str
    id: str
    function: str
    state: JobState
    status: LedgerStatus
    cause: Cause | None = None
    arguments: str = ""
    priority: int = 0
    tags: Sequence[str] = ()
    attempt: int = 0
    max_attempts: int | None = None
    enqueued_at: datetime | None = None
    due_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    worker: str = ""
    triggered_by: str = ""
    parent: str = ""
    error: str = ""
    source: Source = "redis"

    @property
    def wait(self) -> timedelta | None:
        """How long it waited from when it was due to its last start; None before."""
        since = self.due_at or self.enqueued_at
        if since is None or self.started_at is None:
            return None
        return max(self.started_at - since, timedelta())

    @property
    def duration(self) -> timedelta | None:
        """How long its last run took; None unless it began and ended."""
        if self.started_at is None or self.finished_at is None:
            return None
        return self.finished_at - self.started_at


@dataclass(frozen=True, slots=True)
class JobPage:
    """A part of a list of jobs.

    Attributes:
        jobs: the lines; they may be few although more are to come, for a page looks only at so many jobs.
        next: the cursor to go on with; None on the last page.
        troubles: what could not be asked, and which words of the query mean nothing here.
    """

    jobs: Sequence[JobLine]
    next: str | None
    troubles: Sequence[Trouble] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One start of a job.

    Attributes:
        number: which, from 1.
        state: what became of the job by it: `completed`, `retryable`, `lost`, ...; `executing` while it runs.
        cause: why it did not end well.
        worker: who ran it; empty if that is not known.
        started_at, finished_at: when.
        error_type, message, traceback: what it failed with; empty for nothing.
    """

    number: int
    state: str
    cause: Cause | None = None
    worker: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    error_type: str = ""
    message: str = ""
    traceback: str = ""


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """A step of a job's life: `enqueued`, `due`, `started`, `retryable`, `snoozed`, `completed`, ..."""

    at: datetime
    what: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDetail:
    """Everything that is known of a job, live and from its row.

    Attributes:
        line: as a list has it.
        args, kwargs, meta, result: as JSON has them, redacted.
        result_is_error: whether `result` is a text about the exception that ended it.
        attempts: all that are known, the first one first.
        timeline: what happened, in order.
        progress: the last thing it told of how far it is, as JSON; None for nothing.
        logs: lines it wrote about itself, the oldest first.
        children: ids of jobs that it enqueued, at most 100.
        workflow: the workflow it belongs to, and its step; empty for none.
        unique_key: what keeps equal jobs out while it is open; empty for none.
        actions: what may be done to it now: `retry`, `cancel`, `delete`, `run`.
        sources: where it was found.
        is_redacted: whether something is not shown.
    """

    line: JobLine
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    meta: Mapping[str, Any] = field(default_factory=dict)
    result: Any = None
    result_is_error: bool = False
    attempts: Sequence[Attempt] = ()
    timeline: Sequence[TimelineEntry] = ()
    progress: Any = None
    logs: Sequence[str] = ()
    children: Sequence[str] = ()
    workflow: tuple[str, str] = ("", "")
    unique_key: str = ""
    actions: frozenset[str] = frozenset()
    sources: frozenset[Source] = frozenset()
    is_redacted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorGroup:
    """Failures that are the same one.

    Attributes:
        fingerprint: what they have in common: of queue, function, exception and the deepest line of the
            user's own code. A short text that may stand in a URL.
        queue, function, error_type, message: what happened.
        place: where: `module:line in name`.
        count: how many of the rows that were looked at.
        first_at, last_at: when the first and the last of them ended.
        recent: how many in each of 24 equal parts of the time asked for, the newest last.
        sample: the id of the newest.
        is_open: whether some of these jobs are tried again.
        ids: those of the newest, at most 500. The words `group:FINGERPRINT failed:FIRST_AT` mean all of them.
    """

    fingerprint: str
    queue: str
    function: str
    error_type: str
    message: str
    place: str
    count: int
    first_at: datetime
    last_at: datetime
    recent: Sequence[int]
    sample: str
    is_open: bool = False
    ids: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class ErrorGroups:
    """Failures by what they have in common, the most frequent first.

    Attributes:
        groups: them.
        looked_at: how many rows were looked at.
        are_all: whether these were all of the time asked for; not where something could not be asked.
        troubles: what could not be asked.
    """

    groups: Sequence[ErrorGroup]
    looked_at: int
    are_all: bool
    troubles: Sequence[Trouble] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CronLine:
    """A cron job.

    Attributes:
        queue: the key of its queue.
        name, schedule, timezone, function: as `CronView` has them.
        words: the schedule in words: "every 15 minutes", "weekdays at 09:00".
        last_at, next_at: the last and the next time; None for none.
        is_paused: whether it is.
        recent: its last jobs, the newest first, at most 20; empty without a ledger.
    """

    queue: str
    name: str
    schedule: str
    words: str
    timezone: str
    function: str
    last_at: datetime | None = None
    next_at: datetime | None = None
    is_paused: bool = False
    recent: Sequence[JobLine] = ()


@dataclass(frozen=True, slots=True)
class CronList:
    """The cron jobs of several queues.

    Attributes:
        crons: them, by queue and name.
        troubles: what could not be asked: a Redis, of whose cron jobs nothing is known, or a ledger, which
            tells of their last jobs.
    """

    crons: Sequence[CronLine]
    troubles: Sequence[Trouble] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionFigures:
    """How the runs of a function went within a time.

    Attributes:
        queue, function: which; empty for all together.
        points: what ended in each step.
        total, failed: how many runs ended, and how many of them failed for good.
        run_ms, wait_ms: p50, p95 and p99 of how long they ran, and had waited; None where nobody counted.
    """

    queue: str = ""
    function: str = ""
    points: Sequence[Point] = ()
    total: int = 0
    failed: int = 0
    run_ms: tuple[float, float, float] | None = None
    wait_ms: tuple[float, float, float] | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """How it went within a time.

    Attributes:
        since, until: which.
        overall: all together.
        functions: each function by itself, the busiest first.
        troubles: which ledgers could not be asked: what ended there is in no number.
    """

    since: datetime
    until: datetime
    overall: FunctionFigures
    functions: Sequence[FunctionFigures]
    troubles: Sequence[Trouble] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """The first look.

    Attributes:
        ready, running: how many jobs could start now, and how many run.
        failed: how many runs failed for good in the last 24 hours; None without a ledger.
        oldest: how long the eldest available job has waited; None without one.
        points: what ended in each of the last 60 minutes.
        queues: all of them.
        errors: the last groups of failures, at most five.
        troubles: what an operator should know, the worst first.
        now_is_exact: whether all queues could be asked; if not, `ready`, `running` and `oldest` are of the
            others, and so lower bounds.
        past_is_exact: whether all ledgers could be asked; if not, `failed` and `points` are lower bounds.
    """

    ready: int
    running: int
    failed: int | None
    oldest: timedelta | None
    points: Sequence[Point]
    queues: Sequence[QueueState]
    errors: Sequence[ErrorGroup]
    troubles: Sequence[Trouble]
    now_is_exact: bool = True
    past_is_exact: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerInfo:
    """A Redis or Valkey.

    Attributes:
        server: where, without a password.
        error: why it could not be asked; empty if it could.
        product, version, role: `redis` or `valkey`, its version, `master` or `replica`.
        memory, most_memory: bytes it uses, and may use; 0 is no limit.
        policy: what it does when they are used up: `noeviction` and others.
        persistence: `none`, `rdb`, `aof` or `aof+rdb`; empty if it does not tell.
        latency_ms: how long it took to answer.
        clients: how many connections it has.
    """

    server: str
    error: str = ""
    product: str = ""
    version: str = ""
    role: str = ""
    memory: int = 0
    most_memory: int = 0
    policy: str = ""
    persistence: str = ""
    latency_ms: float = 0.0
    clients: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerInfo:
    """A ledger.

    Attributes:
        url: where, without a password.
        error: why it could not be asked; empty if it could.
        dialect, mode, revision: what it is.
        rows: how many rows of jobs it has.
        lag: how far the rows are behind, the worst of its queues.
        latency_ms: how long it took to answer.
    """

    url: str
    error: str = ""
    dialect: str = ""
    mode: str = ""
    revision: str = ""
    rows: Tally = Tally(0)
    lag: timedelta = timedelta()
    latency_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class SystemInfo:
    """What everything stands on, and what the doctor says of it."""

    servers: Sequence[ServerInfo]
    ledgers: Sequence[LedgerInfo]
    leaders: Mapping[str, str]
    troubles: Sequence[Trouble]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLine:
    """Something that was done by hand.

    Attributes:
        at, queue, action, actor, job_id: when, where, what, by whom, to which job.
        detail: what else there is to know, as JSON.
    """

    at: datetime
    queue: str
    action: str
    actor: str
    job_id: str = ""
    detail: Any = None


@dataclass(frozen=True, slots=True)
class AuditPage:
    """A part of what was done by hand, the newest first.

    Attributes:
        lines: the entries.
        next: the cursor to go on with; None on the last page.
        troubles: what could not be asked.
    """

    lines: Sequence[AuditLine]
    next: str | None
    troubles: Sequence[Trouble] = ()


@dataclass(frozen=True, slots=True)
class AskedToEnd:
    """A running job whose worker was asked to end it.

    Attributes:
        queue, id: the key of its queue, and its id.
        worker: the session that runs it; empty where it began just now.
        runs_on: whether that worker is known to let it run on, for it has `allow_abort_jobs=False`, and the
            job is no task.
    """

    queue: str
    id: str
    worker: str = ""
    runs_on: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """What became of an action on many jobs.

    Attributes:
        matched: how many jobs were meant.
        done: to how many it was done; others changed meanwhile, or are in no state for it. Of a cancellation
            those that are over by it.
        asked: of a cancellation, those that run, and end when their workers have ended them.
        is_all: whether no more are left that are meant: one call does it to so many at most. False, too,
            where something could not be asked.
        troubles: what could not be asked: a Redis, of whose jobs none was moved since, or, for a retry, a
            ledger, whose rows tell of jobs that Redis has forgotten.
    """

    matched: int
    done: int
    is_all: bool = True
    troubles: Sequence[Trouble] = ()
    asked: Sequence[AskedToEnd] = ()
