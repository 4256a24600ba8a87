"""What is looked at again and again in a terminal, until somebody has seen enough."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from .exits import Wrong
from .screen import screen

_QUIT = frozenset(b"qQ")


async def watch(look: Callable[[int], Awaitable[Any]], interval: float) -> None:
    """Show on the whole screen what a look gives, until q is pressed.

    Args:
        look: makes what is shown on a screen so wide.
        interval: seconds between two looks.
    """
    from rich.live import Live

    with _keys() as quits, Live(console=screen(), screen=True, auto_refresh=False) as live:
        while not quits.is_set():
            live.update(await look(live.console.width), refresh=True)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(interval):
                    await quits.wait()


@contextlib.contextmanager
def _keys() -> Iterator[asyncio.Event]:
    """Hear single keys while the block runs; the event tells of one that ends it."""
    quits = asyncio.Event()
    if not sys.stdin.isatty():
        yield quits
        return
    try:
        import termios
        import tty
    except ImportError as error:
        raise Wrong("a live view needs a terminal of POSIX: look once, and again") from error
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    loop = asyncio.get_running_loop()

    def hear() -> None:
        pressed = os.read(descriptor, 64)
        if not pressed or any(key in _QUIT for key in pressed):  # nothing is the end of the terminal
            quits.set()

    tty.setcbreak(descriptor)
    loop.add_reader(descriptor, hear)
    try:
        yield quits
    finally:
        loop.remove_reader(descriptor)
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
