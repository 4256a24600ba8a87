"""`Reconciler`: notices that Redis is not what it was, and makes it and the rows agree again."""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime

from ..engine import RedisEngine, Watch
from ..ledger import Ledger
from ..ledger.outage import is_away, is_conflict, words_of
from ..ledger.rows import utc_now
from ..ledger.store import comparing
from ..ledger.tables import QueueRow
from ..model.codec import Codec
from ..model.states import LedgerStatus
from ..runtime.outage import REDIS_TROUBLE
from ..runtime.trust import Trust
from ..service import Host, Ticker
from ..telemetry import LedgerReconciled, execute, has_handlers
from .comparison import STATUSES, Comparison, Mark
from .repairs import Difference, Mended, Mender
from .rules import Repair, Verdict, judge
from .silence import Silence

logger = logging.getLogger("arqlite.ledger")

# Rows that are further behind keep everybody from pushing: a job may have ended without their word.
_LAG_S = 1.0
# At once so many pages of rows of each status, and of jobs in Redis.
_PAGES_OF_ROWS, _PAGES_OF_JOBS = 10, 1
_REMIND_AFTER_S = 60.0
_STOP_PATIENCE_S = 2.0

_WORDS = {
    Verdict.EMPTY: "queue %s: Redis was emptied or replaced, putting back what the ledger has",
    Verdict.STRANGE: "queue %s: the ledger does not know this Redis, comparing the two",
    Verdict.SET_BACK: "queue %s: Redis is an older state of itself, comparing it with the ledger",
    Verdict.MOVED: "queue %s: Redis was restarted or is another server, comparing it with the ledger",
}


class Reconciler(Ticker):
    """Holds the rows of a queue and its Redis together.

    Each worker with a ledger has one. At each tick it looks whether Redis is the one that was compared with
    the rows, by a marker that both have, a number beside it that grows, and the identity of the server; the
    worker's `Trust` goes by that, and a queue that neither has known gets its marker. Only the leader mends:
    at once all that differs where Redis is another one or an older state of itself, and else a part of the
    rows and of the jobs every few seconds.

    Args:
        ledger: where the rows are.
        engine: the queue.
        trust: what the worker believes of Redis.
        lag_s: tells how many seconds the worker's own rows are behind.
        interval: seconds between two looks at the marker.
        compare_every: seconds between two comparisons of parts.
        grace: seconds for which everybody is given time to write down what has happened, before what is
            missing is taken to be lost.
        stand_in_after: seconds without any beat after which this worker mends although it does not lead: who
            leads may be a worker without the ledger. Up to half as long again, so that one is the first.
        clock: tells the time.
        sleep: waits so many seconds.

    Attributes:
        ledger_is_away: whether the database gave no answer at the last look that needed it.
    """

    def __init__(
        self,
        ledger: Ledger,
        engine: RedisEngine,
        trust: Trust,
        *,
        lag_s: Callable[[], float] = lambda: 0.0,
        interval: float = 1.0,
        compare_every: float = 5.0,
        grace: float = 2.0,
        stand_in_after: float = 8.0,
        clock: Callable[[], datetime] = utc_now,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        super().__init__(interval, 0.1, at_once=True)
        self._engine = engine
        self._ledger = ledger
        self._trust = trust
        self._name = secrets.token_hex(8)
        self._lag_s = lag_s
        self._compare_every = compare_every
        self._grace = grace
        patience = stand_in_after * random.uniform(1.0, 1.5)
        self._without_beat, self._without_sign = Silence(patience), Silence(patience)
        self._remember_ms = ledger.remember_ms
        self._sleep = sleep
        self._clock = clock
        self._use(Codec())
        self._agreed: Watch | None = None
        self._agreed_server: str | None = None
        self._looked_into = -1
        self._marks: dict[LedgerStatus, Mark | None] = {}
        self._cursor = 0
        self._suspects: list[Difference] = []
        self._compared_at = time.monotonic()
        self._warned_at = float("-inf")
        self._is_away = self.ledger_is_away = False
        self._told: Verdict | None = None
        self._idle = asyncio.Event()
        self._idle.set()

    def join(self, host: Host) -> None:
        """Hear how the queue is written."""
        self._use(Codec(host.job_serializer, host.job_deserializer))

    async def may_push(self) -> bool:
        """Tell whether what looks lost is lost: no worker's rows are behind."""
        return not (await self._watch()).lag_ms

    def _use(self, codec: Codec) -> None:
        self._comparison = Comparison(
            self._engine, self._ledger, codec, grace_s=self._grace, clock=self._clock
        )
        self._mender = Mender(self._engine, self._ledger, codec)

    async def tick(self) -> None:
        """Look once; trouble with Redis or the database is told once, and passes."""
        self._idle.clear()
        try:
            await self._look()
        except Exception as error:
            if not (isinstance(error, REDIS_TROUBLE) or is_away(error) or is_conflict(error)):
                raise
            if not self._is_away:
                logger.warning(
                    "the ledger and Redis cannot be compared now (%s), trying again", words_of(error)
                )
            self._is_away = True
        else:
            self._is_away = False
        finally:
            self._idle.set()

    async def stop(self) -> None:
        """End, after what is under way if that is soon over: a statement cut short drops its connection."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), _STOP_PATIENCE_S)
        await super().stop()

    async def _look(self) -> None:
        doubts = self._trust.doubts
        seen, server = await self._watch(), await self._engine.server()
        if not self.leads() and not await self._stands_in(seen):
            await self._follow(doubts, seen, server)
            return
        known = await self._known()
        verdict = judge(known, seen, server)
        if verdict is Verdict.SAME and server is None and self._looked_into != doubts:
            verdict = Verdict.MOVED  # a server without a name may have been replaced within one beat
        if known is None and verdict is Verdict.NEW:
            await self._begin(seen, server, doubts)
        elif known is None or verdict is not Verdict.SAME:
            self._trust_no_more()
            await self._agree(verdict, known, seen, server, self._trust.doubts)
        else:
            await self._go_on(known, seen, server, doubts)

    # -- what all workers do

    async def _watch(self) -> Watch:
        lag_s = self._lag_s()
        return await self._engine.watch(self._name, int(lag_s * 1000) if lag_s > _LAG_S else 0)

    async def _known(self) -> QueueRow | None:
        try:
            async with self._ledger.sessions() as db:
                row = await comparing.read_queue(db, self._engine.queue)
        except Exception:  # told by where it is raised: a connection refused by Redis looks the same
            self.ledger_is_away = True
            raise
        self.ledger_is_away = False
        return row

    async def _follow(self, doubts: int, seen: Watch, server: str | None) -> None:
        """Believe what the leader has found out."""
        agreed = self._agreed
        is_as_before = (
            agreed is not None
            and seen.marker == agreed.marker
            and seen.beat >= agreed.beat
            and server == self._agreed_server
        )
        if is_as_before and self._trust.is_firm:
            self._agreed = seen
            return
        match judge(await self._known(), seen, server):
            case Verdict.SAME:
                self._take_for_good(seen, server, doubts)
            case Verdict.NEW:
                await self._begin(seen, server, doubts)
            case _:
                self._trust_no_more()

    async def _begin(self, seen: Watch, server: str | None, doubts: int) -> None:
        """Nobody has known this queue: plant the marker on both sides, the row first.

        Workers that do so at the same time plant the same one, that of the first row. A server without a name
        is compared at the next look.
        """
        marker = secrets.token_hex(16)
        async with self._ledger.sessions.begin() as db:
            await comparing.open_queue(db, self._engine.queue, marker, 1, server)
        known = await self._known()
        if known is None or (known.beat, known.server) != (1, server):
            return  # somebody else's word of it, who sees another Redis perhaps: the next look tells
        if await self._engine.mark(seen, known.marker, 1, self._remember_ms) and server is not None:
            self._take_for_good(Watch(known.marker, 1), server, doubts)

    def _take_for_good(self, seen: Watch, server: str | None, doubts: int) -> None:
        self._agreed, self._agreed_server, self._looked_into = seen, server, doubts
        self._told = None
        self._trust.confirm(doubts)

    def _trust_no_more(self) -> None:
        self._agreed = None
        if self._trust.is_firm:
            self._trust.doubt()

    async def _stands_in(self, seen: Watch) -> bool:
        """Whether nobody beats, nor is about to, as one who mends everything is."""
        if not self._without_beat.lasts(seen):
            return False
        known = await self._known()
        return self._without_sign.lasts(None if known is None else known.seen_at)

    # -- what the leader does

    async def _go_on(self, known: QueueRow, seen: Watch, server: str | None, doubts: int) -> None:
        """Redis is the one it was: let the marker beat, and compare a part of the jobs now and then."""
        self._take_for_good(seen, server, doubts)
        beat = seen.beat + 1
        if await self._engine.mark(seen, seen.marker, beat, self._remember_ms):
            async with self._ledger.sessions.begin() as db:
                await comparing.beat_queue(db, self._engine.queue, known.marker, beat)
        now = time.monotonic()
        if now - self._compared_at >= self._compare_every and not seen.lag_ms:
            self._compared_at = now
            await self._compare_part()

    async def _compare_part(self) -> None:
        """What differed at the last look and does so still is mended; then some more are looked at."""
        suspects, self._suspects = self._suspects, []
        for start in range(0, len(suspects), 500):
            await self._mend(await self._comparison.again(suspects[start : start + 500]))
        for status in STATUSES:
            for _ in range(_PAGES_OF_ROWS):
                mark = self._marks.get(status) or (status, None)
                rows, self._marks[status] = await self._comparison.rows(mark)
                self._suspects += await self._comparison.of_rows(rows)
                if self._marks[status] is None:
                    break
        for _ in range(_PAGES_OF_JOBS):
            self._cursor, page = await self._engine.open_page(self._cursor)
            self._suspects += await self._comparison.of_records(page)

    async def _agree(
        self, verdict: Verdict, known: QueueRow | None, seen: Watch, server: str | None, doubts: int
    ) -> None:
        """Redis is not the one it was: give all time to write what has happened, then compare everything."""
        if verdict in _WORDS and verdict is not self._told:
            self._told = verdict  # once, however long it has to be waited on
            logger.warning(_WORDS[verdict], self._engine.queue)
        self._idle.set()
        await self._sleep(self._grace)
        self._idle.clear()
        again, row = await self._watch(), await self._known()
        if known is not None and row is not None and row.beat != known.beat:
            if row.server != server:
                self._say_elsewhere()
            return
        if (again.marker, again.beat) != (seen.marker, seen.beat) or again.lag_ms:
            return
        began = time.monotonic()
        total = await self._mend_all(is_emptied=verdict is Verdict.EMPTY)
        if total is None:
            return
        marker = again.marker or (secrets.token_hex(16) if row is None else row.marker)
        beat = max(again.beat, 0 if row is None else row.beat) + 1
        if await self._engine.mark(again, marker, beat, self._remember_ms):
            async with self._ledger.sessions.begin() as db:
                await comparing.open_queue(db, self._engine.queue, marker, beat, server)
                await comparing.note_reconciled(db, self._engine.queue, marker, beat, server)
            self._take_for_good(Watch(marker, beat), server, doubts)
            took = time.monotonic() - began
            logger.warning(
                "queue %s: ledger and Redis agree after %0.1fs: %s", self._engine.queue, took, total
            )

    async def _mend_all(self, *, is_emptied: bool) -> Mended | None:
        """Returns None where somebody's rows are behind: what looks lost may have ended."""
        total, asked_at = Mended(), time.monotonic()
        async for found in self._comparison.all(is_emptied=is_emptied):
            if time.monotonic() - asked_at > _LAG_S:
                if (await self._watch()).lag_ms:
                    return None
                await self._say_that_it_goes_on()
                asked_at = time.monotonic()
            # That a job waits again, its worker may be about to say.
            total.add(await self._mend([one for one in found if one.repair is not Repair.REQUEUE]))
        return total

    async def _say_that_it_goes_on(self) -> None:
        """There is no beat before all is mended, and others are not to stand in meanwhile."""
        async with self._ledger.sessions.begin() as db:
            await comparing.note_seen(db, self._engine.queue)

    async def _mend(self, found: Sequence[Difference]) -> Mended:
        if not found:
            return Mended()
        mended = await self._mender.mend(found)
        if mended:
            logger.info("queue %s: ledger and Redis differed: %s", self._engine.queue, mended)
            if has_handlers(LedgerReconciled):
                execute(
                    LedgerReconciled(
                        self._engine.queue,
                        mended.pushed,
                        mended.settled + mended.failed,
                        mended.retired,
                        mended.opened,
                        mended.requeued,
                    )
                )
        return mended

    def _say_elsewhere(self) -> None:
        now = time.monotonic()
        if now - self._warned_at >= _REMIND_AFTER_S:
            self._warned_at = now
            logger.error(
                "queue %s of this ledger lives on another Redis, where its workers see it: "
                "give this one another name",
                self._engine.queue,
            )
