"""What a console does not show: the values of keys that sound like secrets. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic_core import to_jsonable_python

from ..errors import ConfigurationError
from ..model.arguments import signature_of
from ..model.terms import INSIDE, path_of
from .places import Place

REDACTED_KEYS = (
    "password", "passwd", "pwd", "passphrase", "token", "jwt", "authorization", "secret", "credential",
    "api_key", "apikey", "access_key", "private_key", "cookie",
)  # fmt: skip
"""What a console does not show the values of: keys with one of these in them."""

HIDDEN = "***"
_FEWEST_STARS = 3
_A_PAIR = 2


class Hider:
    """Hides the values of some keys, at any depth.

    Args:
        keys: parts of the keys, in upper or lower case; None is `REDACTED_KEYS`.

    Attributes:
        has_hidden: whether it has met anything that is not shown.
    """

    def __init__(self, keys: Iterable[str] | None = None) -> None:
        self._keys = tuple(one.lower() for one in (REDACTED_KEYS if keys is None else keys))
        self.has_hidden = False
        self._names: dict[tuple[str, str], tuple[str, ...]] = {}

    def hides(self, key: Any) -> bool:
        """Whether the value of a key is not shown."""
        lowered = str(key).lower().replace("-", "_")
        return any(part in lowered for part in self._keys)

    def shown(self, value: Any) -> Any:
        """A value as JSON has it, without what is not shown."""
        return self._shown(to_jsonable_python(value, fallback=repr, serialize_unknown=True))

    def arguments(
        self, args: Sequence[Any], kwargs: Mapping[str, Any], names: Sequence[str] = ()
    ) -> tuple[list[Any], dict[str, Any]]:
        """The arguments of a call; `names` are those of the positional ones, as far as they are known."""
        plain, named = list(self._as_list(args)), self.shown(dict(kwargs))
        for place, name in enumerate(names[: len(plain)]):
            if self.hides(name):
                self.has_hidden = True
                plain[place] = HIDDEN
        return plain, named

    def arguments_of(
        self, place: Place, function: str, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> tuple[list[Any], dict[str, Any]]:
        """The arguments of a job, without what its queue's ledger must not hold either."""
        names = self._names_of(place, function)
        if place.ledger is not None and place.ledger.redaction.concerns(function):
            if names:
                place.ledger.redaction.learn(function, names)
            args, kwargs, _ = place.ledger.redaction.applied(function, args, kwargs)
        return self.arguments(args, kwargs, names)

    def refuse_to_compare(self, name: str, places: Iterable[Place]) -> None:
        """Let nobody find out by asking what is not shown.

        Raises:
            ConfigurationError: a word of a query asks for the value of a key that is hidden.
        """
        if not name.startswith(INSIDE):
            return
        path = path_of(name)
        if any(map(self.hides, path)) or (name.startswith("arg.") and _is_redacted(path[0], places)):
            raise ConfigurationError(f"{name} is not shown here, and so it cannot be asked for")

    def _names_of(self, place: Place, function: str) -> tuple[str, ...]:
        """What a function of the settings calls its arguments by position; nothing of an unknown one."""
        key = (place.key, function)
        if key not in self._names:
            found = place.functions.get(function)
            self._names[key] = () if found is None else signature_of(found.coroutine).parameter_names
        return self._names[key]

    def _as_list(self, args: Sequence[Any]) -> list[Any]:
        shown = self.shown(list(args))
        return list(shown) if isinstance(shown, list) else [shown]

    def _shown(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {str(key): self._entry(key, one) for key, one in value.items()}
        if isinstance(value, list) and len(value) == _A_PAIR and isinstance(value[0], str):
            # Headers are often lists of pairs.
            return [value[0], self._entry(value[0], value[1])]
        if isinstance(value, list):
            return [self._shown(one) for one in value]
        if isinstance(value, str) and len(value) >= _FEWEST_STARS and not value.strip("*"):
            self.has_hidden = True
        return value

    def _entry(self, key: Any, value: Any) -> Any:
        if value is not None and self.hides(key):
            self.has_hidden = True
            return HIDDEN
        return self._shown(value)


def _is_redacted(argument: str, places: Iterable[Place]) -> bool:
    """Whether the ledger of one of these queues must not hold an argument, of some function at least."""
    for place in places:
        if place.ledger is None:
            continue
        for function in ("", *place.functions):
            _, kept, _ = place.ledger.redaction.applied(function, (), {argument: None})
            if kept[argument] == HIDDEN:
                return True
    return False
