"""Splitting an mbox into messages, byte by byte."""

from __future__ import annotations

import io

import pytest

from app.services.providers.mbox import LINE_LIMIT, OversizedMessage, split_mbox


def split(data: bytes, max_bytes: int = 10_000_000) -> list[bytes | OversizedMessage]:
    return list(split_mbox(io.BytesIO(data), max_bytes))


def test_messages_are_split_at_from_lines_and_lose_the_blank_line_between() -> None:
    """The separator and the blank line before it belong to the mailbox, not to the messages."""
    data = (
        b"From ann@x.example Mon Mar  2 10:00:00 2026\nSubject: one\n\nfirst\n\n"
        b"From bob@x.example Mon Mar  2 11:00:00 2026\nSubject: two\n\nsecond\n"
    )

    assert split(data) == [b"Subject: one\n\nfirst\n", b"Subject: two\n\nsecond\n"]


def test_from_at_the_start_of_a_sentence_does_not_split() -> None:
    """An unescaped "From " line in a text is text, even when the next line looks like a header."""
    data = b"From -\nSubject: film\n\nFrom Russia with love\nYear: 1963\n\nFrom here on\n\nmore\n"

    assert split(data) == [b"Subject: film\n\nFrom Russia with love\nYear: 1963\n\nFrom here on\n\nmore\n"]


def test_separator_without_blank_line_before_it_splits() -> None:
    """Some writers forget the blank line between two messages."""
    assert split(b"From - \nSubject: a\n\nx\nFrom - \nSubject: b\n\ny\n") == [
        b"Subject: a\n\nx\n",
        b"Subject: b\n\ny\n",
    ]


def test_bare_sender_is_a_separator_where_the_file_opens_with_one() -> None:
    """A mailbox whose own first line is "From name" uses that form throughout."""
    data = b"From ann\nSubject: a\n\nx\n\nFrom bob\nSubject: b\n\ny\n"

    assert split(data) == [b"Subject: a\n\nx\n", b"Subject: b\n\ny\n"]


def test_escaped_from_lines_lose_one_mark() -> None:
    """The writer put one ">" before every such line, quoted ones included."""
    data = b"From -\nSubject: q\n\n>From me\n>>From him\n> From no one\n"

    assert split(data) == [b"Subject: q\n\nFrom me\n>From him\n> From no one\n"]


def test_crlf_line_ends_are_kept() -> None:
    """Messages come out byte by byte as they were stored."""
    data = b"From -\r\nSubject: a\r\n\r\nx\r\n\r\nFrom -\r\nSubject: b\r\n\r\ny"

    assert split(data) == [b"Subject: a\r\n\r\nx\r\n", b"Subject: b\r\n\r\ny"]


@pytest.mark.parametrize("data", [b"", b"\n\n\r\n"])
def test_empty_mailbox_has_no_messages(data: bytes) -> None:
    """A file of nothing but blank lines is an empty mailbox."""
    assert split(data) == []


def test_missing_newline_at_the_end_loses_nothing() -> None:
    """The last line counts even if it does not end."""
    assert split(b"From -\nSubject: a\n\nlast words") == [b"Subject: a\n\nlast words"]


def test_text_before_the_first_separator_is_a_message() -> None:
    """Nothing of the file is lost, whatever stands at its beginning."""
    data = b"Subject: stray\n\nx\n\nFrom -\nSubject: a\n\ny\n"

    assert split(data) == [b"Subject: stray\n\nx\n", b"Subject: a\n\ny\n"]


def test_byte_order_mark_before_the_first_separator_is_dropped() -> None:
    """Editors leave a mark at the start of the file; it is no part of the first message."""
    assert split(b"\xef\xbb\xbfFrom -\nSubject: a\n\nx\n") == [b"Subject: a\n\nx\n"]


def test_message_above_the_limit_is_reported_by_size_and_the_next_one_is_read() -> None:
    """A huge message costs no memory and does not end the run."""
    huge = b"From -\nSubject: huge\n\n" + b"x" * (3 * LINE_LIMIT) + b"\n"

    found = split(huge + b"\nFrom -\nSubject: small\n\ny\n", max_bytes=1000)

    assert isinstance(found[0], OversizedMessage)
    assert found[0].size > 3 * LINE_LIMIT
    assert found[1:] == [b"Subject: small\n\ny\n"]


def test_from_inside_a_very_long_line_does_not_split() -> None:
    """A line is read in pieces; a piece that starts with "From " is not the start of a line."""
    body = b"x" * (LINE_LIMIT) + b"From - \nSubject: no\n"

    assert split(b"From -\nSubject: a\n\n" + body) == [b"Subject: a\n\n" + body]
