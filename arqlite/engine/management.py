"""The verbs of those who manage jobs by hand: look, cancel, revive, amend, drop and count, many at a time.

Each job is moved by a script of its own, which does nothing where the job has changed since it was read;
the calls for many jobs travel together.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from .keys import EPOCH_MS, Keys, due_ms
from .link import calls_on_pool
from .protocol import CancelAnswer
from .scripts import Script, load

# So many jobs are read, and so many moved, in one round trip: the server answers others in between.
PAGE = 500
_TALLY_PAGE = 1000
CANCEL_ANSWERS: dict[int, CancelAnswer] = {
    0: "unknown",
    1: "cancelled",
    2: "asked",
    3: "ended",
    4: "elsewhere",
}


HandAnswer = Literal["done", "refused", "unknown", "changed"]
"""What became of a move by hand: `refused` where the job is none to be moved so, `changed` where it is
not as it was when it was read."""
_HAND_ANSWERS: dict[int, HandAnswer] = {1: "done", 0: "refused", -1: "unknown", -2: "changed"}


class Standing(NamedTuple):
    """Where a job stands.

    Attributes:
        state: its state's letter: a available, s scheduled, r retryable, u suspended, e executing,
            S completed, F discarded, C cancelled; empty when it is nowhere.
        due_ms: when it is or was due, in ms since 1970; -1 when no home keeps that.
        memory: what is remembered of its runs.
        session: who runs it, empty if nobody does.
        record: its record, if that was asked for.
    """

    state: str
    due_ms: int
    memory: str
    session: str
    record: bytes


class Stop(NamedTuple):
    """A job to be cancelled.

    Attributes:
        job_id: the job.
        body: what to write as its end if it has not started, as in `Ended`; the job itself is appended.
    """

    job_id: str
    body: bytes


class Revival(NamedTuple):
    """A job that shall run, as it was read and as it shall be.

    Attributes:
        job_id: the job.
        expected, remembered: its record and what was remembered of it when it was read.
        record, memory: the new ones.
        due_ms: when it may start, in ms since 1970; None is now.
    """

    job_id: str
    expected: bytes
    remembered: str
    record: bytes
    memory: str
    due_ms: int | None = None


class Depth(NamedTuple):
    """How many jobs are where.

    Attributes:
        now_ms: the server's clock.
        available, waiting, suspended, executing: jobs that may start, wait for their time, wait for others,
            run.
        known: all of them and those that ended.
        troubled: of how many something is remembered.
        eldest_ms: since when the eldest that may start may do so, in ms since 1970; -1 without one.
        front: records of jobs that were put in front of others, so that their place tells no time.
    """

    now_ms: int
    available: int
    waiting: int
    suspended: int
    executing: int
    known: int
    troubled: int
    eldest_ms: int
    front: list[bytes]


class Tally(NamedTuple):
    """How many jobs ended, by how."""

    completed: int
    discarded: int
    cancelled: int


class Management:
    """What a queue does for those who manage its jobs by hand."""

    client: Any
    keys: Keys
    _names: dict[str, str]
    _timeout: float

    async def pages(self, page: int = PAGE) -> AsyncIterator[list[tuple[str, bytes]]]:
        """Read all jobs, ids and records, in no order: those that are there all the time, perhaps twice."""
        cursor = 0
        while True:
            cursor, found = await self.page(cursor, page)
            if found:
                yield found
            if cursor == 0:
                return

    async def page(self, cursor: int, count: int = PAGE) -> tuple[int, list[tuple[str, bytes]]]:
        """Read some jobs, ids and records; 0 is where reading begins and ends."""
        cursor, found = await self.client.hscan(self.keys.jobs, cursor, count=count)
        return int(cursor), [(_text(job_id), record) for job_id, record in found.items()]

    async def standings(self, job_ids: Sequence[str], *, with_records: bool = False) -> list[Standing]:
        """Tell where jobs stand. Without records, one that ended is as good as nowhere."""
        found: list[Standing] = []
        for start in range(0, len(job_ids), PAGE):
            args = {"full": "1" if with_records else "0"}
            _, *told = await self._call(load("where"), args, job_ids[start : start + PAGE])
            found += [_standing(*told[i : i + 5]) for i in range(0, len(told), 5)]
        return found

    async def cancel_many(self, stops: Sequence[Stop], keep_ms: int, states: str = "") -> list[CancelAnswer]:
        """See `Engine.cancel`; where `states` are given, only jobs in one of them are cancelled."""
        common = {"ttl_ms": keep_ms, "states": states, "control": self.keys.control_channel(""), "teller": ""}
        calls = [
            (_notes(self.keys, stop.job_id), {**common, "id": stop.job_id, "body": stop.body})
            for stop in stops
        ]
        return [CANCEL_ANSWERS[reply] for reply in await self._call_many(load("cancel"), calls)]

    async def revive_many(self, revivals: Sequence[Revival]) -> list[HandAnswer]:
        """Finished, scheduled or suspended -> ready or scheduled; `refused` is one that may start or runs."""
        no_keys: dict[str, str] = {}
        calls = [
            (no_keys, {**one._asdict(), "id": one.job_id, "due": "" if one.due_ms is None else one.due_ms})
            for one in revivals
        ]
        return [_HAND_ANSWERS[reply] for reply in await self._call_many(load("revive"), calls)]

    async def drop_many(self, job_ids: Sequence[str], states: str = "") -> list[HandAnswer]:
        """Anywhere but running -> nowhere, without a trace; `refused` is one that runs, `changed` one that is
        in none of the states that were given.
        """
        calls = [(_notes(self.keys, job_id), {"id": job_id, "states": states}) for job_id in job_ids]
        return [_HAND_ANSWERS[reply] for reply in await self._call_many(load("drop"), calls)]

    async def amend(self, job_id: str, expected: bytes, record: bytes, live: bytes) -> HandAnswer:
        """Change what is kept of a job that ended, where nobody has changed it since it was read.

        `live` is the same job as it is enqueued: a workflow that is retried makes its steps anew.
        """
        args = {"id": job_id, "expected": expected, "record": record, "live": live}
        return _HAND_ANSWERS[await self._call(load("amend"), args)]

    async def depth(self) -> Depth:
        """Count the jobs by where they are, and tell since when the eldest could start."""
        return Depth(*await self._call(load("depth"), {}))

    async def tally(self) -> Tally:
        """Count the jobs that ended, page by page; O(all jobs)."""
        total, cursor = Tally(0, 0, 0), b"0"
        while True:
            cursor, *counts = await self._call(load("tally"), {"cursor": cursor, "page": _TALLY_PAGE})
            total = Tally(*map(sum, zip(total, counts, strict=True)))
            if cursor == b"0":
                return total

    async def count_retryable(self, now_ms: int) -> int:
        """Count the jobs that wait for another try; O(jobs that had trouble)."""
        total, cursor = 0, 0
        while True:
            cursor, page = await self.client.hscan(self.keys.tries, cursor, count=PAGE)
            total += await self._count_due_later(page, now_ms)
            if cursor == 0:
                return total

    async def estimate_retryable(self, now_ms: int, most: int) -> tuple[int, bool]:
        """Count the jobs that wait for another try among so many that had trouble; O(most).

        Returns:
            How many there are, and whether that is exact: where more had trouble, they count as those do.
        """
        found, looked, cursor = 0, 0, 0
        while True:
            cursor, page = await self.client.hscan(self.keys.tries, cursor, count=PAGE)
            looked += len(page)
            found += await self._count_due_later(page, now_ms)
            if cursor == 0:
                return found, True
            if looked >= most:
                return round(found / looked * await self.client.hlen(self.keys.tries)), False

    async def front(self, most: int) -> list[bytes]:
        """Read the records of the jobs that come next: at most so many that may start, and as many that wait
        for their time.
        """
        job_ids = await self.client.zrange(self.keys.ready, 0, most - 1)
        job_ids += await self.client.zrange(self.keys.sched, 0, most - 1)
        records = await self.client.hmget(self.keys.jobs, job_ids) if job_ids else []
        return [record for record in records if record is not None]

    async def _count_due_later(self, page: Mapping[bytes, bytes], now_ms: int) -> int:
        # The last of seven numbers or more tells it, see `model.memory`.
        again = [job_id for job_id, text in page.items() if text.count(b":") >= 6 and text[-2:] == b":1"]
        scores = await self.client.zmscore(self.keys.sched, again) if again else []
        return sum(score is not None and due_ms(score) > now_ms for score in scores)

    async def _call_many(
        self, script: Script, calls: Sequence[tuple[dict[str, str], dict[str, Any]]]
    ) -> list[Any]:
        common = {"base": self.keys.base, "channel": self.keys.finished_channel}
        replies: list[Any] = []
        for start in range(0, len(calls), PAGE):
            laid_out = [
                script.arguments({**self._names, **keys}, {**common, **args})
                for keys, args in calls[start : start + PAGE]
            ]
            replies += await calls_on_pool(self.client, script, laid_out, self._timeout)
        return replies

    async def _call(
        self,
        script: Script,
        args: dict[str, Any],
        rest: Sequence[Any] = (),
        keys: dict[str, str] | None = None,
    ) -> Any:
        raise NotImplementedError


def _notes(keys: Keys, job_id: str) -> dict[str, str]:
    return {"note": keys.note(job_id), "log": keys.log(job_id)}


def _standing(state: bytes, due_ms: int, memory: bytes, session: bytes, record: bytes) -> Standing:
    # What is put in front of others stands where time begins.
    due_ms = -1 if due_ms == EPOCH_MS else int(due_ms)
    return Standing(state.decode(), due_ms, memory.decode(), _text(session), record)


def _text(name: bytes) -> str:
    return name.decode(errors="backslashreplace")
