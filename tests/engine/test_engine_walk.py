"""The invariants of a queue under any order of verbs: seeded random walks beside a model."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import Any

import pytest
from engine_toys import FOREVER, HOUR, LEASE, Queue, held, ids, job, record, scheduled

from arqlite.engine import Ended, Lock, Returned, Room
from arqlite.errors import SessionLost

STEPS = 220
_bodies = itertools.count()  # two cancellations are not the same bytes
HOLDS = ("f", "g")
UNFINISHED, ANY_STATE = "aersu", "CFSaersu"


class Walk:
    """A queue and a model of it; each step does one verb to both and compares them."""

    def __init__(self, queue: Queue, seed: int) -> None:
        self.queue = queue
        self.engine = queue.engine
        self.dice = random.Random(seed)
        self.coin = random.Random(seed)
        self.waiting: set[str] = set()
        self.running: dict[str, str] = {}
        self.finished: set[str] = set()
        self.crashes: dict[str, int] = {}
        self.sessions: list[str] = []
        self.over: set[str] = set()
        self.gone: set[str] = set()
        self.made = 0
        self.held: dict[str, str] = {}
        self.locks: dict[str, str] = {}
        self.out_of_holds = self.abandoned = self.conflicts = 0

    async def step(self) -> None:
        verbs: list[tuple[Callable[[], Any], int]] = [
            (self.enqueue, 5), (self.turn, 8), (self.open, 1), (self.end_a_lease, 1), (self.rescue, 2),
            (self.leave, 1), (self.cancel, 2), (self.forget, 1), (self.fire, 1), (self.beat, 1),
            (self.prune, 1), (self.abandon, 1),
        ]  # fmt: skip
        [verb] = self.dice.choices([verb for verb, _ in verbs], [weight for _, weight in verbs])
        await verb()
        await self.compare()

    async def compare(self) -> None:
        await self.queue.check()
        assert {digest: holder for digest, (holder, _) in (await self.queue.locks()).items()} == self.locks
        owned: dict[str, set[str]] = {}
        for job_id, session in self.running.items():
            owned.setdefault(session, set()).add(job_id)
        assert await self.queue.runs() == owned
        size = await self.engine.size()
        assert (size.ready + size.scheduled, size.running) == (len(self.waiting), len(self.running))
        assert size.held == len(self.held)
        assert {(i, name) for name, jobs in (await self.queue.holds()).items() for i in jobs} == set(
            self.held.items()
        )
        assert size.sessions == len(set(self.sessions) - self.over - self.gone)

    async def enqueue(self) -> None:
        new = []
        refused = set()
        for place in range(self.dice.randint(1, 4)):
            job_id = self._any_id() if self.dice.random() < 0.3 else self._new_id()
            lock = Lock(self.coin.choice("abcdefgh"), -1, self.coin.choice([UNFINISHED, ANY_STATE]))
            is_unique = self.coin.random() < 0.3
            when = self.dice.choice(["", "", "+1", "-5", f"+{HOUR}", "=1"])
            new.append(job(job_id, when, self.dice.randint(0, 3))._replace(lock=lock if is_unique else None))
            if self._is_alive(job_id) or job_id in self.finished:
                refused.add(place)
            elif is_unique and self._is_held(lock):
                refused.add(place)
                self.conflicts += 1
            else:
                self.waiting.add(job_id)
                if is_unique:
                    self.locks[lock.digest] = job_id
        assert await self.engine.enqueue(new) == refused
        assert await self.engine.enqueue(new) == refused, "a resend is answered as the first time"

    async def turn(self) -> None:
        session = self._session()
        ends, returns = self._work_of(session)
        want = self.dice.randint(0, 5)
        if session in self.gone:
            with pytest.raises(SessionLost):
                await self.engine.turn(session, want, ends, returns)
            return
        # What is put on hold may be claimed again by the same turn, and a resend would do harm.
        rooms = self._rooms(set(HOLDS) - {one.hold for one in returns})
        turn = await self.engine.turn(session, want, ends, returns, rooms)
        touched = [job_id for batch in ends.values() for job_id in batch.job_ids] + [
            one.job_id for one in returns
        ]
        assert {lost.decode() for lost in turn.lost} == {i for i in touched if self.running.get(i) != session}
        self._apply(session, ends, returns)
        claimed = ids(turn)
        assert set(claimed) <= self.waiting | self.held.keys()
        assert len(claimed) <= want
        self._took(claimed, rooms)
        assert {name.decode() for name in turn.holds} == set(self.held.values())
        memories = turn.memories or [None] * len(claimed)
        for job_id, memory in zip(claimed, memories, strict=True):
            assert int((memory or b"0:0").split(b":")[1]) == self.crashes.get(job_id, 0)
            self.waiting.discard(job_id)
            self.running[job_id] = session
        assert turn.held == sum(owner == session for owner in self.running.values())
        again = await self.engine.turn(session, 0, ends, returns, rooms)
        assert sorted(again.lost) == sorted(i.encode() for i in touched if i not in claimed), (
            "a resend does nothing"
        )

    def _work_of(self, session: str) -> tuple[dict[int, Ended], list[Any]]:
        """Draw some jobs to end and to give back: mostly the session's own, now and then another's."""
        own = [job_id for job_id, owner in self.running.items() if owner == session]
        foreign = [job_id for job_id, owner in self.running.items() if owner != session]
        drawn = self.dice.sample(own, self.dice.randint(0, len(own)))
        drawn += self.dice.sample(foreign, min(len(foreign), self.dice.choice([0, 0, 1])))
        # Given back to `ready`, a job may be claimed again by the same turn, and a resend would do harm.
        ends: dict[int, Ended] = {}
        returns = []
        for job_id in drawn:
            if self.dice.random() < 0.7:
                batch = ends.setdefault(self.dice.choice([0, HOUR, FOREVER]), Ended([], []))
                batch.job_ids.append(job_id)
                batch.bodies.append(b"S" + job_id.encode())
            elif self.dice.random() < 0.5:
                returns.append(scheduled(job_id, HOUR, f"1:{self.crashes.get(job_id, 0)}"))
            else:
                returns.append(held(job_id, self.dice.choice(HOLDS), self.dice.randint(0, 10**12)))
        return ends, returns

    def _rooms(self, names: set[str]) -> list[Room] | None:
        """Draw which holds a worker knows, and how much room it has for them."""
        if self.dice.random() < 0.2:
            return None
        shared = self.dice.randint(0, 3)
        rooms = [Room(name, self.dice.randint(0, 2), "pool", shared) for name in sorted(names)]
        return self.dice.sample(rooms, self.dice.randint(0, len(rooms)))

    def _took(self, claimed: list[str], rooms: list[Room] | None) -> None:
        """Hold what came out of holds to the room there was for it."""
        taken = [self.held.pop(job_id) for job_id in claimed if job_id in self.held]
        most = {room.hold: room.most for room in rooms or ()}
        assert all(taken.count(name) <= most.get(name, 0) for name in HOLDS)
        assert len(taken) <= max([room.pool_most for room in rooms or ()], default=0)
        self.out_of_holds += len(taken)

    def _apply(self, session: str, ends: dict[int, Ended], returned: list[Returned]) -> None:
        for keep_ms, batch in ends.items():
            for job_id in batch.job_ids:
                if self.running.get(job_id) == session:
                    self._over(job_id)
                    if keep_ms:
                        self.finished.add(job_id)
                    else:
                        self._forget_lock(job_id)
        for job_id, place, *_, hold in returned:
            if self.running.get(job_id) == session:
                del self.running[job_id]
                if place == "held":
                    self.held[job_id] = hold
                else:
                    self.waiting.add(job_id)

    async def open(self) -> None:
        self.sessions.append(f"s{len(self.sessions)}")
        await self.engine.open(self.sessions[-1], LEASE)

    async def beat(self) -> None:
        session = self._session()
        beat = self.engine.beat(session, LEASE, (), "1000:1")
        assert beat.alive == (session not in self.gone)
        if beat.alive:
            self.over.discard(session)

    async def end_a_lease(self) -> None:
        session = self._session()
        if session not in self.gone | self.over:
            await self.queue.end_lease(session)
            self.over.add(session)

    async def rescue(self) -> None:
        rescued = await self.engine.rescue("nobody")
        assert rescued.moved.keys() <= self.over
        for session in self.over:
            self._put_back(session)
        self.gone |= self.over
        self.over.clear()

    async def leave(self) -> None:
        session = self._session()
        await self.engine.leave(session)
        self.over.discard(session)
        if session not in self.gone:
            self.gone.add(session)
            await self.engine.rescue("nobody")
            for other in [session, *self.over]:
                self._put_back(other)
            self.gone |= self.over
            self.over.clear()

    async def cancel(self) -> None:
        job_id = self._any_id()
        expected = "unknown"
        if job_id in self.finished:
            expected = "ended"
        elif job_id in self.waiting or job_id in self.held or self.running.get(job_id) in self.over:
            expected = "cancelled"
        elif job_id in self.running:
            expected = "asked"
        assert await self.engine.cancel(job_id, b"C%d" % next(_bodies), HOUR) == expected
        if expected == "cancelled":
            self._over(job_id)
            self.finished.add(job_id)

    async def forget(self) -> None:
        job_id = self._any_id()
        assert await self.engine.forget(job_id) == (
            -1 if self._is_alive(job_id) else int(job_id in self.finished)
        )
        if job_id in self.finished:
            self.finished.discard(job_id)
            self._forget_lock(job_id)

    async def fire(self) -> None:
        job_id = self._new_id()
        tick = self.made
        assert (await self.engine.fire(["tick"], tick, job_id, record())).done
        assert not (await self.engine.fire(["tick"], tick, self._new_id(), record())).done
        self.waiting.add(job_id)

    async def prune(self) -> None:
        assert await self.engine.prune() == 0, "nothing has expired"

    async def abandon(self) -> None:
        """Nobody has vouched for a hold for long, and one who does not know it comes by."""
        session = self._session()
        if not self.held or session in self.gone:
            return
        name = self.dice.choice(sorted(self.held.values()))
        await self.queue.client.hset(self.queue.keys.holds, name, "?1")
        await self.engine.turn(session, 0, {}, ())
        for job_id in [one for one, hold in self.held.items() if hold == name]:
            del self.held[job_id]
            self.waiting.add(job_id)
            self.abandoned += 1

    def _put_back(self, session: str) -> None:
        for job_id in [one for one, owner in self.running.items() if owner == session]:
            del self.running[job_id]
            self.waiting.add(job_id)
            self.crashes[job_id] = self.crashes.get(job_id, 0) + 1

    def _over(self, job_id: str) -> None:
        self.waiting.discard(job_id)
        self.held.pop(job_id, None)
        self.running.pop(job_id, None)
        self.crashes.pop(job_id, None)

    def _is_held(self, lock: Lock) -> bool:
        holder = self.locks.get(lock.digest, "")
        return self._is_alive(holder) or (holder in self.finished and lock.states == ANY_STATE)

    def _forget_lock(self, job_id: str) -> None:
        self.locks = {digest: holder for digest, holder in self.locks.items() if holder != job_id}

    def _is_alive(self, job_id: str) -> bool:
        return job_id in self.waiting or job_id in self.held or job_id in self.running

    def _session(self) -> str:
        return self.dice.choice(self.sessions)

    def _new_id(self) -> str:
        self.made += 1
        return f"j{self.made}"

    def _any_id(self) -> str:
        return f"j{self.dice.randint(0, self.made)}"


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_invariants_hold_in_any_order(queue: Queue, seed: int) -> None:
    """Whatever sessions do in whatever order, each job has one home and no verb oversteps."""
    walk = Walk(queue, seed)
    await walk.open()
    await walk.open()

    for _ in range(STEPS):
        await walk.step()

    assert walk.finished
    assert walk.gone
    assert walk.made > 50
    assert walk.out_of_holds
    assert walk.abandoned
    assert walk.conflicts


@pytest.mark.parametrize(
    "fault",
    ["two homes", "no home", "dead owner", "trouble left behind", "two tokens", "held and ready", "lost hold",
     "stale name", "stale token", "lost lock", "lock of nobody"],
)  # fmt: skip
async def test_checker_sees_a_broken_queue(queue: Queue, fault: str) -> None:
    """The invariants are able to fail: each kind of damage is found."""
    await queue.fill("h", "a", "b")
    await queue.open("s")
    await queue.engine.turn("s", 0, {}, [held(*await queue.claim("s", 1), "f")])
    [first] = await queue.claim("s", 1)
    client, keys = queue.client, queue.keys
    damage = {
        "two homes": lambda: client.zadd(keys.ready, {first: 1}),
        "no home": lambda: client.srem(keys.run("s"), first),
        "dead owner": lambda: client.zrem(keys.live, "s"),
        "trouble left behind": lambda: client.hset(keys.tries, "nobody", "1:0"),
        "two tokens": lambda: client.rpush(keys.wake, "1", "1"),
        "held and ready": lambda: client.zadd(keys.hold("f"), {"b": 1}),
        "lost hold": lambda: client.hdel(keys.holds, "f"),
        "stale name": lambda: client.hset(keys.holds, "g", "s"),
        "lost lock": lambda: client.set(keys.lock("d"), "1:1:-1:S:2:gone"),
        "lock of nobody": lambda: client.hset(keys.locks, "nobody", "d"),
        "stale token": lambda: client.rpush(keys.hold_token("g"), "1"),
    }

    await damage[fault]()

    with pytest.raises(AssertionError):
        await queue.check()
    await client.flushdb()
