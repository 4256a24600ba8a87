"""Questions to Redis and to ledgers that may be away: then that is told, and the others are answered."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from ..errors import LedgerTooSlow
from ..runtime.outage import REDIS_TROUBLE
from .places import Place
from .views import Trouble

if TYPE_CHECKING:  # without a ledger there need not be an SQLAlchemy
    from ..ledger import Ledger

AnswerT = TypeVar("AnswerT")

REDIS_AWAY = (*REDIS_TROUBLE, TimeoutError)
PATIENCE_S = 3.0
"""Seconds that a console waits for an answer; who looks wants to hear that there is none."""


class Asking:
    """Asks, and keeps what could not be asked.

    Attributes:
        troubles: what could not be, each once.
    """

    def __init__(self) -> None:
        self.troubles: list[Trouble] = []

    def tell(self, trouble: Trouble) -> None:
        """Keep a trouble, unless it is known."""
        if trouble not in self.troubles:
            self.troubles.append(trouble)

    async def redis(self, place: Place, question: Callable[[], Awaitable[AnswerT]]) -> AnswerT | None:
        """Ask the Redis of a queue; None where it is away."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await question()
        except REDIS_AWAY as error:
            self.tell(
                Trouble(
                    "error",
                    "redis-away",
                    f"the Redis of queue {place.key} at {place.server} does not answer: {_words(error)}",
                    "start it or make it reachable; workers go on by themselves when it is back",
                    place.key,
                )
            )
            return None

    async def ledger(
        self, ledger: Ledger, places: Sequence[Place], question: Callable[[], Awaitable[AnswerT]]
    ) -> AnswerT | None:
        """Ask the ledger of queues; None where it is away or takes too long."""
        from ..ledger.outage import is_away, is_conflict, words_of

        key = places[0].key if len(places) == 1 else ""
        where = ledger.url.render_as_string(hide_password=True)
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await question()
        except LedgerTooSlow as error:
            fix = "ask for less: one queue, one state, or since:1h"
            self.tell(Trouble("warning", "ledger-slow", f"{where}: {error}", fix, key))
        except Exception as error:
            if not (isinstance(error, TimeoutError) or is_away(error) or is_conflict(error)):
                raise
            said = (
                f"no answer within {PATIENCE_S:g} s" if isinstance(error, TimeoutError) else words_of(error)
            )
            fix = "start its database or make it reachable; what happens meanwhile is written when it is back"
            self.tell(Trouble("error", "ledger-away", f"the ledger at {where} is away: {said}", fix, key))
        return None


def _words(error: BaseException) -> str:
    said = " ".join(str(error).split())
    if isinstance(error, TimeoutError) and not said:
        return f"no answer within {PATIENCE_S:g} s"
    return said or type(error).__name__
