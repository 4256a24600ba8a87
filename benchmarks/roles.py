"""What runs inside a system's own environment: its worker, or a producer that times its enqueues.

An adapter (`systems/<name>.py`) implements `System` and ends with ``run(TheSystem)``. The bench starts it
as ``python -m benchmarks.systems.<name> '{"role": ...}'`` and reads JSON lines from its stdout. Only the
standard library is imported here, for this module is loaded beside every peer.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import random
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from .sampler import Sampler

RESULT_TTL_S = 3600
"""How long every system that can keeps its results: arq's default."""

SMALL: dict[str, Any] = {"user_id": 12345, "template": "welcome"}
"""Arguments of the small job that is enqueued and stored: the same two for everyone."""


@dataclass(frozen=True)
class Order:
    """What the bench asks of this process.

    Attributes:
        role: ``work`` or one of the producer's: ``fill``, ``enqueue``, ``pickup``, ``defer``.
        url: the server.
        concurrency: slots of the worker.
        count: jobs to run, or to enqueue.
        job: which job is enqueued: ``noop``, ``small`` or ``stamp``.
        how: ``single``, ``callers`` or ``bulk``, for the role ``enqueue``.
        seconds: mean gap between two jobs (``pickup``), or time from now to the due instant (``defer``).
        options: settings of the variant; `sample` watches where a worker spends its time.
        database: the URL of the database beside the server; empty for a system that needs none.
    """

    role: str
    url: str
    concurrency: int = 100
    count: int = 1
    job: str = "noop"
    how: str = "bulk"
    seconds: float = 0.0
    options: dict[str, float] = field(default_factory=dict)
    database: str = ""


def report(event: str, **facts: Any) -> None:
    """Print one JSON line for the bench."""
    sys.stdout.write(json.dumps({"event": event, **facts}) + "\n")
    sys.stdout.flush()


class Recorder:
    """Counts the jobs that ran in this process and reports the first and the last of them.

    The jobs call it in every system alike, so what it costs is the same for all.
    """

    def __init__(self, target: int, sampler: Sampler | None = None) -> None:
        self.target = target
        self._sampler = sampler
        self.stamps: list[tuple[int, int]] = []
        self._next = itertools.count(1).__next__  # atomic under the GIL: eight threads may share it
        self._first_ns = 0
        self._first_cpu_s = 0.0

    def tick(self) -> None:
        """Count one job."""
        n = self._next()
        if n == 1:
            if self._sampler is not None:
                self._sampler.start()
            self._first_ns, self._first_cpu_s = time.monotonic_ns(), time.process_time()
            report("started")
        if n >= self.target:
            self._reached(n)

    def _reached(self, n: int) -> None:
        if n > self.target:
            report("ran again", runs=n, jobs=self.target)
        else:
            last_ns, cpu_s = time.monotonic_ns(), time.process_time() - self._first_cpu_s
            facts: dict[str, Any] = {"first_ns": self._first_ns, "last_ns": last_ns, "cpu_s": cpu_s}
            if self._sampler is not None:
                facts["samples"] = self._sampler.stop()
            report("finished", **facts, stamps=self.stamps)

    def stamp(self, index: int) -> None:
        """Note when the job of this number started, and count it."""
        self.stamps.append((index, time.time_ns()))
        self.tick()


class System:
    """One system, as worker and as producer. Blocking systems do their work inside the coroutines: nothing
    else runs on their loop, and the coroutine itself costs some 0.1 µs."""

    CALLERS = 32
    uses_uvloop = True

    def __init__(self, order: Order) -> None:
        self.order = order
        self.recorder = Recorder(order.count, Sampler() if order.options.get("sample") else None)

    async def work(self) -> None:
        """Run the worker until the process is killed."""
        raise NotImplementedError

    async def install(self) -> None:
        """Make the system's tables in the bare database."""
        raise NotImplementedError

    async def connect(self) -> None:
        """Open what a producer needs."""
        raise NotImplementedError

    async def close(self) -> None:
        """Close what `connect` opened."""

    async def enqueue(self, job: str, arguments: dict[str, Any]) -> None:
        """Enqueue one job and wait until the server has it."""
        raise NotImplementedError

    async def enqueue_bulk(self, job: str, arguments: dict[str, Any], count: int) -> None:
        """Enqueue many jobs in the fastest way that the system documents."""
        raise NotImplementedError

    async def enqueue_at(self, job: str, arguments: dict[str, Any], due_s: float) -> None:
        """Enqueue one job for a moment (seconds since 1970)."""
        raise NotImplementedError

    async def enqueue_by_callers(self, job: str, arguments: dict[str, Any], count: int) -> None:
        """Enqueue from `CALLERS` concurrent callers that each wait for their own job's acceptance."""

        async def caller(share: int) -> None:
            for _ in range(share):
                await self.enqueue(job, arguments)

        await asyncio.gather(*(caller(count // self.CALLERS) for _ in range(self.CALLERS)))


class BlockingSystem(System):
    """A system of threads: its concurrent callers are threads too."""

    uses_uvloop = False

    def enqueue_now(self, job: str, arguments: dict[str, Any]) -> None:
        """Enqueue one job, blocking."""
        raise NotImplementedError

    async def enqueue(self, job: str, arguments: dict[str, Any]) -> None:
        self.enqueue_now(job, arguments)

    async def enqueue_by_callers(self, job: str, arguments: dict[str, Any], count: int) -> None:
        def caller(share: int) -> None:
            for _ in range(share):
                self.enqueue_now(job, arguments)

        with ThreadPoolExecutor(self.CALLERS) as pool:
            list(pool.map(caller, [count // self.CALLERS] * self.CALLERS))


def run(make: Callable[[Order], System]) -> None:
    """Play the role that the command line orders, on uvloop where the system has a loop."""
    order = Order(**json.loads(sys.argv[1]))
    # Per-job log lines are off for everyone; warnings and errors still come out.
    logging.basicConfig(level=logging.WARNING)
    system = make(order)
    factory = None
    if system.uses_uvloop:
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(_play(system))


async def _play(system: System) -> None:
    if system.order.role == "work":
        await system.work()
        return
    if system.order.database:
        await system.install()
    await system.connect()
    await _PRODUCERS[system.order.role](system)
    await system.close()


async def _fill(system: System) -> None:
    order = system.order
    await system.enqueue_bulk(order.job, _arguments(order.job), order.count)
    report("filled")


async def _enqueue(system: System) -> None:
    order = system.order
    arguments = _arguments(order.job)
    await system.enqueue(order.job, arguments)  # opens the connection and loads the scripts
    began, cpu = time.perf_counter(), time.process_time()
    if order.how == "single":
        for _ in range(order.count):
            await system.enqueue(order.job, arguments)
    elif order.how == "callers":
        await system.enqueue_by_callers(order.job, arguments, order.count)
    else:
        await system.enqueue_bulk(order.job, arguments, order.count)
    report("enqueued", seconds=time.perf_counter() - began, cpu_s=time.process_time() - cpu)


async def _pickup(system: System) -> None:
    order = system.order
    await system.enqueue("stamp", {"n": -1})
    await _told_to_go()
    dice = random.Random(20)
    pushed = []
    for index in range(order.count):
        await asyncio.sleep(order.seconds * dice.uniform(0.5, 1.5))
        pushed.append((index, time.time_ns()))
        await system.enqueue("stamp", {"n": index})
    report("pushed", stamps=pushed)


async def _defer(system: System) -> None:
    order = system.order
    await system.enqueue("stamp", {"n": -1})
    await _told_to_go()
    # A whole second, for not every system knows fractions of one.
    due_s = float(int(time.time() + order.seconds) + 1)
    for index in range(order.count):
        await system.enqueue_at("stamp", {"n": index}, due_s)
    report("deferred", due_ns=int(due_s) * 1_000_000_000, spare_s=due_s - time.time())


async def _told_to_go() -> None:
    await asyncio.to_thread(sys.stdin.readline)


def _arguments(job: str) -> dict[str, Any]:
    return dict(SMALL) if job == "small" else {}


_PRODUCERS = {"fill": _fill, "enqueue": _enqueue, "pickup": _pickup, "defer": _defer}
