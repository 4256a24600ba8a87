"""The root handler of `capture_logs`: there while the worker runs, and nobody else's logging suffers."""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from arqlite.runtime.capture import LogCapture


class NoKeeper:
    """Stands for a keeper that no job of the test belongs to."""


@contextlib.contextmanager
def bare_root() -> Iterator[logging.Logger]:
    """The root logger as nobody configured it, without the handlers that pytest has there."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers[:] = []
    root.setLevel(logging.WARNING)
    try:
        yield root
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


@pytest.fixture
def stderr(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What the handler of last resort shows."""
    text = io.StringIO()
    last = logging.StreamHandler(text)
    last.setLevel(logging.WARNING)
    monkeypatch.setattr(logging, "lastResort", last)
    return text


def capture(level: int = logging.INFO) -> LogCapture:
    keeper: Any = NoKeeper()
    return LogCapture(keeper, level)


async def test_root_that_nobody_configured_is_lowered() -> None:
    """Lines of the wanted level come into being while the capture runs, and not afterwards."""
    service = capture(logging.DEBUG)

    with bare_root() as root:
        await service.start()
        await service.start()
        during = root.level, len(root.handlers)
        await service.stop()
        await service.stop()
        after = root.level, len(root.handlers)

    assert (during, after) == ((logging.DEBUG, 1), (logging.WARNING, 0))


async def test_level_that_somebody_chose_stays() -> None:
    """A configured root logger keeps its level; that it hides what was asked for is told."""
    shown = io.StringIO()
    service = capture(logging.INFO)

    with bare_root() as root:
        root.addHandler(logging.StreamHandler(shown))
        await service.start()
        during = root.level
        await service.stop()
        after = root.level, len(root.handlers)

    assert (during, after) == (logging.WARNING, (logging.WARNING, 1))
    assert shown.getvalue() == (
        "capture_logs is INFO, but the root logger makes only records of WARNING and above\n"
    )


@pytest.mark.parametrize("level", [logging.DEBUG, logging.ERROR])
async def test_last_resort_goes_on_showing(stderr: io.StringIO, level: int) -> None:
    """Where no handler shows anything, warnings appear on stderr as before, once for two captures."""
    first, second = capture(level), capture(level)

    with bare_root():
        await first.start()
        await second.start()
        logging.getLogger("lonely").warning("seen")
        logging.getLogger("lonely").info("not seen")
        await second.stop()
        await first.stop()

    assert stderr.getvalue() == "seen\n"


async def test_last_resort_is_silent_beside_a_handler(stderr: io.StringIO) -> None:
    """A warning that some handler has shown is not shown again."""
    shown = io.StringIO()
    logger = logging.getLogger("with.handler")
    logger.addHandler(logging.StreamHandler(shown))
    service = capture()

    with bare_root():
        await service.start()
        logger.warning("seen")
        await service.stop()

    logger.handlers.clear()
    assert (shown.getvalue(), stderr.getvalue()) == ("seen\n", "")
