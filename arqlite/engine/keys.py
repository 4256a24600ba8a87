"""Every key and channel name, built here and nowhere else.

The braces make one hash slot of each queue, so that a script may touch all keys of its queue in a
cluster. Channels carry the database as well: pub/sub crosses logical databases.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..constants import health_check_key_suffix

PREFIX = "aq:"


# How a score of `sched` is made up; lua/lib/score.lua says why.
EPOCH_MS, _DUE_STEP = 1_577_836_800_000, 2048


def due_score(due_ms: int) -> int:
    """The largest score of `sched` of a job that is due at this moment, in ms since 1970."""
    return (due_ms - EPOCH_MS + 1) * _DUE_STEP - 1


# A queue that is known has one of these.
_MARKS = ("}:jobs", "}:live", "}:meta")


def due_ms(score: float) -> int:
    """Read out of a score of `sched` when its job is due, in ms since 1970."""
    return int(score) // _DUE_STEP + EPOCH_MS


class Keys:
    """The names of one queue in one database.

    Attributes:
        jobs: hash, id -> record; every job that is known.
        ready: zset, id -> priority and time; jobs that may start.
        sched: zset, id -> due time and priority; jobs that wait for their time.
        susp: zset, id -> priority and time; jobs that wait for other jobs.
        live: zset, session -> lease deadline in ms; 0 when it ended and its jobs are not all moved.
        tries: hash, id -> tries, crashes and what else only troubled jobs have.
        wake: list with at most one token; its popper goes and claims.
        wait: set of ids whose end somebody awaits.
        cron: hash, name and schedule of a cron job -> its last tick in ms.
        cronctl: hash, name of a cron job -> when its pauses began and ended, in ms.
        crons: hash, name and schedule of a cron job -> when it was told, 13 digits of ms, and what it is.
        leader: text, the session that leads while it lives.
        holds: hash, name of a hold -> the session that vouches for it; `?` and a moment in ms: nobody.
        locks: hash, id of a unique job that has not ended -> digest of the lock that it holds.
        steps: hash, id of a job that is a step of a workflow -> the step's number and the workflow.
        flows: zset, workflow -> when it was stored, in ms.
        over: zset, workflow -> when it may be forgotten, in ms; one that goes on is not in it.
        ttls: set of the result lifetimes in use, each with its own `done` list.
        meta: hash of what was settled for the queue: pauses, limits, and how often that changed.
        sessions: hash, session -> what it tells of itself, as JSON.
        vitals: hash, session -> how its process was at its last beat.
        laned: zset, id -> priority and time; jobs that may start and wait in a lane, of all lanes.
        laneof: hash, id -> its lane; jobs that have not ended and whose lane is known.
        lanes: zset, lane -> score of its first job; lanes with jobs that may start, and room for one.
        lanewait: zset, lane -> when it may have room, in ms; lanes with jobs and no room.
        sorting: zset, id -> priority and time; jobs that a session has only to tell their lane.
        imported: zset, token of a batch that came from elsewhere -> until when it is remembered, in ms.
        spilled: stream of what the ledger's recorders had no room for, in packets.
        scooper: text, the recorder that reads it; it expires.
        marker: hash by which the queue's ledger knows this Redis: `id` a random text, `beat` a number that
            grows, `remember` how many ms ends are remembered.
        lags: hash, session -> how far its rows are behind, in ms, and when it said so.
    """

    def __init__(self, queue: str, database: int = 0) -> None:
        self.queue = queue
        self.base = base = f"{PREFIX}{{{queue}}}:"
        self.jobs = base + "jobs"
        self.ready = base + "ready"
        self.sched = base + "sched"
        self.susp = base + "susp"
        self.live = base + "live"
        self.tries = base + "tries"
        self.wake = base + "wake"
        self.wait = base + "wait"
        self.locks = base + "locks"
        self.steps = base + "steps"
        self.flows = base + "flows"
        self.over = base + "over"
        self.ttls = base + "ttls"
        self.cron = base + "cron"
        self.cronctl = base + "cronctl"
        self.crons = base + "crons"
        self.leader = base + "leader"
        self.holds = base + "holds"
        self.meta = base + "meta"
        self.sessions = base + "sessions"
        self.vitals = base + "vitals"
        self.laned = base + "laned"
        self.laneof = base + "laneof"
        self.lanes = base + "lanes"
        self.lanewait = base + "lanewait"
        self.sorting = base + "sorting"
        self.imported = base + "imported"
        self.marker = base + "marker"
        self.spilled = base + "spilled"
        self.scooper = base + "scooper"
        self.lags = base + "lags"
        self.channels = f"{PREFIX}{database}:{{{queue}}}:"
        self.finished_channel = self.channels + "fin"
        self.queue_channel = self.channels + "all"
        self.leader_channel = self.channels + "led"
        self.health = queue + health_check_key_suffix

    def run(self, session: str) -> str:
        """Set of the jobs that this session owns."""
        return f"{self.base}run:{session}"

    def hold(self, name: str) -> str:
        """Zset, id -> priority and time: jobs that a worker had no room for."""
        return f"{self.base}hold:{name}"

    def hold_token(self, name: str) -> str:
        """List with at most one token; its popper has room for jobs of this hold."""
        return f"{self.wake}:{name}"

    def lane(self, name: str) -> str:
        """Zset, id -> priority and time: jobs of this lane that may start."""
        return f"{self.base}lane:{name}"

    def lane_run(self, name: str) -> str:
        """Set of the jobs of this lane that run."""
        return f"{self.base}lanerun:{name}"

    def open_grants(self, lane: str = "") -> str:
        """Set of the jobs that were claimed under a rate and have not told yet that they started."""
        return f"{self.base}rlo:{lane}"

    def past_grants(self, lane: str = "") -> str:
        """List of the starts that count against a rate: moments in ms, each with a running sum."""
        return f"{self.base}rlc:{lane}"

    def bell(self, waiter: str) -> str:
        """List by which a worker ends its own waiting, to wait for other tokens."""
        return f"{self.base}bell:{waiter}"

    def will(self, session: str) -> str:
        """Text that is there while the jobs of this session may be rescued without a crash."""
        return f"{self.base}will:{session}"

    def inbox(self, session: str) -> str:
        """Set of the jobs that this session shall cancel."""
        return f"{self.base}cancel:{session}"

    def lock(self, digest: str) -> str:
        """Text that tells which job holds this lock, since when, and how it ended."""
        return f"{self.base}u:{digest}"

    def former_lock(self, job_id: str) -> str:
        """Text, the digest of the lock of a job that ended, as long as that counts."""
        return f"{self.base}uid:{job_id}"

    def flow(self, flow_id: str) -> str:
        """Hash of a workflow: its state, its steps and what they gave."""
        return f"{self.base}wf:{flow_id}"

    def undo(self, flow_id: str) -> str:
        """List of the steps of a workflow that can be taken back, in the order they ended."""
        return f"{self.base}undo:{flow_id}"

    def note(self, job_id: str) -> str:
        """Hash of what this job noted: how far it is, for which job, how many lines are not kept."""
        return f"{self.base}note:{job_id}"

    def log(self, job_id: str) -> str:
        """List of the lines that this job attached to itself, oldest first."""
        return f"{self.base}log:{job_id}"

    def errors(self, job_id: str) -> str:
        """List of what this job's failed attempts left, the newest last."""
        return f"{self.base}err:{job_id}"

    def noted_channel(self, job_id: str) -> str:
        """Where those who follow this job hear that it noted something."""
        return f"{self.channels}note:{job_id}"

    def control_channel(self, session: str) -> str:
        """Where this session hears that its inbox has something."""
        return f"{self.channels}ctl:{session}"

    @staticmethod
    def staged_index(foreign_queue: str) -> str:
        """Hash of the batches that are on their way out of another library's queue: token -> target queue."""
        return f"{PREFIX}import:{{{foreign_queue}}}"

    @staticmethod
    def staged(foreign_queue: str, token: str) -> str:
        """Hash of the jobs of one such batch: id -> what is to be planted."""
        return f"{PREFIX}import:{{{foreign_queue}}}:{token}"

    @staticmethod
    def all_queues_pattern() -> str:
        """Glob that finds the `jobs` hash of every queue of a database."""
        return PREFIX + "{*}:jobs"

    @staticmethod
    def queue_of(jobs_key: str) -> str:
        """Read the queue's name out of the name of its `jobs` hash."""
        return jobs_key[len(PREFIX) + 1 : -len("}:jobs")]

    @staticmethod
    def queues_in(keys: Iterable[str]) -> set[str]:
        """Read out of the names of keys which queues have jobs, workers, or anything settled."""
        found = set()
        for key in keys:
            for end in _MARKS:
                if key.endswith(end):
                    found.add(key[len(PREFIX) + 1 : -len(end)])
        return found

    @staticmethod
    def marks_pattern() -> str:
        """Glob that finds the keys that `queues_in` reads, and others."""
        return PREFIX + "{*}:[jlm][oie][btv][sae]"
