"""The service that prunes, in the worker of a queue's leader."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from datetime import datetime

from ..service import Ticker
from ..typing import SecondsTimedelta
from .ledger import Ledger
from .outage import is_away, is_conflict, words_of
from .pruning import Pruning
from .rows import utc_now

logger = logging.getLogger("arqlite.ledger")


class LedgerPruner(Ticker):
    """Deletes the rows that are over by the ledger's `keep`, in the leader's worker; what it deleted is told.

    Args:
        ledger: whose rows.
        interval: seconds or a timedelta between two looks.
        clock: tells the time.
    """

    def __init__(
        self, ledger: Ledger, *, interval: SecondsTimedelta = 60, clock: Callable[[], datetime] = utc_now
    ) -> None:
        super().__init__(interval, jitter=0.1, leader_only=True)
        self.ledger = ledger
        self._pruning = (
            None
            if ledger.keep is None
            else Pruning(ledger.sessions, ledger.row_model, ledger.keep, clock=clock)
        )

    async def tick(self) -> None:
        """Delete what is over, for as long as this worker leads."""
        if self._pruning is None:
            return
        told: Counter[str] = Counter()
        try:
            await self._pruning.run(told, self.may_tick)
        except Exception as error:
            if not is_away(error) and not is_conflict(error):
                raise
            logger.warning("the ledger is away, old rows are pruned later: %s", words_of(error))
        finally:
            self.told.update(told)
