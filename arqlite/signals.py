"""SIGINT and SIGTERM in an event loop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator
from signal import Signals
from typing import Any

logger = logging.getLogger("arqlite.worker")

_TOLD_TO_END = (Signals.SIGINT, Signals.SIGTERM)


@contextlib.contextmanager
def signals_handled(handle: Callable[[Signals], Any], *, when: bool = True) -> Iterator[None]:
    """Call a function for each SIGINT and SIGTERM while the block runs, if asked to and if it can be done."""
    if not when:
        yield
        return
    loop = asyncio.get_running_loop()
    for signum in _TOLD_TO_END:
        try:
            loop.add_signal_handler(signum, handle, signum)
        except (NotImplementedError, RuntimeError, ValueError):
            logger.debug("%s cannot be handled here: not the main thread, or not this platform", signum.name)
    try:
        yield
    finally:
        for signum in _TOLD_TO_END:
            with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
                loop.remove_signal_handler(signum)
