"""What routes ask for: `Jobs`, the pool to enqueue in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from ..connections import ArqRedis
from .queues import queues_of


def jobs(queue: str | None = None) -> Callable[[HTTPConnection], ArqRedis]:
    """Make a dependency that gives the pool of a queue: `Mail = Annotated[ArqRedis, Depends(jobs("mail"))]`.

    Args:
        queue: its name, or its key where two queues have one name; the first one that the lifespan was given
            by default.
    """

    def pool_of(connection: HTTPConnection) -> ArqRedis:
        return queues_of(connection).pool(queue)

    return pool_of


Jobs = Annotated[ArqRedis, Depends(jobs())]
"""The pool of the application's first queue, for the signature of a route."""
