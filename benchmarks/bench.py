"""The workbench: what every measure needs to run one system's processes against the one server."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from .catalogue import System
from .databases import Database, kind_of, with_driver
from .machine import cores, split_cores
from .processes import Child, ChildError
from .server import Server

STEP_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Scale:
    """How long and how large the measures are.

    Attributes:
        rounds: interleaved rounds.
        drain_s: seconds that one drain should last.
        enqueue_s: seconds that one way of enqueueing should last.
        pickups: single jobs per round for the pickup latency.
        gap_s: mean pause between two of them.
        deferred: jobs due at one instant.
        idle_s: seconds of watching an idle worker.
        queued: jobs for the memory figure.
        deep: the large backlog of the claim cost.
    """

    rounds: int = 3
    drain_s: float = 2.5
    enqueue_s: float = 0.8
    pickups: int = 150
    gap_s: float = 0.014
    deferred: int = 2000
    idle_s: float = 10.0
    queued: int = 100_000
    deep: int = 1_000_000


QUICK = Scale(
    rounds=1,
    drain_s=0.8,
    enqueue_s=0.3,
    pickups=300,
    gap_s=0.005,
    idle_s=5.0,
    queued=10_000,
    deep=200_000,
)


class Bench:
    """One run of the program: the server, the interpreters, and how fast each system turned out to be.

    Args:
        server: the one server.
        pythons: interpreter of each installed system, by its name.
        scale: how large the measures are.
        databases: those that the systems need, by kind.
    """

    def __init__(
        self,
        server: Server,
        pythons: dict[str, str],
        scale: Scale,
        databases: dict[str, Database] | None = None,
    ) -> None:
        self.server = server
        self._databases = databases or {}
        self.scale = scale
        self.rates: dict[tuple[str, str], float] = {}
        self._pythons = pythons

    def worker(
        self, system: System, target: int, concurrency: int = 100, **options: float
    ) -> AbstractContextManager[Child]:
        """Start the system's worker; it reports `started` at its first job and `finished` at its last."""
        order = self._order(system, role="work", count=target, concurrency=concurrency)
        order["options"] = {**order["options"], **options}
        return self.program(system.adapter, system, **order)

    def producer(self, system: System, role: str, **settings: Any) -> AbstractContextManager[Child]:
        """Start one of the system's producers, on the clients' core."""
        return self._child(system, role=role, **settings)

    def bystander(self, system: System, role: str, **settings: Any) -> AbstractContextManager[Child]:
        """Start a producer beside a worker, free to run on any core.

        A worker that polls without a pause fills its core, and a producer on that core would wait for it.
        """
        return Child(
            self._pythons[system.name], system.adapter, self._order(system, role=role, **settings), cores()
        )

    def renew(self, system: System) -> Database | None:
        """Empty the server and the system's database; return the database, None for a system without."""
        self.server.flush()
        if not system.database:
            return None
        database = self._databases[kind_of(system.database)]
        database.renew()
        return database

    def fill(self, system: System, job: str, count: int) -> None:
        """Enqueue this many jobs in the system's fastest way and wait until its process has ended."""
        with self.producer(system, "fill", job=job, count=count) as child:
            child.expect("filled", STEP_TIMEOUT_S + count / 2000)

    def wait_until_done(self, system: System, timeout_s: float = 20.0) -> int:
        """Wait until the server holds nothing of the queue any more; return the moment, monotonic ns.

        Raises:
            ChildError: jobs are left after the time.
        """
        deadline = time.monotonic() + timeout_s
        while (left := system.left(self.server.wire)) > 0:
            if time.monotonic() > deadline:
                raise ChildError(f"{system.name} left {left} jobs in its queue")
            time.sleep(0.0005)
        return time.monotonic_ns()

    def count_for(self, system: System, what: str, first_guess: float, seconds: float) -> int:
        """Size a run so that it lasts about this long, from what the system did before."""
        rate = self.rates.get((system.name, what), first_guess)
        return max(round(rate * seconds / 100) * 100, 500)

    def learn(self, system: System, what: str, rate: float) -> None:
        """Keep a measured rate for the sizing of the next round."""
        self.rates[system.name, what] = rate

    def program(self, module: str, system: System, **order: Any) -> AbstractContextManager[Child]:
        """Start a program of `benchmarks.systems` that is no adapter, in the system's environment."""
        order.update(url=self.server.url)
        return Child(self._pythons[system.name], module, order, split_cores()[1])

    def _child(self, system: System, **order: Any) -> AbstractContextManager[Child]:
        return self.program(system.adapter, system, **self._order(system, **order))

    def _order(self, system: System, **order: Any) -> dict[str, Any]:
        order.update(url=self.server.url, options=system.options)
        if system.database:
            url = self._databases[kind_of(system.database)].url
            order["database"] = url if system.installs else with_driver(url, system.database)
        return order
