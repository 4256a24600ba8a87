"""Who tells how the workers of a process are: by a server or in a file, shared by all that name the same."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from ..errors import ConfigurationError
from ..version import VERSION
from . import verdicts
from .exposition import merged
from .pulse import Pulse
from .server import JSON, ProbeServer, Reply
from .signs import Signs

logger = logging.getLogger("arqlite.worker")

_PLAIN = "text/plain; charset=utf-8"
_EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"
_FILE_EVERY_S = 1.0


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


class Doorkeeper(ABC):
    """Answers for the workers of this process that have come to it."""

    def __init__(self) -> None:
        self._workers: dict[Probed, Pulse] = {}

    @property
    @abstractmethod
    def place(self) -> str:
        """Where it tells what it knows."""

    @abstractmethod
    def close(self) -> None:
        """Tell no more."""

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

    def told(self) -> dict[str, verdicts.Verdict]:
        """What each probe is told now, by its name."""
        still, signs = self._still(), self._signs()
        return {
            "livez": verdicts.live(still),
            "readyz": verdicts.ready(signs, still),
            "startupz": verdicts.started(signs),
        }

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


class Porter(Doorkeeper):
    """Answers by HTTP at an address.

    Args:
        host: the address.
        port: the port.

    Raises:
        ConfigurationError: nobody can listen there.
    """

    def __init__(self, host: str, port: int) -> None:
        super().__init__()
        self._server = ProbeServer(host, port, self.answer)
        self._server.start()

    @property
    def place(self) -> str:
        """The URL."""
        return self._server.url

    def close(self) -> None:
        """Listen no more."""
        self._server.stop()


class Scribe(Doorkeeper):
    """Writes what probes would be told into a file, anew each second; a thread does, as for HTTP.

    Args:
        path: of the file.

    Raises:
        ConfigurationError: it cannot be written.
    """

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._go_on, name="arqlite:health-file", daemon=True)
        try:
            self._write()
        except OSError as error:
            why = error.strerror or error
            raise ConfigurationError(f"health_file {path!r} cannot be written: {why}") from error
        self._thread.start()

    @property
    def place(self) -> str:
        """The file."""
        return self._path

    def close(self) -> None:
        """Write no more; the file goes, for what it said is over."""
        self._is_over.set()
        self._thread.join()
        with contextlib.suppress(OSError):
            os.unlink(self._path)

    def _go_on(self) -> None:
        has_failed = False
        while not self._is_over.wait(_FILE_EVERY_S):
            try:
                self._write()
                has_failed = False
            except OSError as error:  # a disk that is full, say: the next time it may be written again
                if not has_failed:
                    logger.warning("health_file %s cannot be written: %s", self._path, error)
                has_failed = True

    def _write(self) -> None:
        told = {
            name: {"status": verdict.status, "body": {**verdict.body, "version": VERSION}}
            for name, verdict in self.told().items()
        }
        # In one move: who reads meanwhile reads the old one, and no half of the new one.
        new = f"{self._path}.{os.getpid()}.new"
        with open(new, "w", encoding="utf-8") as file:
            json.dump({"pid": os.getpid(), **told}, file)
        os.replace(new, self._path)


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
_OPEN: dict[tuple[str, int] | str, Doorkeeper] = {}


def probed(host: str, port: int, worker: Probed) -> AbstractContextManager[str]:
    """Have a worker answered for at an address while it works; gives the URL. Entered in its event loop.

    Raises:
        ConfigurationError: nobody can listen there.
    """
    return _kept((host, port), lambda: Porter(host, port), worker)


def written(path: str, worker: Probed) -> AbstractContextManager[str]:
    """Have it written into a file how a worker is while it works. Entered in its event loop.

    Raises:
        ConfigurationError: it cannot be written.
    """
    return _kept(path, lambda: Scribe(path), worker)


@contextlib.contextmanager
def _kept(place: tuple[str, int] | str, make: Callable[[], Doorkeeper], worker: Probed) -> Iterator[str]:
    with _LOCK:
        keeper = _OPEN.get(place)
        if keeper is None:
            keeper = _OPEN[place] = make()
            logger.info("health is told at %s", keeper.place)
        keeper.let_in(worker)
    try:
        yield keeper.place
    finally:
        with _LOCK:
            if keeper.let_out(worker):
                del _OPEN[place]
                keeper.close()
