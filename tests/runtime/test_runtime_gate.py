"""The strict acknowledgement: an end goes to Redis when the ledger has it, and what is lost goes nowhere."""

from __future__ import annotations

import asyncio
from typing import Any

from arqlite.engine import Failure, Returned
from arqlite.runtime import gate as gates
from arqlite.runtime.acker import Acker, Batch
from arqlite.runtime.gate import Gate


class Writing:
    """A writer of the ledger that commits when it is told to."""

    def __init__(self) -> None:
        self.mark = 0
        self.is_full = False
        self.lag = 0.0
        self._committed = 0
        self._changed = asyncio.Condition()

    async def reached(self, mark: int) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self._committed >= mark)

    async def commit(self) -> None:
        async with self._changed:
            self._committed = self.mark
            self._changed.notify_all()


class Ended:
    """Ends jobs as the executor does: first the end, and what is told of it right after."""

    def __init__(self) -> None:
        self.writing = Writing()
        self.opened = asyncio.Event()
        self.gate = Gate(self.writing, self.opened.set)

    def __call__(self, job_id: str, body: bytes = b"S") -> None:
        self.gate.end(job_id, 1000, body)
        self.writing.mark += 1

    async def opens(self) -> None:
        await asyncio.wait_for(self.opened.wait(), 5)
        self.opened.clear()


def ids(batch: Batch) -> list[str]:
    return [job_id for ended in batch.ended.values() for job_id in ended.job_ids]


async def turns(loops: int = 5) -> None:
    """Let everything run that can."""
    for _ in range(loops):
        await asyncio.sleep(0)


async def test_end_waits_for_its_commit() -> None:
    """An end may be delivered when what was told of it is committed, and the producer hears of that."""
    end = Ended()
    end("a")
    await turns()

    assert not end.gate
    assert set(end.gate.held) == {"a"}

    await end.writing.commit()
    await end.opens()
    assert ids(end.gate.take()) == ["a"]
    assert not end.gate.held
    await end.gate.close()


async def test_later_end_waits_for_a_later_commit() -> None:
    """A commit lets through what it has, and nothing that was told after it began."""
    end = Ended()
    end("a")
    await turns()
    early = end.writing.mark
    end("b")
    await turns()
    end.writing.mark, late = early, end.writing.mark
    await end.writing.commit()
    await end.opens()

    assert ids(end.gate.take()) == ["a"]
    end.writing.mark = late
    await end.writing.commit()
    await end.opens()
    assert ids(end.gate.take()) == ["b"]
    await end.gate.close()


async def test_ends_of_one_moment_wait_together() -> None:
    """What ended in one step of the loop comes through in its order, by one commit."""
    end = Ended()
    for job_id in "abc":
        end(job_id)
    await turns()
    await end.writing.commit()
    await end.opens()

    assert ids(end.gate.take()) == ["a", "b", "c"]
    await end.gate.close()


async def test_error_waits_with_its_end() -> None:
    """What an attempt failed with goes along with its end, not before."""
    end = Ended()
    end.gate.fail(Failure("a", 1000, b"boom"))
    end("a", b"F")
    await turns()
    assert end.gate.take().failures == {}

    await end.writing.commit()
    await end.opens()
    assert end.gate.take().failures == {"a": Failure("a", 1000, b"boom")}
    await end.gate.close()


async def test_return_does_not_wait() -> None:
    """A job that goes back to the queue is open: it goes at once, and its error with it."""
    end = Ended()
    end.gate.fail(Failure("a", -1, b"boom"))
    end.gate.give_back(Returned("a", "scheduled", 500, ""))

    batch = end.gate.take()
    assert [returned.job_id for returned in batch.returned] == ["a"]
    assert batch.failures == {"a": Failure("a", -1, b"boom")}


async def test_lost_lease_drops_what_waits() -> None:
    """When the session is dead, nothing that waits comes through any more."""
    end = Ended()
    end("a")
    await turns()
    end.gate.clear()
    await end.writing.commit()
    await end.opens()

    assert not end.gate
    assert not end.gate.held
    await end.gate.close()


async def test_old_end_of_a_job_that_came_again_is_dropped() -> None:
    """A job that was another worker's meanwhile ends by its new end alone."""
    end = Ended()
    end("a", b"old")
    await turns()
    end.gate.drop(["a"])
    end("a", b"new")
    await turns()
    await end.writing.commit()
    await end.opens()

    [ended] = end.gate.take().ended.values()
    assert ended.bodies == [b"new"]
    await end.gate.close()


async def test_slow_ledger_shuts_the_gate(monkeypatch: Any) -> None:
    """While an end waits for long nothing more may be begun; who asked hears when that is over."""
    monkeypatch.setattr(gates, "_SLOW_S", 0.0)
    end = Ended()
    assert not end.gate.is_shut
    end("a")
    await turns()
    assert end.gate.is_shut

    await end.writing.commit()
    await end.opens()
    assert not end.gate.is_shut
    await end.gate.close()


async def test_full_writer_shuts_the_gate_though_nothing_waits_in_it() -> None:
    """A worker whose starts cannot be written hears, too, when it may go on."""
    end = Ended()
    end.writing.mark, end.writing.is_full = 5, True
    assert end.gate.is_shut

    end.writing.is_full = False
    await end.writing.commit()
    await end.opens()
    assert not end.gate.is_shut
    await end.gate.close()


async def test_too_many_ends_shut_the_gate(monkeypatch: Any) -> None:
    """Only so many jobs are run ahead of the ledger."""
    monkeypatch.setattr(gates, "_MOST", 2)
    end = Ended()
    end("a")
    assert not end.gate.is_shut
    end("b")
    assert end.gate.is_shut
    await end.gate.close()


def test_plain_acker_has_no_gate() -> None:
    """Without a strict ledger nothing is held, and nothing is shut."""
    acker = Acker()
    acker.end("a", 0, b"S")

    assert acker
    assert not acker.held
    assert not acker.is_shut
