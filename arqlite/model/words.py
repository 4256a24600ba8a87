"""A line of text as words, and words as text: names, commas, quotes, a `-` in front. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..errors import ConfigurationError

_LONGEST_LINE = 20_000
_NAME = re.compile(r"[A-Za-z_][^\s:\",]*(?=:)")
_BARE = re.compile(r"[^\s,\"]+")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPED = re.compile(r"\\([\"\\])")
_NEEDS_QUOTES = re.compile(r"[\s,\"]")


class Word(NamedTuple):
    """A word of a line.

    Attributes:
        text: as it stands there, for messages.
        name: what is in front of the colon; empty without one.
        values: what the commas part.
        is_negated: whether a `-` is in front.
    """

    text: str
    name: str
    values: Sequence[str]
    is_negated: bool


def words_of(line: str) -> Iterator[Word]:
    """Read a line.

    Raises:
        ConfigurationError: a quote is not closed, or a value is missing; the message names the word.
    """
    if len(line) > _LONGEST_LINE:
        raise ConfigurationError(f"a query has {_LONGEST_LINE:,} characters at most, got {len(line):,}")
    place = 0
    while True:
        while place < len(line) and line[place].isspace():
            place += 1
        if place == len(line):
            return
        word, place = _word_at(line, place)
        yield word


def written(name: str, values: Sequence[str], *, is_negated: bool = False) -> str:
    """Write a word, so that it is read as the same one; without a name its values must not look like one."""
    told = ",".join(_value_written(value, has_name=bool(name)) for value in values)
    return f"{'-' if is_negated else ''}{name}{':' if name else ''}{told}"


def _value_written(value: str, *, has_name: bool) -> str:
    looks_like_more = not has_name and (":" in value or value.startswith("-"))
    if value and not looks_like_more and not _NEEDS_QUOTES.search(value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _word_at(line: str, start: int) -> tuple[Word, int]:
    place = start
    is_negated = line[place] == "-"
    place += is_negated
    found = _NAME.match(line, place)
    name = found[0] if found else ""
    place += len(name) + bool(name)
    values: list[str] = []
    while True:
        value, place = _value_at(line, start, place)
        values.append(value)
        if place == len(line) or line[place] != ",":
            break
        place += 1
    if place < len(line) and not line[place].isspace():
        raise ConfigurationError(
            f"a space or a comma must stand behind a closing quote, at {_end_of(line, start)!r}; "
            f'a quote inside of quotes is written as \\"'
        )
    return Word(line[start:place], name, tuple(values), is_negated), place


def _value_at(line: str, start: int, place: int) -> tuple[str, int]:
    if line[place : place + 1] == '"':
        quoted = _QUOTED.match(line, place)
        if quoted is None:
            raise ConfigurationError(f"a quote is not closed, at {line[start:]!r}")
        return _ESCAPED.sub(r"\1", quoted[1]), quoted.end()
    bare = _BARE.match(line, place)
    if bare is None:
        raise ConfigurationError(
            f'a value is missing at {_end_of(line, start)!r}; an empty one is written as name:""'
        )
    if line[bare.end() : bare.end() + 1] == '"':
        raise ConfigurationError(
            f'a value with a quote in it must stand in quotes, with \\" inside, at {_end_of(line, start)!r}'
        )
    return bare[0], bare.end()


def _end_of(line: str, start: int) -> str:
    return line[start:].split(maxsplit=1)[0]
