"""Lock files that a forked child never keeps."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from .keeper import flock, flock_release, open_lock


class FileLock:
    """A lock file of the data folder, open until it is released, handed over, or the process ends.

    A lock belongs to the open file, which `fork` shares with the child. So every lock is closed in a forked
    child: otherwise a helper process that outlives its worker would keep the server running for ever.
    """

    def __init__(self, home: Path, name: str) -> None:
        self.path = home / name
        self._fd = open_lock(str(home), name)
        _open_locks.add(self)

    @property
    def fd(self) -> int:
        """The open file's descriptor; -1 after the lock was given up."""
        return self._fd

    def acquire(self, *, shared: bool = False, wait_s: float | None = None) -> bool:
        """Lock, waiting at most `wait_s` seconds (None: without end); tell whether it was got."""
        return flock(self._fd, shared=shared, wait_s=wait_s)

    def release(self) -> None:
        """Unlock and close; doing it twice is harmless."""
        if self._fd >= 0:
            flock_release(self._fd)
            self.hand_over()

    def hand_over(self) -> None:
        """Close our descriptor only: a child process that inherited it goes on holding the lock."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        _open_locks.discard(self)

    def __enter__(self) -> FileLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()


_open_locks: set[FileLock] = set()


def _close_in_forked_child() -> None:
    locks: Sequence[FileLock] = list(_open_locks)
    for lock in locks:
        lock.hand_over()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_in_forked_child)
