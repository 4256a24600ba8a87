"""Names that are nearly right, or another library's: what is meant by them."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from ..errors import UnknownOption

_ClassT = TypeVar("_ClassT", bound=type)


def meant(name: str, known: Collection[str], words: Mapping[str, str], cutoff: float = 0.6) -> str:
    """Say what is meant by a name that is unknown; empty when nobody can tell.

    Args:
        name: the name.
        known: the names there are.
        words: what others call it, and what to say instead: one of the names, or a sentence.
        cutoff: how near a name must come, from 0 to 1.
    """
    if name in words:
        word = words[name]
        return f"did you mean {word}?" if word in known else f"say {word}"
    near = difflib.get_close_matches(name, known, 1, cutoff)
    return f"did you mean {near[0]}?" if near else ""


def unknown(what: str, name: str, known: Collection[str], words: Mapping[str, str]) -> UnknownOption:
    """Make the error of an option that there is not."""
    hint = meant(name, known, words) or f"there are {', '.join(known)}"
    return UnknownOption(f"{what} has no option {name!r}; {hint}")


def options_in_words(words: Mapping[str, str]) -> Callable[[_ClassT], _ClassT]:
    """Have a class say which option was meant, where Python would only say that there is none of that name.

    Args:
        words: what others call its options, see `meant`.
    """

    def told(cls: _ClassT) -> _ClassT:
        made: Any = cls
        init = made.__init__
        known = [name for name in inspect.signature(init).parameters if name != "self"]

        @functools.wraps(init)
        def checked(self: Any, *args: Any, **options: Any) -> None:
            for name in options:
                if name not in known:
                    raise unknown(cls.__name__, name, known, words)
            init(self, *args, **options)

        made.__init__ = checked
        return cls

    return told
