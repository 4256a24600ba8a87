"""What a worker without a ledger has in the place of one."""

from __future__ import annotations

from collections.abc import Sequence

from ..probes import LedgerSign
from ..service import Service
from .acker import Acker
from .beginnings import Beginnings
from .precheck import Precheck
from .trust import Trust


class NoBooks:
    """Nobody keeps books: ends are delivered at once, nothing is looked up, and Redis is believed.

    Attributes:
        acker: gathers the ends of jobs.
        trust: whether Redis is believed to be the one it was.
        precheck: asks which jobs are over already; None asks nobody.
        beginnings: keeps the starts of runs for the ledger; None keeps none.
        services: what keeps the books, in the order of its start.
    """

    def __init__(self) -> None:
        self.acker: Acker = Acker()
        self.trust = Trust()
        self.precheck: Precheck | None = None
        self.beginnings: Beginnings | None = None
        self.services: Sequence[Service] = ()

    def opened(self, session: str) -> None:
        """Its worker has another session."""

    def backlog(self) -> tuple[int, float]:
        """Tell how many changes of rows wait to be written, and for how many seconds the eldest does."""
        return 0, 0.0

    @property
    def sign(self) -> LedgerSign:
        """How the ledger is, for probes."""
        return "none"

    async def open(self) -> None:
        """Make everything ready; called before the services start."""

    async def close(self) -> None:
        """End what is under way; called when the services have stopped."""
