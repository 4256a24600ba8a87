"""Toy jobs, and the settings of the workers that run them: `arqlite chaos_jobs.WorkerSettings`."""

from __future__ import annotations

import asyncio
import json
import os
import time
from typing import Any, ClassVar

from chaos_trace import recorded

from arqlite import cron
from arqlite.connections import RedisSettings

URL_VARIABLE, OPTIONS_VARIABLE = "CHAOS_URL", "CHAOS_OPTIONS"


async def nap(ctx: dict[Any, Any], seconds: float = 0.01) -> str:
    """Wait a while, and honour a cancellation."""
    with recorded(ctx) as run:
        await asyncio.sleep(seconds)
        return run


async def block(ctx: dict[Any, Any], seconds: float) -> str:
    """Hold the event loop."""
    with recorded(ctx) as run:
        time.sleep(seconds)  # noqa: ASYNC251 (that is what it is for)
        return run


async def poison(ctx: dict[Any, Any]) -> None:
    """Take the worker down."""
    with recorded(ctx):
        await asyncio.sleep(0.1)
        os._exit(13)


async def stubborn(ctx: dict[Any, Any], seconds: float) -> str:
    """Wait a while, and swallow every cancellation."""
    with recorded(ctx) as run:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            try:
                await asyncio.sleep(left)
            except asyncio.CancelledError:
                continue
        return run


async def threaded(ctx: dict[Any, Any], seconds: float) -> str:
    """Wait in a thread, which nobody can cancel."""
    with recorded(ctx) as run:
        await asyncio.to_thread(time.sleep, seconds)
        return run


class WorkerSettings:
    """What `arqlite` runs; the options come from the test that started it."""

    functions: ClassVar[list[Any]] = [nap, block, poison, stubborn, threaded]
    redis_settings = RedisSettings.from_dsn(os.environ.get(URL_VARIABLE, "redis://127.0.0.1/1"))
    log_results = False
    # A job each second, for workers that are told `ticks`.
    ticking: ClassVar[list[Any]] = [cron(nap, name="tick", second=None, microsecond=0)]


_options: dict[str, Any] = json.loads(os.environ.get(OPTIONS_VARIABLE, "{}"))
if _options.pop("ticks", False):
    _options["cron_jobs"] = WorkerSettings.ticking
if _url := _options.pop("ledger", None):
    from arqlite.ledger import Ledger

    _options["ledger"] = Ledger(_url, mode=_options.pop("mode", "behind"))
for _name, _value in _options.items():
    setattr(WorkerSettings, _name, _value)
