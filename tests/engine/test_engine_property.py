"""Any order of verbs beside a plain Python model: hypothesis looks for one that the two disagree on."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

import fakeredis
import hypothesis.strategies as st
import pytest
from engine_toys import HOUR, Queue, ids, ready, record, scheduled
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from arqlite import ArqRedis
from arqlite.connections import RedisSettings
from arqlite.engine import Change, Ended, Lock, NewJob, RedisEngine
from arqlite.model.limits import GlobalLimit, RateLimit
from arqlite.model.memory import NOTHING, Memory

T = TypeVar("T")
_bodies = itertools.count()  # two cancellations are not the same bytes
# 2020-01-01, where scores begin: whatever was due right after it stands before all jobs of today.
LONG_AGO = 1_577_836_800_000
UNFINISHED, ANY_STATE = "aersu", "CFSaersu"
LOCKS = [None, None, *(Lock(digest, -1, states) for digest in "abc" for states in (UNFINISHED, ANY_STATE))]


@dataclass
class Known:
    """A job as the model has it.

    Attributes:
        home: ready, scheduled, a session's name, or finished.
        priority: 0 is first.
        rank: its place among the ready jobs of its priority.
        memory: its troubles.
        letter: how it ended.
        asked: the sessions that were asked to cancel it, when they ran it.
        is_granted: whether its run counts against a rate, though it is not known yet to have started.
    """

    home: str
    priority: int
    rank: tuple[int, int, str]
    memory: Memory = NOTHING
    letter: str = ""
    asked: set[str] = field(default_factory=set)
    is_granted: bool = False

    @property
    def is_alive(self) -> bool:
        return self.home != "finished"


class QueueMachine(RuleBasedStateMachine):
    """Does one verb to a queue and to the model, and compares them."""

    sessions = Bundle("sessions")
    server: RedisSettings | None = None

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.jobs: dict[str, Known] = {}
        self.holders: dict[str, str] = {}
        self.live: set[str] = set()
        self.over: set[str] = set()
        self.paused = False
        self.most_running: int | None = None
        self.most_starts: int | None = None
        self.starts = 0
        self.accepted = self.ended = self.pruned = 0
        self.numbers = itertools.count(1)
        self.do(self._open_queue())

    async def _open_queue(self) -> None:
        if self.server is None:
            pool = ArqRedis(fakeredis.FakeAsyncRedis(server=fakeredis.FakeServer()).connection_pool)
        else:
            pool = ArqRedis(unix_socket_path=self.server.unix_socket_path, db=self.server.database)
            await pool.flushdb()
        self.pool = pool
        self.queue = Queue(RedisEngine(pool, "q"))
        self.engine = self.queue.engine

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def teardown(self) -> None:
        self.do(self.engine.close())
        self.do(self.pool.aclose(close_connection_pool=True))
        self.runner.close()

    # -- the model in short words

    def at(self, home: str) -> list[str]:
        return [job_id for job_id, job in self.jobs.items() if job.home == home]

    def in_order(self) -> list[str]:
        waiting = self.at("ready")
        return sorted(waiting, key=lambda job_id: (self.jobs[job_id].priority, self.jobs[job_id].rank))

    def owned(self, session: str, picks: list[int]) -> list[str]:
        mine = self.at(session)
        return list(dict.fromkeys(mine[pick % len(mine)] for pick in picks)) if mine else []

    def room(self) -> int:
        """How many jobs may be claimed by anybody."""
        if self.paused:
            return 0
        running = sum(len(self.at(session)) for session in self.live)
        by_count = 100 if self.most_running is None else max(self.most_running - running, 0)
        by_rate = 100 if self.most_starts is None else max(self.most_starts - self.starts, 0)
        return min(by_count, by_rate)

    def is_held(self, lock: Lock) -> bool:
        holder = self.jobs.get(self.holders.get(lock.digest, ""))
        return holder is not None and (holder.is_alive or lock.states == ANY_STATE)

    def new_id(self) -> str:
        return f"j{next(self.numbers):06d}"

    # -- what clients do

    @rule(
        plan=st.lists(
            st.tuples(st.integers(0, 9), st.booleans(), st.integers(0, 9), st.sampled_from(LOCKS)),
            min_size=1,
            max_size=6,
        )
    )
    def enqueue(self, plan: list[tuple[int, bool, int, Lock | None]]) -> None:
        """Some jobs, now and later; now and then under an id that is in use, or equal to another one, and
        always sent twice.
        """
        jobs, refused = [], set()
        for place, (priority, is_later, reuse, lock) in enumerate(plan):
            job_id = self.new_id()
            if reuse == 0 and self.jobs:
                job_id = sorted(self.jobs)[place % len(self.jobs)]
                refused.add(place)
            elif lock is not None and self.is_held(lock):
                refused.add(place)
            jobs.append(NewJob(job_id, f"+{HOUR}" if is_later else "", record(priority), lock))
            if place not in refused:
                if lock is not None:
                    self.holders[lock.digest] = job_id
                home = "scheduled" if is_later else "ready"
                self.jobs[job_id] = Known(home, priority, (2, 0, job_id))
                self.accepted += 1
        assert self.do(self.engine.enqueue(jobs)) == refused
        assert self.do(self.engine.enqueue(jobs)) == refused

    @rule(pick=st.integers(0, 10_000))
    @precondition(lambda self: self.jobs)
    def cancel(self, pick: int) -> None:
        """A job, wherever it is."""
        job_id = sorted(self.jobs)[pick % len(self.jobs)]
        job = self.jobs[job_id]
        if not job.is_alive:
            expected = "ended"
        elif job.home in self.live:
            expected = "asked"
        else:
            expected = "cancelled"
        assert self.do(self.engine.cancel(job_id, b"C%d" % next(_bodies), HOUR)) == expected
        if expected == "cancelled":
            self.end(job_id, "C")
        elif expected == "asked":
            job.asked.add(job.home)

    @rule()
    def time_passes(self) -> None:
        """All that is scheduled is due."""
        keys, client = self.queue.keys, self.queue.client
        dues: dict[str, float] = {}
        for place, job_id in enumerate(sorted(self.at("scheduled"))):
            dues[job_id] = (place + 1) * 2048 + self.jobs[job_id].priority
            self.jobs[job_id].home = "ready"
            self.jobs[job_id].rank = (1, place, job_id)
        if dues:
            assert self.do(client.zadd(keys.sched, dues, xx=True, ch=True)) == len(dues)
            self.stage()

    def stage(self) -> None:
        """A turn of somebody who claims nothing brings what is due to the others."""
        self.do(self.engine.open("stager", HOUR))
        self.do(self.engine.turn("stager", 0, {}, ()))
        self.do(self.engine.leave("stager"))

    # -- what operators do

    @rule(pauses=st.booleans())
    def pause_or_resume(self, pauses: bool) -> None:
        """A paused queue gives nothing; a resumed one goes on where it was."""
        change = Change("set", "paused", 1) if pauses else Change("clear", "paused")
        self.do(self.engine.steer([change]))
        self.paused = pauses

    @rule(most=st.none() | st.integers(1, 4))
    def limit_what_runs(self, most: int | None) -> None:
        """Over all sessions, at most so many jobs run."""
        field = "global.set"
        change = Change("del", field) if most is None else Change("set", field, GlobalLimit(most).encode())
        self.do(self.engine.steer([change]))
        self.most_running = most

    @rule(most=st.integers(1, 12))
    @precondition(lambda self: self.most_starts is None)
    def limit_what_starts(self, most: int) -> None:
        """Over all sessions, at most so many jobs start in an hour, however they end."""
        self.do(self.engine.steer([Change("set", "rate.set", RateLimit(most, 3600).encode())]))
        self.most_starts = most

    # -- what workers do

    @initialize(target=sessions)
    def first_session(self) -> Any:
        """Two workers, and something to do for them."""
        self.enqueue([(priority, False, 9, None) for priority in (3, 0, 9, 0)])
        return multiple(self.open_session("s0"), self.open_session("s1"))

    @rule(target=sessions)
    def another_session(self) -> str:
        return self.open_session(f"t{next(self.numbers)}")

    def open_session(self, name: str) -> str:
        self.do(self.engine.open(name, HOUR))
        self.live.add(name)
        return name

    @rule(session=sessions, want=st.integers(1, 4))
    def claim(self, session: str, want: int) -> None:
        """What comes first, and no more than that."""
        expected = self.in_order()[: min(want, self.room())]
        turn = self.do(self.engine.turn(session, want, {}, ()))
        assert ids(turn) == expected
        for job_id in expected if self.most_starts is not None else ():
            self.starts += 1
            self.jobs[job_id].is_granted = True
        for job_id, memory in zip(expected, turn.memories or [None] * len(expected), strict=True):
            assert memory is None or memory.startswith(
                b"%d:%d:" % (self.jobs[job_id].memory.tries, self.jobs[job_id].memory.crashes)
            )
            self.jobs[job_id].home = session
        assert turn.held == len(self.at(session))

    @rule(
        session=sessions, picks=st.lists(st.integers(0, 50), min_size=1, max_size=4),
        letter=st.sampled_from("SFC"), is_kept=st.booleans(), has_started=st.booleans(),
    )  # fmt: skip
    def ack(self, session: str, picks: list[int], letter: str, is_kept: bool, has_started: bool) -> None:
        """Ends of jobs, told twice; what is refused at its claim ends without a start."""
        done = self.owned(session, picks)
        ends = {HOUR if is_kept else 0: Ended(done, [letter.encode() + job_id.encode() for job_id in done])}
        if done:
            starts = done if has_started else []
            assert self.do(self.engine.turn(session, 0, ends, (), started=starts)).lost == []
            assert len(self.do(self.engine.turn(session, 0, ends, (), started=starts)).lost) == len(done)
        for job_id in done:
            self.starts -= self.jobs[job_id].is_granted and not has_started
            self.end(job_id, letter, is_kept=is_kept)

    @rule(session=sessions, other=sessions, pick=st.integers(0, 50))
    def ack_of_a_stranger(self, session: str, other: str, pick: int) -> None:
        """An end that is not this session's to tell changes nothing."""
        for job_id in self.owned(other, [pick]) if session != other else ():
            ends = {HOUR: Ended([job_id], [b"S"])}
            assert self.do(self.engine.turn(session, 0, ends, ())).lost == [job_id.encode()]

    @rule(session=sessions, pick=st.integers(0, 50))
    def fail_and_retry(self, session: str, pick: int) -> None:
        """A failed attempt is one more, and waits."""
        for job_id in self.owned(session, [pick]):
            job = self.jobs[job_id]
            job.memory = job.memory._replace(tries=job.memory.tries + 1, is_retryable=1)
            self.give_back(session, job_id, HOUR)

    @rule(session=sessions, pick=st.integers(0, 50))
    def snooze(self, session: str, pick: int) -> None:
        """A snooze is no attempt, and waits."""
        for job_id in self.owned(session, [pick]):
            job = self.jobs[job_id]
            job.memory = job.memory._replace(snoozes=job.memory.snoozes + 1, is_retryable=0)
            self.give_back(session, job_id, HOUR)

    @rule(session=sessions, pick=st.integers(0, 50))
    def return_unstarted(self, session: str, pick: int) -> None:
        """What is given back goes to the front of its priority, and was no start."""
        for job_id in self.owned(session, [pick]):
            self.do(self.engine.turn(session, 0, {}, [ready(job_id, 1)]))
            self.starts -= self.jobs[job_id].is_granted
            self.jobs[job_id].is_granted = False
            self.jobs[job_id].home = "ready"
            self.jobs[job_id].rank = (0, 0, job_id)

    def give_back(self, session: str, job_id: str, delay_ms: int) -> None:
        job = self.jobs[job_id]
        returned = [scheduled(job_id, delay_ms, job.memory.encode())]
        for lost in ([], [job_id.encode()]):
            assert self.do(self.engine.turn(session, 0, {}, returned, started=[job_id])).lost == lost
        job.home, job.is_granted = "scheduled", False

    @rule(session=consumes(sessions))
    @precondition(lambda self: len(self.live) > 1)
    def die_and_be_rescued(self, session: str) -> None:
        """A lease ends; its jobs come first among their equals, with a crash each, but for those that it was
        asked to cancel: they are cancelled.
        """
        self.do(self.queue.end_lease(session))
        self.live.discard(session)
        mine = self.at(session)
        moved = self.do(self.engine.rescue("somebody")).moved
        asked = [job_id for job_id in mine if session in self.jobs[job_id].asked]
        assert moved == ({session: len(mine) - len(asked)} if mine else {})
        for job_id in asked:
            mine.remove(job_id)
            self.end(job_id, "C")
        assert self.do(self.engine.rescue("somebody")).moved == {}
        for job_id in mine:
            job = self.jobs[job_id]
            job.memory = job.memory._replace(crashes=job.memory.crashes + 1)
            job.home, job.rank, job.is_granted = "ready", (0, 0, job_id), False

    # -- what time does

    @rule()
    def prune(self) -> None:
        """What has ended and is out of its time is forgotten, and nothing else."""
        gone = self.at("finished")
        if gone:
            self.do(self.expire(gone))
        assert self.do(self.engine.prune()) == len(gone)
        for job_id in gone:
            del self.jobs[job_id]
        self.pruned += len(gone)

    async def expire(self, job_ids: list[str]) -> None:
        """Let the time of some ended jobs have come."""
        keys, client = self.queue.keys, self.queue.client
        for job_id, old in zip(job_ids, await client.hmget(keys.jobs, job_ids), strict=True):
            await client.hset(keys.jobs, job_id, b"R%013d" % (LONG_AGO + 1) + old[14:])
        for batches in await client.keys(keys.base + "done:*"):
            for place, batch in enumerate(await client.lrange(batches, 0, -1)):
                await client.lset(batches, place, b"%013d" % (LONG_AGO + 1) + batch[13:])

    def end(self, job_id: str, letter: str, *, is_kept: bool = True) -> None:
        self.ended += 1
        if is_kept:
            self.jobs[job_id].home, self.jobs[job_id].letter = "finished", letter
        else:
            del self.jobs[job_id]
            self.pruned += 1

    # -- what always holds

    @invariant()
    def same_homes(self) -> None:
        """Every job is where the model has it, in that place only, and the counts agree."""
        self.do(self.queue.check())
        size = self.do(self.engine.size())
        running = [job_id for session in self.live for job_id in self.at(session)]
        assert (size.ready, size.scheduled, size.running) == (
            len(self.at("ready")), len(self.at("scheduled")), len(running),
        )  # fmt: skip
        assert size.sessions == len(self.live)
        assert len(self.jobs) == self.accepted - self.pruned
        assert len(self.at("finished")) == self.ended - self.pruned
        names = sorted(self.jobs)
        for job_id, peek in zip(names, self.do(self.engine.peek_many(names)), strict=True):
            home = self.jobs[job_id].home
            assert peek.home == ("running" if home in self.live else home)
            if home == "finished":
                assert peek.record[14:15].decode() == self.jobs[job_id].letter


def _run(server: RedisSettings | None, examples: int, steps: int) -> None:
    machine = type("Machine", (QueueMachine,), {"server": server})
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        machine,
        settings=settings(
            max_examples=examples, stateful_step_count=steps, deadline=None, database=None,
            suppress_health_check=list(HealthCheck), print_blob=False, derandomize=True,
        ),
    )  # fmt: skip


@pytest.mark.timeout(600)
def test_model_and_queue_agree_on_fakeredis() -> None:
    """No order of verbs brings the scripts on fakeredis to another state than the model."""
    _run(None, 20, 40)


@pytest.mark.timeout(600)
@pytest.mark.real
def test_model_and_queue_agree_on_a_server(real_url: str) -> None:
    """No order of verbs brings the scripts on a real server to another state than the model."""
    _run(RedisSettings.from_dsn(real_url), 40, 40)
