"""Jobs on their way: read, converted, taken, planted, unstaged. A crash at any point loses none of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ..engine import RedisEngine
from ..errors import ConfigurationError
from ..telemetry import JobEnqueued, execute, has_handlers
from ..utils import timestamp_ms
from .convert import Converter, Left, Move
from .source import ArqQueue, Batch

# What one script carries: it holds both servers while it runs.
_MOST_JOBS = 100
_MOST_BYTES = 4_000_000


@dataclass(slots=True)
class Step:
    """What became of some jobs.

    Attributes:
        moved: those that are arqlite's now, or are over.
        duplicates: those whose id arqlite has already; as arq would have, it refused them.
        left: those that stay, and why.
        changed: those that changed while they were looked at; to be looked at again.
    """

    moved: list[Move] = field(default_factory=list)
    duplicates: list[Move] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    changed: int = 0


class Mover:
    """Moves jobs from a queue of arq to a queue of arqlite.

    Args:
        source: from where.
        engine: to where.
        converter: what they become.
        mode: `take`, `force` or `hold`, see `ArqQueue.take`.
    """

    def __init__(self, source: ArqQueue, engine: RedisEngine, converter: Converter, mode: str) -> None:
        self.source = source
        self.engine = engine
        self._converter = converter
        self._mode = mode

    async def finish_staged(self) -> int:
        """Finish what a run that broke off had begun. Returns how many jobs were on their way.

        Raises:
            ConfigurationError: they were on their way to another queue.
        """
        count = 0
        for batch in await self.source.staged():
            if batch.target != self.engine.queue:
                raise ConfigurationError(
                    f"{len(batch.jobs)} jobs of {self.source.queue!r} are half-way to the queue "
                    f"{batch.target!r}, not {self.engine.queue!r}: run it once more with the settings of then"
                )
            await self._arrive(batch)
            count += len(batch.jobs)
        return count

    async def look(self, keys: Sequence[bytes]) -> tuple[list[Move], list[Left]]:
        """Tell what would become of these jobs; nothing is changed."""
        moves: list[Move] = []
        left: list[Left] = []
        for waiting in await self.source.read(keys):
            verdict = self._converter.job(waiting, timestamp_ms())
            if isinstance(verdict, Move):
                moves.append(verdict)
            else:
                left.append(verdict)
        return moves, left

    async def move(self, keys: Sequence[bytes]) -> Step:
        """Move those of these jobs that can be moved."""
        moves, left = await self.look(keys)
        step = Step(left=left)
        for portion in _portions(moves):
            batch, answers = await self.source.take(portion, self.engine.queue, self._mode)
            for move, answer in zip(portion, answers, strict=True):
                if answer == 0:
                    reason = "a worker of arq has just begun it"
                    step.left.append(Left(move.waiting.job_id, move.function, "running", reason))
                elif answer < 0:
                    step.changed += 1
            taken = [move for move, answer in zip(portion, answers, strict=True) if answer == 1]
            if taken:
                refused = await self._arrive(batch)
                step.duplicates += [move for move in taken if move.waiting.job_id in refused]
                step.moved += [move for move in taken if move.waiting.job_id not in refused]
        self._report(step.moved)
        return step

    async def _arrive(self, batch: Batch) -> set[str]:
        refused: set[str] = set()
        if batch.jobs:
            places = await self.engine.plant(batch.token, batch.jobs)
            refused = {batch.jobs[place].job_id for place in places or ()}
        await self.source.unstage(batch.token)
        if batch.jobs:
            await self.engine.forget_token(batch.token)
        return refused

    def _report(self, moves: Iterable[Move]) -> None:
        if has_handlers(JobEnqueued):
            for move in moves:
                if move.fate in ("due", "deferred"):
                    execute(JobEnqueued(self.engine.queue, move.waiting.job_id, move.function))


def _portions(moves: Sequence[Move]) -> Iterator[list[Move]]:
    portion: list[Move] = []
    size = 0
    for move in moves:
        own = len(move.waiting.body or b"") + (len(move.planted.record) if move.planted else 0)
        if portion and (len(portion) >= _MOST_JOBS or size + own > _MOST_BYTES):
            yield portion
            portion, size = [], 0
        portion.append(move)
        size += own
    if portion:
        yield portion
