"""Whether only this user can have written a file: what another one could have put there is not believed."""

from __future__ import annotations

import os
import stat
from pathlib import Path

_WRITABLE_BY_OTHERS = 0o022
_LONGEST = 65_536


class NotOurs(PermissionError):
    """Something that another user could have written."""


def read_own(home: Path, name: str) -> str:
    """Read a small file of the data folder, if nobody else can have written it. Not for Windows.

    Raises:
        NotOurs: the folder or the file is another user's, or others may write it; the message tells which.
        OSError: there is none, or it cannot be read.
    """
    # A link that another user laid may lead to a folder of ours, but not to the one that is meant.
    if not is_own(home.lstat()):
        raise NotOurs(f"{home} is another user's")
    folder = os.open(home, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _refuse(os.fstat(folder), home)
        # Without O_NONBLOCK a pipe of this name would hold up who looks.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        file = os.open(name, flags, dir_fd=folder)
    finally:
        os.close(folder)
    with os.fdopen(file, encoding="utf-8") as stream:
        found = os.fstat(file)
        _refuse(found, home / name)
        if not stat.S_ISREG(found.st_mode):
            raise NotOurs(f"{home / name} is no regular file")
        return stream.read(_LONGEST)


def is_own(found: os.stat_result) -> bool:
    """Whether it is this user's."""
    return found.st_uid == os.geteuid()


def _refuse(found: os.stat_result, path: Path) -> None:
    if not is_own(found):
        raise NotOurs(f"{path} is another user's")
    if found.st_mode & _WRITABLE_BY_OTHERS:
        raise NotOurs(f"others may write {path} (take that from them: chmod go-w)")
