"""How the word lists are written: alternatives for folded text, each from the start of a word."""

from __future__ import annotations

import re


def any_of(*parts: str) -> re.Pattern[str]:
    """A pattern for any of the alternatives that the parts list with "|".

    An alternative that begins with a Latin letter, or with a group of such, matches at the start of a word
    only; its end is open, so that a stem finds all its endings.
    """
    alternatives = [one for part in parts for one in _split(part)]
    return re.compile(
        "|".join(rf"(?<![a-z]){one}" if _STARTS_WORD.match(one) else one for one in alternatives)
    )


_STARTS_WORD = re.compile(r"\(?[a-z]")


def _split(part: str) -> list[str]:
    """Split at "|" outside of brackets."""
    pieces, depth = [""], 0
    for letter in part:
        depth += (letter in "([") - (letter in ")]")
        if letter == "|" and depth == 0:
            pieces.append("")
        else:
            pieces[-1] += letter
    return [piece for piece in pieces if piece]
