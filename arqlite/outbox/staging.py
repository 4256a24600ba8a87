"""Jobs that wait for the commit of their caller's transaction, and go with what is rolled back of it."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Sequence
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, event
from sqlalchemy.orm import Session, SessionTransaction
from sqlalchemy.util import await_only
from sqlalchemy.util.concurrency import in_greenlet

logger = logging.getLogger("arqlite.outbox")

# Comments in front are of those who trace statements; possessive, for most statements begin otherwise.
_WORD_OF_SAVEPOINT = re.compile(
    r"(?:\s|--[^\n]*|/\*(?:[^*]|\*(?!/))*+\*/)*+(?:(?P<set>SAVEPOINT)|(?P<kept>RELEASE)(?:\s+SAVEPOINT)?"
    r"|(?P<undone>ROLLBACK)(?:\s+(?:WORK|TRANSACTION))?(?:\s+TO(?:\s+SAVEPOINT)?)?)"
    r'(?:\s+(?P<name>"[^"]+"|\w+))?',
    re.IGNORECASE,
)


class Courier(Protocol):
    """Does after the commit what had to wait for it."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The loop it works in; None is none, and then the relay does its work."""

    async def deliver(self, parcels: Sequence[Any]) -> None:
        """Do it; returns when it is done or takes too long, and raises nothing."""

    def deliver_soon(self, parcels: Sequence[Any]) -> None:
        """Begin to do it; called in its loop."""


class _Nobody:
    """Leaves everything to the relay."""

    loop = None

    async def deliver(self, parcels: Sequence[Any]) -> None:
        """See `Courier`; never called, for there is no loop."""

    def deliver_soon(self, parcels: Sequence[Any]) -> None:
        """See `Courier`; never called, for there is no loop."""


NOBODY: Courier = _Nobody()


class Line:
    """What waits for the commit of one connection.

    Of savepoints the connection's statements tell: those of the session, those of others who share its
    connection, and those that were written by hand.

    Args:
        connection: where the rows are written.
    """

    def __init__(self, connection: Connection) -> None:
        self.parcels: list[tuple[Courier, Any]] = []
        self._savepoints: list[tuple[str, int]] = []
        self._connection = connection
        event.listen(connection, "before_cursor_execute", self._before_statement)

    @property
    def goes_on(self) -> bool:
        """Whether the transaction is one that its session joined, and is not over."""
        return self._connection.in_transaction()

    def add(self, courier: Courier, parcel: Any) -> None:
        """Remember what has to wait."""
        self.parcels.append((courier, parcel))

    def end(self) -> None:
        """Listen no more: a connection that was lent to the session lives on."""
        event.remove(self._connection, "before_cursor_execute", self._before_statement)

    def _before_statement(
        self, connection: Connection, cursor: Any, statement: str, parameters: Any, context: Any, many: bool
    ) -> None:
        word = _WORD_OF_SAVEPOINT.match(statement)
        if word is None:
            return
        name = (word["name"] or "").strip('"').lower()
        if word["set"]:
            self._savepoints.append((name, len(self.parcels)))
            return
        places = [place for place, (known, _) in enumerate(self._savepoints) if known == name]
        if word["kept"]:
            if places:
                del self._savepoints[places[-1] :]
            return
        # One that was set before this began to listen is older than all that waits here.
        kept, count = (places[-1] + 1, self._savepoints[places[-1]][1]) if places else (0, 0)
        del self._savepoints[kept:]
        del self.parcels[count:]


class Staged:
    """What waits in one session for the commit of its transaction.

    Args:
        session: the session.
    """

    def __init__(self, session: Session) -> None:
        self._lines: dict[Connection, Line] = {}
        self._is_committed = False
        event.listen(session, "after_commit", self._after_commit)
        event.listen(session, "after_transaction_end", self._after_end)

    @property
    def parcels(self) -> list[Any]:
        """What will be delivered if the transaction is committed now."""
        return [parcel for line in self._lines.values() for _, parcel in line.parcels]

    def line(self, connection: Connection) -> Line:
        """Hand out what waits for a connection; from now on its savepoints are heard of."""
        line = self._lines.get(connection)
        if line is None:
            self._lines[connection] = line = Line(connection)
        return line

    def _after_commit(self, session: Session) -> None:
        if session.get_nested_transaction() is None:
            self._is_committed = True

    def _after_end(self, session: Session, transaction: SessionTransaction) -> None:
        """The transaction is over, and its connections were given back, unless somebody else lent them."""
        if transaction.parent is not None:
            return
        lines, is_committed = list(self._lines.values()), self._is_committed
        self._lines, self._is_committed = {}, False
        for line in lines:
            line.end()
        # Where the session had joined a transaction that goes on, the relay finds what comes of it.
        ready = [parcel for line in lines if not line.goes_on for parcel in line.parcels]
        if is_committed and ready:
            _hand_over(ready)


_staged: WeakKeyDictionary[Session, Staged] = WeakKeyDictionary()


def staged_in(session: Session) -> Staged:
    """Hand out what waits in a session."""
    staged = _staged.get(session)
    if staged is None:
        _staged[session] = staged = Staged(session)
    return staged


def _hand_over(parcels: Sequence[tuple[Courier, Any]]) -> None:
    """Have all of it delivered; whatever goes wrong, it is committed, and the relay is there."""
    of_courier: dict[int, tuple[Courier, list[Any]]] = {}
    for courier, parcel in parcels:
        of_courier.setdefault(id(courier), (courier, []))[1].append(parcel)
    for courier, its_parcels in of_courier.values():
        if courier.loop is None:
            continue
        if courier.loop is not _running_loop():
            _call_in(courier.loop, courier, its_parcels)
        elif in_greenlet():
            await_only(courier.deliver(its_parcels))
        else:
            courier.deliver_soon(its_parcels)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _call_in(loop: asyncio.AbstractEventLoop, courier: Courier, parcels: Sequence[Any]) -> None:
    """Ask a loop of another thread, or the pool's own where this one is another."""
    try:
        loop.call_soon_threadsafe(courier.deliver_soon, parcels)
    except RuntimeError:  # it was closed
        logger.info("%d jobs are committed, and the relay will push them: their loop is closed", len(parcels))
