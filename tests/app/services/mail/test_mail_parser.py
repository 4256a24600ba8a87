"""Reading one e-mail from its bytes, whole or broken."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime, timedelta, timezone

import pytest

from app.services.mail import Attachment, UnreadableMessage, parse_message
from app.services.mail.parser import MAX_TEXT_CHARS

HEAD = b"From: Ann <ann@x.example>\nSubject: s\n"


def multipart(kind: str, *parts: bytes, end: bytes = b"--b--\n") -> bytes:
    body = b"".join(b"--b\n" + part + b"\n" for part in parts)
    return HEAD + f'Content-Type: multipart/{kind}; boundary="b"\n\n'.encode() + body + end


def test_headers_are_decoded() -> None:
    """Encoded words, names with commas, the zone of the date and the Message-ID come out readable."""
    message = parse_message(
        b"From: =?utf-8?q?M=C3=BCller=2C_Jo?= <jo@x.example>\nTo: ann@x.example\n"
        b"Subject: =?utf-8?B?w5xi?=\n =?utf-8?B?ZXI=?= =?iso-8859-1?q?_uns=E4glich?= end\n"
        b"Date: Tue, 3 Mar 2026 10:00:00 +0530\nMessage-ID: <1@x.example>\n\nhi\n"
    )

    assert (message.sender_name, message.sender, message.to) == (
        "Müller, Jo",
        "jo@x.example",
        "ann@x.example",
    )
    assert message.subject == "Über unsäglich end"
    zone = timezone(timedelta(hours=5, minutes=30))
    assert message.date == datetime(2026, 3, 3, 10, tzinfo=zone)
    assert message.date is not None
    assert message.date.utcoffset() == timedelta(hours=5, minutes=30)
    assert (message.message_id, message.dedupe_key) == ("<1@x.example>", "<1@x.example>")
    assert message.warnings == ()


def test_letter_split_between_two_encoded_words_is_whole_again() -> None:
    """Some senders cut UTF-8 in the middle of a letter."""
    assert parse_message(b"Subject: =?utf-8?q?caf=C3?= =?utf-8?q?=A9?=\n\nx").subject == "café"


def test_raw_8_bit_headers_are_read_in_utf_8_or_in_the_bodys_charset() -> None:
    """A header that names no character set is not garbled."""
    assert parse_message("Subject: Grüße\n\nx".encode()).subject == "Grüße"
    windows = "Subject: Účet\nContent-Type: text/plain; charset=windows-1250\n\nx".encode("windows-1250")
    assert parse_message(windows).subject == "Účet"


@pytest.mark.parametrize(
    "date",
    ["", "yesterday", "Tue, 99 Foo 2026", "Mon, 1 Jan 10000 00:00:00 +0000", "Tue, 3 Mar 26 99:99:99 +9999"],
)
def test_unreadable_date_is_none(date: str) -> None:
    """A date that no calendar has is left out."""
    assert parse_message(f"Subject: s\nDate: {date}\n\nx".encode()).date is None


def test_date_without_a_zone_is_utc() -> None:
    """The date is always aware."""
    message = parse_message(b"Subject: s\nDate: Tue, 3 Mar 2026 10:00:00 -0000\n\nx")

    assert message.date == datetime(2026, 3, 3, 10, tzinfo=UTC)


def test_address_in_a_broken_header_is_found() -> None:
    """The address counts even where the header is no address list."""
    message = parse_message(b"From: Ann Lee ann@x.example (home\n\nx")

    assert (message.sender_name, message.sender) == ("Ann Lee", "ann@x.example")


def test_message_without_an_id_is_known_by_the_hash_of_its_bytes() -> None:
    """The same bytes have the same key in every run."""
    raw = HEAD + b"\nx"

    message = parse_message(raw)

    assert message.message_id is None
    assert message.dedupe_key == "sha256:" + hashlib.sha256(raw).hexdigest()


def test_html_is_chosen_when_the_plain_part_says_little() -> None:
    """The amounts of many receipts stand in the HTML alone; web addresses are not what a part says."""
    plain = b"Content-Type: text/plain\n\nSee https://x.example/" + b"a" * 400
    html = b"Content-Type: text/html\n\n<p>Your total</p><p>$12.00 for three books</p>"

    assert parse_message(multipart("alternative", plain, html)).text == "Your total\n$12.00 for three books"


def test_plain_part_is_chosen_when_the_html_says_little() -> None:
    """An HTML part of one picture does not hide the text."""
    plain = b"Content-Type: text/plain\n\nYour total is $12.00 for three books."
    html = b"Content-Type: text/html\n\n<img src='cid:1'><p>hi</p>"

    assert (
        parse_message(multipart("alternative", plain, html)).text == "Your total is $12.00 for three books."
    )


def test_attachments_are_named_and_their_text_left_out() -> None:
    """An attached note is no part of the message's text; its name is decoded."""
    note = (
        b"Content-Type: text/plain\n"
        b'Content-Disposition: attachment; filename="=?utf-8?q?B=C3=BCcher=2Etxt?="\n\nsecret'
    )
    pdf = b'Content-Type: application/pdf; name="a.pdf"\n\n%PDF'

    message = parse_message(multipart("mixed", b"Content-Type: text/plain\n\nhello", note, pdf))

    assert message.text == "hello"
    assert message.attachments == (
        Attachment("Bücher.txt", "text/plain"),
        Attachment("a.pdf", "application/pdf"),
    )


def test_enclosed_message_is_read_with_its_headers() -> None:
    """A forwarded receipt is the mail's text, whoever forwarded it."""
    inner = b"Content-Type: message/rfc822\n\nFrom: Shop <s@shop.example>\nSubject: Receipt\n\nTotal: $5.00"

    text = parse_message(multipart("mixed", b"Content-Type: text/plain\n\nfyi", inner)).text

    assert text == "fyi\n\nFrom: Shop <s@shop.example>\nSubject: Receipt\n\nTotal: $5.00"


@pytest.mark.parametrize(
    ("encoded", "text"),
    [
        (base64.b64encode("Žluť €5".encode()), "Žluť €5"),
        (base64.b64encode("Žluť €5".encode())[:-2], "Žluť €"),
        (base64.b64encode(b"total $5")[:4] + b"\r\n!!\r\n" + base64.b64encode(b"total $5")[4:], "total $5"),
        (b"This is not base64 at all, it is plain.", "This is not base64 at all, it is plain."),
    ],
)
def test_broken_base64_is_read_as_far_as_it_goes(encoded: bytes, text: str) -> None:
    """Cut, dirtied or plainly mislabelled base64 does not lose the message."""
    raw = HEAD + b"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\n" + encoded

    assert parse_message(raw).text.rstrip("�") == text


def test_quoted_printable_with_stray_signs_is_read() -> None:
    """A lone "=" stays what it is."""
    raw = (
        HEAD
        + b"Content-Type: text/plain; charset=utf-8\n"
        + b"Content-Transfer-Encoding: quoted-printable\n\n=E2=82=AC5 = =C3=A9=\n!"
    )

    assert parse_message(raw).text == "€5 = é!"


def test_missing_closing_boundary_loses_nothing() -> None:
    """A cut message is read and its defect told."""
    message = parse_message(multipart("mixed", b"Content-Type: text/plain\n\nTotal $5", end=b""))

    assert message.text.strip() == "Total $5"
    assert message.warnings


def test_wrong_boundary_is_found_in_the_body() -> None:
    """A multipart that names another boundary than it uses is still split."""
    raw = (
        HEAD
        + b'Content-Type: multipart/mixed; boundary="other"\n\n'
        + b"--b\nContent-Type: text/html\n\n<p>Total $5</p>\n--b--\n"
    )

    message = parse_message(raw)

    assert message.text == "Total $5"
    assert any("boundary" in warning for warning in message.warnings)


def test_line_between_the_headers_that_is_none_is_left_out() -> None:
    """All after such a line would otherwise be taken as text, the structure with it."""
    raw = HEAD + b"oops, no header\nContent-Type: text/html\nTo: bob@x.example\n\n<p>hi</p>"

    message = parse_message(raw)

    assert (message.text, message.to) == ("hi", "bob@x.example")
    assert any("left out" in warning for warning in message.warnings)


def test_text_before_the_first_boundary_counts_when_it_is_all_there_is() -> None:
    """A sender that forgot the first boundary wrote its text there."""
    raw = (
        HEAD
        + b'Content-Type: multipart/mixed; boundary="b"\n\n'
        + b"Total $5\n--b\nContent-Type: image/png\n\nx\n--b--\n"
    )

    assert parse_message(raw).text.strip() == "Total $5"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_message_in_utf_16_throughout_is_read(encoding: str) -> None:
    """Some programs save a message as UTF-16, headers and all, with or without a mark."""
    raw = "From: ann@x.example\r\nSubject: Müsli\r\n\r\nTotal: 5,00 €\r\n".encode(encoding)

    message = parse_message(raw)

    assert (message.subject, message.text) == ("Müsli", "Total: 5,00 €")


def test_from_line_and_blank_lines_before_the_headers_are_skipped() -> None:
    """What an export left before the first header does not make the headers text."""
    assert parse_message(b"\r\n\r\nSubject: a\r\n\r\nx").subject == "a"
    assert parse_message(b"From ann@x Mon Mar  2 10:00:00 2026\nSubject: b\n\nx").subject == "b"


def test_html_without_any_header_is_read() -> None:
    """A saved page is at least its text."""
    assert parse_message(b"<html><body><p>Total</p><p>$5</p></body></html>").text == "Total\n$5"


def test_nul_bytes_are_dropped() -> None:
    """No database takes a NUL in a text."""
    message = parse_message(b"Subject: a\x00b\n\nTo\x00tal")

    assert (message.subject, message.text) == ("ab", "Total")


def test_empty_body_is_a_message() -> None:
    """A message may be its subject alone."""
    message = parse_message(b"Subject: call me\n\n")

    assert (message.subject, message.text) == ("call me", "")


def test_overlong_text_is_cut_with_a_warning() -> None:
    """A text has a bound."""
    message = parse_message(HEAD + b"\n" + b"x" * (MAX_TEXT_CHARS + 1))

    assert len(message.text) == MAX_TEXT_CHARS
    assert any("cut" in warning for warning in message.warnings)


@pytest.mark.parametrize(
    "raw",
    [
        b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (i, i) for i in range(2000)),
        b"Content-Type: message/rfc822\n\n" * 2000 + b"Subject: deep\n\nx",
        b"From: " + b"(a" * 20_000 + b"\n\nx",
        b"Content-Type: text/html\n\n" + b"<div>" * 50_000 + b"$5",
    ],
    ids=["multiparts", "messages", "comments", "elements"],
)
def test_deep_nesting_is_survived(raw: bytes) -> None:
    """Deeper than Python recurses is still a message."""
    parse_message(raw)


@pytest.mark.parametrize("raw", [b"", b"\r\n \n", b"\x00" * 100, b"\xff\xfe", bytes(range(32)) * 20])
def test_what_holds_no_message_is_unreadable_with_a_reason(raw: bytes) -> None:
    """Only what has neither header nor text is given up, and the reason is told."""
    with pytest.raises(UnreadableMessage) as caught:
        parse_message(raw)

    assert caught.value.reason
