"""The console of a dashboard: made when somebody first looks, closed when the dashboard ends."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterable
from typing import Any

from starlette.datastructures import State

from ..console import Console


class Opening:
    """Makes the console that `state.console` is.

    Args:
        given: a console, which stays its maker's; targets as a `Console` takes them, or one of them; or a
            function that gives one of these, which may be a coroutine.
        redact: as for a `Console`.
        state: the state of the application.
    """

    def __init__(self, given: Any, redact: Iterable[str] | None, state: State) -> None:
        self._given = given
        self._redact = redact
        self._state = state
        self._own: Console | None = None
        self._opening = asyncio.Lock()
        if not inspect.isroutine(given):  # mistakes are told where the dashboard is made
            self._take(given)

    async def open(self) -> None:
        """See to it that there is a console."""
        if hasattr(self._state, "console"):
            return
        async with self._opening:
            if not hasattr(self._state, "console"):
                found = self._given() if inspect.isroutine(self._given) else self._given
                self._take(await found if inspect.isawaitable(found) else found)

    async def close(self) -> None:
        """Close what was opened here; who looks later has it opened again."""
        own, self._own = self._own, None
        if own is not None:
            del self._state.console
            await own.aclose()

    def _take(self, given: Any) -> None:
        if _is_console(given):
            self._state.console = given
            return
        targets = given if isinstance(given, list | tuple) else [given]
        self._own = self._state.console = Console(targets, redact=self._redact)


def _is_console(given: Any) -> bool:
    # Not isinstance: tests, and those who show something else, bring one of their own making.
    return isinstance(given, Console) or (hasattr(given, "acting") and hasattr(given, "overview"))
