"""What becomes of a test whose surroundings lack something that it needs."""

from __future__ import annotations

import importlib
import os
from typing import Any, NoReturn

import pytest


def lack(reason: str, *, is_module: bool = False) -> NoReturn:
    """Skip the test, or the module that is imported; under CI fail it.

    Where everything is meant to be at hand, a test that never runs would go unnoticed.
    """
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason, allow_module_level=is_module)


def part(name: str) -> Any:
    """A module of a package that the environment for tests always has; without it, see `lack`."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        lack(f"a package for tests is not installed: {error}", is_module=True)
