"""A queue's storage as verbs. Read this page first.

Each verb is one atomic move. A job has exactly one home at any moment: ready, scheduled, the set of
one session, or a finished record; a verb moves it from one to another or leaves it where it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

Place = Literal["ready", "scheduled"]
Home = Literal["absent", "finished", "ready", "scheduled", "running"]
CancelAnswer = Literal["unknown", "cancelled", "asked", "ended"]


class NewJob(NamedTuple):
    """A job to be enqueued.

    Attributes:
        job_id: its id; any text without NUL.
        when: `""` for now, `"+5000"` or `"-5000"` for so many ms from the server's now, `"=1700000000000"`
            for a moment in ms since 1970.
        record: a priority byte after `Q`, then the encoded job.
    """

    job_id: str
    when: str
    record: bytes


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
        place: `ready` at its old moment, or `scheduled` after a delay.
        ms: for `ready` the moment that ranks it, in ms since 1970; for `scheduled` the delay in ms.
        memory: what to remember of its runs so far; empty leaves that as it is.
    """

    job_id: str
    place: Place
    ms: int
    memory: str


class Turn(NamedTuple):
    """What a turn brought.

    Attributes:
        now_ms: the server's clock.
        next_due_ms: time until the next scheduled job is due, -1 without one.
        held: how many jobs the server says this session owns.
        more: whether ready jobs remain.
        job_ids, records, memories: the jobs claimed; `memories` is empty when none of them had trouble.
        lost: jobs whose end or return was refused, since this session no longer owned them.
    """

    now_ms: int
    next_due_ms: int
    held: int
    more: int
    job_ids: list[bytes]
    records: list[bytes | None]
    memories: list[bytes | None]
    lost: list[bytes]


@dataclass(frozen=True, slots=True)
class Beat:
    """What a heartbeat heard: is the session alive, when the next other lease ends or -1, what to cancel."""

    alive: bool
    next_deadline_ms: int
    cancel: frozenset[str]


@dataclass(frozen=True, slots=True)
class Rescued:
    """What a rescue did: jobs moved per dead session, and when the next other lease ends (-1 never)."""

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

    @property
    def jobs(self) -> int:
        """All jobs that have not ended."""
        return self.ready + self.scheduled + self.running


class Engine(Protocol):
    """The verbs of one queue."""

    async def enqueue(self, jobs: Sequence[NewJob]) -> set[int]:
        """Nowhere -> ready or scheduled. Returns the positions (from 0) of jobs whose id is in use."""

    async def open(self, session: str, lease_ms: int) -> int:
        """Begin a session. Returns the ms until the earliest lease of another ends, -1 without one."""

    async def turn(
        self, session: str, want: int, ended: Mapping[int, Ended], returned: Sequence[Returned]
    ) -> Turn:
        """End jobs (running -> finished), put jobs back (running -> ready or scheduled) and claim up to
        `want` (ready -> running), in one step. `ended` maps the ms a result is kept (0 not at all, -1
        for ever) to its jobs.

        Raises:
            SessionLost: the lease ended and the jobs were rescued; nothing was done.
        """

    def beat(self, session: str, lease_ms: int, heard: Sequence[str]) -> Beat:
        """Keep the lease; blocking, for the heartbeat's own thread."""

    async def rescue(self, session: str) -> Rescued:
        """Running -> ready, for all jobs of sessions whose lease ended; `session` is who asks."""

    async def leave(self, session: str) -> int:
        """End a session; its jobs are rescued at once. Returns how many sessions live on."""

    async def cancel(self, job_id: str, body: bytes, keep_ms: int) -> CancelAnswer:
        """Ready or scheduled -> finished; of a running job its worker is asked."""

    async def peek(self, job_id: str) -> Peek:
        """Tell where a job is."""

    async def forget(self, job_id: str) -> int:
        """Finished -> nowhere. Returns 1 when done, 0 when nothing was kept, -1 when it has not ended."""

    async def fire(self, name: str, tick_ms: int, job_id: str, record: bytes) -> bool:
        """Nowhere -> ready, once per tick of a cron job. Returns whether this call did it."""

    async def plant(self, token: str, jobs: Sequence[Planted]) -> set[int] | None:
        """Nowhere -> ready, scheduled or finished, once per token, whoever asks and however often; an empty
        token is none. Returns the positions (from 0) of jobs whose id is in use; None when it was done
        before.
        """

    async def forget_token(self, token: str) -> None:
        """Nobody but a straggler will plant this batch again; its token is forgotten soon."""

    async def ends(self, job_ids: Sequence[str]) -> list[int]:
        """Tell until when the end of each job is kept, in ms since 1970: 0 it has not ended, -1 unknown."""

    async def prune(self) -> int:
        """Finished -> nowhere, for all jobs whose time is over. Returns how many."""

    async def size(self) -> Size:
        """Count the jobs that have not ended."""
