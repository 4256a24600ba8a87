"""Finding the messages below a path: a folder of .eml and .mbox files, a Maildir, or one file."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from app.services.providers.base import RawMessage, SkippedMessage
from app.services.providers.mbox import OversizedMessage, split_mbox

MAX_MESSAGE_BYTES = 64 * 1024 * 1024
"""A larger message is skipped by name: it would be held in memory whole."""

_MESSAGE_SUFFIXES = frozenset({".eml"})
_MBOX_SUFFIXES = frozenset({".mbox", ".mbx"})
_MAILDIR_FOLDERS = ("cur", "new")

Found = RawMessage | SkippedMessage


def read_mailbox(path: Path, max_bytes: int = MAX_MESSAGE_BYTES) -> Iterator[Found]:
    """Every message below ``path`` in a stable order; one that cannot be read comes as SkippedMessage."""
    if not path.is_dir():
        yield from _read_file(path, path.name, max_bytes)
    elif _is_maildir(path):
        yield from _read_maildir(path, max_bytes)
    else:
        yield from _read_folder(path, max_bytes)


def _read_folder(folder: Path, max_bytes: int) -> Iterator[Found]:
    for found in _walk(folder):
        if isinstance(found, SkippedMessage):
            yield found
        elif found.suffix.lower() in _MESSAGE_SUFFIXES or _is_named_mbox(found):
            yield from _read_file(found, _printable(found.relative_to(folder)), max_bytes)


def _read_file(path: Path, source: str, max_bytes: int) -> Iterator[Found]:
    """One file: an mbox by its name or its first bytes, else a single message."""
    try:
        _must_be_regular(path)
        if _is_mbox(path):
            yield from _read_mbox(path, source, max_bytes)
        else:
            yield _read_single(path, source, source, max_bytes)
    except OSError as error:
        yield SkippedMessage(source, _reason(error))


def _read_mbox(path: Path, source: str, max_bytes: int) -> Iterator[Found]:
    """Messages are known by their content: offsets move when other messages are deleted."""
    seen: dict[bytes, int] = {}
    with path.open("rb") as file:
        for number, raw in enumerate(split_mbox(file, max_bytes), start=1):
            here = f"{source}#{number}"
            if isinstance(raw, OversizedMessage):
                yield SkippedMessage(here, _too_large(raw.size, max_bytes))
                continue
            digest = hashlib.sha256(raw).digest()[:16]
            seen[digest] = seen.get(digest, 0) + 1
            copy = f"-{seen[digest]}" if seen[digest] > 1 else ""
            yield RawMessage(uid=f"{source}#{digest.hex()}{copy}", source=here, raw=raw)


def _read_single(path: Path, uid: str, source: str, max_bytes: int) -> Found:
    size = path.stat().st_size
    if size > max_bytes:
        return SkippedMessage(source, _too_large(size, max_bytes))
    return RawMessage(uid=uid, source=source, raw=path.read_bytes())


def _read_maildir(root: Path, max_bytes: int) -> Iterator[Found]:
    """The Maildir and its subfolders; ``tmp`` holds half-delivered messages and is left alone.

    A message moves from new to cur and changes its flags, so neither is part of its uid.
    """
    found: list[tuple[str, Path]] = []
    for item in _walk(root):
        if isinstance(item, SkippedMessage):
            yield item
        elif item.parent.name in _MAILDIR_FOLDERS:
            unique = item.with_name(item.name.partition(":")[0]).name
            folder = item.parent.parent.relative_to(root)
            found.append((_printable(folder / unique), item))
    for uid, path in sorted(found, key=lambda pair: pair[0]):
        source = _printable(path.relative_to(root))
        try:
            _must_be_regular(path)
            yield _read_single(path, uid, source, max_bytes)
        except OSError as error:
            yield SkippedMessage(source, _reason(error))


def _walk(root: Path) -> Iterator[Path | SkippedMessage]:
    """The files below ``root``, sorted; a folder that cannot be listed is named instead."""
    unlisted: list[SkippedMessage] = []

    def note(error: OSError) -> None:
        folder = Path(error.filename) if error.filename else root
        unlisted.append(SkippedMessage(_printable(folder.relative_to(root)), _reason(error)))

    for folder, subfolders, files in os.walk(root, onerror=note):
        subfolders.sort()
        yield from (Path(folder, name) for name in sorted(files))
    yield from unlisted


def _is_maildir(path: Path) -> bool:
    return any((path / folder).is_dir() for folder in _MAILDIR_FOLDERS)


def _is_mbox(path: Path) -> bool:
    """An .eml file may open with one stray "From " line and is still a single message."""
    if _is_named_mbox(path):
        return True
    if path.suffix.lower() in _MESSAGE_SUFFIXES:
        return False
    with path.open("rb") as file:
        return file.read(64).removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n").startswith(b"From ")


def _is_named_mbox(path: Path) -> bool:
    """By its suffix, or plainly "mbox" as in the folders that Apple Mail exports."""
    return path.suffix.lower() in _MBOX_SUFFIXES or path.name.lower() == "mbox"


def _must_be_regular(path: Path) -> None:
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(None, "is not a regular file")  # opening a named pipe would wait for ever


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _too_large(size: int, max_bytes: int) -> str:
    return f"larger than {max_bytes} bytes: {size}"


def _printable(path: Path) -> str:
    """The path with bytes that are no UTF-8 escaped, so that a database and a terminal take it."""
    return os.fsencode(path.as_posix()).decode("utf-8", "backslashreplace")
