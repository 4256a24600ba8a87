"""An arq of keys alone, and an import out of it, on fakeredis and on a real server."""

from __future__ import annotations

import pytest
from migration_toys import Arq, Move

from arqlite import ArqRedis


@pytest.fixture
def arq(arq_redis: ArqRedis) -> Arq:
    """An empty arq in the database of the pool."""
    return Arq(arq_redis)


@pytest.fixture
def move(arq: Arq, arq_redis: ArqRedis) -> Move:
    """An import that has not begun."""
    return Move(arq, arq_redis)
