"""Jobs that the ledger may know to be over are looked up there before they start."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ..service import Service
from .run import Run
from .trust import Trust

if TYPE_CHECKING:  # without a ledger there need not be an SQLAlchemy
    from ..ledger.store import FinalRow

logger = logging.getLogger("arqlite.ledger")

# How long one look may take, and how long while the ledger is known to be away: jobs wait for it.
_ANSWER_S, _SHORT_ANSWER_S = 2.0, 0.2
# While the ledger is known to be away jobs do not wait for it; this often some ask all the same.
_ASK_AGAIN_S = 2.0
_FIRST_PAUSE_S, _LAST_PAUSE_S = 0.05, 1.0


class _Asked(NamedTuple):
    go: Callable[[], None]
    is_over: Callable[[Run, FinalRow], None]


class Precheck(Service):
    """Asks the ledger, for many jobs at once, whether they are over already.

    It is asked for jobs whose worker died, which may have ended before, and for all while Redis may be an
    older one than it was.

    Args:
        trust: whether Redis is known to be the one it was.
        ask: looks up how jobs ended, by id; of those that have not it tells nothing. Raises whatever keeps it
            from that.
        patience_s: how long jobs wait for a ledger that is away before they start all the same; None is for
            ever.
    """

    def __init__(
        self,
        trust: Trust,
        ask: Callable[[Sequence[str]], Awaitable[Mapping[str, FinalRow]]],
        patience_s: float | None,
    ) -> None:
        super().__init__()
        self._trust = trust
        self._ask = ask
        self._patience_s = patience_s
        self._asked: dict[Run, _Asked] = {}
        self._has_asked = asyncio.Event()
        self._away_since: float | None = None
        self._quiet_until = 0.0

    def __len__(self) -> int:
        return len(self._asked)

    @property
    def waiting(self) -> Iterable[Run]:
        """The jobs that wait for the answer."""
        return self._asked.keys()

    def wants(self, run: Run) -> bool:
        """Tell whether a job is to be looked up before it starts."""
        if self._trust.is_firm and not run.memory.crashes:
            return False
        return time.monotonic() >= self._quiet_until

    def put(self, run: Run, go: Callable[[], None], is_over: Callable[[Run, FinalRow], None]) -> None:
        """Look a job up, and do one of two things then, unless it was taken back meanwhile.

        Args:
            run: the job.
            go: called if it may start.
            is_over: called with it and its row if it has ended.
        """
        self._asked[run] = _Asked(go, is_over)
        self._has_asked.set()

    def take(self, run: Run) -> bool:
        """Take a job back; tells whether it was here."""
        return self._asked.pop(run, None) is not None

    def take_all(self) -> list[Run]:
        """Take all jobs back."""
        runs = list(self._asked)
        self._asked.clear()
        return runs

    async def run(self) -> None:
        """Look up what was put here, all of it at once."""
        while True:
            await self._has_asked.wait()
            self._has_asked.clear()
            runs = list(self._asked)
            finals = await self._look([run.job_id for run in runs]) if runs else {}
            for run in runs:
                self._answer(run, finals.get(run.job_id))

    def _answer(self, run: Run, row: FinalRow | None) -> None:
        asked = self._asked.pop(run, None)
        if asked is None:
            return
        if row is not None and _is_of(run, row):
            asked.is_over(run, row)
        else:
            asked.go()

    async def _look(self, job_ids: Sequence[str]) -> Mapping[str, FinalRow]:
        began, pause = time.monotonic(), _FIRST_PAUSE_S
        is_known_away = self._away_since is not None and self._patience_s is not None
        while True:
            try:
                async with asyncio.timeout(_SHORT_ANSWER_S if is_known_away else _ANSWER_S):
                    finals = await self._ask(job_ids)
            except Exception as error:  # noqa: BLE001 (whatever it is, jobs must neither be lost nor wait in vain)
                self._is_away(error)
            else:
                self._is_back()
                return finals
            waited_s = time.monotonic() - began
            if self._patience_s is not None and (is_known_away or waited_s >= self._patience_s):
                self._quiet_until = time.monotonic() + _ASK_AGAIN_S
                return {}
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LAST_PAUSE_S)

    def _is_away(self, error: Exception) -> None:
        if self._away_since is not None:
            return
        self._away_since = time.monotonic()
        what = "wait until it is back" if self._patience_s is None else "run all the same"
        logger.warning(
            "the ledger cannot tell which jobs are over (%s: %s); those that may be %s",
            type(error).__name__, error, what,
        )  # fmt: skip

    def _is_back(self) -> None:
        self._quiet_until = 0.0
        if self._away_since is not None:
            logger.info("the ledger tells again which jobs are over")
            self._away_since = None


def _is_of(run: Run, row: FinalRow) -> bool:
    """Tell whether a row tells of this job: not of an earlier one, nor of an end before its revival."""
    if row.enqueued_ms != run.enqueue_ms:
        return False
    return not run.memory.revived_ms or run.memory.revived_ms < row.finished_ms
