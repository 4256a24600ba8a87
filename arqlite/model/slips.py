"""Names that are nearly right, or another library's: what is meant by them."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Collection, Coroutine, Mapping
from typing import Any, TypeVar

from ..errors import UnknownOption
from ..typing import P, R

_ClassT = TypeVar("_ClassT", bound=type)


def meant(
    name: str,
    known: Collection[str],
    words: Mapping[str, str],
    cutoff: float = 0.6,
    shown: Callable[[str], str] = repr,
) -> str:
    """Say what is meant by a name that is unknown; empty when nobody can tell.

    Args:
        name: the name.
        known: the names there are.
        words: what others call it, and what to say instead: one of the names, or a sentence.
        cutoff: how near a name must come, from 0 to 1.
        shown: writes a name that there is.
    """
    if name in words:
        word = words[name]
        return f"did you mean {shown(word)}?" if word in known else f"say {word}"
    near = difflib.get_close_matches(name, known, 1, cutoff)
    return f"did you mean {shown(near[0])}?" if near else ""


def unknown(what: str, name: str, known: Collection[str], words: Mapping[str, str]) -> UnknownOption:
    """Make the error of an option that there is not."""
    hint = meant(name, known, words) or f"there are {', '.join(known)}"
    return UnknownOption(f"{what} has no option {name!r}; {hint}")


def arguments_in_words(
    words: Mapping[str, str],
) -> Callable[[Callable[P, Coroutine[Any, Any, R]]], Callable[P, Coroutine[Any, Any, R]]]:
    """Have a coroutine function say which argument was meant, as `options_in_words` does with a class."""

    def told(function: Callable[P, Coroutine[Any, Any, R]]) -> Callable[P, Coroutine[Any, Any, R]]:
        known = [name for name in inspect.signature(function).parameters if name != "self"]

        @functools.wraps(function)
        async def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            for name in kwargs:
                if name not in known:
                    raise unknown(function.__name__, name, known, words)
            return await function(*args, **kwargs)

        return checked

    return told


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
