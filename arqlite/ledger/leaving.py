"""Where what a recorder cannot write goes: into packets for an overflow, or into the log."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from .backlog import Accepted, Run
from .overflow import packed_accepted, packed_runs

logger = logging.getLogger("arqlite.ledger")


def packets_of(accepted: Sequence[Accepted], runs: Sequence[Run]) -> list[bytes]:
    """Pack entries of a backlog for an overflow."""
    pairs = [(values, columns) for _, _, values, columns in accepted]
    return packed_accepted(pairs) + packed_runs([told for _, _, told in runs])


def leave_run_out(run: Run, error: Exception) -> None:
    """Say that the database refuses what was told of a run."""
    _, _, (job, *_) = run
    logger.error("job %s: a change could not be recorded and is left out: %s", job[0], _told(error))


def leave_accepted_out(accepted: Accepted, error: Exception) -> None:
    """Say that the database refuses the row of an accepted job."""
    logger.error("job %s: its row could not be written and is left out: %s", accepted[2][0], _told(error))


def leave_packet_out(packet: bytes, error: Exception) -> None:
    """Say that what came from an overflow cannot be written."""
    logger.error("%d bytes of changes could not be recorded and are left out: %s", len(packet), _told(error))


def report_overflow(error: Exception) -> None:
    """Say that an overflow is out of reach, too."""
    logger.warning("the ledger's overflow is out of reach: %r", error)


def _told(error: Exception) -> str:
    """What is wrong, in a line: with it, SQLAlchemy's errors tell a statement of some thousand characters."""
    return repr(getattr(error, "orig", None) or error)
