"""The mailbox on disk as an e-mail provider: a folder of .eml files, an mbox file or a Maildir."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from app.services.providers.base import (
    DEFAULT_PAGE_SIZE,
    EmailProvider,
    ProviderError,
    RawMessage,
    SkippedMessage,
)
from app.services.providers.mailbox_files import Found, read_mailbox

PAGE_BYTES = 32 * 1024 * 1024
"""A page ends early once it holds this much, so that large messages do not pile up in memory."""


class MailboxProvider(EmailProvider):
    """Reads ``credentials["path"]``, whose kind it finds out itself; files are read off the event loop."""

    name: ClassVar[str] = "mailbox"

    def __init__(self) -> None:
        super().__init__()
        self._path: Path | None = None

    async def connect(self, credentials: Mapping[str, Any]) -> None:
        """Check that the path can be read; raises ProviderError naming it if not."""
        given = credentials.get("path")
        if not given:
            raise ProviderError('a mailbox needs credentials {"path": ...}')
        self._path = await asyncio.to_thread(_readable_path, given)

    async def pages(
        self, limit: int | None = None, page_size: int = DEFAULT_PAGE_SIZE
    ) -> AsyncIterator[list[RawMessage]]:
        """The messages by path (or by place in the mbox), each page read in a thread."""
        if self._path is None:
            raise ProviderError("the mailbox is not connected: call connect() first")
        if page_size < 1:
            raise ValueError(f"page_size must be at least 1, got {page_size}")
        self.skipped = []
        found = read_mailbox(self._path)
        left = limit
        while left is None or left > 0:
            size = page_size if left is None else min(page_size, left)
            page, skipped = await asyncio.to_thread(_take_page, found, size)
            self.skipped.extend(skipped)
            if not page:
                return
            yield page
            if left is not None:
                left -= len(page)

    async def close(self) -> None:
        """Forget the path; no file stays open between pages of single files."""
        self._path = None


def _readable_path(given: str | os.PathLike[str]) -> Path:
    path = Path(given).expanduser()
    if not path.exists():
        raise ProviderError(f"no mailbox at {path}")
    if not (path.is_dir() or path.is_file()):
        raise ProviderError(f"{path} is neither a folder nor a file")
    needed = os.R_OK | os.X_OK if path.is_dir() else os.R_OK
    if not os.access(path, needed):
        raise ProviderError(f"no permission to read {path}")
    return path


def _take_page(found: Iterator[Found], size: int) -> tuple[list[RawMessage], list[SkippedMessage]]:
    """Up to ``size`` messages, and what was skipped on the way to them."""
    page: list[RawMessage] = []
    skipped: list[SkippedMessage] = []
    held = 0
    while len(page) < size and held < PAGE_BYTES:
        item = next(found, None)
        if item is None:
            break
        if isinstance(item, SkippedMessage):
            skipped.append(item)
        else:
            page.append(item)
            held += len(item.raw)
    return page, skipped
