"""What a list of jobs is put together from: parts of lists, each with where to go on behind each job."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from .lines import created_at
from .views import JobLine

BEGINNING = ""
"""Where every list begins."""


class Listed(NamedTuple):
    """A job in a list, and where the list goes on behind it."""

    line: JobLine
    after: Any


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of a list.

    Attributes:
        jobs: some jobs, in the order of the list.
        next: where to go on behind all of them; None at the end of the list.
        begin: where this part begins.
        frontier: all that comes later was enqueued before; None where the list has no such order.
    """

    jobs: Sequence[Listed]
    next: Any
    frontier: datetime | None = None
    begin: Any = BEGINNING


class Source(Protocol):
    """A list of jobs."""

    async def chunk(self, after: Any, limit: int) -> Chunk:
        """At most so many jobs, from the beginning or behind a place that was told before.

        Raises:
            ConfigurationError: there is no such place.
        """


def merged(chunks: Mapping[str, Chunk], limit: int) -> tuple[list[JobLine], dict[str, Any]]:
    """The newest jobs of several lists, and where each of these goes on.

    What is older than the end of a list that has been read only so far waits until that one is read on.
    """
    places = dict.fromkeys(chunks, 0)
    unfinished = [one.frontier for one in chunks.values() if one.next is not None]
    oldest = max((frontier for frontier in unfinished if frontier is not None), default=None)
    heads = [_head(name, chunk, 0) for name, chunk in chunks.items() if chunk.jobs]
    heapq.heapify(heads)
    taken: list[JobLine] = []
    while heads and len(taken) < limit:
        _, name = heapq.heappop(heads)
        line = chunks[name].jobs[places[name]].line
        if oldest is not None and created_at(line) < oldest:
            break
        taken.append(line)
        places[name] += 1
        if places[name] < len(chunks[name].jobs):
            heapq.heappush(heads, _head(name, chunks[name], places[name]))
    return taken, {name: _after(chunk, places[name]) for name, chunk in chunks.items()}


def _head(name: str, chunk: Chunk, place: int) -> tuple[float, str]:
    return -created_at(chunk.jobs[place].line).timestamp(), name


def _after(chunk: Chunk, taken: int) -> Any:
    if taken == len(chunk.jobs):
        return chunk.next
    return chunk.jobs[taken - 1].after if taken else chunk.begin
