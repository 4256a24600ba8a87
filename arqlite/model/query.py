"""Which jobs somebody means, in one line of text: for the command line, URLs and the API. No I/O.

    state:discarded queue:mail,default function:send_* tag:vip node:web-1 arg.user_id:42
    meta.tenant:"ACME Ltd" error:TimeoutError attempt:>2 since:2h until:2026-11-20 id:1a2b parent:1a2b

A space means and, a comma or, a leading `-` not. A word without a name is the beginning of an id or a part of
a function's name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

NAMES = (
    "state", "status", "cause", "queue", "function", "tag", "node", "worker", "error", "attempt", "priority",
    "since", "until", "id", "parent", "by",
)  # fmt: skip
"""What may stand before the colon, beside `arg.NAME` and `meta.NAME`."""


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
        raise NotImplementedError

    def __str__(self) -> str:
        """The query as text, which reads as the same query."""
        raise NotImplementedError

    def __bool__(self) -> bool:
        return bool(self.terms)

    def get(self, name: str) -> Sequence[str]:
        """The values of a term that is not negated; none if there is no such term."""
        return next((term.values for term in self.terms if term.name == name and not term.negated), ())

    def with_term(self, name: str, *values: str) -> Query:
        """The same query with this term in the place of those of its name; without values, without them."""
        kept = [term for term in self.terms if term.name != name]
        return Query((*kept, Term(name, values))) if values else Query(tuple(kept))
