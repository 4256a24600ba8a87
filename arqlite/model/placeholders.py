"""What stands among the arguments of a call for a value that is not there yet: the result of another job."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn, Protocol

from pydantic_core import from_json

from ..errors import DeserializationError, InvalidArguments

# No serializer begins like this: a job whose results stand before it, each with its length, since only its
# own deserializer can read them.
BUNDLE = b"\0arqlite+results\0"
_NONCE, _COUNT = 32, 8


class Named(Protocol):
    """What has a name; a step of a workflow."""

    @property
    def name(self) -> str: ...  # noqa: D102 (told by its class)


class Placeholder:
    """Stands for a value that is put in later, anywhere in arguments: also inside lists, tuples and dicts."""

    __slots__ = ()

    def __reduce__(self) -> NoReturn:
        """A serializer that takes any object must not take this one."""
        raise InvalidArguments(f"{self!r} can only be an argument of a step of its own workflow")


class ResultOf(Placeholder):
    """Stands for what a step gives.

    Attributes:
        step: the step.
    """

    __slots__ = ("step",)

    def __init__(self, step: Named) -> None:
        self.step = step

    def __repr__(self) -> str:
        return f"the result of step {self.step.name!r}"


class Previous(Placeholder):
    """Stands for what comes before: see `PREVIOUS`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "PREVIOUS"


# A value of any type: it stands where the function wants an int as well as where it wants a list.
PREVIOUS: Any = Previous()
"""The result of what comes before: in a chain of the job or group before, in the callback of a group the
list of its results, in a compensation of the step that it takes back."""


def placeholders_in(value: Any) -> Iterator[Placeholder]:
    """Find the placeholders in a value, in order."""
    if isinstance(value, Placeholder):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from placeholders_in(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from placeholders_in(part)


def replaced(value: Any, put: Callable[[Placeholder], Any]) -> Any:
    """Make the same value with something in the place of each placeholder; what has none is left as it is."""
    if isinstance(value, Placeholder):
        return put(value)
    if not isinstance(value, Mapping | list | tuple) or next(placeholders_in(value), None) is None:
        return value
    if isinstance(value, Mapping):
        return {name: replaced(part, put) for name, part in value.items()}
    parts = [replaced(part, put) for part in value]
    # A named tuple takes its fields one by one.
    return parts if isinstance(value, list) else tuple(parts)


def mark(name: str, place: str = "") -> dict[str, str]:
    """Show in stored arguments that a result is put in here; `place` tells a reader which one."""
    return {"$arqlite": "result", "of": name} | ({"at": place} if place else {})


def unbundled(blob: bytes, deserialize: Callable[[bytes], Any]) -> Any:
    """Read a job whose results stand before it, and put them in.

    Raises:
        DeserializationError: these bytes are none.
    """
    head = len(BUNDLE)
    nonce = blob[head : head + _NONCE].decode()
    at = head + _NONCE + _COUNT
    results: dict[str, Any] = {}
    for place in range(int(blob[head + _NONCE : at], 16)):
        size = int(blob[at : at + 8], 16)
        raw = blob[at + 8 : at + 8 + size]
        results[f"{nonce}:{place}"] = deserialize(raw)["r"] if size else None
        at += 8 + size
    envelope = deserialize(blob[at:])
    if not isinstance(envelope, dict):
        raise DeserializationError("the job of a workflow is no envelope")
    for part in ("a", "k"):
        if part in envelope:
            envelope[part] = _filled(envelope[part], results)
    return envelope


def _filled(value: Any, results: Mapping[str, Any]) -> Any:
    if isinstance(value, dict):
        place = value.get("at") if value.get("$arqlite") == "result" else None
        if isinstance(place, str) and place in results:
            return results[place]
        return {name: _filled(part, results) for name, part in value.items()}
    if isinstance(value, list):
        return [_filled(part, results) for part in value]
    if type(value) is tuple:
        return tuple(_filled(part, results) for part in value)
    return value


def is_own_json(raw: bytes) -> bool:
    """Tell whether these bytes are an end that was written without the user's serializer."""
    return raw.startswith(b'{"s":false')


def read_end(raw: bytes, deserialize: Callable[[bytes], Any] | None) -> Any:
    """Read the envelope of a result; a failure that a script told of is JSON whatever the serializer."""
    return from_json(raw) if deserialize is None or is_own_json(raw) else deserialize(raw)
