"""Small helpers; most of them carry arq's names because applications import them."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import secrets
import time
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from importlib import import_module
from typing import Any, overload
from zoneinfo import ZoneInfo

from .constants import timezone_env_vars
from .typing import SecondsTimedelta

logger = logging.getLogger("arqlite.utils")

DEFAULT_CURTAIL = 80
# Some 5 ms of looking.
_LOOKS_AT_THE_CLOCK = 50_000


def as_int(f: float) -> int:
    """Turn a float into the nearest int."""
    return round(f)


def timestamp_ms() -> int:
    """Tell the time as ms since 1970."""
    return time.time_ns() // 1_000_000


def to_unix_ms(dt: datetime) -> int:
    """Turn a datetime into ms since 1970; a naive one is local time."""
    return as_int(dt.timestamp() * 1000)


@lru_cache
def get_tz() -> tzinfo | None:
    """Read the time zone from the environment (`ARQ_TIMEZONE`, `TIMEZONE`); None when it is not set.

    A name that no zone has is told in the log and left out.
    """
    for name in timezone_env_vars:
        zone = os.getenv(name)
        if zone:
            try:
                return ZoneInfo(zone)
            except (KeyError, ValueError, OSError):  # the last is what a folder of zones gives
                logger.warning("unknown timezone: %r", zone)
    return None


def ms_to_datetime(unix_ms: int) -> datetime:
    """Turn ms since 1970 into an aware datetime, UTC unless the environment names a zone."""
    return datetime.fromtimestamp(unix_ms / 1000, tz=get_tz() or UTC)


@overload
def to_ms(td: None) -> None: ...
@overload
def to_ms(td: SecondsTimedelta) -> int: ...
def to_ms(td: SecondsTimedelta | None) -> int | None:
    """Turn seconds or a timedelta into ms; None stays None."""
    if td is None:
        return None
    seconds = td.total_seconds() if isinstance(td, timedelta) else td
    return as_int(seconds * 1000)


@overload
def to_seconds(td: None) -> None: ...
@overload
def to_seconds(td: SecondsTimedelta) -> float: ...
def to_seconds(td: SecondsTimedelta | None) -> float | None:
    """Turn seconds or a timedelta into seconds; None stays None."""
    if td is None:
        return None
    return td.total_seconds() if isinstance(td, timedelta) else td


async def poll(step: float = 0.5) -> AsyncGenerator[float, None]:
    """Yield the seconds since the start, at every multiple of `step` seconds."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    while True:
        before = loop.time()
        yield before - start
        after = loop.time()
        await asyncio.sleep(max(0.0, step - after + before))


def truncate(s: str, length: int = DEFAULT_CURTAIL) -> str:
    """Cut a text to a length, with an ellipsis where it was cut."""
    return s if len(s) <= length else s[: length - 1] + "…"


def args_to_string(args: Sequence[Any], kwargs: dict[str, Any]) -> str:
    """Show the arguments of a call, cut to a readable length."""
    parts = [repr(arg) for arg in args] + [f"{name}={value!r}" for name, value in sorted(kwargs.items())]
    return truncate(", ".join(parts))


def import_string(dotted_path: str) -> Any:
    """Import `package.module.name`.

    Raises:
        ImportError: the path is no path, or the module has no such name.
    """
    module_path, _, name = dotted_path.strip(" ").rpartition(".")
    if not module_path:
        raise ImportError(f'"{dotted_path}" doesn\'t look like a module path')
    module = import_module(module_path)
    try:
        return getattr(module, name)
    except AttributeError as error:
        raise ImportError(f'Module "{module_path}" does not define a "{name}" attribute') from error


def _next_ms(now_ms: int) -> int:
    """Wait for the next ms; a clock that a test holds still is not waited for."""
    for _ in range(_LOOKS_AT_THE_CLOCK):
        later_ms = timestamp_ms()
        if later_ms != now_ms:
            return later_ms
    return now_ms


class IdMaker:
    """Makes job ids: 11 hex digits of ms, 4 of a counter, 6 that are the process's own.

    Ids of one process sort in the order they were made, so jobs of one millisecond stay first in,
    first out. They are short because each is stored twice, as a field and as a zset member.
    """

    def __init__(self) -> None:
        self._counter = itertools.count(secrets.randbelow(1 << 16))
        self.renew()

    def renew(self) -> None:
        """Take another process part; a forked child must not make its parent's ids."""
        self._own = secrets.token_hex(3)

    def __call__(self) -> str:  # noqa: D102 (told by its class)
        count = next(self._counter) & 0xFFFF
        now_ms = timestamp_ms()
        if count == 0:  # it begins anew, and must not sort before what was made in the same ms
            now_ms = _next_ms(now_ms)
        return f"{now_ms:011x}{count:04x}{self._own}"


new_job_id = IdMaker()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=new_job_id.renew)
