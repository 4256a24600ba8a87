"""What each feature costs a job: arqlite's worker drains the same number of jobs with it and without.

Each variant is drained in turn, bare jobs first, for several rounds; its cost is the worker's processor time
per job over that of the bare jobs of its own round.
"""

from __future__ import annotations

import asyncio
import json
import logging
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import uvloop

from arqlite import ArqRedis, create_pool, func
from arqlite.connections import RedisSettings
from arqlite.logs import install_job_fields, uninstall_job_fields
from arqlite.telemetry import JobStarted, JobStopped, attach, detach
from arqlite.worker import Worker
from benchmarks.roles import RESULT_TTL_S, report

ROUNDS = 5
SLOTS = 100
Ctx = dict[Any, Any]


@dataclass
class Parcel:
    """What a job with a dataclass is given."""

    id: UUID
    weight: Decimal
    sent: datetime


PARCEL = {"id": str(UUID(int=7)), "weight": "1.20", "sent": "2026-01-02T03:04:05Z"}


async def noop(ctx: Ctx) -> None: ...


async def untyped(ctx, user_id, template) -> None: ...  # type: ignore[no-untyped-def]


async def plain_types(ctx: Ctx, user_id: int, template: str) -> None: ...


async def restored_types(ctx: Ctx, at: datetime, price: Decimal) -> None: ...


async def parcel(ctx: Ctx, parcel: Parcel) -> None: ...


async def progress(ctx: Ctx) -> None:
    ctx["progress"](1, 2, "half way")


async def attached_line(ctx: Ctx) -> None:
    ctx["log"].info("read %d rows", 5)


async def log_line(ctx: Ctx) -> None:
    LOGGER.info("read %d rows", 5)


def in_a_thread(ctx: Ctx) -> None: ...


async def hook(ctx: Ctx) -> None: ...


LOGGER = logging.getLogger("benchmarks.features")


@dataclass(frozen=True)
class Variant:
    """One way to run the jobs: what they call, with what, under which worker, and what it is held against."""

    name: str
    function: Callable[..., Any] = noop
    args: tuple[Any, ...] = ()
    over: str = "bare"
    options: dict[str, Any] = field(default_factory=dict)
    handlers: bool = False
    limit: int | None = None
    job_fields: bool = False


VARIANTS = (
    Variant("bare"),
    Variant("on_job_start and on_job_end", options={"on_job_start": hook, "on_job_end": hook}),
    Variant("after_job_end", options={"after_job_end": hook}),
    Variant("handlers of start and stop events", handlers=True),
    Variant("two arguments, no annotations", untyped, (12345, "welcome")),
    Variant(
        "the two annotated int and str", plain_types, (12345, "welcome"), "two arguments, no annotations"
    ),
    Variant("datetime and Decimal restored", restored_types, (PARCEL["sent"], PARCEL["weight"])),
    Variant("a dataclass of UUID, Decimal, datetime", parcel, (PARCEL,)),
    Variant("max_jobs of the function, never reached", limit=SLOTS * 2),
    Variant("one progress report", progress),
    Variant("one line attached to the job", attached_line),
    Variant("one log record, handled by nobody's disk", log_line),
    Variant(
        "the same with the job's fields in it",
        log_line,
        (),
        "one log record, handled by nobody's disk",
        job_fields=True,
    ),
    Variant("a plain function in a thread", in_a_thread),
)


class Drop(logging.Handler):
    """Takes records as a real handler does, and writes them nowhere."""

    def emit(self, record: logging.LogRecord) -> None:
        record.getMessage()


async def measure(url: str, count: int) -> None:
    """Report the median cost of each variant over what it is compared with, in µs per job."""
    settings = RedisSettings.from_dsn(url)
    pool = await create_pool(settings)
    costs: dict[str, list[float]] = {variant.name: [] for variant in VARIANTS}
    for _ in range(ROUNDS):
        spent: dict[str, float] = {}
        for variant in VARIANTS:
            await pool.flushall()
            spent[variant.name] = await _drain(pool, settings, variant, count)
            costs[variant.name].append(
                spent[variant.name] - (spent[variant.over] if variant.name != "bare" else 0)
            )
    report("measured", costs={name: statistics.median(values) for name, values in costs.items()})
    await pool.aclose()


async def _drain(pool: ArqRedis, settings: RedisSettings, variant: Variant, count: int) -> float:
    """Run so many jobs; return µs of this process's processor time per job."""
    await pool.enqueue_many([("job", variant.args)] * count)
    if variant.job_fields:
        install_job_fields()
    if variant.handlers:
        attach("features", [JobStarted, JobStopped], lambda _: None)
    worker = Worker(
        [func(variant.function, name="job", max_jobs=variant.limit)],
        redis_settings=settings,
        burst=True,
        max_jobs=SLOTS,
        keep_result=RESULT_TTL_S,
        handle_signals=False,
        **variant.options,
    )
    began = time.process_time()
    await worker.async_run()
    spent = time.process_time() - began
    await worker.close()
    detach("features")
    uninstall_job_fields()
    if worker.jobs_complete != count:
        raise RuntimeError(f"{variant.name}: {worker.jobs_complete} of {count} jobs completed")
    return spent / count * 1e6


def main() -> None:
    order = json.loads(sys.argv[1])
    logging.basicConfig(level=logging.WARNING)
    LOGGER.setLevel(logging.INFO)
    LOGGER.propagate = False
    LOGGER.addHandler(Drop())
    logging.getLogger("arqlite.job").addHandler(Drop())
    logging.getLogger("arqlite.job").propagate = False
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(measure(order["url"], order["count"]))


if __name__ == "__main__":
    main()
