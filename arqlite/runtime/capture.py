"""The option `capture_logs`: what a job logs by any logger is attached to it."""

from __future__ import annotations

import logging

from ..model.notes import JOB_LOGGER
from ..service import Service
from .notekeeper import NoteKeeper
from .reporting import ATTACHED, running, with_traceback

logger = logging.getLogger("arqlite.worker")

_OWN = "arqlite."


class LogCapture(Service):
    """While it runs, lines of a level and above are attached to the job in whose context they are logged.

    Where nobody has configured the root logger, its level is lowered meanwhile, so that such lines come
    into being at all; a level that somebody chose stays.

    Args:
        keeper: who keeps them; jobs of other workers are passed over.
        level: the least level.
    """

    def __init__(self, keeper: NoteKeeper, level: int) -> None:
        super().__init__()
        self._handler = _Capturing(keeper, level)
        self._level = level
        self._level_before: int | None = None

    async def start(self) -> None:
        """Begin to listen at the root logger."""
        root = logging.getLogger()
        if self._handler in root.handlers:
            return
        if root.level > self._level:
            if any(not isinstance(handler, _Capturing) for handler in root.handlers):
                logger.warning(
                    "capture_logs is %s, but the root logger makes only records of %s and above",
                    logging.getLevelName(self._level),
                    logging.getLevelName(root.level),
                )
            else:
                self._level_before = root.level
                root.setLevel(self._level)
        root.addHandler(self._handler)

    async def stop(self) -> None:
        """Leave the root logger as it was."""
        root = logging.getLogger()
        root.removeHandler(self._handler)
        if self._level_before is not None:
            root.setLevel(self._level_before)
            self._level_before = None


class _Capturing(logging.Handler):
    def __init__(self, keeper: NoteKeeper, level: int) -> None:
        # A root logger with a handler no longer shows warnings by itself; see `_show_if_alone`.
        super().__init__(min(level, logging.WARNING))
        self._keeper = keeper
        self._least = level

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._attach(record)
            if self is next(one for one in logging.root.handlers if isinstance(one, _Capturing)):
                _show_if_alone(record)
        except Exception:  # noqa: BLE001 (as every handler does)
            self.handleError(record)

    def _attach(self, record: logging.LogRecord) -> None:
        at_hand = running()
        if at_hand is None or at_hand[0] is not self._keeper or record.levelno < self._least:
            return
        # What the worker says of each job is known from the job itself.
        if hasattr(record, ATTACHED) or (record.name.startswith(_OWN) and record.name != JOB_LOGGER):
            return
        text = record.getMessage()
        if record.exc_info:
            text = with_traceback(text, record.exc_info)
        self._keeper.add_line(at_hand[1], record.levelno, record.name, text)


def _show_if_alone(record: logging.LogRecord) -> None:
    """Do what `logging` does for a record that finds no handler: ours is none that shows anything."""
    last = logging.lastResort
    if last is None or record.levelno < last.level:
        return
    logging_by: logging.Logger | None = logging.getLogger(record.name)
    while logging_by is not None:
        if any(not isinstance(handler, _Capturing) for handler in logging_by.handlers):
            return
        logging_by = logging_by.parent if logging_by.propagate else None
    last.handle(record)
