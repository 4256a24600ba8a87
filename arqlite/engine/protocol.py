"""A queue's storage as verbs. Read this page first.

Each verb is one atomic move. A job has exactly one home at any moment: ready, scheduled, held, the set
of one session, or a finished record; a verb moves it from one to another or leaves it where it is. What is
done to jobs by hand is in `management.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

Place = Literal["ready", "scheduled", "held", "sorted"]
Home = Literal["absent", "finished", "ready", "held", "scheduled", "suspended", "running"]
CancelAnswer = Literal["unknown", "cancelled", "asked", "ended", "elsewhere"]
RewriteAnswer = Literal["done", "changed", "unknown", "waits"]


class Lock(NamedTuple):
    """What keeps a second job like this one out of its queue.

    Attributes:
        digest: the same for all jobs that count as equal.
        period_ms: how old an equal job may be to count, in ms; -1 is any age.
        states: the letters of the states in which it counts, see `model.states`.
        by_due: whether it is as old as the time since it was due, instead of since it was enqueued.
    """

    digest: str
    period_ms: int
    states: str
    by_due: bool = False


class Holder(NamedTuple):
    """The job that has the id or the lock of one that was refused.

    Attributes:
        job_id: its id.
        state: the letter of the state it was in, see `model.states`; empty where its id was in use.
    """

    job_id: str
    state: str = ""


class Refused(set[int]):
    """The positions (from 0) of the jobs that were not stored.

    Attributes:
        holders: of those that a lock kept out, which job has it.
    """

    def __init__(self, positions: Iterable[int] = ()) -> None:
        super().__init__(positions)
        self.holders: dict[int, Holder] = {}

    def read(self, replies: Sequence[Any], start: int) -> None:
        """Add what a script answered of the jobs from position `start` on."""
        for reply in replies:
            place, *holder = reply if isinstance(reply, list) else [reply]
            self.add(start + place - 1)
            if holder:
                self.holders[start + place - 1] = Holder(*map(bytes.decode, holder))

    def holder(self, position: int, job: NewJob) -> Holder | None:
        """Tell which job is there instead of one; None where it was stored."""
        return self.holders.get(position, Holder(job.job_id)) if position in self else None


class NewJob(NamedTuple):
    """A job to be enqueued.

    Attributes:
        job_id: its id; any text without NUL.
        when: `""` for now, `"+5000"` or `"-5000"` for so many ms from the server's now, `"=1700000000000"`
            for a moment in ms since 1970.
        record: a priority byte after `Q`, then the encoded job.
        lock: what keeps others out while it counts; None for a job that is not unique.
    """

    job_id: str
    when: str
    record: bytes
    lock: Lock | None = None


class Planted(NamedTuple):
    """A job that comes from elsewhere with its past, waiting or already over.

    Attributes:
        job_id: its id; any text without NUL.
        when: of a job that waits, as in `NewJob`; of one that is over, a moment in ms since 1970, at or
            after its expiry, that it shares with others: the pruner takes those together.
        memory: what to remember of its runs so far; empty is nothing.
        record: as in `NewJob`; of a job that is over `R`, 13 digits of its expiry in ms since 1970 and a
            body as in `Ended`.
    """

    job_id: str
    when: str
    memory: str
    record: bytes


class Ended(NamedTuple):
    """Jobs that ended and whose results live equally long.

    Attributes:
        job_ids: the jobs.
        bodies: per job an outcome letter, the result and the job itself, as `model.codec` writes them.
    """

    job_ids: list[str]
    bodies: list[bytes]


class Returned(NamedTuple):
    """A job that a worker puts back.

    Attributes:
        job_id: the job.
        place: `ready` at its old moment, `scheduled` after a delay, `held` at its old moment until
            somebody has room for it, or `sorted` into its lane.
        ms: for `ready` and `held` the moment that ranks it, in ms since 1970; for `scheduled` the delay
            in ms.
        memory: what to remember of its runs so far; empty leaves that as it is.
        hold: the name of the hold that keeps it, if it is `held`, or of its lane, if it is `sorted`.
    """

    job_id: str
    place: Place
    ms: int
    memory: str
    hold: str = ""


class Failure(NamedTuple):
    """An attempt of a running job that failed.

    Attributes:
        job_id: the job.
        keep_ms: how long all its errors are kept from now on: 0 not at all, -1 for ever or until it ends.
        record: what to keep of this one, as `model.attempts` writes it.
    """

    job_id: str
    keep_ms: int
    record: bytes


class Room(NamedTuple):
    """What a worker could take out of a hold now. One who knows a hold says so even without room.

    Attributes:
        hold: the hold's name.
        most: how many of its jobs.
        pool: the holds of one pool share what they may give; empty stands for none.
        pool_most: how many jobs they may give together.
    """

    hold: str
    most: int
    pool: str = ""
    pool_most: int = 0


class Fired(NamedTuple):
    """What came of firing a tick.

    Attributes:
        done: whether this call enqueued the job; else the tick was fired before, is still to come, or
            the id is in use.
        now_ms: the server's clock.
        holder: the job that has the lock of this one, so that the tick was fired without enqueuing it.
    """

    done: bool
    now_ms: int
    holder: Holder | None = None


class Ticks(NamedTuple):
    """When schedules were fired last.

    Attributes:
        now_ms: the server's clock.
        last_ms: per schedule its last tick, 0 for none.
    """

    now_ms: int
    last_ms: list[int]


class CronKnown(NamedTuple):
    """A cron job that some worker has.

    Attributes:
        description: what it is, as `model.crons` writes it.
        last_ms: its last tick, 0 for none.
    """

    description: bytes
    last_ms: int


class Crons(NamedTuple):
    """The cron jobs of a queue.

    Attributes:
        now_ms: the server's clock.
        paused: the names of those that are paused, known or not.
        known: those that workers told of.
    """

    now_ms: int
    paused: frozenset[str]
    known: list[CronKnown]


class Note(NamedTuple):
    """What one run of a job tells of itself while its session owns the job.

    Attributes:
        job_id: the job.
        enqueue_ms: when it was enqueued, in ms since 1970: tells it from an older job of the same id.
        progress: how far it is, as `model.notes` writes it; `b""` leaves that as it is, `b"-"` takes it away.
        keep_ms: how long all its notes are kept from now on; 0 not at all, -1 for ever.
        lost: how many lines were dropped before these.
        lines: lines for its log, as `model.notes` writes them, at most `LOG_LIMIT`.
    """

    job_id: str
    enqueue_ms: int
    progress: bytes
    keep_ms: int
    lost: int
    lines: Sequence[bytes]


class Noted(NamedTuple):
    """What is kept of a job's notes.

    Attributes:
        enqueue_ms: when the job was enqueued that noted it; another one may have the id by now.
        progress: how far it is, empty when it did not tell.
        lost: how many lines are not kept.
        lines: the newest lines, oldest first.
    """

    enqueue_ms: int
    progress: bytes
    lost: int
    lines: list[bytes]


class Settled(NamedTuple):
    """What was settled for a queue, as one of its sessions hears it.

    Attributes:
        version: how often something was settled; 0 is never.
        is_paused: 1 if this session may claim nothing.
        limit: how many jobs it runs at once, -1 as its worker was told.
        stop_ms: when the workers that were there then were told to stop, in ms since 1970; 0 never.
        is_limited: 1 if the jobs of all workers together are limited: then none are claimed ahead.
        has_rate: 1 if the starts of jobs are to be told.
        resumes: how often the queue was resumed.
        unsorted: how many of the jobs claimed, the last ones, are only to be given back as `sorted`.
        generation: counts the changes of what lanes are made by.
        fields: that, as `model.limits` writes it.
    """

    version: int = 0
    is_paused: int = 0
    limit: int = -1
    stop_ms: int = 0
    is_limited: int = 0
    has_rate: int = 0
    resumes: int = 0
    unsorted: int = 0
    generation: int = 0
    fields: bytes = b""


NOTHING_SETTLED = Settled()


class Turn(NamedTuple):
    """What a turn brought.

    Attributes:
        now_ms: the server's clock.
        next_due_ms: time until the next scheduled job is due or a limit may let more jobs start, -1 without
            either.
        held: how many jobs the server says this session owns.
        more: whether ready jobs remain.
        job_ids, records, memories: the jobs claimed; `memories` is empty when none of them had trouble.
        lost: jobs whose end or return was refused, since this session no longer owned them.
        moments: when each of them was ready, in ms since 1970; only for those who gave rooms.
        holds: the names of all holds, of other workers' functions as well.
        recalled: jobs that were put back although somebody had asked to cancel them; told again if they are
            put back again, until `cancel` was called for them.
        errors: of jobs claimed that were tried before: id and what its failed attempts left, the newest 20.
        settled: what was settled for the queue.
        swept: jobs that nobody ran and that were cancelled as a job they waited for did not end well, for one
            session to tell; again until it says that it has told, or is over, and then another one. One that
            a rescue cancelled has a NUL before its id.
    """

    now_ms: int
    next_due_ms: int
    held: int
    more: int
    job_ids: list[bytes]
    records: list[bytes | None]
    memories: list[bytes | None]
    lost: list[bytes]
    moments: Sequence[int] = ()
    holds: Sequence[bytes] = ()
    recalled: Sequence[bytes] = ()
    errors: Sequence[tuple[bytes, list[bytes]]] = ()
    settled: Settled = NOTHING_SETTLED
    swept: Sequence[bytes] = ()


@dataclass(frozen=True, slots=True)
class Beat:
    """What a heartbeat heard: is the session alive, when the next other lease ends or -1, what to cancel, how
    often something was settled for the queue.
    """

    alive: bool
    next_deadline_ms: int
    cancel: frozenset[str]
    version: int = 0


class Membership(NamedTuple):
    """What a session tells of itself.

    Attributes:
        node: where it runs, as operators call it.
        about: more of that, as JSON.
        since: how often the queue had been resumed when its worker began paused; None if it did not.
        declares: whether its worker's settings have their say now.
        global_limit, rate_limit: the limits that they declare, as `model.limits` writes them; empty is none.
    """

    node: str
    about: str = "{}"
    since: int | None = None
    declares: bool = False
    global_limit: str = ""
    rate_limit: str = ""


class Joined(NamedTuple):
    """What a session hears when it joins.

    Attributes:
        now_ms: the server's clock.
        settled: what was settled for the queue.
        global_limit, rate_limit: the limits that were declared before, as in `Membership`.
    """

    now_ms: int
    settled: Settled
    global_limit: str
    rate_limit: str


class Change(NamedTuple):
    """One thing to settle for a queue.

    Attributes:
        what: `set` a field, `del` it, `clear` all that begin so, count one `more` in it, or set it to `now`.
        field: its name.
        value: what to set it to.
    """

    what: Literal["set", "del", "clear", "more", "now"]
    field: str
    value: str | int = ""


class SurveyedSession(NamedTuple):
    """A session of a survey: its name, when its lease ends, what it tells of itself, the jobs it runs, and
    what its last beat told of its process, as `model.queues` writes it.
    """

    session: str
    deadline_ms: int
    about: str
    running: list[str]
    vitals: str = ""


class Survey(NamedTuple):
    """All that concerns the workers of a queue.

    Attributes:
        now_ms: the server's clock.
        settled: what was settled, field by field.
        waiting: how many jobs may start.
        scheduled: how many wait for their time.
        rate_used: starts that count against a rate that all jobs share; -1 without one.
        sessions: who works.
    """

    now_ms: int
    settled: Mapping[str, str]
    waiting: int
    scheduled: int
    rate_used: int
    sessions: list[SurveyedSession]


@dataclass(frozen=True, slots=True)
class Rescued:
    """What a rescue did: jobs put back per dead session, and when the next other lease ends (-1 never)."""

    moved: Mapping[str, int]
    next_deadline_ms: int


@dataclass(frozen=True, slots=True)
class Peek:
    """Where a job is, with its record; `ms` is when it is due or was ready, -1 otherwise."""

    home: Home
    record: bytes
    ms: int
    memory: str


@dataclass(frozen=True, slots=True)
class Size:
    """How many jobs have not ended, by home, and how many sessions hold a lease."""

    ready: int
    scheduled: int
    running: int
    sessions: int
    held: int = 0
    suspended: int = 0

    @property
    def jobs(self) -> int:
        """All jobs that have not ended."""
        return self.moving + self.suspended

    @property
    def moving(self) -> int:
        """Those of them that do not wait for others; without one, the others wait in vain."""
        return self.ready + self.held + self.scheduled + self.running


class Engine(Protocol):
    """The verbs of one queue.

    Attributes:
        queue: its name.
    """

    queue: str

    async def enqueue(self, jobs: Sequence[NewJob]) -> Refused:
        """Nowhere -> ready or scheduled. Returns which jobs were refused, since their id is in use or an
        equal job has their lock.
        """

    async def open(self, session: str, lease_ms: int) -> int:
        """Begin a session. Returns the ms until the earliest lease of another ends, -1 without one."""

    async def turn(
        self,
        session: str,
        want: int,
        ended: Mapping[int, Ended],
        returned: Sequence[Returned],
        rooms: Sequence[Room] | None = None,
        failures: Sequence[Failure] = (),
        started: Sequence[str] = (),
        told: Sequence[bytes] | None = None,
    ) -> Turn:
        """End jobs (running -> finished), put jobs back (running -> ready, scheduled or held) and claim
        up to `want` (ready or held -> running), in one step. `ended` maps the ms a result is kept (0 not
        at all, -1 for ever) to its jobs. `failures` are added to the errors of jobs that end or go back.
        `told` are the `swept` jobs of which it has told since its last turn; None if it tells of none.

        Held jobs are claimed only where `rooms` say so, and the eldest first, be they ready or held.
        None is for workers without limits: they need no moments. A hold that no living session vouches
        for, by giving it a room or by having put a job there, is given up after a while (held -> ready).

        Raises:
            SessionLost: the lease ended and the jobs were rescued; nothing was done.
        """

    async def join(self, session: str, about: Membership) -> Joined:
        """Tell of an open session, and declare what the settings of its worker say of the queue.

        Raises:
            ConfigurationError: a limit that they declare cannot be kept with one that was set.
        """

    async def steer(self, changes: Sequence[Change]) -> int:
        """Settle something for the queue, and let its workers know. Returns how often something was.

        Raises:
            ConfigurationError: two limits cannot be kept together.
        """

    async def survey(self) -> Survey | None:
        """Tell all that concerns the workers of the queue; None if nobody has ever used it."""

    async def due_within(self, ms: int) -> int:
        """Count the jobs that wait for their time and are due by then, or were."""

    def beat(self, session: str, lease_ms: int, heard: Sequence[str], vitals: str = "") -> Beat:
        """Keep the lease; blocking, for the heartbeat's own thread. `vitals` tell how its process is."""

    async def rescue(self, session: str) -> Rescued:
        """Running -> ready, for all jobs of sessions whose lease ended; `session` is who asks. Jobs whose
        cancellation they had been asked for -> finished; a turn brings word of those as `swept`.
        """

    async def leave(self, session: str, told: Sequence[bytes] = ()) -> int:
        """End a session; its jobs are rescued at once. Returns how many sessions live on.

        `told` is as in `turn`.
        """

    async def bequeath(self, session: str, soon_ms: int) -> bool:
        """End a session in so many ms: its process is about to be gone. Its jobs are rescued then, and no
        crash is counted. False when it is dead.
        """

    async def cancel(self, job_id: str, body: bytes, keep_ms: int, recalled_by: str = "") -> CancelAnswer:
        """Ready, scheduled or held -> finished; of a running job its worker is asked. A session that does
        it for a job that was `recalled` tells its name: what it was asked is done with that.
        """

    async def rewrite(
        self, job_id: str, expected: bytes, record: bytes, states: str, when: str | None = None
    ) -> RewriteAnswer:
        """Change a job that has not ended: its record, its priority and, unless `when` is None, its due time.

        Nothing is done where its record is another one than `expected`, or its state none of those whose
        letters are in `states`. A job that runs keeps its due time, and goes on with what it was given. One
        that `waits` for results of other jobs, to be written into it, stays as it is.
        """

    async def peek(self, job_id: str) -> Peek:
        """Tell where a job is."""

    async def foresee(self, jobs: Sequence[NewJob]) -> Refused:
        """Tell which jobs `enqueue` would refuse now, for what is there already; nothing is stored."""

    async def forget(self, job_id: str) -> int:
        """Finished -> nowhere. Returns 1 when done, 0 when nothing was kept, -1 when it has not ended."""

    async def fire(
        self,
        schedules: Sequence[str],
        tick_ms: int,
        job_id: str,
        record: bytes,
        lock: Lock | None = None,
        name: str = "",
    ) -> Fired:
        """Nowhere -> ready, once per tick of a cron job's schedules, and without any each time. A tick still
        to come fires nothing, nor does one while the cron job of this name is paused.

        Where an equal job has its lock, the tick counts as fired and nothing is enqueued.
        """

    async def ticks(self, schedules: Sequence[str]) -> Ticks:
        """Tell when schedules were fired last, and the server's time."""

    async def note(self, session: str, stamp: str, notes: Sequence[Note]) -> int:
        """Store what running jobs tell of themselves, and return of how many; a job that this session
        does not own is passed over. A second call with the same stamp stores nothing twice.
        """

    async def noted(self, job_id: str, last: int) -> Noted | None:
        """Tell what a job noted, with its `last` newest lines; None when it noted nothing."""

    async def errors_of(self, job_ids: Sequence[str]) -> list[list[bytes]]:
        """Tell what the failed attempts of each job left, oldest first; empty where there is none."""

    async def plant(self, token: str, jobs: Sequence[Planted]) -> set[int] | None:
        """Nowhere -> ready, scheduled or finished, once per token, whoever asks and however often; an empty
        token is none. Returns the positions (from 0) of jobs whose id is in use; None when it was done
        before.
        """

    async def forget_token(self, token: str) -> None:
        """Nobody but a straggler will plant this batch again; its token is forgotten soon."""

    async def ends(self, job_ids: Sequence[str]) -> list[int]:
        """Tell until when the end of each job is kept, in ms since 1970: 0 it has not ended, -1 unknown."""

    async def publish_crons(self, known: Mapping[str, bytes], keep_ms: int) -> None:
        """Tell which cron jobs a worker has, by name and schedule. What nobody told of for so long goes."""

    async def crons(self) -> Crons:
        """Tell which cron jobs the workers have, and how they stand."""

    async def switch_cron(self, name: str, *, pauses: bool) -> bool:
        """Pause a cron job over all workers, or let it go on. Returns whether it was not so before."""

    async def lead(self, session: str, *, runs: bool = True) -> bool:
        """Lead the queue if no living session does, or resign. Returns whether this session leads now."""

    async def leader(self) -> str | None:
        """Tell which living session leads; None when nobody does."""

    async def prune(self, limit: int | None = None) -> int:
        """Finished -> nowhere, for jobs whose time is over, at most so many. Returns how many."""

    async def size(self) -> Size:
        """Count the jobs that have not ended."""
