"""From bytes to text when the named character set may be missing, unknown or untrue."""

from __future__ import annotations

import codecs
import re
import unicodedata

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

# What senders mean by a name is often the larger set that their system really used.
_MEANT = {
    "ascii": "utf-8",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "shift_jis": "cp932",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc_kr": "cp949",
}
_ALIASES = {
    "x-sjis": "cp932",
    "x-euc-jp": "euc_jp",
    "ks_c_5601": "cp949",
    "iso-8859-8-i": "iso8859-8",
    "iso-8859-6-i": "iso8859-6",
    "unicode": "utf-16",
    "x-gbk": "gb18030",
    "ansi": "cp1252",
    "binary": "utf-8",
    "8bit": "utf-8",
}
# Codecs of Python that are no character sets (base64, rot13, idna, ...) would raise or garble.
_NO_TEXT = frozenset({"idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined", "mbcs", "oem"})

_JIS_ESCAPE = re.compile(rb"\x1b(\$[@B]|\([BJI])")
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]"
)
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_LINE_ENDS = re.compile("\r\n?|[\x85\u2028\u2029]")


def decode_text(data: bytes, charset: str | None = None) -> tuple[str, str | None]:
    """The text and, when the named character set was not what the bytes are in, a warning in words.

    Never raises: what fits no character set is read as Windows-1252 with replacement characters.
    """
    for mark, name in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(name, "replace"), None
    codec = _codec_name(charset) if charset else None
    unknown = f"unknown character set {charset[:40]!r}" if charset and codec is None else None
    if _JIS_ESCAPE.search(data) and not (codec or "").startswith("iso2022"):
        text = _strictly(data, "iso2022_jp_ext")
        if text is not None:
            return text, unknown
    if codec in ("cp1252", "cp1254"):
        # Bytes above 127 that happen to be valid UTF-8 are UTF-8: Western text never looks so by chance.
        text = None if data.isascii() else _strictly(data, "utf-8")
        if text is not None:
            return text, f"named {charset!r} but is UTF-8"
    for name in filter(None, (codec, "utf-8", "cp1252")):
        text = _strictly(data, name)
        if text is not None:
            untrue = codec is not None and name != codec
            return text, f"named {charset!r} but is not" if untrue else unknown
    if codec in ("cp1252", None):
        return data.decode("cp1252", "replace"), unknown
    return data.decode(codec, "replace"), f"bytes that are not {charset!r}"


def wide_encoding(data: bytes) -> str | None:
    """The name of the UTF-16 or UTF-32 form that a whole file is in, by its mark or by its NUL bytes."""
    for mark, name in _BYTE_ORDER_MARKS[1:]:
        if data.startswith(mark):
            return name
    head = data[:400]
    if len(head) < 8:
        return None
    even, odd = head[::2].count(0), head[1::2].count(0)
    half = len(head) // 2
    if odd > 0.7 * half and even < 0.2 * half:
        return "utf-16-le"
    if even > 0.7 * half and odd < 0.2 * half:
        return "utf-16-be"
    return None


def clean_text(text: str) -> str:
    """The text as a database and a reader take it: one kind of line end, nothing invisible, no NUL."""
    text = _LINE_ENDS.sub("\n", text)
    text = _CONTROLS.sub("", text)
    return unicodedata.normalize("NFC", _INVISIBLE.sub("", text))


def _codec_name(charset: str) -> str | None:
    wanted = charset.strip().strip("\"'").lower()
    wanted = _ALIASES.get(wanted, wanted)
    try:
        name = codecs.lookup(wanted).name
        is_text = isinstance(b"".decode(name), str)
    except (LookupError, ValueError, TypeError):
        match = re.match(r"(?:x-)?(?:windows|cp|win)[-_ ]?(\d{3,4})$", wanted)
        return _codec_name(f"cp{match[1]}") if match and wanted != f"cp{match[1]}" else None
    if name in _NO_TEXT or not is_text:
        return None
    return _MEANT.get(name, name)


def _strictly(data: bytes, codec: str) -> str | None:
    try:
        return data.decode(codec)
    except (ValueError, LookupError):  # UnicodeDecodeError is a ValueError; some codecs raise it bare
        return None
