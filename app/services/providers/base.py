"""What every source of e-mail offers: connect, hand out pages of raw messages, close."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, ClassVar, Self

DEFAULT_PAGE_SIZE = 50


class ProviderError(Exception):
    """A mailbox cannot be used at all: not found, not readable, wrong credentials."""


@dataclass(frozen=True, slots=True)
class RawMessage:
    """One message as the mailbox holds it, not yet looked at.

    ``uid`` is the same in every run for the same message of the same mailbox; ``source`` says to a person
    where the message lies (a path inside the folder, or ``mbox#3``); ``raw`` is the message byte by byte.
    """

    uid: str
    source: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class SkippedMessage:
    """One message the provider could not hand out, and why, in words for a person."""

    source: str
    reason: str


class EmailProvider(ABC):
    """A source of e-mail. Use it as ``async with provider:`` or call :meth:`close` yourself.

    A message that cannot be read never ends the run: it is left out of the pages and named in ``skipped``.
    """

    name: ClassVar[str]
    """What the API, the connected account and :class:`ProviderFactory` call this provider."""

    def __init__(self) -> None:
        self.skipped: list[SkippedMessage] = []

    @abstractmethod
    async def connect(self, credentials: Mapping[str, Any]) -> None:
        """Open the mailbox that ``credentials`` describe; raises :class:`ProviderError` if it cannot be."""

    @abstractmethod
    def pages(
        self, limit: int | None = None, page_size: int = DEFAULT_PAGE_SIZE
    ) -> AsyncIterator[list[RawMessage]]:
        """Hand out the messages in a stable order, at most ``limit`` in all and ``page_size`` at a time.

        No page is empty. ``skipped`` starts anew with each call and is complete when the iteration ends;
        a skipped message does not count towards ``limit``.
        """

    @abstractmethod
    async def close(self) -> None:
        """Give back what :meth:`connect` took; calling it twice is harmless."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
