"""SIGINT and SIGTERM in an event loop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterator
from signal import Signals
from typing import Any

import pytest

from arqlite.signals import signals_handled


def own_handler(*_: object) -> None: ...


@pytest.fixture(autouse=True)
def own_handlers() -> Iterator[None]:
    """A program with handlers of its own."""
    before = {signum: signal.signal(signum, own_handler) for signum in (signal.SIGINT, signal.SIGTERM)}
    yield
    for signum, handler in before.items():
        signal.signal(signum, handler)


async def test_each_signal_is_told(eventually: Any) -> None:
    """Both signals call the function with what they are, as often as they come."""
    told: list[Signals] = []

    with signals_handled(told.append):
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGINT):
            os.kill(os.getpid(), signum)
            count = len(told)
            await eventually(lambda count=count: len(told) > count)

    assert told == [Signals.SIGINT, Signals.SIGTERM, Signals.SIGINT]


async def test_handlers_of_the_program_come_back() -> None:
    """Afterwards the program's own handlers are in their place, however the block ended."""
    with contextlib.suppress(RuntimeError), signals_handled(lambda _: None):
        assert signal.getsignal(signal.SIGINT) is not own_handler
        raise RuntimeError("a bug")

    assert signal.getsignal(signal.SIGINT) is own_handler
    assert signal.getsignal(signal.SIGTERM) is own_handler


async def test_nothing_is_touched_unless_asked() -> None:
    """With `when=False` signals stay what they are."""
    with signals_handled(lambda _: None, when=False):
        assert signal.getsignal(signal.SIGINT) is own_handler


async def test_other_threads_do_without() -> None:
    """Where signals cannot be handled, the block runs all the same."""

    async def work() -> str:
        with signals_handled(lambda _: None):
            return "done"

    assert await asyncio.to_thread(asyncio.run, work()) == "done"
    assert signal.getsignal(signal.SIGINT) is own_handler
