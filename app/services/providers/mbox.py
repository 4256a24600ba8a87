"""Splitting an mbox file into its messages, byte by byte, holding one message in memory at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

LINE_LIMIT = 64 * 1024
"""A longer line is read in pieces, so a file without line ends costs no more memory than any other."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_CLOCK_AND_YEAR = rb"\d{1,2}:\d\d(:\d\d)?\b.*\d{4}|\d{4}.*\d{1,2}:\d\d"
_USUAL_SEPARATOR = re.compile(rb"From (-|\S+@\S+|\S+\s.*?(%s).*)?\s*$" % _CLOCK_AND_YEAR)
_DATED_SEPARATOR = re.compile(rb"From (-|\S+)\s.*(%s)" % _CLOCK_AND_YEAR)
_HEADER_LINE = re.compile(rb"[!-9;-~]+[ \t]*:|>?From ")
_ESCAPED_FROM = re.compile(rb">+From ")


class OversizedMessage:
    """Stands where a message above the size limit was; ``size`` is its length in bytes."""

    def __init__(self, size: int) -> None:
        self.size = size


class _Collector:
    """Gathers one message's lines, lets them go once they exceed the limit, and goes on counting."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._lines: list[bytes] = []
        self.size = 0

    def add(self, line: bytes) -> None:
        self.size += len(line)
        if self.size <= self._max_bytes:
            self._lines.append(line)
        else:
            self._lines.clear()

    def finish(self) -> bytes | OversizedMessage:
        if self.size > self._max_bytes:
            return OversizedMessage(self.size)
        if len(self._lines) > 1 and _is_blank(self._lines[-1]):
            self._lines.pop()  # the blank line before a separator belongs to the mailbox, not to the message
        return b"".join(self._lines)


def split_mbox(file: BinaryIO, max_bytes: int) -> Iterator[bytes | OversizedMessage]:
    """Each message of an mbox, without its "From " line and with ``>From `` lines un-escaped.

    A line that merely starts with "From " in a text does not split: a separator has the usual form (sender
    and date, an address, or "-") and a header follows it. Only where the file itself opens with a bare
    "From something" is that taken as its form. Text before the first separator is a message of its own.
    """
    lines = _lines(file)
    first = next(((line, starts) for line, starts in lines if not _is_blank(line)), None)
    if first is None:
        return
    opening = first[0].removeprefix(_BYTE_ORDER_MARK)
    is_usual = not opening.startswith(b"From ") or _USUAL_SEPARATOR.match(opening) is not None
    message = _Collector(max_bytes)
    if not opening.startswith(b"From "):
        message.add(opening)
    candidate: bytes | None = None
    after_blank = False
    for line, starts_line in lines:
        if candidate is not None:
            if _HEADER_LINE.match(line) or (_is_blank(line) and _DATED_SEPARATOR.match(candidate)):
                yield message.finish()
                message = _Collector(max_bytes)
            else:
                message.add(candidate)
            candidate = None
        if starts_line and _may_separate(line, is_usual, after_blank):
            candidate = line
        else:
            message.add(line[1:] if starts_line and _ESCAPED_FROM.match(line) else line)
        after_blank = _is_blank(line)
    if candidate is not None:
        message.add(candidate)
    if message.size:
        yield message.finish()


def _may_separate(line: bytes, is_usual: bool, after_blank: bool) -> bool:
    if not line.startswith(b"From "):
        return False
    return _USUAL_SEPARATOR.match(line) is not None if is_usual else after_blank


def _is_blank(line: bytes) -> bool:
    return line in (b"\n", b"\r\n")


def _lines(file: BinaryIO) -> Iterator[tuple[bytes, bool]]:
    """Each line, or piece of a very long line, and whether it starts a line."""
    starts_line = True
    while line := file.readline(LINE_LIMIT):
        yield line, starts_line
        starts_line = line.endswith(b"\n")
