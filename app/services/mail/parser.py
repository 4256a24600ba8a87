"""One e-mail from its bytes, read leniently: what a person could still read is read."""

from __future__ import annotations

import hashlib
import re
from email.message import Message
from email.parser import BytesParser
from email.policy import compat32

from app.services.mail.body import Body, read_body
from app.services.mail.charset import clean_text, decode_text, wide_encoding
from app.services.mail.headers import address, date_of, header
from app.services.mail.html_text import html_to_text
from app.services.mail.message import ParsedMessage, UnreadableMessage

MAX_TEXT_CHARS = 500_000
"""A longer text is cut with a warning."""

_FROM_LINE = re.compile(rb">?From [^\r\n]*\r?\n")
_HEADER_LINE = re.compile(rb"[!-9;-~]+[ \t]*:")
_KNOWN_HEADER_LINE = re.compile(
    rb"(?:from|to|cc|subject|date|message-id|received|reply-to|return-path|mime-version|content-[a-z-]+) ?:",
    re.I,
)
_BLANK_LINE = re.compile(rb"(?:^|\n)\r?\n|\r\r")
_KNOWN_HEADERS = ("From", "To", "Subject", "Date", "Message-ID", "Received", "Content-Type", "Return-Path")


def parse_message(raw: bytes) -> ParsedMessage:
    """Read one e-mail leniently; raises UnreadableMessage, and nothing else, when nothing can be read."""
    prepared = _prepared(raw)
    data = _without_stray_lines(prepared)
    message, body = _read(data)
    if len(data) < len(prepared):
        body.warnings.append("a line between the headers was no header and was left out")
    if not body.text.strip() and not body.attachments and not _has_headers(message):
        raise UnreadableMessage("neither a header nor a text can be found")
    if not _has_headers(message) and _is_binary(data):
        raise UnreadableMessage("binary data, not an e-mail")
    return _assemble(raw, message, body)


def _prepared(raw: bytes) -> bytes:
    """The bytes as the standard library expects them: ASCII-compatible, a header first."""
    if not raw.strip(b"\x00\r\n\t \xff"):
        raise UnreadableMessage("the message is empty" if not raw else "nothing but blanks and NUL bytes")
    wide = wide_encoding(raw)
    if wide:
        raw = raw.decode(wide, "replace").encode("utf-8", "replace")
    raw = raw.removeprefix(b"\xef\xbb\xbf")
    stripped = raw.lstrip(b"\r\n \t\x00")
    raw = stripped if _HEADER_LINE.match(stripped) else raw
    return raw[match.end() :] if (match := _FROM_LINE.match(raw)) else raw


def _without_stray_lines(data: bytes) -> bytes:
    """Leave out a line that is no header but stands between headers: all after it would be taken as text."""
    end = match.start() if (match := _BLANK_LINE.search(data)) else len(data)
    lines = data[:end].splitlines(keepends=True)
    headers = [number for number, line in enumerate(lines) if _KNOWN_HEADER_LINE.match(line)]
    if not headers:
        return data
    kept = [
        line
        for number, line in enumerate(lines)
        if number > headers[-1] or line[:1] in (b" ", b"\t") or _HEADER_LINE.match(line)
    ]
    return data if len(kept) == len(lines) else b"".join(kept) + data[end:]


def _read(data: bytes) -> tuple[Message, Body]:
    try:
        message = BytesParser(policy=compat32).parsebytes(data)
        return message, read_body(message)
    except Exception as error:  # noqa: BLE001 - whatever a hostile message makes the library raise, the run goes on
        text = clean_text(decode_text(data)[0])
        warning = f"its structure could not be read ({type(error).__name__}), taken as plain text"
        return _headers_only(data), Body(text=html_to_text(text) or text, warnings=[warning])


def _headers_only(data: bytes) -> Message:
    try:
        return BytesParser(policy=compat32).parsebytes(data, headersonly=True)
    except Exception:  # noqa: BLE001 - see _read
        return Message()


def _has_headers(message: Message) -> bool:
    return any(header(message, name) for name in _KNOWN_HEADERS)


def _is_binary(data: bytes) -> bool:
    head = data[:4096]
    controls = sum(byte < 9 or 13 < byte < 27 or 27 < byte < 32 or byte == 127 for byte in head)
    return controls > 0.1 * len(head)


def _assemble(raw: bytes, message: Message, body: Body) -> ParsedMessage:
    sender_name, sender = address(message, "From")
    if not sender and not sender_name:
        sender_name, sender = address(message, "Sender")
    message_id = header(message, "Message-ID")[:998] or None
    text, warnings = body.text, body.warnings
    if len(text) > MAX_TEXT_CHARS:
        text = text[:MAX_TEXT_CHARS]
        warnings = [*warnings, f"the text was cut after {MAX_TEXT_CHARS} characters"]
    return ParsedMessage(
        subject=header(message, "Subject"),
        sender=sender,
        sender_name=sender_name,
        to=header(message, "To"),
        date=date_of(message),
        text=text,
        message_id=message_id,
        dedupe_key=message_id or f"sha256:{hashlib.sha256(raw).hexdigest()}",
        attachments=tuple(body.attachments),
        warnings=tuple(warnings),
    )
