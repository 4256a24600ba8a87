"""What the tests of the engine share: records, sessions, and the invariants of a queue."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable
from typing import Any, cast

from arqlite.engine import Ended, NewJob, RedisEngine, Turn
from arqlite.engine import Returned as GivenBack

LEASE = 60_000
HOUR = 3_600_000
FOREVER = -1
_nonce = itertools.count()


def record(priority: int = 0, blob: bytes | None = None) -> bytes:
    """Make a live record; each is another one unless its blob is given."""
    return b"Q" + bytes((priority,)) + (b"job %d" % next(_nonce) if blob is None else blob)


def job(job_id: str, when: str = "", priority: int = 0) -> NewJob:
    return NewJob(job_id, when, record(priority))


def ended(*job_ids: str, keep_ms: int = HOUR, letter: bytes = b"S") -> dict[int, Ended]:
    """End jobs, all of them alike."""
    return {keep_ms: Ended(list(job_ids), [letter + job_id.encode() for job_id in job_ids])}


def ready(job_id: str, ms: int = 0, memory: str = "") -> GivenBack:
    return GivenBack(job_id, "ready", ms, memory)


def scheduled(job_id: str, delay_ms: int, memory: str = "") -> GivenBack:
    return GivenBack(job_id, "scheduled", delay_ms, memory)


def held(job_id: str, hold: str, ms: int = 0, memory: str = "") -> GivenBack:
    return GivenBack(job_id, "held", ms, memory, hold)


def in_lane(job_id: str, lane: str) -> GivenBack:
    return GivenBack(job_id, "sorted", 0, "", lane)


def ids(turn: Turn) -> list[str]:
    return [job_id.decode() for job_id in turn.job_ids]


class Queue:
    """A queue under test: its engine, with short words for what tests do often."""

    def __init__(self, engine: RedisEngine) -> None:
        self.engine = engine
        self.keys = engine.keys
        self.client: Any = engine.client

    async def fill(self, *job_ids: str, when: str = "") -> None:
        assert await self.engine.enqueue([job(job_id, when) for job_id in job_ids]) == set()

    async def open(self, *sessions: str, lease_ms: int = LEASE) -> None:
        for session in sessions:
            await self.engine.open(session, lease_ms)

    async def claim(self, session: str, want: int = 100) -> list[str]:
        return ids(await self.engine.turn(session, want, {}, ()))

    async def finish(self, session: str, *job_ids: str, keep_ms: int = HOUR) -> list[bytes]:
        return (await self.engine.turn(session, 0, ended(*job_ids, keep_ms=keep_ms), ())).lost

    async def end_lease(self, session: str) -> None:
        """Let a session's deadline be in the past, as if it had stopped beating."""
        assert await self.client.zadd(self.keys.live, {session: 1}, xx=True, ch=True) == 1

    async def take_token(self, hold: str = "") -> bool:
        key = self.keys.hold_token(hold) if hold else self.keys.wake
        return await cast("Awaitable[bytes | None]", self.client.lpop(key)) is not None

    async def home(self, job_id: str) -> str:
        return (await self.engine.peek(job_id)).home

    async def memory(self, job_id: str) -> bytes | None:
        return cast("bytes | None", await self.client.hget(self.keys.tries, job_id))

    async def runs(self) -> dict[str, set[str]]:
        """Tell which jobs each session owns."""
        found: dict[str, set[str]] = {}
        for session, key in (await self._named_like(self.keys.run(""))).items():
            members = await self.client.smembers(key)
            found[session] = {member.decode() for member in members}
        return found

    async def holds(self) -> dict[str, list[str]]:
        """Tell which jobs each hold has, in their order."""
        found: dict[str, list[str]] = {}
        for name, key in (await self._named_like(self.keys.hold(""))).items():
            found[name] = [member.decode() for member in await self.client.zrange(key, 0, -1)]
        return found

    async def lanes(self) -> dict[str, list[str]]:
        """Tell which jobs wait in each lane, in their order."""
        found: dict[str, list[str]] = {}
        for name, key in (await self._named_like(self.keys.lane(""))).items():
            found[name] = [member.decode() for member in await self.client.zrange(key, 0, -1)]
        return found

    async def grants(self, lane: str = "") -> tuple[int, int]:
        """Tell how many starts are under way, and how many are known."""
        past = [entry.decode() for entry in await self.client.lrange(self.keys.past_grants(lane), 0, -1)]
        sums = [int(entry.split(":")[1]) for entry in past]
        return await self.client.scard(self.keys.open_grants(lane)), sums[-1] - sums[0] if sums else 0

    async def _check_lanes(self, owned: set[bytes], alive: set[bytes]) -> None:
        """Hold the lanes to theirs: each job in the lane it belongs to, each lane open or waiting."""
        lane_of = {
            job_id.decode(): lane.decode()
            for job_id, lane in (await self.client.hgetall(self.keys.laneof)).items()
        }
        assert {job_id.encode() for job_id in lane_of} <= alive, "a lane of a job that is over"
        lanes = await self.lanes()
        scores = dict(await self.client.zrange(self.keys.laned, 0, -1, withscores=True))
        in_lanes = [job_id for members in lanes.values() for job_id in members]
        assert sorted(in_lanes) == sorted(job_id.decode() for job_id in scores)
        assert all(lane_of[job_id] == name for name, members in lanes.items() for job_id in members)
        is_open = dict(await self.client.zrange(self.keys.lanes, 0, -1, withscores=True))
        waits = set(await self.client.zrange(self.keys.lanewait, 0, -1))
        if await self._is_settled():
            assert {name.encode() for name in lanes} == is_open.keys() | waits, "a lane that nobody finds"
        assert not is_open.keys() & waits
        for name, score in is_open.items():
            assert score == scores[lanes[name.decode()][0].encode()], "a lane at a wrong place"
        for prefix in (self.keys.lane_run(""), self.keys.open_grants("")):
            for key in (await self._named_like(prefix)).values():
                assert await self.client.smembers(key) <= owned, "a lane counts a job that does not run"
        assert set(await self.client.zrange(self.keys.sorting, 0, -1)) <= owned

    async def _is_settled(self) -> bool:
        now, lanes = await self.client.hmget(self.keys.meta, "gen", "lanes")
        return bool(now == lanes)

    async def _named_like(self, prefix: str) -> dict[str, bytes]:
        """Find all keys that begin so, by what follows."""
        return {
            key.decode()[len(prefix) :]: key
            async for key in self.client.scan_iter(match=_escaped(prefix) + "*", count=1000)
        }

    async def locks(self) -> dict[str, tuple[str, str]]:
        """Tell who has each lock, and the letter of how that one ended."""
        keys = await self._named_like(self.keys.lock(""))
        texts = await self.client.mget(list(keys.values())) if keys else []
        found = {}
        for digest, text in zip(keys, texts, strict=True):
            if text is not None:  # it may go just now
                *_, letter, _, job_id = text.decode().split(":", 5)
                found[digest] = (job_id, letter)
        return found

    async def age_lock(self, digest: str, ms: int) -> None:
        """Let the holder of a lock have been enqueued, and due, so much earlier."""
        key = self.keys.lock(digest)
        inserted, due, ends, letter, until, job_id = (await self.client.get(key)).decode().split(":", 5)
        ends = ends if ends == "-1" else str(int(ends) - ms)
        text = f"{int(inserted) - ms}:{int(due) - ms}:{ends}:{letter}:{until}:{job_id}"
        await self.client.set(key, text, keepttl=True)

    async def check_locks(self, records: dict[bytes, bytes]) -> None:
        """No lock outlives its job and its period."""
        alive = {job_id for job_id, text in records.items() if text[:1] == b"Q"}
        holders: dict[bytes, bytes] = await self.client.hgetall(self.keys.locks)
        assert holders.keys() <= alive, "a job that is over is still named as a holder"
        locks = await self.locks()
        former = await self._named_like(self.keys.former_lock(""))
        for digest, (job_id, letter) in locks.items():
            if not letter:
                assert holders.get(job_id.encode()) == digest.encode(), "a lock that nobody will release"
            elif job_id not in former:
                assert not await self.client.exists(self.keys.lock(digest)), "a lock that nobody will find"
        eternal = any(text.startswith(b"R9999999999999") for text in records.values())
        over = [self.keys.lock(digest) for digest, (_, letter) in locks.items() if letter]
        for key in () if eternal else (*over, *former.values()):
            assert await self.client.pttl(key) != -1, "a lock that does not go by itself"

    async def check(self) -> None:
        """Hold the queue to its invariants: one home per job, every owner alive, nothing left behind."""
        records: dict[bytes, bytes] = await self.client.hgetall(self.keys.jobs)
        waiting = [
            *await self.client.zrange(self.keys.ready, 0, -1),
            *await self.client.zrange(self.keys.sched, 0, -1),
            *await self.client.zrange(self.keys.susp, 0, -1),
        ]
        holds = await self.holds()
        waiting += [job_id.encode() for members in holds.values() for job_id in members]
        waiting += await self.client.zrange(self.keys.laned, 0, -1)
        runs = await self.runs()
        owned = [job_id.encode() for members in runs.values() for job_id in members]
        homes = sorted([*waiting, *owned])
        assert homes == sorted(set(homes)), "a job has two homes"
        alive = {job_id for job_id, text in records.items() if text[:1] == b"Q"}
        assert set(homes) == alive, "a job without a home, or a home without a job"
        assert all(text[:1] in b"QR" for text in records.values())
        sessions = {sid.decode() for sid in await self.client.zrange(self.keys.live, 0, -1)}
        assert runs.keys() <= sessions, "jobs belong to a session that nobody will rescue"
        assert set(await self.client.hkeys(self.keys.tries)) <= alive, "troubles of a job that is over"
        await self.check_locks(records)
        assert await self.client.llen(self.keys.wake) <= 1
        named = {name.decode() for name in await self.client.hkeys(self.keys.holds)}
        assert named == holds.keys(), "a hold that nobody finds, or a name without a hold"
        tokens = await self._named_like(self.keys.hold_token(""))
        assert tokens.keys() <= named, "a token of a hold that is empty"
        for token in tokens.values():
            assert await self.client.llen(token) == 1
        assert {sid.decode() for sid in await self.client.hkeys(self.keys.sessions)} <= sessions
        assert {sid.decode() for sid in await self.client.hkeys(self.keys.vitals)} <= sessions
        await self._check_lanes(set(owned), alive)
        prefix = self.keys.inbox("")
        async for key in self.client.scan_iter(match=_escaped(prefix) + "*", count=1000):
            assert key.decode()[len(prefix) :] in sessions, "an inbox that nobody reads"


def _escaped(pattern: str) -> str:
    return "".join(f"[{char}]" if char in "[]*?" else char for char in pattern)
