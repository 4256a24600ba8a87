"""Workers: where they run, what they do, and how well."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from starlette.requests import Request
from starlette.responses import Response

from ...console import WorkerInfo
from ..context import console_of
from .rendering import render


async def workers(request: Request) -> Response:
    """All workers of the queues that somebody sees."""
    found = await console_of(request).workers()
    versions = {worker.version for worker in found.workers if worker.version}
    values = {
        "page": "workers",
        "view": found,
        "nodes": _by_node(found.workers),
        "are_mixed": len(versions) > 1,
    }
    return render(request, "workers", values)


def _by_node(workers: Iterable[WorkerInfo]) -> Sequence[tuple[str, str, Sequence[WorkerInfo]]]:
    """The workers of each queue on each node: what is paused and stopped together."""

    def where(worker: WorkerInfo) -> tuple[str, str]:
        return worker.node, worker.queue

    return [(*place, list(found)) for place, found in groupby(sorted(workers, key=where), key=where)]
