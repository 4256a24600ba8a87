"""Where another process finds a job function."""

from __future__ import annotations

import importlib
import inspect
import pickle
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..errors import ConfigurationError
from ..model.failures import message_of
from ..model.functions import Function


@dataclass(frozen=True)
class Reference:
    """A function's module and name; or, for an object that can be called, the object as bytes."""

    module: str = ""
    qualname: str = ""
    data: bytes = b""

    def find(self) -> Callable[..., Any]:
        """Import or read what is referred to."""
        if self.data:
            target: Callable[..., Any] = pickle.loads(self.data)  # noqa: S301 (written by `refer_to`)
            return target
        found: Callable[..., Any] = _look_up(self.module, self.qualname)
        return found


def refer_to(function: Function) -> Reference:
    """Say where another process finds a function.

    Raises:
        ConfigurationError: it would not find it: a lambda, a function made in another one, or a function
            that was replaced under its name.
    """
    target = function.coroutine
    if not inspect.isfunction(target):
        try:
            return Reference(data=pickle.dumps(target))
        except Exception as error:
            raise _unreachable(function, f"it cannot be pickled ({message_of(error)})") from error
    module, qualname = target.__module__, target.__qualname__
    if target.__name__ == "<lambda>":
        raise _unreachable(function, "a lambda has no name that it could be imported by")
    if "<locals>" in qualname:
        raise _unreachable(function, f"{qualname} is made inside of another function")
    if module == "__main__" and not hasattr(sys.modules["__main__"], "__file__"):
        raise _unreachable(function, "it was typed in, and is in no file")
    try:
        found = _look_up(module, qualname)
    except (ImportError, AttributeError) as error:
        raise _unreachable(function, f"{module}.{qualname} is not there") from error
    if found is not target:
        raise _unreachable(function, f"{module}.{qualname} is something else")
    return Reference(module, qualname)


def _look_up(module: str, qualname: str) -> Any:
    found: Any = importlib.import_module(module)
    for part in qualname.split("."):
        found = getattr(found, part)
    # `resize = func(resize, cpu=True)` is how a typed function is declared.
    return found.coroutine if isinstance(found, Function) else found


def _unreachable(function: Function, why: str) -> ConfigurationError:
    return ConfigurationError(
        f'"{function.name}" has cpu=True, and a process must be able to import it by name: {why}. '
        "Define it with def at the top of a module"
    )
