"""Tracers: what they have a job carry from its enqueuing to its runs, and what they hear of the enqueuing.

Nobody imports a library of tracing here. While no tracer is attached, none of this is asked.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeAlias

logger = logging.getLogger("arqlite.enqueuing")

CARRIED = "tc"
"""The entry of an envelope that holds what tracers had the job carry; beside `meta`, which is the user's."""

Accepted: TypeAlias = Callable[[Sequence[str]], None]
"""Called with the ids of the jobs that were accepted."""


class Tracer(Protocol):
    """Follows jobs from those who enqueue them to those who run them."""

    def sending(self, queue: str, functions: Sequence[str]) -> AbstractContextManager[Accepted]:
        """Be around the enqueuing of jobs.

        Args:
            queue: where they go; empty if not all go to one.
            functions: the name of the function of each.
        """

    def carried(self) -> Mapping[str, str]:
        """Tell what a job carries that is enqueued now."""


tracers: tuple[Tracer, ...] = ()
"""Those that are attached; of this process."""

_attaching = threading.Lock()
_by_id: dict[str, Tracer] = {}


def attach(tracer_id: str, tracer: Tracer) -> None:
    """Have a tracer follow the jobs of this process; the same id again replaces it."""
    with _attaching:
        _replace({**_by_id, tracer_id: tracer})


def detach(tracer_id: str) -> None:
    """Forget a tracer; unknown ids are ignored."""
    with _attaching:
        _replace({other: tracer for other, tracer in _by_id.items() if other != tracer_id})


def carried() -> dict[str, str]:
    """Tell what a job carries that is enqueued now, for all tracers."""
    told: dict[str, str] = {}
    for tracer in tracers:
        try:
            told.update(tracer.carried())
        except Exception:  # a job is worth more than its trace
            logger.exception("a tracer failed to say what a job carries")
    return told


@contextlib.contextmanager
def sending(queue: str, functions: Sequence[str]) -> Iterator[Accepted]:
    """Have all tracers around the enqueuing of jobs; see `Tracer.sending`."""
    with contextlib.ExitStack() as stack:
        told: list[Accepted] = []
        for tracer in tracers:
            try:
                told.append(stack.enter_context(tracer.sending(queue, functions)))
            except Exception:  # a job is worth more than its trace
                logger.exception("a tracer failed to follow the enqueuing of jobs")

        def accepted(job_ids: Sequence[str]) -> None:
            for tell in told:
                tell(job_ids)

        yield accepted


def carried_in(envelope: Mapping[str, Any]) -> dict[str, str]:
    """Read what a job carries; what is no text was put there by somebody else, and left out."""
    found = envelope.get(CARRIED)
    if not isinstance(found, Mapping):
        return {}
    return {name: value for name, value in found.items() if isinstance(name, str) and isinstance(value, str)}


def _replace(by_id: dict[str, Tracer]) -> None:
    global _by_id, tracers
    _by_id, tracers = by_id, tuple(by_id.values())
