"""Who answers the probes of a process: one server per address, shared by all workers that name it."""

from __future__ import annotations

import contextlib
import json
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ..version import VERSION
from . import verdicts
from .exposition import merged
from .pulse import Pulse
from .server import JSON, ProbeServer, Reply
from .signs import Signs

logger = logging.getLogger("arqlite.worker")

_PLAIN = "text/plain; charset=utf-8"
_EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"


class Exporter(Protocol):
    """Something that tells metrics as Prometheus reads them.

    Workers of one process may have one each. Where their class has `expose_all`, it is called with all of
    them, and adds up what they tell of the same; else their pages are put together.
    """

    def expose(self) -> bytes:
        """The metrics of now; called in a thread."""


@dataclass(frozen=True, slots=True, eq=False)
class Probed:
    """A worker that probes may ask.

    Attributes:
        signs: tells how it is doing, from any thread.
        limit_s: for how many seconds its event loop may stand still.
        exporters: what tells its metrics.
    """

    signs: Callable[[], Signs]
    limit_s: float
    exporters: Sequence[Exporter] = ()


class Doorkeeper:
    """Answers for the workers that have come to one address of this process.

    Args:
        host: the address.
        port: the port.
    """

    def __init__(self, host: str, port: int) -> None:
        self._workers: dict[Probed, Pulse] = {}
        self._server = ProbeServer(host, port, self.answer)
        self._server.start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return self._server.url

    def let_in(self, worker: Probed) -> None:
        """Answer for one more worker; called in its event loop."""
        pulse = Pulse(worker.limit_s)
        pulse.start()
        self._workers = {**self._workers, worker: pulse}

    def let_out(self, worker: Probed) -> bool:
        """Answer for it no more; returns whether it was the last. Called in its event loop."""
        self._workers[worker].stop()
        self._workers = {one: pulse for one, pulse in self._workers.items() if one is not worker}
        return not self._workers

    def close(self) -> None:
        """Listen no more."""
        self._server.stop()

    def answer(self, path: str) -> Reply:
        """Make the reply to a path."""
        match path:
            case "/livez":
                return self._told(verdicts.live(self._still()))
            case "/readyz":
                return self._told(verdicts.ready(self._signs(), self._still()))
            case "/startupz":
                return self._told(verdicts.started(self._signs()))
            case "/metrics":
                return self._metrics()
            case _:
                body = {"error": "there are /livez, /readyz, /startupz and /metrics"}
                return 404, JSON, (json.dumps(body) + "\n").encode()

    def _told(self, verdict: verdicts.Verdict) -> Reply:
        body: dict[str, Any] = {**verdict.body, "version": VERSION}
        return verdict.status, JSON, (json.dumps(body) + "\n").encode()

    def _signs(self) -> list[Signs]:
        return [worker.signs() for worker in self._workers]

    def _still(self) -> list[verdicts.Still]:
        """Which event loops stand still; one that several workers share is told once."""
        still: dict[int, verdicts.Still] = {}
        for pulse in self._workers.values():
            if pulse.thread not in still and pulse.is_blocked():
                still[pulse.thread] = verdicts.Still(pulse.still_s, pulse.stack())
        return list(still.values())

    def _metrics(self) -> Reply:
        exporters = list(dict.fromkeys(one for worker in self._workers for one in worker.exporters))
        if not exporters:
            return 404, _PLAIN, b"no service of this worker tells metrics: see WorkerSettings.services\n"
        pages = list(_pages(exporters))
        return 200, _EXPOSITION, pages[0] if len(pages) == 1 else merged(pages)


def _pages(exporters: Iterable[Exporter]) -> Iterator[bytes]:
    kinds: dict[type[Exporter], list[Exporter]] = {}
    for exporter in exporters:
        kinds.setdefault(type(exporter), []).append(exporter)
    for kind, alike in kinds.items():
        expose_all: Callable[[Sequence[Exporter]], bytes] | None = getattr(kind, "expose_all", None)
        if expose_all is not None:
            yield expose_all(alike)
        else:
            yield from (exporter.expose() for exporter in alike)


# Workers of one process know nothing of each other, and a port can be listened at once only.
_LOCK = threading.Lock()
_OPEN: dict[tuple[str, int], Doorkeeper] = {}


@contextlib.contextmanager
def probed(host: str, port: int, worker: Probed) -> Iterator[str]:
    """Have a worker answered for at an address while it works; yields the URL. Entered in its event loop.

    Raises:
        ConfigurationError: nobody can listen there.
    """
    place = host, port
    with _LOCK:
        keeper = _OPEN.get(place)
        if keeper is None:
            keeper = _OPEN[place] = Doorkeeper(host, port)
            logger.info("health is told at %s", keeper.url)
        keeper.let_in(worker)
    try:
        yield keeper.url
    finally:
        with _LOCK:
            if keeper.let_out(worker):
                del _OPEN[place]
                keeper.close()
