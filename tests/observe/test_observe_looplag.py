"""How late an event loop is, as others read it."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from arqlite.observe.looplag import LoopLag


async def test_loop_that_turns_is_not_late(eventually: Any) -> None:
    """A loop with nothing to do is hardly late, and a lag that has stopped is none."""
    lag = LoopLag()
    lag.start()
    await eventually(lambda: len(lag._late) >= 1)

    assert lag.seconds < 0.5
    lag.stop()
    assert lag.seconds == 0.0


async def test_loop_that_stands_still_is_late(eventually: Any) -> None:
    """A blocked loop is late while that lasts, for readers in other threads, and is known to have been."""
    lag = LoopLag()
    lag.start()
    seen: list[float] = []

    def watch() -> None:
        deadline = time.monotonic() + 10
        while not seen and time.monotonic() < deadline:
            if (late := lag.seconds) > 0.3:
                seen.append(late)

    reading = asyncio.get_running_loop().run_in_executor(None, watch)
    deadline = time.monotonic() + 10
    while not seen and time.monotonic() < deadline:  # holds the loop until the other thread has seen it
        time.sleep(0.01)  # noqa: ASYNC251 (that is what is tested)
    await reading

    assert seen
    await eventually(lambda: lag._late)
    assert lag.seconds > 0.3
    lag.stop()


async def test_second_start_changes_nothing() -> None:
    """A lag that is started twice has one timer."""
    lag = LoopLag()
    lag.start()
    timer = lag._timer
    lag.start()

    assert lag._timer is timer
    lag.stop()
