"""A clock to be moved by hand, for fakeredis: delays, retries, cron times and leases without waiting."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from types import ModuleType, TracebackType
from typing import Any

from .. import utils
from ..errors import ConfigurationError, MissingExtra
from ..model import checks
from ..typing import SecondsTimedelta


class Clock:
    """The time of every fakeredis server of this process, and of arqlite's own time stamps.

        with Clock() as clock:
            await pool.options(delay=3600).enqueue(remind, 1)
            clock.advance(3600)
            await drain_queue(pool, [remind])

    It goes on by itself, from where it was moved to. Timers of the event loop, and so what waits already, do
    not hear of it: move it while no worker runs. To a worker that runs, a move is what it is in real life:
    the server's clock is set, and its lease may be over. A real server's clock cannot be moved.

    Raises:
        MissingExtra: fakeredis is not installed.
        ConfigurationError: another one is in use.
    """

    _in_use = False

    def __init__(self) -> None:
        self._ahead_ns = 0
        self._patched: list[ModuleType] = []

    def __enter__(self) -> Clock:
        if Clock._in_use:
            raise ConfigurationError("there is one clock at a time: another one is in use")
        try:
            import fakeredis  # noqa: F401 (its modules are patched)
        except ImportError as error:
            raise MissingExtra("The clock", "testing") from error
        Clock._in_use = True
        fakes = [module for name, module in list(sys.modules.items()) if name.split(".")[0] == "fakeredis"]
        shifted = _ShiftedTime(self)
        for module in (utils, *fakes):
            if getattr(module, "time", None) is time:
                module.time = shifted  # type: ignore[attr-defined]
                self._patched.append(module)
        return self

    def __exit__(
        self,
        error_class: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for module in self._patched:
            module.time = time  # type: ignore[attr-defined]
        self._patched.clear()
        Clock._in_use = False

    @property
    def ahead_s(self) -> float:
        """How many seconds it is ahead of the real time."""
        return self._ahead_ns / 1e9

    def now(self) -> datetime:
        """Tell the time by this clock (aware, in UTC)."""
        return datetime.fromtimestamp(self.time_ns() / 1e9, UTC)

    def time_ns(self) -> int:
        """Tell the time by this clock, in ns since 1970."""
        return time.time_ns() + self._ahead_ns

    def advance(self, by: SecondsTimedelta) -> None:
        """Move it on by seconds or a timedelta.

        Raises:
            ConfigurationError: that is no span, or less than 0; `move_to` goes back as well.
        """
        self._ahead_ns += round(checks.seconds("by", by, 0) * 1e9)

    def move_to(self, moment: datetime) -> None:
        """Set it, also back; a naive datetime is local time.

        Raises:
            ConfigurationError: it is no datetime, or before 2020, where scores begin.
        """
        moment_ms = checks.moment_ms("moment", moment)
        if moment_ms < _FIRST_MS:
            raise ConfigurationError(f"a queue knows no moment before 2020, got {moment!r}")
        self._ahead_ns = moment_ms * 1_000_000 - time.time_ns()


_FIRST_MS = 1_577_836_800_000


class _ShiftedTime:
    """What stands for the module `time` where this clock is to be read; only the time of day is moved."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def time(self) -> float:
        """Tell the time in seconds since 1970."""
        return self._clock.time_ns() / 1e9

    def time_ns(self) -> int:
        """Tell the time in ns since 1970."""
        return self._clock.time_ns()

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)
