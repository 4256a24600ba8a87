"""Who of this process hears already what a ledger is to be told: nobody tells it twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from typing import Any

_EVERY_QUEUE = None

_listening: Counter[tuple[type, Hashable, str | None]] = Counter()


def begin(listener: type, ledger: Any, queue: str | None) -> None:
    """Somebody listens from now on to what is told of a queue, None being all of them."""
    _listening[listener, _identity(ledger), queue] += 1


def end(listener: type, ledger: Any, queue: str | None) -> None:
    """Somebody does so no longer."""
    key = listener, _identity(ledger), queue
    _listening[key] -= 1
    if _listening[key] <= 0:
        del _listening[key]


def is_heard(listener: type, ledger: Any, queue: str) -> bool:
    """Whether somebody of this kind listens to what is told of a queue, for the same database."""
    identity = _identity(ledger)
    return any((listener, identity, which) in _listening for which in (queue, _EVERY_QUEUE))


def _identity(ledger: Any) -> Hashable:
    identity: Hashable = getattr(ledger, "identity", None) or id(ledger)
    return identity
