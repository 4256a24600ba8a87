"""What each feature costs a job: arqlite's worker drains the same number of jobs with it and without.

Each variant is drained in turn, bare jobs first, for several rounds; its cost is the worker's processor time
per job over that of the bare jobs of its own round, and the server's likewise. Where a feature is paid when
jobs are enqueued, enqueuing counts, for it and for what it is held against.
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

from arqlite import ArqRedis, GlobalLimit, Snooze, create_pool, func, task
from arqlite.connections import RedisSettings
from arqlite.logs import install_job_fields, uninstall_job_fields
from arqlite.model.calls import JobOptions
from arqlite.model.functions import Function
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


async def numbered(ctx, n) -> None: ...  # type: ignore[no-untyped-def]


async def snoozed_once(ctx: Ctx) -> Snooze | None:
    return None if ctx["job"].snoozes else Snooze(0)


LOGGER = logging.getLogger("benchmarks.features")


@dataclass(frozen=True)
class Variant:
    """One way to run the jobs: what they call, with what, under which worker, and what it is held against.

    Attributes:
        name: what the report calls it.
        function: what the jobs call.
        args: with what.
        numbers: how many different numbers they are called with instead, one after the other; 0 is none.
        over: the variant that it is held against.
        options: the worker's, beside what all have.
        handlers: whether somebody listens to the events.
        limit: `max_jobs` of the function.
        job_fields: whether log records get the job's fields.
        is_task: whether the function is a `@task`.
        enqueued_with: options of the jobs; several are taken in turn.
        counts_enqueue: whether enqueuing them is part of the cost.
    """

    name: str
    function: Callable[..., Any] = noop
    args: tuple[Any, ...] = ()
    over: str = "bare"
    options: dict[str, Any] = field(default_factory=dict)
    handlers: bool = False
    limit: int | None = None
    job_fields: bool = False
    numbers: int = 0
    is_task: bool = False
    enqueued_with: tuple[JobOptions, ...] = ({},)
    counts_enqueue: bool = False


HOOKS: dict[str, Any] = {"on_job_start": hook, "on_job_end": hook}
# Counted at each start and each end, and never reached: what is measured is the counting.
GLOBAL, RATE = 1_000, (10_000_000, 60)
ALL_DIFFERENT = sys.maxsize
NUMBERED, ENQUEUED = "one of ten numbers as argument", "a number as argument, enqueued and run"

VARIANTS = (
    Variant("bare"),
    Variant("on_job_start and on_job_end", options=HOOKS),
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
    Variant("@task", is_task=True),
    Variant("one snooze, and so a second run", snoozed_once, is_task=True, over="@task"),
    Variant("global limit, never reached", options={"global_limit": GLOBAL}),
    Variant("rate limit, never reached", options={"rate_limit": RATE}),
    Variant("both limits and both hooks", options={"global_limit": GLOBAL, "rate_limit": RATE, **HOOKS}),
    Variant(NUMBERED, numbered, numbers=10),
    Variant(
        "global limit for each of ten partitions, never reached", numbered, (), NUMBERED, numbers=10,
        options={"global_limit": GlobalLimit(GLOBAL, partition_by="args.n")},
    ),
    Variant(ENQUEUED, numbered, numbers=ALL_DIFFERENT, counts_enqueue=True),
    Variant(
        "priorities, ten of them", numbered, (), ENQUEUED, numbers=ALL_DIFFERENT, counts_enqueue=True,
        enqueued_with=tuple({"priority": n} for n in range(10)),
    ),
    Variant(
        "two tags and meta", numbered, (), ENQUEUED, numbers=ALL_DIFFERENT, counts_enqueue=True,
        enqueued_with=({"tags": ["a", "b"], "meta": {"tenant": 7}},),
    ),
    Variant(
        "unique", numbered, (), ENQUEUED, numbers=ALL_DIFFERENT, counts_enqueue=True,
        enqueued_with=({"unique": True},),
    ),
)  # fmt: skip


class Drop(logging.Handler):
    """Takes records as a real handler does, and writes them nowhere."""

    def emit(self, record: logging.LogRecord) -> None:
        record.getMessage()


async def measure(url: str, count: int) -> None:
    """Report the median cost of each variant over what it is compared with, in µs per job."""
    settings = RedisSettings.from_dsn(url)
    pool = await create_pool(settings)
    costs: dict[str, list[float]] = {variant.name: [] for variant in VARIANTS}
    server: dict[str, list[float]] = {variant.name: [] for variant in VARIANTS}
    for _ in range(ROUNDS):
        spent: dict[str, tuple[float, float]] = {}
        for variant in VARIANTS:
            await pool.flushall()
            own = spent[variant.name] = await _drain(pool, settings, variant, count)
            over = spent[variant.over] if variant.name != "bare" else (0, 0)
            costs[variant.name].append(own[0] - over[0])
            server[variant.name].append(own[1] - over[1])
    report(
        "measured",
        costs={name: statistics.median(values) for name, values in costs.items()},
        server={name: statistics.median(values) for name, values in server.items()},
    )
    await pool.aclose()


async def _drain(
    pool: ArqRedis, settings: RedisSettings, variant: Variant, count: int
) -> tuple[float, float]:
    """Run so many jobs; return µs of processor time per job, this process's and the server's."""
    began, server_began = time.process_time(), await _server_s(pool)
    await _enqueue(pool, variant, count)
    if not variant.counts_enqueue:
        began, server_began = time.process_time(), await _server_s(pool)
    if variant.job_fields:
        install_job_fields()
    if variant.handlers:
        attach("features", [JobStarted, JobStopped], lambda _: None)
    worker = Worker(
        [_registered(variant)],
        redis_settings=settings,
        burst=True,
        max_jobs=SLOTS,
        keep_result=RESULT_TTL_S,
        handle_signals=False,
        **variant.options,
    )
    await worker.async_run()
    spent = time.process_time() - began
    await worker.close()
    detach("features")
    uninstall_job_fields()
    if worker.jobs_complete != count:
        raise RuntimeError(f"{variant.name}: {worker.jobs_complete} of {count} jobs completed")
    return spent / count * 1e6, (await _server_s(pool) - server_began) / count * 1e6


async def _enqueue(pool: ArqRedis, variant: Variant, count: int) -> None:
    share = -(-count // len(variant.enqueued_with))
    for start, options in zip(range(0, count, share), variant.enqueued_with, strict=True):
        numbers = range(start, min(start + share, count))
        arguments = [(n % variant.numbers,) if variant.numbers else variant.args for n in numbers]
        await pool.options(**options).enqueue_many([("job", given) for given in arguments])


def _registered(variant: Variant) -> Function[..., Any]:
    if variant.is_task:
        return task(name="job")(variant.function)
    return func(variant.function, name="job", max_jobs=variant.limit)


async def _server_s(pool: ArqRedis) -> float:
    facts = await pool.info("cpu")
    return float(facts["used_cpu_user"] + facts["used_cpu_sys"])


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
