"""Everything that a worker does for its ledger, wired together; only `crew` asks for it."""

from __future__ import annotations

from .ledger import Ledger
from .runtime.trust import Trust


class Books:
    """The part of a crew that keeps the ledger.

    Args:
        ledger: the worker's.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.trust = Trust(is_firm=False)
