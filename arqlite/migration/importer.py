"""Drains queues of arq into a queue of arqlite, beside workers of arq that go on working."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..engine import Planted, RedisEngine
from ..errors import DeserializationError, SerializationError
from ..model.failures import message_of
from ..utils import timestamp_ms
from .convert import Converter, Left
from .mover import Mover, Step
from .report import Report
from .source import ArqQueue, StoredResult
from .wire import NeedsClass, Reader

_PAGE = 200
# Producers that are still at it could keep an import busy for ever.
_MOST_PASSES = 20
_WAIT_S = 0.5

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Choices:
    """What an import was told.

    Attributes:
        dry_run: look and change nothing.
        results: copy results, too.
        wait: wait until arq's workers have ended what they run, or their locks have expired.
        force: take what is running, too; only once arq is stopped.
    """

    dry_run: bool = False
    results: bool = True
    wait: bool = False
    force: bool = False


class Importer:
    """One import.

    Args:
        sources: the queues of arq, all in one database.
        engine: the queue of arqlite.
        converter: what jobs and results become.
        reader: how results are read.
        choices: what to do.
        pause: how to wait for arq's workers.

    Attributes:
        progress: called with how many jobs are done, and of how many.
        waiting: called with how many running jobs are waited for, when that has changed.
    """

    def __init__(
        self,
        sources: Sequence[ArqQueue],
        engine: RedisEngine,
        converter: Converter,
        reader: Reader,
        choices: Choices,
        *,
        pause: Callable[[float], Awaitable[Any]] = asyncio.sleep,
    ) -> None:
        self._sources = sources
        self._engine = engine
        self._converter = converter
        self._reader = reader
        self._choices = choices
        self.progress: Progress = lambda done, total: None
        self.waiting: Callable[[int], None] = lambda running: None
        self._pause = pause
        self._done = 0
        self._total = 0
        names = [source.queue for source in sources]
        self.report = Report(dry_run=choices.dry_run, queues=names, target=engine.queue)

    async def run(self) -> Report:
        """Import, and tell what became of everything."""
        self._total = sum([await source.size() for source in self._sources])
        for source in self._sources:
            mode = "force" if self._choices.force else "take"
            mover = Mover(source, self._engine, self._converter, mode)
            await (self._look if self._choices.dry_run else self._drain)(mover)
            self.report.held += await source.held_size()
        if self._choices.results:
            await self._copy_results()
        drained = {source.queue for source in self._sources}
        others = await self._sources[0].others() if self._sources else {}
        self.report.other_queues = {name: jobs for name, jobs in others.items() if name not in drained}
        return self.report

    async def _look(self, mover: Mover) -> None:
        self.report.recovered += sum(len(batch.jobs) for batch in await mover.source.staged())
        seen: set[bytes] = set()
        async for keys in mover.source.all():
            fresh = [key for key in keys if key not in seen]
            seen.update(fresh)
            moves, left = await mover.look(fresh)
            for move in moves:
                self.report.add(move)
            self.report.left += left
            self._advance(len(fresh))

    async def _drain(self, mover: Mover) -> None:
        self.report.recovered += await mover.finish_staged()
        passes = told = 0
        while True:
            left: list[Left] = []
            if await self._pass(mover, left):
                passes += 1
                if passes == _MOST_PASSES:
                    self.report.unfinished = True
                    break
            elif self._choices.wait and (running := sum(one.hold == "running" for one in left)):
                if running != told:
                    self.waiting(running)
                told, passes = running, 0
                await self._pause(_WAIT_S)
            else:
                break
        self.report.left += await self._still_there(mover.source, left)

    async def _pass(self, mover: Mover, left: list[Left]) -> bool:
        """Go through the queue once, in the order of due times. Returns whether anything moved."""
        offset, has_moved = 0, False
        while keys := await mover.source.page(offset, _PAGE):
            step = await self._move(mover, keys, left)
            has_moved = has_moved or bool(step.moved or step.duplicates or step.changed)
            offset += len(step.left) + step.changed
        return has_moved or await self._sweep(mover, left)

    async def _sweep(self, mover: Mover, left: list[Left]) -> bool:
        """Look for jobs that no page showed, since arq ended others while the pages were turned."""
        seen = {one.job_id for one in left}
        has_moved = False
        async for keys in mover.source.all():
            unseen = [key for key in keys if key.decode(errors="backslashreplace") not in seen]
            if unseen:
                step = await self._move(mover, unseen, left)
                has_moved = has_moved or bool(step.moved or step.duplicates or step.changed)
        return has_moved

    async def _move(self, mover: Mover, keys: Sequence[bytes], left: list[Left]) -> Step:
        step = await mover.move(keys)
        for move in step.moved:
            self.report.add(move)
        self.report.duplicates += [move.waiting.job_id for move in step.duplicates]
        left += step.left
        self._advance(len(step.moved) + len(step.duplicates))
        return step

    @staticmethod
    async def _still_there(source: ArqQueue, left: Sequence[Left]) -> list[Left]:
        """Leave out what a worker of arq has ended meanwhile."""
        there = await source.which_wait([one.job_id for one in left])
        return [one for one in left if one.job_id in there or one.hold != "running"]

    def _advance(self, count: int) -> None:
        self._done += count
        self._total = max(self._total, self._done)
        self.progress(self._done, self._total)

    async def _copy_results(self) -> None:
        seen: set[bytes] = set()
        async for page in self._sources[0].results():
            fresh = [stored for stored in page if stored.key not in seen]
            seen.update(stored.key for stored in fresh)
            planted = [made for stored in fresh if (made := self._converted(stored)) is not None]
            if self._choices.dry_run:
                self.report.results += len(planted)
            elif planted:
                refused = await self._engine.plant("", planted) or ()
                self.report.results += len(planted) - len(refused)
                self.report.results_known += len(refused)

    def _converted(self, stored: StoredResult) -> Planted | None:
        job_id = stored.key.decode(errors="backslashreplace")
        try:
            envelope = self._reader.result(stored.body)
            if (envelope["q"] or self.report.queues[0]) not in self.report.queues:
                self.report.results_elsewhere += 1
                return None
            return self._converter.result(stored.key, envelope, stored.ttl_ms, timestamp_ms())
        except NeedsClass as needed:
            self.report.unread[str(needed)] += 1
        except (DeserializationError, SerializationError) as error:
            self.report.results_failed[job_id] = message_of(error)
        return None
