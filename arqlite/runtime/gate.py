"""The strict way to acknowledge: Redis is told that a job has ended when the ledger has it in writing."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable, Collection
from typing import NamedTuple, Protocol

from ..engine import Failure, Returned
from ..errors import LedgerError
from .acker import Acker

logger = logging.getLogger("arqlite.ledger")

# A ledger that lets an end wait for longer is slow or away: nothing more is begun until it has caught up.
_SLOW_S = 1.0
# So many ends may wait before nothing more is begun: enough for many commits, few enough to run again.
_MOST = 5_000


class Writing(Protocol):
    """Who writes the ledger.

    Attributes:
        mark: how many events it has taken so far.
        is_full: whether more than it may keep wait to be written.
        lag: for how many seconds the eldest of them has waited; 0 while none does.
    """

    @property
    def mark(self) -> int: ...  # noqa: D102 (told by its class)
    @property
    def is_full(self) -> bool: ...  # noqa: D102
    @property
    def lag(self) -> float: ...  # noqa: D102

    async def reached(self, mark: int) -> None:
        """Wait until all that was taken before this mark is committed."""


class _End(NamedTuple):
    job_id: str
    keep_ms: int
    body: bytes
    failure: Failure | None


class _Group(NamedTuple):
    mark: int
    since: float
    ends: list[_End]


class Gate(Acker):
    """An acker whose ends wait until the ledger has committed them. What goes back to the queue does not: its
    row is open.

    Args:
        writing: who writes the ledger.
        opened: called when ends have come through, or when more may be begun again.
    """

    def __init__(self, writing: Writing, opened: Callable[[], None]) -> None:
        super().__init__()
        self._writing = writing
        self._opened = opened
        self._failures: dict[str, Failure] = {}
        self._arriving: list[_End] = []
        self._groups: deque[_Group] = deque()
        self._held: dict[str, _End] = {}
        self._keeper: asyncio.Task[None] | None = None
        self._moved = asyncio.Event()

    @property
    def held(self) -> Collection[str]:
        """The jobs whose ends wait for the ledger."""
        return self._held.keys()

    @property
    def is_shut(self) -> bool:
        """Whether nothing more may be begun, as the ledger cannot follow; `opened` is called when it can."""
        writing = self._writing
        is_slow = bool(self._groups) and time.monotonic() - self._groups[0].since > _SLOW_S
        if not (is_slow or len(self._held) >= _MOST or writing.is_full or writing.lag > _SLOW_S):
            return False
        self._keep()
        return True

    def end(self, job_id: str, keep_ms: int, body: bytes) -> None:
        """A job ended; what is told of that is with the ledger's writer when the caller is through."""
        if not self._arriving:
            asyncio.get_running_loop().call_soon(self._close_group)
        end = _End(job_id, keep_ms, body, self._failures.pop(job_id, None))
        self._arriving.append(end)
        self._held[job_id] = end

    def fail(self, failure: Failure) -> None:
        """An attempt failed, whose job ends or goes back in the same breath."""
        self._failures[failure.job_id] = failure

    def give_back(self, returned: Returned) -> None:
        """A job goes back to the queue."""
        failure = self._failures.pop(returned.job_id, None)
        if failure is not None:
            super().fail(failure)
        super().give_back(returned)

    def clear(self) -> None:
        """Forget everything: the session is dead and its acks would be refused."""
        super().clear()
        self._failures.clear()
        self._arriving.clear()
        self._groups.clear()
        self._held.clear()

    def drop(self, job_ids: Collection[str]) -> None:
        """Forget the ends of jobs that are others' by now, and may come to this worker again."""
        for job_id in job_ids:
            self._held.pop(job_id, None)

    async def comes_through(self) -> None:
        """Wait until an end has come through."""
        self._moved.clear()
        await self._moved.wait()

    async def close(self) -> None:
        """Let nothing more through."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)

    def _close_group(self) -> None:
        if self._arriving:
            self._groups.append(_Group(self._writing.mark, time.monotonic(), self._arriving))
            self._arriving = []
            self._keep()

    def _keep(self) -> None:
        """Have somebody wait for the ledger, as long as there is something to wait for."""
        if self._keeper is None or self._keeper.done():
            self._keeper = asyncio.get_running_loop().create_task(self._let_through(), name="arqlite:gate")

    async def _let_through(self) -> None:
        # Its writer has ended: what still waits is given up by whoever stops the worker.
        with contextlib.suppress(LedgerError):
            await self._follow()

    async def _follow(self) -> None:
        while True:
            mark = self._groups[0].mark if self._groups else self._writing.mark
            await self._writing.reached(mark)
            while self._groups and self._groups[0].mark <= mark:
                self._pass(self._groups.popleft())
            self._moved.set()
            self._opened()
            if not self._groups:
                return

    def _pass(self, group: _Group) -> None:
        for end in group.ends:
            if self._held.get(end.job_id) is not end:
                continue
            del self._held[end.job_id]
            if end.failure is not None:
                super().fail(end.failure)
            super().end(end.job_id, end.keep_ms, end.body)
