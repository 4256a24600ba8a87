"""SIGINT and SIGTERM in an event loop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Callable, Iterator
from signal import Signals
from typing import Any

logger = logging.getLogger("arqlite.worker")

_TOLD_TO_END = (Signals.SIGINT, Signals.SIGTERM)


@contextlib.contextmanager
def signals_handled(handle: Callable[[Signals], Any], *, when: bool = True) -> Iterator[None]:
    """Call a function for each SIGINT and SIGTERM while the block runs, if asked to and if it can be done.

    Afterwards they do what they did before.
    """
    if not when:
        yield
        return
    loop = asyncio.get_running_loop()
    before = {signum: signal.getsignal(signum) for signum in _TOLD_TO_END}
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
                # The loop alone would leave the default, and with it neither a handler of the program's own
                # nor that of `asyncio.run`, which cancels what runs instead of cutting it off.
                if loop.remove_signal_handler(signum) and before[signum] is not None:
                    signal.signal(signum, before[signum])
