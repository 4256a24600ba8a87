"""The verbs by which a queue and the ledger that keeps its rows are compared, and the queue is mended."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, cast

from redis.exceptions import ResponseError

from .keys import Keys
from .protocol import Holder, Lock
from .scripts import Script, load

# A script holds the server while it runs.
UPKEEP_CHUNK = 500

Where = Literal["absent", "waiting", "running", "over"]


class Watch(NamedTuple):
    """What is to be watched.

    Attributes:
        marker: by which the ledger knows this Redis; empty without one.
        beat: how often it has beaten.
        lag_ms: how far the rows of some worker are behind, as far as that was told.
    """

    marker: str
    beat: int
    lag_ms: int = 0


class Place(NamedTuple):
    """Where a job is, as it is stored.

    Attributes:
        where: whether it waits in some home, a session owns it, or it is over. `over` is also one whose end
            has expired and is only remembered.
        state: its state's letter, see `model.states`; empty if it is absent.
        due_ms: when it is or was due, in ms since 1970; -1 where no home keeps that.
        memory: what is remembered of its runs.
        record: how it ended; empty unless it is over.
    """

    where: Where
    state: str = ""
    due_ms: int = -1
    memory: str = ""
    record: bytes = b""


class Restored(NamedTuple):
    """A job that is put back.

    Attributes:
        job_id, when, record: as in `NewJob`.
        memory: what to remember of its runs so far; empty is nothing.
        lock: what keeps equal jobs out; None for one that is not unique.
        was_accepted: whether it was in the queue before: then an equal job does not keep it out.
    """

    job_id: str
    when: str
    record: bytes
    memory: str = ""
    lock: Lock | None = None
    was_accepted: bool = True


@dataclass(slots=True)
class Unrestored:
    """Which jobs were not put back, by their positions (from 0).

    Attributes:
        others: another job has their id, or equals them, and which.
        over: they ended, and the letters of the states.
    """

    others: dict[int, Holder] = field(default_factory=dict)
    over: dict[int, str] = field(default_factory=dict)


class Retired(NamedTuple):
    """A job that has ended by the ledger's word, and waits.

    Attributes:
        job_id: the job.
        expected, remembered: its record and what was remembered of it when it was read.
        body: what to write as its end, as in `Ended` but without the job.
    """

    job_id: str
    expected: bytes
    remembered: str
    body: bytes


class Upkeep:
    """What a queue does for its ledger."""

    client: Any
    keys: Keys
    _timeout: float

    async def watch(self, session: str = "", lag_ms: int = 0) -> Watch:
        """Tell what is to be watched, and hear how far the rows of this session are behind, in ms."""
        args = {"sid": session, "lag_ms": lag_ms}
        marker, beat, longest_ms = await self._call(load("watch"), args, keys={"spilled": self.keys.spilled})
        return Watch(marker.decode(), int(beat), int(longest_ms))

    async def mark(self, known: Watch, marker: str, beat: int, remember_ms: int) -> bool:
        """Plant a marker or let it beat. False if it is not as it was `known` any more.

        Args:
            known: what was there.
            marker, beat: what is to be there.
            remember_ms: for how long ends are remembered even if nothing of them is kept.
        """
        args = {
            "expected": known.marker,
            "expected_beat": known.beat,
            "id": marker,
            "beat": beat,
            "remember": remember_ms,
        }
        return bool(await self._call(load("mark"), args))

    async def server(self) -> str | None:
        """Tell which server this is, by the id it has from start to end; None if it does not say."""
        try:
            async with asyncio.timeout(self._timeout):
                told = await self.client.info("server")
        except ResponseError:  # some hosts keep it from their customers
            return None
        except TimeoutError as error:
            raise ConnectionError("no answer to INFO") from error
        return cast("str | None", told.get("run_id"))

    async def compare(self, job_ids: Sequence[str]) -> list[Place]:
        """Tell where jobs are, at most some 500 of them."""
        if not job_ids:
            return []
        told = await self._call(load("compare"), {}, job_ids)
        return [_place(*told[i : i + 5]) for i in range(0, len(told), 5)]

    async def open_page(self, cursor: int, count: int = UPKEEP_CHUNK) -> tuple[int, list[tuple[str, bytes]]]:
        """Read some of the jobs that have not ended, ids and records; 0 is where reading begins and ends."""
        async with asyncio.timeout(self._timeout):
            cursor, found = await self.client.hscan(self.keys.jobs, cursor, count=count)
        page = [(raw.decode(errors="backslashreplace"), record) for raw, record in found.items()]
        return int(cursor), [(job_id, record) for job_id, record in page if record[:1] == b"Q"]

    async def restore(self, jobs: Sequence[Restored]) -> Unrestored:
        """Nowhere -> ready or scheduled, as they were; jobs that are there already stay as they are."""
        unrestored = Unrestored()
        for start in range(0, len(jobs), UPKEEP_CHUNK):
            chunk = jobs[start : start + UPKEEP_CHUNK]
            rest = [part for job in chunk for part in _restored(job)]
            for reply in await self._call(load("restore"), {}, rest):
                place, *holder = reply if isinstance(reply, list) else [reply]
                job_id, position = chunk[place - 1].job_id, start + place - 1
                if not holder:
                    unrestored.others[position] = Holder(job_id)
                elif holder[0].decode() == job_id:
                    unrestored.over[position] = holder[1].decode()
                else:
                    unrestored.others[position] = Holder(*map(bytes.decode, holder))
        return unrestored

    async def retire(self, jobs: Sequence[Retired], keep_ms: int) -> list[str]:
        """Ready, scheduled, held or suspended -> finished, if nothing has changed meanwhile. Returns which.

        Args:
            jobs: which, and how they ended.
            keep_ms: for how long their ends are kept.
        """
        retired: list[str] = []
        for start in range(0, len(jobs), UPKEEP_CHUNK):
            chunk = jobs[start : start + UPKEEP_CHUNK]
            rest = [part for job in chunk for part in job]
            places = await self._call(load("retire"), {"ttl_ms": keep_ms}, rest)
            retired += [chunk[int(place) - 1].job_id for place in places]
        return retired

    async def _call(
        self,
        script: Script,
        args: dict[str, Any],
        rest: Sequence[Any] = (),
        keys: dict[str, str] | None = None,
    ) -> Any:
        raise NotImplementedError


def _place(where: bytes, state: bytes, due_ms: int, memory: bytes, record: bytes) -> Place:
    return Place(cast("Where", where.decode()), state.decode(), int(due_ms), memory.decode(), record)


def _restored(job: Restored) -> tuple[Any, ...]:
    digest, period_ms, states, since = "", -1, "", ""
    if job.lock is not None:
        digest, period_ms, states = job.lock[:3]
        since = "s" if job.lock.by_due else "i"
    return (
        job.job_id, job.when, job.record, job.memory, digest, period_ms, states, since, int(job.was_accepted)
    )  # fmt: skip
