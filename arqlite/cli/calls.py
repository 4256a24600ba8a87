"""A call of a job function as it is typed: words that are JSON where they can be, and text where not."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from ..model.slips import meant
from .exits import Wrong

if TYPE_CHECKING:
    from ..console import Console, Place
    from ..model.functions import Function


def words_of(pairs: Sequence[str]) -> dict[str, str]:
    """Read NAME=VALUE pairs.

    Raises:
        UsageError: one is none.
    """
    found: dict[str, str] = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not separator or not name:
            raise click.UsageError(f"an argument by name is written as NAME=VALUE, got {pair!r}")
        found[name] = value
    return found


def arguments_of(text: str | None) -> tuple[list[Any], dict[str, Any]]:
    """Read arguments in JSON: a list of them, or an object with their names.

    Raises:
        UsageError: it is something else.
    """
    if text is None:
        return [], {}
    try:
        value = json.loads(text)
    except ValueError as error:
        raise click.UsageError(f"--json cannot be read: {error}") from error
    if isinstance(value, dict):
        return [], value
    if isinstance(value, list):
        return value, {}
    raise click.UsageError(f"--json takes an object or a list, got {text}")


def read(
    function: Function[..., Any] | str, words: Sequence[str], named: Mapping[str, str]
) -> tuple[list[Any], dict[str, Any]]:
    """Read words: `42` is a number and `ada` a text, but `42` is a text where the function wants one."""
    args, kwargs = [_value(word) for word in words], {name: _value(word) for name, word in named.items()}
    if isinstance(function, str):
        return args, kwargs
    from ..model.arguments import signature_of

    signature = signature_of(function.coroutine)

    def misfits() -> int:
        return len(signature.fit(args, kwargs)[2])

    for places, given in ((args, dict(enumerate(words))), (kwargs, dict(named))):
        for place, word in given.items():
            before, value = misfits(), places[place]  # type: ignore[index] # a list and a dict
            places[place] = word  # type: ignore[index]
            if not before or misfits() >= before:
                places[place] = value  # type: ignore[index]
    return args, kwargs


def find(console: Console, name: str, queue: str | None) -> tuple[Place, Function[..., Any] | str]:
    """Find the queue that a function is run in, and the function.

    Raises:
        Ending: no settings have it, or several.
    """
    places = console.places if queue is None else [_place(console, queue)]
    tables = [(place, _table(place)) for place in places]
    found: list[tuple[Place, Function[..., Any] | str]] = [
        (place, table[name]) for place, table in tables if table is not None and name in table
    ]
    found = found or [(place, name) for place, table in tables if table is None]
    if len(found) == 1:
        return found[0]
    if found:
        keys = ", ".join(place.key for place, _ in found)
        raise Wrong(f"several queues run {name!r}: say --queue, one of {keys}")
    known = sorted({one for _, table in tables if table is not None for one in table})
    raise Wrong(f"there is no function {name!r}; {meant(name, known, {}) or _there_are(known)}")


def _place(console: Console, queue: str) -> Place:
    found = [place for place in console.places if queue in (place.key, place.queue)]
    if len(found) == 1:
        return found[0]
    keys = [place.key for place in console.places]
    raise Wrong(f"there is no queue {queue!r}; {meant(queue, keys, {}) or _there_are(keys)}")


def _table(place: Place) -> Mapping[str, Function[..., Any]] | None:
    """What a queue runs, by name; None where that is not known."""
    if not place.settings:
        return None
    from ..settings import WorkerOptions

    return WorkerOptions(**place.settings).table()


def _there_are(names: Sequence[str]) -> str:
    return f"there are {', '.join(names)}"


def _value(word: str) -> Any:
    try:
        return json.loads(word, parse_constant=_no_number)
    except ValueError:
        return word


def _no_number(word: str) -> Any:
    """`NaN` and `Infinity` are no JSON."""
    raise ValueError(word)
