"""Arguments that the ledger must not hold. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..errors import ConfigurationError

HIDDEN = "***"


class Redaction:
    """Which arguments are hidden.

    Keywords are known by their names. Of positional arguments the names are known of functions that were
    told by `learn`, which workers do for all of theirs.

    Args:
        names: names of arguments, for all functions, or for some of them only: `{"send_otp": ("otp",)}`.
    """

    def __init__(self, names: Iterable[str] | Mapping[str, Iterable[str]] = ()) -> None:
        if isinstance(names, str) or not isinstance(names, Iterable):
            raise ConfigurationError(
                f"redact is a list of names of arguments, such as ('password',), or such lists by function, "
                f"got {names!r}"
            )
        by_function = isinstance(names, Mapping)
        self._everywhere: frozenset[str] = frozenset() if by_function else frozenset(names)
        self._of: dict[str, frozenset[str]] = {}
        if isinstance(names, Mapping):
            for function, those in names.items():
                if isinstance(those, str):
                    raise ConfigurationError(f"redact is a list of names for {function}, got {those!r}")
                self._of[function] = frozenset(those)
        self._parameters: dict[str, tuple[str, ...]] = {}

    def __bool__(self) -> bool:
        return bool(self._everywhere or self._of)

    def learn(self, function: str, parameters: Sequence[str]) -> None:
        """Hear what a function calls its positional arguments, `ctx` left out."""
        self._parameters[function] = tuple(parameters)

    def concerns(self, function: str) -> bool:
        """Whether arguments of this function may have to be hidden."""
        return bool(self._everywhere) or function in self._of

    def applied(
        self, function: str, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> tuple[Sequence[Any], Mapping[str, Any], bool]:
        """Hide what must not be held.

        Of a function that has names of its own and was not told by `learn`, all positional arguments are
        hidden: better too many of them than the wrong ones.

        Returns:
            The arguments that may be held, and whether they are all there.
        """
        hidden = self._of.get(function, self._everywhere)
        parameters = self._parameters.get(function)
        kept_args: Sequence[Any] = args
        if args and parameters is not None:
            names = (*parameters, *[""] * len(args))
            kept_args = [
                HIDDEN if name in hidden else value for name, value in zip(names, args, strict=False)
            ]
        elif args and function in self._of:
            kept_args = [HIDDEN] * len(args)
        kept_kwargs = {name: HIDDEN if name in hidden else value for name, value in kwargs.items()}
        is_whole = not any(name in hidden for name in kwargs) and (
            kept_args is args or all(kept is value for kept, value in zip(kept_args, args, strict=True))
        )
        return kept_args, kept_kwargs, is_whole


NOTHING_HIDDEN = Redaction()
