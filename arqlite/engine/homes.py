"""Where jobs are that have not ended: their ids, home by home, without a look at the jobs themselves."""

from __future__ import annotations

from collections.abc import Set
from typing import Any

from ..model.states import JobState
from ..utils import timestamp_ms
from .keys import Keys, due_score

_WAIT_FOR_THEIR_TIME = frozenset({JobState.SCHEDULED, JobState.RETRYABLE})


class Homes:
    """What a queue tells of its homes."""

    client: Any
    keys: Keys

    async def open_ids(self, states: Set[JobState], start: int, count: int) -> list[str]:
        """The ids of jobs that have not ended, home by home; fewer than `count` at the end.

        They may be in another state, or moved meanwhile: `standings` tells. Those that run come first; of
        those that may start the last does, and of those that wait for their time the next.

        Args:
            states: which homes are looked at.
            start: how many to pass over.
            count: how many at most.
        """
        found: list[str] = []
        if JobState.EXECUTING in states:
            sessions = await self.client.zrange(self.keys.live, 0, -1)
            running = [
                _text(one)
                for name in sessions
                for one in await self.client.smembers(self.keys.run(_text(name)))
            ]
            running.sort()
            found = running[start : start + count]
            start = max(start - len(running), 0)
        for home, is_last_first, size in await self._sizes(states):
            if len(found) == count:
                break
            if start < size:
                end = min(start + count - len(found), size) - 1
                found += map(_text, await self.client.zrange(home, start, end, desc=is_last_first))
            start = max(start - size, 0)
        return found

    async def marks_of(self, job_id: str) -> tuple[str, str]:
        """Which step a job is, as `number:workflow`, and the digest of its lock; empty for none."""
        step = await self.client.hget(self.keys.steps, job_id)
        lock = await self.client.hget(self.keys.locks, job_id)
        return _text(step or b""), _text(lock or b"")

    async def _sizes(self, states: Set[JobState]) -> list[tuple[str, bool, int]]:
        """The zsets in which jobs of these states are, whether the last ones come first, and of how many."""
        homes: list[tuple[str, bool]] = []
        if JobState.AVAILABLE in states:
            names = await self.client.hkeys(self.keys.holds)
            more = (self.keys.laned, self.keys.sorting, *(self.keys.hold(_text(name)) for name in names))
            homes += [(home, True) for home in (self.keys.ready, *more)]
        if JobState.SUSPENDED in states:
            homes.append((self.keys.susp, True))
        sizes = [await self.client.zcard(home) for home, _ in homes]
        if JobState.AVAILABLE in states or not states.isdisjoint(_WAIT_FOR_THEIR_TIME):
            homes.append((self.keys.sched, False))
            # Those whose time has come may start, and are told first.
            is_all = not states.isdisjoint(_WAIT_FOR_THEIR_TIME)
            sizes.append(
                await self.client.zcount(
                    self.keys.sched, "-inf", "+inf" if is_all else due_score(timestamp_ms())
                )
            )
        return [(home, is_last_first, size) for (home, is_last_first), size in zip(homes, sizes, strict=True)]


def _text(name: bytes) -> str:
    return name.decode(errors="backslashreplace")
