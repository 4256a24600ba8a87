"""The keeper of notes: few calls, bounded, and for as long as jobs run."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
import pytest_asyncio

from arqlite.engine import Note
from arqlite.engine.redis import LOG_LIMIT
from arqlite.model import memory
from arqlite.model.notes import Report, encode_line
from arqlite.model.outcomes import End, Gone
from arqlite.model.states import JobState
from arqlite.runtime import notekeeper
from arqlite.runtime.notekeeper import UNENDED_KEEP_MS, NoteKeeper, keeper_of
from arqlite.runtime.notes import PENDING_BYTES, Notes
from arqlite.runtime.run import Run


class Calls:
    """An engine that only counts what it is to store."""

    def __init__(self) -> None:
        self.stamps: list[str] = []
        self.batches: list[list[Note]] = []
        self.called = asyncio.Event()

    async def note(self, session: str, stamp: str, notes: Sequence[Note]) -> int:
        self.stamps.append(stamp)
        self.batches.append(list(notes))
        self.called.set()
        return len(notes)

    @property
    def notes(self) -> list[Note]:
        return [note for batch in self.batches for note in batch]


@pytest.fixture
async def calls() -> Calls:
    return Calls()


@pytest_asyncio.fixture
async def keeper(calls: Calls) -> AsyncIterator[NoteKeeper]:
    engine: Any = calls
    keeper = NoteKeeper(engine)
    keeper.opened("s")
    await keeper.start()
    yield keeper
    await keeper.stop()


def running(job_id: str = "a", worker: str = "s") -> Run:
    target: Any = None
    run = Run(job_id, "f", target, (), {}, b"", 1, memory.NOTHING, 7, 7, "q", worker)
    run.task = asyncio.current_task()
    return run


COMPLETED = End(JobState.COMPLETED, None)


def test_pending_lines_are_bounded() -> None:
    """What waits to be stored takes neither more lines than are kept nor more memory than is meant for it."""
    many, large = Notes(), Notes()

    for number in range(LOG_LIMIT + 5):
        many.add_line(b"%d" % number)
    for _ in range(100):
        large.add_line(b"x" * 10_000)

    taken = many.take()
    assert (len(taken.lines), taken.lines[-1], taken.lost) == (LOG_LIMIT, b"%d" % (LOG_LIMIT + 4), 5)
    taken = large.take()
    assert sum(map(len, taken.lines)) <= PENDING_BYTES
    assert len(taken.lines) + taken.lost == 100
    assert large.take() == (None, [], 0)


async def test_first_report_goes_soon_the_next_later(
    keeper: NoteKeeper, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is told first goes at once; what is told right after it waits, and only the newest goes."""
    monkeypatch.setattr(notekeeper, "_PAUSE_S", 3600)
    run = running()

    keeper.report(run, Report(1, 9, "", 1))
    await asyncio.wait_for(calls.called.wait(), 5)
    for number in range(2, 9):
        keeper.report(run, Report(number, 9, "", number))
    await asyncio.sleep(0)
    at_first = len(calls.batches)
    await keeper.conclude(run, COMPLETED)

    assert at_first == 1
    assert [note.progress for note in calls.notes] == [b'[1,9,"",1,1]', b'[8,9,"",8,1]']
    assert [note.keep_ms for note in calls.notes] == [UNENDED_KEEP_MS, 0]


async def test_ends_do_not_starve_those_who_run(keeper: NoteKeeper, calls: Calls) -> None:
    """However many jobs end at all times, a running one's progress is stored in its time, paced as ever."""
    long, loop = running("long"), asyncio.get_running_loop()
    began, told = loop.time(), 0
    while told < 3 and loop.time() < began + 10:
        keeper.report(long, Report(1, 9, "", 1))
        short = running("short")
        keeper.add_line(short, 20, "app", "text")
        await keeper.conclude(short, COMPLETED)
        told = sum(note.job_id == "long" for note in calls.notes)

    assert told == 3
    assert loop.time() - began >= 2 * notekeeper._PAUSE_S


async def test_lines_of_ends_slow_those_who_run_only_so_much(
    keeper: NoteKeeper, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ends store counts against the lines of those who run, yet these wait no longer than a second."""
    long = running("long")
    keeper.report(long, Report(1, 9, "", 1))
    await asyncio.wait_for(calls.called.wait(), 5)
    first = keeper._next_at

    pauses = []
    for lines in (1000, LOG_LIMIT, LOG_LIMIT, LOG_LIMIT, LOG_LIMIT, LOG_LIMIT, LOG_LIMIT):
        short = running("short")
        for _ in range(lines):
            keeper.add_line(short, 20, "app", "text")
        monkeypatch.setattr(keeper, "_is_time", lambda: False)
        await keeper.conclude(short, COMPLETED)
        pauses.append(keeper._next_at - first)

    assert pauses[0] == pytest.approx(0.2)
    assert pauses[-1] == pytest.approx(0.9)


async def test_ends_do_not_wait_for_the_lines_of_those_who_run(
    keeper: NoteKeeper, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that ends waits for its own notes, and not for the many calls that those of others take."""
    monkeypatch.setattr(notekeeper, "_BATCH_JOBS", 1)
    long, short, never = running("long"), running("short"), asyncio.Event()
    note = calls.note

    async def stuck(session: str, stamp: str, notes: Sequence[Note]) -> int:
        if notes[0].job_id == "long":
            await never.wait()
        return await note(session, stamp, notes)

    monkeypatch.setattr(calls, "note", stuck)
    keeper.report(long, Report(1, 9, "", 1))
    keeper.report(short, Report(1, 9, "", 1))
    async with asyncio.timeout(0.5):
        await keeper.conclude(short, COMPLETED)
    never.set()

    assert [note.job_id for note in calls.notes] == ["short"]


async def test_reports_of_many_threads(keeper: NoteKeeper, calls: Calls) -> None:
    """Reports may come from any number of threads at once; no line is lost and the keeper is woken."""
    run = running()

    def tell(number: int) -> None:
        for line in range(50):
            keeper.add_line(run, 20, "app", f"{number} {line}")

    threads = [threading.Thread(target=tell, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    await asyncio.wait_for(calls.called.wait(), 5)
    await asyncio.gather(*(asyncio.to_thread(thread.join) for thread in threads))
    await keeper.conclude(run, COMPLETED)

    assert sum(len(note.lines) for note in calls.notes) == 400
    assert sum(note.lost for note in calls.notes) == 0


async def test_calls_are_cut(
    keeper: NoteKeeper, calls: Calls, monkeypatch: pytest.MonkeyPatch, eventually: Any
) -> None:
    """No call holds the server for long: much goes in several calls, each with a stamp of its own."""
    monkeypatch.setattr(notekeeper, "_BATCH_LINES", 10)
    monkeypatch.setattr(notekeeper, "_BATCH_JOBS", 3)
    runs = [running(str(number)) for number in range(8)]

    for run in runs[:3]:
        for _ in range(6):
            keeper.add_line(run, 20, "app", "text")
    for run in runs[3:]:
        keeper.report(run, Report(1, 1, "", 1))
    await eventually(lambda: len(calls.batches) == 4)

    assert [[note.job_id for note in batch] for batch in calls.batches] == [
        ["0"], ["1"], ["2", "3", "4"], ["5", "6", "7"],
    ]  # fmt: skip
    assert len(set(calls.stamps)) == len(calls.stamps)


async def test_flood_is_stored_less_often(keeper: NoteKeeper, calls: Calls) -> None:
    """The more lines went, the longer the keeper waits before the next ones."""
    run = running()
    before = asyncio.get_running_loop().time()

    for _ in range(LOG_LIMIT):
        keeper.add_line(run, 20, "app", "text")
    await asyncio.wait_for(calls.called.wait(), 5)

    assert keeper._next_at >= before + 0.3


async def test_notes_are_renewed(
    keeper: NoteKeeper, calls: Calls, monkeypatch: pytest.MonkeyPatch, eventually: Any
) -> None:
    """Of a job that runs for days and tells nothing new, what it told is kept on; of one that is over not."""
    monkeypatch.setattr(notekeeper, "_RENEW_S", 0.01)
    run, over = running("a"), running("b")
    over.task = asyncio.ensure_future(asyncio.sleep(0))

    keeper.report(run, Report(1, 2, "", 1))
    keeper.report(over, Report(1, 2, "", 1))
    await over.task

    await eventually(lambda: len([note for note in calls.notes if note.job_id == "a"]) > 3)
    assert len([note for note in calls.notes if note.job_id == "b"]) == 1
    assert {note.keep_ms for note in calls.notes} == {UNENDED_KEEP_MS}


async def test_lost_runs_are_passed_over(keeper: NoteKeeper, calls: Calls) -> None:
    """Nothing is stored of a run that belongs to an older session or whose lease is lost."""
    older, lost, gone = running("a", worker="r"), running("b"), running("c")
    for run in (older, lost, gone):
        keeper.report(run, Report(1, 2, "", 1))
    lost.cancel_reason = "lost_lease"

    await keeper.conclude(older, COMPLETED)
    await keeper.conclude(lost, COMPLETED)
    await keeper.conclude(gone, Gone())

    assert [note.job_id for note in calls.notes if note.job_id != "c"] == []
    assert all(run.notes is not None and run.notes.is_closed for run in (older, lost, gone))


async def test_unforeseen_error_is_told_and_survived(
    keeper: NoteKeeper, calls: Calls, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An error that nobody foresaw holds no job up, has its traceback in the log, and is the only one."""
    first, second = running("a"), running("b")
    keeper.report(first, Report(1, 2, "", 1))
    with monkeypatch.context() as patch:
        patch.setattr(notekeeper, "_batches", None)
        await asyncio.wait_for(keeper.conclude(first, COMPLETED), 0.5)
    keeper.report(second, Report(1, 2, "", 1))

    await asyncio.wait_for(keeper.conclude(second, COMPLETED), 0.5)

    assert {note.job_id for note in calls.notes} == {"b"}
    assert {record.message for record in caplog.records} == {"storing the notes of jobs failed"}


async def test_keeper_is_found_by_session(keeper: NoteKeeper) -> None:
    """Reports find the keeper by the session of their job, until that is replaced or over."""
    assert keeper_of("s") is keeper

    keeper.opened("t")
    assert (keeper_of("s"), keeper_of("t")) == (None, keeper)

    await keeper.stop()
    assert keeper_of("t") is None


async def test_end_of_the_keeper_holds_nobody_up(calls: Calls) -> None:
    """A run that waits for its last notes while the keeper ends is let go."""
    engine: Any = calls
    keeper = NoteKeeper(engine)  # never started: nothing is stored
    keeper.opened("s")
    run = running()
    keeper.report(run, Report(1, 2, "", 1))
    ending = asyncio.create_task(keeper.conclude(run, COMPLETED))
    await asyncio.sleep(0)

    await keeper.stop()

    await asyncio.wait_for(ending, 0.5)


def test_line_is_small() -> None:
    """The longest line stays within a few kilobytes."""
    assert len(encode_line(1, 20, "app", "x" * 10**6, 1)) < 4200
