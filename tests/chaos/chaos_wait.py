"""Wait for what shall become true; never for a while."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any


async def until(condition: Callable[[], Any], within: float, what: str = "") -> Any:
    """Wait until a condition holds and return its value.

    Raises:
        AssertionError: it did not hold in time.
    """
    deadline = time.monotonic() + within
    while True:
        value = condition()
        if inspect.isawaitable(value):
            value = await value
        if value:
            return value
        assert time.monotonic() < deadline, f"not so within {within}s: {what or condition}"
        await asyncio.sleep(0.01)
