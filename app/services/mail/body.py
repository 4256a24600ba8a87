"""The body of a message: its parts walked, the best text chosen, attachments named."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from email.message import Message
from email.parser import BytesParser
from email.policy import compat32

from app.services.mail.charset import clean_text, decode_text
from app.services.mail.headers import decode_words, header, raw_header
from app.services.mail.html_text import html_to_text
from app.services.mail.message import Attachment

MAX_PARTS = 500
MAX_DEPTH = 40
"""Deeper parts are left out with a warning: no honest mail nests so, and Python's stack is finite."""
MAX_HTML_CHARS = 4_000_000

_READABLE = frozenset({"text/plain", "text/html", "application/xhtml+xml", "text/enriched", "text"})
_MEDIA_TYPE = re.compile(r"[\w.+-]{1,100}/[\w.+-]{1,100}", re.ASCII)
_HTML_START = re.compile(r"\s*<(!doctype html|html|head|body|table|div|meta)\b", re.IGNORECASE)
_WEB_ADDRESS = re.compile(r"https?://\S+")
_META_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)
_LOST_BOUNDARY = re.compile(rb"^--(\S[^\r\n]{0,200}?)[ \t]*\r?\n(?=[A-Za-z-]+:|\r?\n)", re.MULTILINE)
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]")

# What the standard library lets escape from broken headers and encodings.
_LIBRARY_ERRORS = (ValueError, LookupError, TypeError, AttributeError, AssertionError, RecursionError)


@dataclass
class Body:
    """What the parts of a message held together."""

    text: str = ""
    attachments: list[Attachment] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def read_body(message: Message) -> Body:
    """The readable text of all parts in order, and the names of the others."""
    body = Body()
    reader = _PartReader(body)
    body.text = reader.read(message, depth=0).strip("\n")
    return body


class _PartReader:
    def __init__(self, body: Body) -> None:
        self._body = body
        self._parts = 0

    def read(self, part: Message, depth: int) -> str:
        """The text of one part and of all below it."""
        self._parts += 1
        if self._parts > MAX_PARTS or depth > MAX_DEPTH:
            self._warn("too many nested parts, the rest is left out")
            return ""
        self._note_defects(part)
        kind = _content_type(part)
        inner = part.get_payload()
        if isinstance(inner, list):
            parts = [child for child in inner if isinstance(child, Message)]
            if kind == "message/rfc822":
                return _joined(self._read_enclosed(child, depth) for child in parts)
            if kind == "multipart/alternative":
                return self._read_alternatives(parts, depth)
            text = _joined(self.read(child, depth + 1) for child in parts)
            return text or self._read_preamble(part)
        if kind.startswith("multipart/"):
            return self._read_unsplit(part, depth)
        if self._is_attachment(part, kind):
            self._body.attachments.append(Attachment(_file_name(part), kind))
            return ""
        return self._read_text(part, kind)

    def _read_alternatives(self, parts: list[Message], depth: int) -> str:
        """One rendering of several: the richest that has about as much to say as any other."""
        texts = [self.read(part, depth + 1) for part in parts]
        longest = max((_weight(text) for text in texts), default=0)
        return next((text for text in reversed(texts) if 2 * _weight(text) >= longest), "")

    def _read_enclosed(self, inner: Message, depth: int) -> str:
        """A message inside the message, with the headers a mail program shows above it."""
        shown = [f"{name}: {value}" for name in ("From", "Date", "Subject") if (value := header(inner, name))]
        return "\n".join([*shown, "", self.read(inner, depth + 1)])

    def _read_preamble(self, part: Message) -> str:
        """The text before the first boundary, meant for old mail programs; at times the text itself."""
        preamble = part.preamble if isinstance(part.preamble, str) else ""
        if not preamble.strip() or "mime" in preamble.lower() or "multi" in preamble.lower():
            return ""
        self._warn("the text stands before the first part")
        return self._decoded(preamble.encode("utf-8", "surrogateescape"), None, "text/plain")

    def _read_unsplit(self, part: Message, depth: int) -> str:
        """A multipart whose boundary is missing or untrue: look for one in the body, else take it as text."""
        data = _payload_bytes(part)
        match = _LOST_BOUNDARY.search(data)
        if match is None:
            self._warn("a multipart without any boundary was read as text")
            return self._decoded(data, None, "text/plain")
        self._warn("the boundary of a multipart was wrong and was found in its body")
        head = b'Content-Type: multipart/mixed; boundary="' + match[1].replace(b'"', b'\\"') + b'"\n\n'
        try:
            found = BytesParser(policy=compat32).parsebytes(head + data)
        except _LIBRARY_ERRORS:
            return self._decoded(data, None, "text/plain")
        if not found.is_multipart():
            return self._decoded(data, None, "text/plain")
        return self.read(found, depth + 1)

    def _read_text(self, part: Message, kind: str) -> str:
        charset = _parameter(part, "charset")
        return self._decoded(_payload_bytes(part), charset, kind)

    def _decoded(self, data: bytes, charset: str | None, kind: str) -> str:
        is_html = kind in ("text/html", "application/xhtml+xml")
        if is_html and (charset is None or charset.lower() in ("us-ascii", "utf-8")):
            meta = _META_CHARSET.search(data[:4096])
            if meta and not _is_utf8(data):
                charset = meta[1].decode("ascii", "replace")
        text, warning = decode_text(data.replace(b"\x00", b"") if _is_narrow(charset) else data, charset)
        if warning:
            self._warn(warning)
        if is_html or _HTML_START.match(text):
            return html_to_text(text[:MAX_HTML_CHARS])
        return clean_text(text)

    def _is_attachment(self, part: Message, kind: str) -> bool:
        if raw_header(part, "Content-Disposition").lower().lstrip().startswith("attachment"):
            return True
        return kind not in _READABLE

    def _note_defects(self, part: Message) -> None:
        for defect in part.defects:
            self._warn((type(defect).__doc__ or type(defect).__name__).strip().splitlines()[0].rstrip("."))

    def _warn(self, warning: str) -> None:
        if warning not in self._body.warnings:
            self._body.warnings.append(warning)


def _joined(texts: Iterable[str]) -> str:
    return "\n\n".join(text for text in texts if text.strip())


def _content_type(part: Message) -> str:
    try:
        kind = part.get_content_type()
    except _LIBRARY_ERRORS:
        return "text/plain"
    return kind if _MEDIA_TYPE.fullmatch(kind) else "application/octet-stream"


def _parameter(part: Message, name: str) -> str | None:
    try:
        value = part.get_param(name)
    except _LIBRARY_ERRORS:
        return None
    if isinstance(value, tuple):  # RFC 2231: character set, language, value
        value = value[2]
    return str(value).strip() or None if value else None


def _file_name(part: Message) -> str:
    try:
        name = part.get_filename()
    except _LIBRARY_ERRORS:
        return ""
    data = str(name or "").encode("utf-8", "surrogateescape")
    return decode_words(decode_text(data)[0])


def _payload_bytes(part: Message) -> bytes:
    """The part's content with its transfer encoding undone as far as it goes."""
    encoding = (raw_header(part, "Content-Transfer-Encoding").lower().split(";")[0].split() or [""])[0]
    if encoding == "base64":
        return _lenient_base64(_raw_payload(part))
    try:
        data = part.get_payload(decode=True)
    except _LIBRARY_ERRORS:
        data = None
    return data if isinstance(data, bytes) else _raw_payload(part)


def _raw_payload(part: Message) -> bytes:
    payload = part.get_payload()
    return payload.encode("utf-8", "surrogateescape") if isinstance(payload, str) else b""


def _lenient_base64(data: bytes) -> bytes:
    """Decode up to the padding, skipping what is no base64; plain text under a wrong label is kept."""
    encoded = data.partition(b"=")[0]
    letters = _NOT_BASE64.sub(b"", encoded)
    spoken = data.split()
    if b" " in data.strip() and sum(map(len, spoken)) < 20 * len(spoken):
        return data  # words with spaces between them: never was base64
    letters = letters[: len(letters) - 1] if len(letters) % 4 == 1 else letters
    try:
        return base64.b64decode(letters + b"=" * (-len(letters) % 4))
    except (binascii.Error, ValueError):
        return data


def _weight(text: str) -> int:
    """How much a text says: its letters and digits, without those of addresses on the web."""
    return sum(map(str.isalnum, _WEB_ADDRESS.sub("", text)))


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _is_narrow(charset: str | None) -> bool:
    return not (charset or "").lower().replace("-", "").startswith(("utf16", "utf32", "ucs", "unicode"))
