"""What reading one e-mail gives: its headers decoded, its text as a person would see it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


class UnreadableMessage(Exception):
    """These bytes are no e-mail: neither a header nor a text can be found in them. ``reason`` says why."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Attachment:
    """A part that is not shown as text: its file name ("" if it has none) and its media type."""

    name: str
    content_type: str


@dataclass(frozen=True, slots=True)
class ParsedMessage:
    """One e-mail, read leniently. Every text is free of NUL and lone surrogates, so any database takes it.

    ``date`` is the Date header with its zone (UTC where it names none), None if there is none to be read.
    ``text`` is the body as plain text with the lines and table rows that a reader would see.
    ``warnings`` tells in words what was wrong with the message.
    ``dedupe_key`` is the Message-ID, else a hash of the raw bytes: equal for the same message in every run.
    """

    subject: str = ""
    sender: str = ""
    sender_name: str = ""
    to: str = ""
    date: datetime | None = None
    text: str = ""
    message_id: str | None = None
    dedupe_key: str = ""
    attachments: tuple[Attachment, ...] = ()
    warnings: tuple[str, ...] = ()
