"""Tells of a stretch of work: that it begins, and that it is over or failed."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from contextvars import ContextVar
from types import TracebackType
from typing import Any

from .core import execute, has_handlers
from .events import ServiceFailed, ServiceStarted, ServiceStopped

_queue: ContextVar[str] = ContextVar("arqlite_span_queue", default="")


def span(service: str, **meta: Any) -> AbstractContextManager[dict[str, Any]]:
    """Tell of one round of a service's duty: `ServiceStarted`, then `ServiceStopped` or `ServiceFailed`.

    It gives the block a dict to put in what it finds out: `with span("sweeper") as told: told["swept"] = 3`.
    An error is told and raised on. A cancellation is no failure: it is told as a stop, with `cancelled` in
    its meta. While nobody listens it does nothing.

    Args:
        service: what the service is called.
        meta: what is known from the start.
    """
    listened = has_handlers(ServiceStopped) or has_handlers(ServiceFailed) or has_handlers(ServiceStarted)
    return _Span(service, meta) if listened else contextlib.nullcontext(meta)


@contextlib.contextmanager
def spans_of(queue: str) -> Iterator[None]:
    """Let the spans of the block, and of the tasks that it starts, tell that they are about this queue."""
    token = _queue.set(queue)
    try:
        yield
    finally:
        _queue.reset(token)


def queue_of_spans() -> str:
    """Tell which queue spans of the calling code are about; empty where nobody said."""
    return _queue.get()


class _Span:
    __slots__ = ("_began", "_meta", "_service")

    def __init__(self, service: str, meta: dict[str, Any]) -> None:
        self._service = service
        self._meta = meta
        self._began = 0.0

    def __enter__(self) -> dict[str, Any]:
        self._began = time.monotonic()
        if has_handlers(ServiceStarted):
            execute(ServiceStarted(self._service, _queue.get(), dict(self._meta), _now_ms()))
        return self._meta

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, stack: TracebackType | None
    ) -> None:
        took_ms = (time.monotonic() - self._began) * 1000
        if isinstance(error, Exception):
            if has_handlers(ServiceFailed):
                execute(ServiceFailed(self._service, _queue.get(), self._meta, took_ms, error, _now_ms()))
            return
        if error is not None:
            self._meta["cancelled"] = True
        if has_handlers(ServiceStopped):
            execute(ServiceStopped(self._service, _queue.get(), self._meta, took_ms, _now_ms()))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
