"""Whether Redis is the one it was: until that is known, the ledger is asked before a job is started."""

from __future__ import annotations


class Trust:
    """What a worker believes of its Redis; without a ledger nobody asks.

    Attributes:
        is_firm: whether no job can be in the queue that the ledger says is over.
        doubts: how often it was lost; who confirms names the doubt that was looked into.
    """

    def __init__(self, is_firm: bool = True) -> None:
        self.is_firm = is_firm
        self.doubts = 0

    def doubt(self) -> None:
        """Something happened after which Redis may be an older one, or another: a broken connection."""
        self.doubts += 1
        self.is_firm = False

    def confirm(self, doubts: int) -> None:
        """Rows and Redis agree, unless there was another doubt meanwhile."""
        if doubts == self.doubts:
            self.is_firm = True
