"""What is done to many jobs at once: those that are meant are found in pages, and handled in batches."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from redis.exceptions import RedisError

from ..engine import RedisEngine
from ..engine.management import Standing
from ..errors import ConfigurationError
from ..inspector.moving import DELETED_IN, RETRIED_FROM
from ..model import checks
from ..model.query import Query, Term
from ..model.states import (
    FINAL_STATES,
    INCOMPLETE_STATES,
    MAY_HAVE_COME_DUE,
    STATE_LETTERS,
    STATES_BY_LETTER,
    JobState,
)
from ..model.verbs import Verb, narrowed
from .asked import Asked
from .asking import redis_away
from .auditing import tell_audit
from .groups import IN_PART, asked_for
from .knowledge import states_meant
from .links import Links, in_words
from .livelist import LiveList
from .matching import Matcher
from .places import Place
from .reviving import revive
from .views import AskedToEnd, Done

if TYPE_CHECKING:  # without a ledger there need not be an SQLAlchemy
    from ..inspector import Inspector
    from ..ledger import JobRowMixin, Ledger
    from ..model.queues import QueueInfo

BULK_LIMIT = 5_000
"""To so many jobs one call does something."""

_AT_ONCE = 500
# So many jobs of Redis are looked at for those that are meant: some seconds.
_LOOKS = 200_000
_CAN_BE_DONE_IN: dict[Verb, frozenset[JobState]] = {
    "retry": RETRIED_FROM,
    "cancel": INCOMPLETE_STATES,
    "delete": DELETED_IN,
}
# Where these were not there, jobs that are meant may be left. An open job is in Redis, whatever rows tell.
_MISSED: dict[Verb, frozenset[str]] = {
    "retry": frozenset({"redis-away", "ledger-away", "ledger-migrations", "ledger-slow"}),
    "cancel": frozenset({"redis-away"}),
    "delete": frozenset({"redis-away"}),
}
_EXECUTING = STATE_LETTERS[JobState.EXECUTING]
_WAITS_FOR_A_WORKER = INCOMPLETE_STATES - {JobState.EXECUTING}


@dataclass(frozen=True, slots=True)
class Batch:
    """Jobs of one queue that are meant.

    Attributes:
        place: the queue.
        ids: those that Redis has.
        rows: those that only the ledger has.
    """

    place: Place
    ids: Sequence[str]
    rows: Sequence[JobRowMixin] = ()


def feasible(verb: Verb, query: Query) -> Query | None:
    """The jobs of a query to which something can be done, as far as it names states; None for none of them.

    One that names none means the same jobs: what a row tells of one that is named by its id may be late.
    """
    meant = states_meant(query.terms)
    if meant is None or meant <= _CAN_BE_DONE_IN[verb]:
        return query
    states = sorted(map(str, meant & _CAN_BE_DONE_IN[verb]))
    return Query((*query.terms, Term("state", tuple(states)))) if states else None


def states_in_words(verb: Verb) -> str:
    """The states in which something can be done to a job: `available, scheduled or executing`."""
    told = [str(state) for state in JobState if state in _CAN_BE_DONE_IN[verb]]
    return " or ".join((", ".join(told[:-1]), told[-1]))


async def act(links: Links, verb: Verb, query: Query, redact: Iterable[str] | None, limit: int) -> Done:
    """Do something to the jobs that are meant; see `Console.retry`, `cancel` and `delete`.

    Raises:
        ConfigurationError: the query has no words, or cannot be asked, or `limit` is below 1.
        RedisError, OSError: no Redis of the queues that are meant answers, and nothing was done. Where some
            do, it is done there, and the others are `Done.troubles`.
    """
    if not query:
        raise ConfigurationError(
            f"say which jobs to {verb}, as with function:send_mail; state:all means all of them"
        )
    most = min(checks.count("limit", limit, 1), BULK_LIMIT)
    asked = await asked_for(links, narrowed(verb, query), redact)
    return await _Deed(asked, verb, most).done(f"jobs.{verb}", {"query": str(query)})


async def purge(links: Links, key: str) -> Done:
    """Cancel the jobs of a queue that wait; see `Console.purge`."""
    waiting = Term("state", tuple(sorted(map(str, _WAITS_FOR_A_WORKER))))
    asked = await Asked.of(links, Query((Term("queue", (links.place(key).key,)), waiting)), None)
    return await _Deed(asked, "cancel", BULK_LIMIT).done("queue.purge", {})


async def still_running(links: Links, asked: Iterable[AskedToEnd]) -> list[AskedToEnd]:
    """Those that run still; see `Console.still_running`."""
    by_queue: dict[str, list[AskedToEnd]] = {}
    for one in asked:
        by_queue.setdefault(one.queue, []).append(one)
    found: list[AskedToEnd] = []
    for key, jobs in by_queue.items():
        place = links.place(key)
        engine = RedisEngine(await links.pool(place), place.queue)
        standings = await engine.standings([one.id for one in jobs])
        found += [one for one, standing in zip(jobs, standings, strict=True) if standing.state == _EXECUTING]
    return found


class _Deed:
    """Does one thing to the jobs that a query means, and to `most` of them at most."""

    def __init__(self, asked: Asked, verb: Verb, most: int) -> None:
        self._asked = asked
        self._verb: Verb = verb
        self._most = most
        meant = states_meant(asked.query.terms)
        self._states = _CAN_BE_DONE_IN[verb] if meant is None else meant & _CAN_BE_DONE_IN[verb]
        self._matched = 0
        self._done = 0
        self._to_end: dict[tuple[str, str], AskedToEnd] = {}
        self._silent: dict[str, Exception] = {}

    async def done(self, action: str, detail: dict[str, Any]) -> Done:
        """Do it to as many as one call may, and write that down."""
        is_all = False
        try:
            is_all = await self._do()
        finally:
            told = {**detail, "matched": self._matched, "done": self._done}
            if self._to_end:
                told["asked"] = len(self._to_end)
            await tell_audit(self._asked.links, self._asked.places, action, told)
        if not self._matched and len(self._silent) == len(self._asked.places):
            raise next(iter(self._silent.values()))
        troubles = [one for one in self._asked.asking.troubles if one.code in _MISSED[self._verb]]
        return Done(
            self._matched, self._done, is_all and not troubles, tuple(troubles), tuple(self._to_end.values())
        )

    async def _do(self) -> bool:
        """Whether no more are left."""
        for batches in self._sources():
            async for batch in batches:
                room = self._most - self._matched
                ids, rows = batch.ids[:room], batch.rows[: max(room - len(batch.ids), 0)]
                with self._told_if_away(batch.place):
                    await self._handle(batch.place, ids, rows)
                if len(ids) + len(rows) < len(batch.ids) + len(batch.rows):
                    return False
        return self._saw_all

    @contextlib.contextmanager
    def _told_if_away(self, place: Place) -> Iterator[None]:
        """Go on without a queue whose Redis does not answer: the jobs of the others do not wait for it."""
        try:
            yield
        except (RedisError, OSError) as error:
            self._silent.setdefault(place.key, error)
            self._asked.asking.tell(redis_away(place.key, place.server, in_words(error)))

    def _sources(self) -> list[AsyncIterator[Batch]]:
        self._saw_all = all(one.code != IN_PART for one in self._asked.asking.troubles)
        if not self._states:
            return []
        ledgers = [] if self._is_told_by_homes() else self._asked.ledgers()
        with_rows = {place.key for _, _, places in ledgers for place in places}
        plain = [place for place in self._asked.places if place.key not in with_rows]
        return [
            *(self._of_ledger(ledger, places) for _, ledger, places in ledgers),
            *(self._of_redis(place) for place in plain),
        ]

    def _is_told_by_homes(self) -> bool:
        """Whether only open states are asked for: Redis has those at hand, as they are now."""
        matcher = Matcher(self._asked.query, self._asked.known)
        return matcher.asks_only_for_states and self._states <= INCOMPLETE_STATES

    async def _handle(self, place: Place, ids: Sequence[str], rows: Sequence[JobRowMixin]) -> None:
        """Do it, and count: what was done stays done where the next part fails."""
        if rows:
            self._done += await revive(self._asked.links, place, rows)
            self._matched += len(rows)
        if not ids:
            return
        inspector = await self._asked.links.inspector(place)
        states = sorted(self._states)
        for start in range(0, len(ids), _AT_ONCE):
            chunk = list(ids[start : start + _AT_ONCE])
            if self._verb == "retry":
                self._done += await inspector.retry_jobs(place.queue, ids=chunk, state=states)
            elif self._verb == "delete":
                self._done += await inspector.delete_jobs(place.queue, ids=chunk, state=states)
            else:
                await self._cancel(inspector, place, chunk, states)
            self._matched += len(chunk)

    async def _cancel(
        self, inspector: Inspector, place: Place, ids: Sequence[str], states: Sequence[JobState]
    ) -> None:
        """Cancel jobs, and tell of those that run what their workers say they do about it."""
        told = await inspector.cancel_jobs_apart(place.queue, ids=ids, state=states)
        self._done += told.at_once
        if not told.asked:
            return
        # They are asked, whether or not it is known what comes of it.
        for job_id, (_, session) in told.asked.items():
            self._to_end[place.key, job_id] = AskedToEnd(place.key, job_id, session)
        info: QueueInfo | None = None
        with contextlib.suppress(RedisError, OSError):
            info = await inspector.check_queue(place.queue)
        sessions = {} if info is None else {one.session: one for one in info.sessions}
        for job_id, (function, session) in told.asked.items():
            if session in sessions and function in sessions[session].not_aborted:
                self._to_end[place.key, job_id] = AskedToEnd(place.key, job_id, session, runs_on=True)

    async def _of_redis(self, place: Place) -> AsyncIterator[Batch]:
        """Those that are meant in Redis."""
        found: Batch | None = None
        with self._told_if_away(place):
            found = await self._listed(place, await self._narrowed(place).live(place))
        if found is not None:
            yield found

    async def _rowless(self, ledger: Ledger, place: Place) -> AsyncIterator[Batch]:
        """Those that are meant, are open, and have no row."""
        narrowed = self._narrowed(place)
        found: Batch | None = None
        if narrowed.means_open_jobs:
            with self._told_if_away(place):
                found = await self._listed(place, await narrowed.rowless(ledger, place))
        if found is not None:
            yield found

    def _narrowed(self, place: Place) -> Asked:
        """The same question, to one queue, of the states in which something is to be done."""
        asked = self._asked
        query = Query((*asked.query.terms, Term("state", tuple(sorted(map(str, self._states))))))
        return Asked(asked.links, query, [place], asked.known, asked.hider)

    async def _listed(self, place: Place, live: LiveList) -> Batch:
        """Those of a list, of as many as are looked at; all are found before the first is moved."""
        found: dict[str, None] = {}
        async for jobs in live.found(_LOOKS):
            found.update(dict.fromkeys(one.job_id for one in jobs))
            if len(found) > self._most:
                break
        self._saw_all = self._saw_all and live.saw_all
        return Batch(place, list(found))

    async def _of_ledger(self, ledger: Ledger, places: Sequence[Place]) -> AsyncIterator[Batch]:
        """Those that are meant by their rows, and are in such a state by now."""
        asked = self._asked
        states = self._states | (MAY_HAVE_COME_DUE if JobState.AVAILABLE in self._states else frozenset())
        words = [term for term in asked.query.terms if term.name not in ("state", "status")]
        query = Query((*words, Term("state", tuple(sorted(map(str, states))))))
        rows = Asked(asked.links, query, places, asked.known, asked.hider).rows(ledger, places)
        wanted = await asked.asking.ledger(ledger, places, rows.wanted)
        seen: set[str] = set()
        after: str | None = None
        while wanted is not None:

            async def ask(after: str | None = after) -> Any:
                return await ledger.jobs(wanted, after=after, limit=_AT_ONCE)

            page = await asked.asking.ledger(ledger, places, ask)
            if page is None:
                break
            seen.update(row.id for row in page.items)
            for place in self._answering(places):
                of_place = [row for row in page.items if row.queue == place.queue]
                if of_place and (standing := await self._standing(place, of_place)) is not None:
                    yield standing
            after = page.next
            if after is None:
                break
        # The ledger is away, or it does not know yet of jobs that are named: what Redis has can be moved.
        is_told_by_redis = asked.asking.troubles or ids_named(asked.query) - seen
        for place in self._answering(places):
            rest = self._of_redis(place) if is_told_by_redis else self._rowless(ledger, place)
            async for batch in rest:
                yield Batch(place, [job_id for job_id in batch.ids if job_id not in seen])

    def _answering(self, places: Sequence[Place]) -> list[Place]:
        """Those that have not been silent before: each page of rows would wait for them once more."""
        return [place for place in places if place.key not in self._silent]

    async def _standing(self, place: Place, rows: Sequence[JobRowMixin]) -> Batch | None:
        """Where the jobs of rows are by now: in a state that is meant, or nowhere but in the ledger; None
        where their Redis does not answer.
        """
        standings: Sequence[Standing] | None = None
        with self._told_if_away(place):
            engine = RedisEngine(await self._asked.links.pool(place), place.queue)
            standings = await engine.standings([row.id for row in rows], with_records=True)
        if standings is None:
            return None
        told = list(zip(rows, standings, strict=True))
        ids = [row.id for row, one in told if one.state and STATES_BY_LETTER[one.state] in self._states]
        if self._verb != "retry":
            return Batch(place, ids)
        over = [row for row, one in told if not one.state and row.state in self._states & FINAL_STATES]
        return Batch(place, ids, over)


def ids_named(query: Query) -> frozenset[str]:
    """The ids that a query names in full."""
    return frozenset(one for one in query.get("id") if "*" not in one)
