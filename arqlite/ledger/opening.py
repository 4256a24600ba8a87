"""Before the first job: the tables are made, or looked at, as soon as the database answers."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from ..errors import LedgerUnavailable
from .outage import is_away, is_conflict, trouble_of, words_of

if TYPE_CHECKING:
    from .ledger import Ledger

logger = logging.getLogger("arqlite.ledger")

_FIRST_PAUSE_S, _LAST_PAUSE_S = 0.1, 1.0


async def wait_for_tables(ledger: Ledger, meanwhile: str) -> None:
    """Return when the tables can be used. They are upgraded if the ledger is to do so itself, else looked at.

    Any number of processes may do it at once; a database that is away is waited for.

    Args:
        ledger: whose.
        meanwhile: what becomes of jobs until then, for the log.

    Raises:
        LedgerError: they cannot be used as they are.
    """
    pause = _FIRST_PAUSE_S
    was_away = False
    while not await _is_prepared(ledger, "" if was_away else meanwhile):
        was_away = True
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LAST_PAUSE_S)
    if was_away:
        logger.warning("the ledger is there now")


async def _is_prepared(ledger: Ledger, meanwhile: str) -> bool:
    try:
        await (ledger.upgrade() if ledger.upgrades_itself else ledger.check())
    except Exception as error:
        if not (isinstance(error, LedgerUnavailable) or is_away(error) or is_conflict(error)):
            raise
        if meanwhile:
            logger.warning("the ledger %s, %s: %s", trouble_of(error), meanwhile, words_of(error))
        return False
    return True
