"""From bytes to text when the named character set is missing, unknown or untrue."""

from __future__ import annotations

import pytest

from app.services.mail.charset import clean_text, decode_text, wide_encoding


@pytest.mark.parametrize(
    ("text", "encoding", "charset"),
    [
        ("Grüße für 5 €", "utf-8", "utf-8"),
        ("Grüße für 5 €", "windows-1252", "iso-8859-1"),
        ("částka 1 500,50 Kč", "windows-1250", "windows-1250"),
        ("částka 1 500,50 Kč", "windows-1250", "cp-1250"),
        ("ボールペン", "iso2022_jp", "ISO-2022-JP"),
        ("ボールペン", "cp932", "x-sjis"),
        ("合计", "gb18030", "gb2312"),
        ("итого 5 ₽", "utf-8", '"UTF-8"'),
        ("итого", "koi8-r", "koi8-r"),
    ],
)
def test_named_character_set_is_used(text: str, encoding: str, charset: str) -> None:
    """A name means what senders mean by it, and nothing is wrong."""
    assert decode_text(text.encode(encoding), charset) == (text, None)


@pytest.mark.parametrize(
    ("text", "encoding", "charset"),
    [
        ("Grüße", "utf-8", "iso-8859-1"),
        ("Grüße", "windows-1252", "utf-8"),
        ("Grüße", "windows-1252", "us-ascii"),
        ("Grüße", "utf-8", "x-unknown-thing"),
    ],
)
def test_untrue_or_unknown_name_is_overruled_with_a_warning(text: str, encoding: str, charset: str) -> None:
    """The bytes decide, and the warning names the character set that was claimed."""
    decoded, warning = decode_text(text.encode(encoding), charset)

    assert decoded == text
    assert warning is not None
    assert charset in warning


@pytest.mark.parametrize(
    "charset", ["base64", "rot13", "idna", "punycode", "undefined", "hex", "", "\x00", "ü"]
)
def test_codecs_that_are_no_character_sets_are_not_used(charset: str) -> None:
    """Python knows codecs that are no character sets; a mail may name them."""
    assert decode_text(b"YWJj plain", charset)[0] == "YWJj plain"


def test_japanese_without_a_name_is_known_by_its_escapes() -> None:
    """Old mail from Japan names no character set."""
    assert decode_text("請求".encode("iso2022_jp"))[0] == "請求"


def test_undecodable_bytes_are_replaced_not_raised() -> None:
    """A damaged text is still a text."""
    text, warning = decode_text(b"\x81\xff\xfe\xfd", "shift_jis")

    assert text
    assert warning


def test_wide_encoding_is_known_by_mark_or_by_its_nul_bytes() -> None:
    """A file in UTF-16 is recognised; binary data and plain text are not taken for it."""
    assert wide_encoding("Subject: x".encode("utf-16")) in ("utf-16-le", "utf-16-be")
    assert wide_encoding("Subject: hello".encode("utf-16-be")) == "utf-16-be"
    assert wide_encoding(b"Subject: hello") is None
    assert wide_encoding(b"\x00" * 40) is None


def test_cleaning_drops_what_no_reader_sees() -> None:
    """Control characters, invisible marks and strange line ends go; tabs and no-break spaces stay."""
    assert clean_text("a\x00\x07b\u200b\ufeff\r\nc\u2028d\te\u00a0f\ud800") == "ab\nc\nd\te\u00a0f"
