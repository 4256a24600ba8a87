"""The headers of a message that others need: decoded words, addresses, the date."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.errors import MessageError
from email.header import decode_header
from email.message import Message
from email.utils import parseaddr, parsedate_to_datetime

from app.services.mail.charset import clean_text, decode_text

MAX_HEADER_CHARS = 10_000
MAX_ADDRESS_CHARS = 1_000
"""An address header is read so far: the standard library's parser recurses into nested comments."""

_ENCODED_WORD = re.compile(r"=\?([^?\s]+)\?([bq])\?([^?]*)\?=", re.IGNORECASE)
_BODY_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE)
_ADDRESS = re.compile(r"[^\s<>,;:\"'()]+@[^\s<>,;:\"'()]+")


def header(message: Message, name: str) -> str:
    """The first header of this name as readable text on one line; "" if there is none."""
    return decode_words(raw_header(message, name))


def raw_header(message: Message, name: str) -> str:
    """The first header of this name, raw 8-bit bytes made text, encoded words left as they are."""
    wanted = name.lower()
    for key, value in message.raw_items():
        if key.lower() == wanted:
            return _one_line(_raw_text(str(value).encode("utf-8", "surrogateescape"), message))[
                :MAX_HEADER_CHARS
            ]
    return ""


def decode_words(text: str) -> str:
    """Text with its RFC 2047 encoded words decoded; a word that cannot be decoded stays as it is."""
    pieces: list[tuple[str | bytes, str]] = []
    end = 0
    for match in _ENCODED_WORD.finditer(text):
        between = text[end : match.start()]
        decoded = _decode_word(match[0])
        charset = match[1].partition("*")[0].lower()  # RFC 2231 lets a language follow the star
        if between.strip() or not pieces or decoded is None:
            pieces.append((between, ""))
        if decoded is None:
            pieces.append((match[0], ""))
        elif pieces and pieces[-1][1] == charset:
            pieces[-1] = (_joined(pieces[-1][0], decoded), charset)
        else:
            pieces.append((decoded, charset))
        end = match.end()
    pieces.append((text[end:], ""))
    readable = "".join(
        decode_text(piece, charset)[0] if isinstance(piece, bytes) else piece for piece, charset in pieces
    )
    return _one_line(readable)


def address(message: Message, name: str) -> tuple[str, str]:
    """The display name and the address of the first mailbox in a header; each "" if it has none."""
    raw = raw_header(message, name)
    try:
        display, found = parseaddr(raw[:MAX_ADDRESS_CHARS])
    except (ValueError, IndexError, AttributeError, TypeError, RecursionError):
        display, found = "", ""
    if "@" not in found or (" " in found and '"' not in found):  # "Ann Lee ann@x" is taken for an address
        match = _ADDRESS.search(raw)
        found = match[0] if match else ""
        display = raw[: match.start()] if match else raw
    return decode_words(display).strip(" <>\"'"), found.strip()


def date_of(message: Message) -> datetime | None:
    """The Date header as an aware datetime, UTC where it names no zone; None if it cannot be read."""
    raw = raw_header(message, "Date")
    try:
        found = parsedate_to_datetime(raw)
        found = found if found.tzinfo else found.replace(tzinfo=UTC)
        found.astimezone(UTC)  # a date at the edge of the calendar cannot be moved to UTC
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return found


def _raw_text(data: bytes, message: Message) -> str:
    """Raw 8-bit header bytes, which name no character set, are mostly in UTF-8 or in that of the body."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        match = _BODY_CHARSET.search(str(dict(message.raw_items()).get("Content-Type", "")))
        return decode_text(data, match[1] if match else None)[0]


def _one_line(text: str) -> str:
    return " ".join(clean_text(text).split())


def _decode_word(word: str) -> bytes | None:
    try:
        [(data, _)] = decode_header(word)
    except (MessageError, ValueError):
        return None
    return data if isinstance(data, bytes) else None


def _joined(left: str | bytes, right: bytes) -> bytes:
    """Two words of one character set are decoded together: a letter may be split between them."""
    return left + right if isinstance(left, bytes) else right
