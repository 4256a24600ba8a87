"""Who of this process hears already what a ledger is to be told: nobody tells it twice."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from typing import Any, Protocol

_EVERY_QUEUE = None


class Listener(Protocol):
    """Somebody who tells a ledger what happens."""

    @property
    def ledger(self) -> Any:
        """What it tells."""

    def answers_for(self, worker: str) -> bool:
        """Whether it is there for what this worker does, by the name of its session."""


_Key = tuple[type, Hashable, str | None]

# Replaced, never changed: those who ask are in several threads.
_listening: dict[_Key, tuple[Listener, ...]] = {}
_changing = threading.Lock()


def begin(listener: Listener, queue: str | None) -> None:
    """Somebody listens from now on to what is told of a queue, None being all of them."""
    key = _key(listener, queue)
    with _changing:
        _listening[key] = (*_listening.get(key, ()), listener)


def end(listener: Listener, queue: str | None) -> None:
    """Somebody does so no longer."""
    key = _key(listener, queue)
    with _changing:
        _listening[key] = tuple(one for one in _listening.get(key, ()) if one is not listener)
        if not _listening[key]:
            del _listening[key]


def is_heard(kind: type, ledger: Any, queue: str) -> bool:
    """Whether somebody of this kind listens to what is told of a queue, for the same database."""
    identity = _identity(ledger)
    return any((kind, identity, which) in _listening for which in (queue, _EVERY_QUEUE))


def ledgers_told(kind: type, queue: str) -> list[Any]:
    """The ledgers that listeners of this kind tell of a queue."""
    told = _listening
    return [
        one.ledger
        for (which, _, heard), listeners in told.items()
        if which is kind and heard in (queue, _EVERY_QUEUE)
        for one in listeners
    ]


def is_up_to(listener: Listener, queue: str | None, worker: str = "") -> bool:
    """Whether it is this listener's to tell something that all of them hear.

    It is up to the one that answers for the worker who did it; where none does, to the first.
    """
    listeners = _listening.get(_key(listener, queue), (listener,))
    return next((one for one in listeners if one.answers_for(worker)), listeners[0]) is listener


def _key(listener: Listener, queue: str | None) -> _Key:
    return type(listener), _identity(listener.ledger), queue


def _identity(ledger: Any) -> Hashable:
    identity: Hashable = getattr(ledger, "identity", None) or id(ledger)
    return identity
