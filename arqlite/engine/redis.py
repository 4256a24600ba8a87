"""The verbs on Redis or Valkey: pack names, call a script, unpack. No decisions are made here."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import redis
from redis.exceptions import NoScriptError

from ..errors import SessionLost
from ..model.codec import Codec
from ..model.states import JobState
from ..utils import timestamp_ms
from .duties import Duties
from .flows import FlowVerbs
from .homes import Homes
from .keys import Keys
from .link import WRONG_SERVER, Link, call_on_pool, calls_on_pool
from .management import CANCEL_ANSWERS, Management
from .protocol import (
    Beat,
    CancelAnswer,
    Ended,
    Failure,
    Fired,
    Holder,
    Home,
    Lock,
    Membership,
    NewJob,
    Note,
    Noted,
    Peek,
    Planted,
    Refused,
    Rescued,
    Returned,
    RewriteAnswer,
    Room,
    Size,
    Ticks,
    Turn,
)
from .scripts import Script, load
from .shards import client_of
from .spilling import Spilling
from .steering import Steering, settled_of
from .twin import blocking_twin
from .upkeep import Upkeep

# A script holds the server while it runs: 500 new jobs take it 1 to 2.5 ms.
ENQUEUE_CHUNK = 500
# Lua unpacks at most some 8,000 values, and two go to each job.
TURN_LIMIT = 1000
# So many looks go in one round trip: the answers hold whole records.
LOOK_CHUNK = 500
# How many lines of a job are kept: its newest.
LOG_LIMIT = 1000
# So many ends are forgotten by one script.
PRUNE_CHUNK = 1000
# By then somebody has rescued what was bequeathed, or nobody is there who could.
_WILL_MS = 30 * 86_400_000
# A batch that a crash left half-way is finished within this time, or it might be planted twice.
_TOKEN_MS = 30 * 86_400_000
# Somebody else who read the same batch may still be about to plant it.
_LATE_PLANTER_MS = 600_000
_REWRITE_ANSWERS: dict[int, RewriteAnswer] = {1: "done", 0: "changed", -1: "unknown", -2: "waits"}
# In the place of what a session has told of.
_TELLS_NOBODY = "\0"
# How long the end of a job is kept that a rescue cancels: nobody there knows its function. Its end is JSON,
# which every codec reads.
_CANCELLED_KEEP_MS = 3_600_000
_CODEC = Codec()
# Where a turn tells what was settled, if anything was.
_SETTLED_AT = 13
_PLACES = {"ready": "r", "scheduled": "s", "held": "h", "sorted": "l"}
# What all scripts may ask for; each takes what its head names.
_KEYS = (
    "jobs", "ready", "sched", "susp", "live", "tries", "wake", "wait", "ttls", "cron", "holds", "locks",
    "steps", "flows", "over", "meta", "sessions", "lanes", "marker", "lags",
    "vitals",
)  # fmt: skip


class RedisEngine(Management, Homes, Duties, FlowVerbs, Steering, Spilling, Upkeep):
    """One queue in one Redis database.

    Args:
        client: a `redis.asyncio.Redis`; its pool serves all calls but a worker's turns. In a cluster
            another one does, of the queue's node.
        queue: the queue's name.
        timeout: seconds after which a call without an answer counts as failed.

    Attributes:
        remember_ms: for how long an end is remembered even if nothing of it is to be kept, for the queue's
            ledger: 0 without one. To be set before a session is opened.
    """

    def __init__(self, client: Any, queue: str, *, timeout: float = 5.0) -> None:
        self.client = client = client_of(client, queue)
        self.queue = queue
        self.keys = Keys(queue, client.connection_pool.connection_kwargs.get("db") or 0)
        self.remember_ms = 0
        self._timeout = timeout
        self._turns = Link(client, timeout)
        self._names = {name: getattr(self.keys, name) for name in _KEYS}
        self._memberships: dict[str, Membership] = {}
        self._turn_script = load("turn")
        self._turn_keys: tuple[str, list[Any]] | None = None
        self._twin: redis.Redis | None = None
        self._twin_lock = threading.Lock()

    async def enqueue(self, jobs: Sequence[NewJob]) -> Refused:
        """See `Engine.enqueue`; more than 500 jobs go in several scripts, each of them atomic."""
        refused = Refused()
        for start in range(0, len(jobs), ENQUEUE_CHUNK):
            rest, unique = _enqueued(jobs[start : start + ENQUEUE_CHUNK])
            refused.read(await self._call(load("enqueue"), {"unique": unique}, rest), start)
        return refused

    async def open(self, session: str, lease_ms: int) -> int:
        """See `Engine.open`."""
        return int(await self._call(load("open"), {"sid": session, "lease_ms": lease_ms}))

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
        """See `Engine.turn`."""
        call = self._turn_head(session)
        rooms_given = -1 if rooms is None else len(rooms)
        told_of = _TELLS_NOBODY if told is None else b"\0".join(told)
        call = [*call, "\0".join(started), told_of, min(want, TURN_LIMIT), rooms_given]
        for room in rooms or ():
            call += room
        call.append(len(failures))
        for failure in failures:
            call += failure
        call.append(len(ended))
        for keep_ms, (job_ids, bodies) in ended.items():
            call += (keep_ms, len(job_ids))
            call += job_ids
            call += bodies
        for job_id, place, ms, memory, hold in returned:
            call += (job_id, _PLACES[place] + hold, ms, memory)
        reply = await self._turns.call(self._turn_script, call)
        if reply[0] == 0:
            raise SessionLost(f"the lease of {session} ended and its jobs were given to others")
        facts = reply[1:]
        if len(reply) > _SETTLED_AT:
            facts[-1] = settled_of(facts[-1])
        turn = Turn(*facts)
        return _with_swept(turn) if turn.lost else turn

    def beat(self, session: str, lease_ms: int, heard: Sequence[str], vitals: str = "") -> Beat:
        """See `Engine.beat`."""
        script = load("beat")
        names = {**self._names, "inbox": self.keys.inbox(session)}
        call = script.arguments(names, {"sid": session, "lease_ms": lease_ms, "told": vitals}, heard)
        # redis-py leaves `execute_command` of its blocking client unannotated.
        client = self._blocking_client()
        execute = cast("Callable[..., tuple[int, int, list[bytes], int]]", client.execute_command)
        try:
            alive, earliest, cancel, version = execute("EVALSHA", script.sha, *call)
        except NoScriptError:
            alive, earliest, cancel, version = execute("EVAL", script.source, *call)
        except WRONG_SERVER:
            self._drop_twin()
            raise
        return Beat(bool(alive), earliest, frozenset(job_id.decode() for job_id in cancel), version)

    async def rescue(self, session: str) -> Rescued:
        """See `Engine.rescue`."""
        now_ms = timestamp_ms()
        body = _CODEC.encode_end(JobState.CANCELLED, asyncio.CancelledError(), 0, now_ms, now_ms, b"")
        args = {"sid": session, "limit": TURN_LIMIT, "body": body, "ttl_ms": _CANCELLED_KEEP_MS}
        earliest, *moved = await self._call(load("rescue"), args)
        per_session = {moved[i].decode(): int(moved[i + 1]) for i in range(0, len(moved), 2)}
        return Rescued(per_session, int(earliest))

    async def leave(self, session: str, told: Sequence[bytes] = ()) -> int:
        """See `Engine.leave`."""
        keys = {"run": self.keys.run(session), "inbox": self.keys.inbox(session)}
        return int(await self._call(load("leave"), {"sid": session, "told": b"\0".join(told)}, keys=keys))

    async def bequeath(self, session: str, soon_ms: int) -> bool:
        """See `Engine.bequeath`."""
        args = {"sid": session, "soon_ms": soon_ms, "kept_ms": _WILL_MS}
        return bool(await self._call(load("bequeath"), args, keys={"will": self.keys.will(session)}))

    async def cancel(self, job_id: str, body: bytes, keep_ms: int, recalled_by: str = "") -> CancelAnswer:
        """See `Engine.cancel`."""
        control = self.keys.control_channel("")
        args = {"id": job_id, "ttl_ms": keep_ms, "body": body, "control": control, "teller": recalled_by}
        reply = await self._call(load("cancel"), {**args, "states": ""}, keys=self._note_keys(job_id))
        return CANCEL_ANSWERS[reply]

    async def rewrite(
        self, job_id: str, expected: bytes, record: bytes, states: str, when: str | None = None
    ) -> RewriteAnswer:
        """See `Engine.rewrite`."""
        args = {"id": job_id, "expected": expected, "record": record, "states": states}
        args["when"] = "keep" if when is None else when
        return _REWRITE_ANSWERS[await self._call(load("rewrite"), args)]

    async def peek(self, job_id: str) -> Peek:
        """See `Engine.peek`."""
        [peek] = await self.peek_many([job_id])
        return peek

    async def peek_many(self, job_ids: Sequence[str]) -> list[Peek]:
        """Tell where jobs are, in one round trip per 500."""
        return [_peek(reply) for reply in await self._call_each(load("peek"), job_ids)]

    async def forget(self, job_id: str) -> int:
        """See `Engine.forget`."""
        keys = {**self._note_keys(job_id), "errors": self.keys.errors(job_id)}
        return int(await self._call(load("forget"), {"id": job_id}, keys=keys))

    async def fire(
        self,
        schedules: Sequence[str],
        tick_ms: int,
        job_id: str,
        record: bytes,
        lock: Lock | None = None,
        name: str = "",
    ) -> Fired:
        """See `Engine.fire`."""
        args = {"name": name, "tick": tick_ms, "id": job_id, "record": record}
        digest, period, states, since = _lock(lock) if lock is not None else ("", -1, "", "")
        args |= {"digest": digest, "period": period, "states": states, "since": since}
        call = self._call(load("fire"), args, schedules, {"cronctl": self.keys.cronctl})
        done, now_ms, *holder = await call
        return Fired(bool(done), int(now_ms), Holder(*map(bytes.decode, holder)) if holder else None)

    async def foresee(self, jobs: Sequence[NewJob]) -> Refused:
        """See `Engine.foresee`; more than 500 jobs go in several scripts."""
        refused = Refused()
        for start in range(0, len(jobs), ENQUEUE_CHUNK):
            questions: list[Any] = []
            for job in jobs[start : start + ENQUEUE_CHUNK]:
                questions += (job.job_id, *(_lock(job.lock) if job.lock is not None else ("",) * 4))
            refused.read(await self._call(load("foresee"), {}, questions), start)
        return refused

    async def ticks(self, schedules: Sequence[str]) -> Ticks:
        """See `Engine.ticks`."""
        now_ms, *last_ms = await self._call(load("ticks"), {}, schedules)
        return Ticks(int(now_ms), [int(last) for last in last_ms])

    async def note(self, session: str, stamp: str, notes: Sequence[Note]) -> int:
        """See `Engine.note`."""
        rest: list[Any] = []
        for job_id, enqueue_ms, progress, keep_ms, lost, lines in notes:
            rest += (job_id, enqueue_ms, progress, keep_ms, lost, len(lines))
            rest += lines
        args = {"noted": self.keys.noted_channel(""), "limit": LOG_LIMIT, "stamp": f"{session} {stamp}"}
        return int(await self._call(load("note"), args, rest, {"run": self.keys.run(session)}))

    async def noted(self, job_id: str, last: int) -> Noted | None:
        """See `Engine.noted`."""
        facts = await self._call(load("noted"), {"last": last}, keys=self._note_keys(job_id))
        if not facts:
            return None
        enqueue_ms, progress, lost, lines = facts
        return Noted(int(enqueue_ms), progress, lost, lines)

    async def errors_of(self, job_ids: Sequence[str]) -> list[list[bytes]]:
        """See `Engine.errors_of`."""
        replies: list[list[bytes]] = await self._call_each(load("errors"), job_ids)
        return replies

    async def plant(self, token: str, jobs: Sequence[Planted]) -> set[int] | None:
        """See `Engine.plant`; one script, so at most some 500 jobs."""
        args = {"token": token, "token_ms": _TOKEN_MS}
        rest = [part for job in jobs for part in job]
        refused = await self._call(load("plant"), args, rest, {"imported": self.keys.imported})
        return None if refused == [0] else {place - 1 for place in refused}

    async def forget_token(self, token: str) -> None:
        """See `Engine.forget_token`."""
        args = {"token": token, "late_ms": _LATE_PLANTER_MS}
        await self._call(load("forget_token"), args, keys={"imported": self.keys.imported})

    async def ends(self, job_ids: Sequence[str]) -> list[int]:
        """See `Engine.ends`."""
        return [int(until) for until in await self._call(load("ends"), {}, job_ids)] if job_ids else []

    async def prune(self, limit: int | None = None) -> int:
        """See `Engine.prune`."""
        total, more = 0, 1
        while more and (limit is None or total < limit):
            most = PRUNE_CHUNK if limit is None else min(limit - total, PRUNE_CHUNK)
            forgotten, more = await self._call(load("prune"), {"limit": most})
            total += forgotten
        await self.prune_flows()
        return total

    async def size(self) -> Size:
        """See `Engine.size`."""
        return Size(*await self._call(load("size"), {}))

    async def nudge(self) -> None:
        """Leave the wake tokens that jobs are there for."""
        await self._call(load("nudge"), {})

    async def owned(self, session: str) -> set[str]:
        """Tell which jobs the server thinks this session owns."""
        members = await self._turns.command("SMEMBERS", self.keys.run(session))
        return {member.decode(errors="backslashreplace") for member in members}

    async def mind_many(self, job_ids: Sequence[str]) -> list[bool]:
        """Ask that the ends of jobs be announced; False for one that has ended or is unknown, of which
        the question leaves no trace.
        """
        return [bool(reply) for reply in await self._call_each(load("mind"), job_ids)]

    async def unmind_many(self, job_ids: Sequence[str]) -> list[None]:
        """Nobody awaits the ends of these jobs any more."""
        async with asyncio.timeout(self._timeout):
            await self.client.srem(self.keys.wait, *job_ids)
        return [None] * len(job_ids)

    async def close(self) -> None:
        """Close the connections that are the engine's own; the client's pool is the client's."""
        await self._turns.close()
        self._drop_twin()

    async def _call(
        self,
        script: Script,
        args: dict[str, Any],
        rest: Sequence[Any] = (),
        keys: dict[str, str] | None = None,
    ) -> Any:
        args = {"base": self.keys.base, "channel": self.keys.finished_channel, **args}
        call = script.arguments({**self._names, **(keys or {})}, args, rest)
        return await call_on_pool(self.client, script, call, self._timeout)

    async def _call_each(self, script: Script, job_ids: Sequence[str]) -> list[Any]:
        common = {"base": self.keys.base, "channel": self.keys.finished_channel}
        replies: list[Any] = []
        for start in range(0, len(job_ids), LOOK_CHUNK):
            chunk = job_ids[start : start + LOOK_CHUNK]
            calls = [script.arguments(self._names, {**common, "id": job_id}) for job_id in chunk]
            replies += await calls_on_pool(self.client, script, calls, self._timeout)
        return replies

    def _note_keys(self, job_id: str) -> dict[str, str]:
        return {"note": self.keys.note(job_id), "log": self.keys.log(job_id)}

    def _turn_head(self, session: str) -> list[Any]:
        """Lay out what stays the same from turn to turn once per session."""
        if self._turn_keys is None or self._turn_keys[0] != session:
            names = {**self._names, "run": self.keys.run(session)}
            args = {
                "base": self.keys.base,
                "channel": self.keys.finished_channel,
                "control": self.keys.queue_channel,
                "sid": session,
                "remember": self.remember_ms,
                **self._standpoint(session),
                "started": "",
                "told": "",
                "want": 0,
            }
            self._turn_keys = (session, self._turn_script.arguments(names, args)[:-3])
        return self._turn_keys[1]

    def _drop_twin(self) -> None:
        with self._twin_lock:
            twin, self._twin = self._twin, None
        if twin is not None:
            twin.close()

    def _blocking_client(self) -> redis.Redis:
        with self._twin_lock:
            if self._twin is None:
                self._twin = blocking_twin(self.client, self._timeout)
            return self._twin


def _with_swept(turn: Turn) -> Turn:
    """Sort out what the script tells in one list."""
    swept = [raw_id[1:] for raw_id in turn.lost if raw_id.startswith(b"\0")]
    return turn._replace(lost=turn.lost[: len(turn.lost) - len(swept)], swept=swept)


def _enqueued(jobs: Sequence[NewJob]) -> tuple[list[Any], int]:
    """Lay out jobs as `enqueue` takes them, and count the unique ones among them."""
    rest: list[Any] = [part for job in jobs for part in job]
    locks = rest[3::4]
    del rest[3::4]
    if not any(locks):
        return rest, 0
    unique = [part for place, lock in enumerate(locks, 1) if lock for part in (place, *_lock(lock))]
    return unique + rest, len(locks) - locks.count(None)


def _lock(lock: Lock) -> tuple[str, int, str, str]:
    return lock.digest, lock.period_ms, lock.states, "s" if lock.by_due else "i"


def _peek(reply: list[Any]) -> Peek:
    home, *facts = reply
    if not facts:
        return Peek("absent", b"", -1, "")
    record, ms, memory = facts
    return Peek(cast("Home", home.decode()), record, int(ms), memory.decode())
