"""Questions to Redis and to ledgers that may be away: then that is told, and the others are answered."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from ..errors import LedgerTooSlow
from .links import Links, Silence
from .places import Place
from .views import Trouble

if TYPE_CHECKING:  # without a ledger there need not be an SQLAlchemy
    from ..ledger import Ledger

AnswerT = TypeVar("AnswerT")

PATIENCE_S = 3.0
"""Seconds that a console waits for a ledger; who looks wants to hear that there is no answer."""


def redis_away(key: str, server: str, why: str) -> Trouble:
    """The Redis of a queue did not answer."""
    return Trouble(
        "error",
        "redis-away",
        f"the Redis of queue {key} at {server} does not answer: {why}",
        "start it or make it reachable; workers go on by themselves when it is back",
        key,
    )


def ledger_silent(ledger: Ledger, places: Sequence[Place], silence: Silence) -> Trouble:
    """The ledger of some queues did not answer, or nobody has made its tables."""
    from ..ledger.databases import shown_url
    from ..ledger.outage import NO_TABLES, UPGRADE

    key = places[0].key if len(places) == 1 else ""
    where = shown_url(ledger.url)
    if silence.lacks_tables:
        text = f"the ledger at {where} cannot be used, {NO_TABLES}: {silence.why}"
        return Trouble("error", "ledger-migrations", text, UPGRADE, key)
    text = f"the ledger at {where} is away: {silence.why}"
    fix = "start its database or make it reachable; what happens meanwhile is written when it is back"
    return Trouble("error", "ledger-away", text, fix, key)


class Asking:
    """Asks, and keeps what could not be asked.

    Args:
        links: lead to the queues; a Redis that was silent a moment ago is not waited for again.

    Attributes:
        troubles: what could not be, each once.
    """

    def __init__(self, links: Links) -> None:
        self._links = links
        self.troubles: list[Trouble] = []

    def tell(self, trouble: Trouble) -> None:
        """Keep a trouble, unless it is known."""
        if trouble not in self.troubles:
            self.troubles.append(trouble)

    async def redis(self, place: Place, question: Callable[[], Awaitable[AnswerT]]) -> AnswerT | None:
        """Ask the Redis of a queue; None where it is away."""
        answer = await self._links.ask(place, lambda _: question())
        if not isinstance(answer, Silence):
            return answer
        self.tell(redis_away(place.key, place.server, answer.why))
        return None

    async def ledger(
        self, ledger: Ledger, places: Sequence[Place], question: Callable[[], Awaitable[AnswerT]]
    ) -> AnswerT | None:
        """Ask the ledger of queues; None where it is away, lacks its tables or takes too long."""
        from ..ledger.databases import shown_url
        from ..ledger.outage import bare_words_of, is_away, is_conflict, lacks_tables

        key = places[0].key if len(places) == 1 else ""
        where = shown_url(ledger.url)
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
                f"no answer within {PATIENCE_S:g} s"
                if isinstance(error, TimeoutError)
                else bare_words_of(error)
            )
            self.tell(ledger_silent(ledger, places, Silence(said, lacks_tables(error))))
        return None
