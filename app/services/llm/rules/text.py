"""The text of a message prepared for looking things up: folded letter by letter, so that places agree."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

_QUOTE_MARKS = re.compile(r"(?m)^(?:>[> ]*)")
_WEB_ADDRESS = re.compile(r"<?https?://\S+|\[(?:cid:)?[^\]\s]+\.(?:png|jpe?g|gif)[^\]]*\]")
_BLANK_RUNS = re.compile(r"[ \u00a0\u202f\u2007\u2009]{3,}")

READ_CHARS = 60_000
"""So much of a text is read; what matters stands near the top, terms and conditions at the end."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """``shown`` is the text to quote from, ``folded`` the same in lower case and without accents.

    Both have the same length: a place in one is the same place in the other.
    """

    shown: str
    folded: str


def prepare(text: str) -> Prepared:
    """Drop quotation marks and web addresses, bound the length, and fold."""
    shown = _WEB_ADDRESS.sub(" ", _QUOTE_MARKS.sub("", text[:READ_CHARS]))
    shown = _BLANK_RUNS.sub("  ", shown)
    return Prepared(shown, fold(shown))


def fold(text: str) -> str:
    """Lower case, Latin letters without accents, full-width forms narrow; of the same length."""
    return "".join(map(_fold_letter, text))


@lru_cache(maxsize=8192)
def _fold_letter(letter: str) -> str:
    if letter in "\u00a0\u202f\u2007\u2009":
        return " "
    narrow = unicodedata.normalize("NFKC", letter)
    if len(narrow) != 1:
        narrow = letter
    if narrow in _UNACCENTED:
        return _UNACCENTED[narrow]
    lower = narrow.lower()
    lower = lower if len(lower) == 1 else narrow
    base = unicodedata.normalize("NFD", lower)[0]
    return base if base.isascii() else lower


# Letters that Unicode does not take apart into a base and an accent.
_UNACCENTED = {
    "ł": "l",
    "Ł": "l",
    "ø": "o",
    "Ø": "o",
    "đ": "d",
    "Đ": "d",
    "ß": "s",
    "ı": "i",
    "’": "'",
    "‘": "'",
}
