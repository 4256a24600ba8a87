"""Whether a ledger lacks rows of open jobs: found out at once where they are few, and beside the work else.

To count a million rows takes a second. No page waits for that: it is done once a minute, while somebody
looks, and pages go by what was found the last time.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:  # without a ledger there need not be an SQLAlchemy
    from ..ledger import Ledger

logger = logging.getLogger("arqlite.console")

FEW_ROWS = 20_000
"""So many open rows are counted while somebody waits."""

MOST_ROWS = 10_000_000
"""So many are counted at all."""

KEPT_S = 60.0
"""For so long holds what was found out."""

_OPEN: Final = ("QUEUED", "RUNNING")


@dataclass(slots=True)
class _Finding:
    """What is known of a ledger.

    Attributes:
        lacks: whether it lacks rows, as far as is known.
        until: when that is to be found out again.
        task: finds it out.
    """

    lacks: bool = False
    until: float = 0.0
    task: asyncio.Task[Any] | None = None


class Census:
    """What is known of the ledgers of a console.

    Args:
        now: the time in seconds.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._findings: dict[Hashable, _Finding] = {}

    async def lacks_rows(
        self, ledger: Ledger, count_jobs: Callable[[], Awaitable[int | None]], *, is_urgent: bool
    ) -> bool:
        """Whether there are more open jobs than open rows.

        Args:
            ledger: has the rows.
            count_jobs: how many open jobs its queues have; None where one of them cannot be asked.
            is_urgent: whether to wait until it is known, however long that takes.

        Raises:
            LedgerError, SQLAlchemyError: the ledger could not be asked.
        """
        finding = self._findings.setdefault(ledger.identity, _Finding())
        if not is_urgent and (finding.task is not None or self._now() < finding.until):
            return finding.lacks
        jobs = await count_jobs()
        if jobs is None:
            return True
        rows = await ledger.count(status=_OPEN, most=FEW_ROWS)
        if rows.precision == "exact":
            return rows.value < jobs
        if is_urgent:
            return await self._count(ledger, count_jobs)
        if finding.task is None:
            finding.task = asyncio.create_task(self._find_out(finding, ledger, count_jobs))
        return finding.lacks

    async def close(self) -> None:
        """End what is being found out."""
        tasks = [one.task for one in self._findings.values() if one.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _find_out(
        self, finding: _Finding, ledger: Ledger, count_jobs: Callable[[], Awaitable[int | None]]
    ) -> None:
        try:
            finding.lacks = await self._count(ledger, count_jobs)
        except Exception as error:  # noqa: BLE001 (pages tell of it, and what was known is still the best)
            logger.debug("open rows were not counted: %s", error)
        finally:
            finding.until = self._now() + KEPT_S
            finding.task = None

    @staticmethod
    async def _count(ledger: Ledger, count_jobs: Callable[[], Awaitable[int | None]]) -> bool:
        # In this order: a job that is enqueued meanwhile has a row more, and lacks none.
        jobs = await count_jobs()
        rows = await ledger.count(status=_OPEN, most=MOST_ROWS)
        return jobs is None or (rows.precision == "exact" and rows.value < jobs)
