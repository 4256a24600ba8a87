"""Which jobs somebody means, in one line of text: for the command line, URLs and the API. No I/O.

    state:discarded queue:mail,default function:send_* tag:vip node:web-1 arg.user_id:42
    meta.tenant:"ACME Ltd" error:TimeoutError attempt:>2 since:2h until:2026-11-20 id:1a2b* parent:1a2b

A space means and, a comma or, a leading `-` not. A word without a name is the beginning of an id or a part of
a function's name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import ConfigurationError
from .terms import NAMES, TEXT, checked
from .words import words_of, written

__all__ = ("NAMES", "TEXT", "Query", "Term")

_MOST_TERMS = 50


@dataclass(frozen=True, slots=True)
class Term:
    """A word of a query.

    Attributes:
        name: what it is about, one of `NAMES`, `arg.` or `meta.` with a path behind it; `text` for a word
            without a name.
        values: one of these holds.
        negated: none of them does.
    """

    name: str
    values: Sequence[str]
    negated: bool = False

    def __str__(self) -> str:
        """The term as text."""
        return written("" if self.name == TEXT else self.name, self.values, is_negated=self.negated)


@dataclass(frozen=True, slots=True)
class Query:
    """Jobs that are meant: all of its terms hold."""

    terms: Sequence[Term] = ()

    @classmethod
    def parse(cls, text: str) -> Query:
        """Read a query.

        Raises:
            ConfigurationError: it cannot be read; the message points at the word, and says what was near.
        """
        terms: list[Term] = []
        for word in words_of(text):
            try:
                name, values = checked(word.name or TEXT, word.values, is_negated=word.is_negated)
            except ConfigurationError as error:
                raise ConfigurationError(f"{error} (in {word.text!r})") from None
            terms.append(Term(name, values, word.is_negated))
        if len(terms) > _MOST_TERMS:
            raise ConfigurationError(f"a query may have {_MOST_TERMS} words, got {len(terms)}")
        return cls(tuple(terms))

    def __str__(self) -> str:
        """The query as text, which reads as the same query."""
        return " ".join(map(str, self.terms))

    def __bool__(self) -> bool:
        return bool(self.terms)

    def get(self, name: str) -> Sequence[str]:
        """The values of a term that is not negated; none if there is no such term."""
        return next((term.values for term in self.terms if term.name == name and not term.negated), ())

    def with_term(self, name: str, *values: str) -> Query:
        """The same query with this term in the place of those of its name; without values, without them."""
        kept = [term for term in self.terms if term.name != name]
        return Query((*kept, Term(name, values))) if values else Query(tuple(kept))
