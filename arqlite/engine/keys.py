"""Every key and channel name, built here and nowhere else.

The braces make one hash slot of each queue, so that a script may touch all keys of its queue in a
cluster. Channels carry the database as well: pub/sub crosses logical databases.
"""

from __future__ import annotations

from ..constants import health_check_key_suffix

PREFIX = "aq:"


# How a score of `sched` is made up; lua/lib/score.lua says why.
_EPOCH_MS, _DUE_STEP = 1_577_836_800_000, 2048


def due_ms(score: float) -> int:
    """Read out of a score of `sched` when its job is due, in ms since 1970."""
    return int(score) // _DUE_STEP + _EPOCH_MS


class Keys:
    """The names of one queue in one database.

    Attributes:
        jobs: hash, id -> record; every job that is known.
        ready: zset, id -> priority and time; jobs that may start.
        sched: zset, id -> due time and priority; jobs that wait for their time.
        live: zset, session -> lease deadline in ms; 0 when it ended and its jobs are not all moved.
        tries: hash, id -> tries, crashes and what else only troubled jobs have.
        wake: list with at most one token; its popper goes and claims.
        wait: set of ids whose end somebody awaits.
        cron: hash, name of a cron job -> its last tick in ms.
        ttls: set of the result lifetimes in use, each with its own `done` list.
    """

    def __init__(self, queue: str, database: int = 0) -> None:
        self.queue = queue
        self.base = base = f"{PREFIX}{{{queue}}}:"
        self.jobs = base + "jobs"
        self.ready = base + "ready"
        self.sched = base + "sched"
        self.live = base + "live"
        self.tries = base + "tries"
        self.wake = base + "wake"
        self.wait = base + "wait"
        self.ttls = base + "ttls"
        self.cron = base + "cron"
        self.channels = f"{PREFIX}{database}:{{{queue}}}:"
        self.finished_channel = self.channels + "fin"
        self.health = queue + health_check_key_suffix

    def run(self, session: str) -> str:
        """Set of the jobs that this session owns."""
        return f"{self.base}run:{session}"

    def inbox(self, session: str) -> str:
        """Set of the jobs that this session shall cancel."""
        return f"{self.base}cancel:{session}"

    def control_channel(self, session: str) -> str:
        """Where this session hears that its inbox has something."""
        return f"{self.channels}ctl:{session}"

    @staticmethod
    def all_queues_pattern() -> str:
        """Glob that finds the `jobs` hash of every queue of a database."""
        return PREFIX + "{*}:jobs"

    @staticmethod
    def queue_of(jobs_key: str) -> str:
        """Read the queue's name out of the name of its `jobs` hash."""
        return jobs_key[len(PREFIX) + 1 : -len("}:jobs")]
