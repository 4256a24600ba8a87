"""A suite written against arq's public behaviour. It knows `arq` only, and passes on both:

    on arqlite    scripts/test tests/arq_suite
    on arq        ARQ_SUITE=arq ARQ_SUITE_DSN=redis://localhost:6379/1 python -m pytest -c tests/arq_suite/arq.ini tests/arq_suite

`ARQ_SUITE=arq` runs it on the `arq` that is installed (see requirements.txt), on the database of `ARQ_SUITE_DSN`,
which is emptied. Without it `arq` is another name of arqlite, while a test of this folder is collected or runs
and in the processes that it starts, and for nobody else; the server is then that of all tests.

What arq does wrong, and where arqlite means to differ (docs/from-arq.md), is not asserted here.
"""  # noqa: E501 (the commands are one line each)

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

if TYPE_CHECKING:
    from arq import ArqRedis, Worker
    from arq.connections import RedisSettings

FOLDER = Path(__file__).parent
ALIASED = FOLDER / "aliased"
ON_ARQ = os.environ.get("ARQ_SUITE") == "arq"


@contextlib.contextmanager
def arq_importable() -> Iterator[None]:
    """Let `import arq` find arqlite, unless a real one is to be found."""
    if ON_ARQ:
        yield
        return
    sys.path.insert(0, str(ALIASED))
    try:
        importlib.import_module("arq")
    finally:
        sys.path.remove(str(ALIASED))
    try:
        yield
    finally:
        for name in [name for name in sys.modules if name == "arq" or name.startswith("arq.")]:
            del sys.modules[name]


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Any:
    """Collect this folder with `arq` at hand."""
    with arq_importable():
        return (yield)


if not ON_ARQ:

    def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
        """Mark everything in this folder."""
        for item in items:
            if FOLDER in item.path.parents:
                item.add_marker(pytest.mark.real)


@pytest.fixture(autouse=True)
def _arq() -> Iterator[None]:
    """Run each test with `arq` at hand."""
    with arq_importable():
        yield


@pytest.fixture
def dsn(request: pytest.FixtureRequest) -> str:
    """The URL of an empty database."""
    if not ON_ARQ:
        url: str = request.getfixturevalue("real_url")
        return url
    import redis

    url = os.environ["ARQ_SUITE_DSN"]
    with redis.from_url(url) as client:
        client.flushdb()
    return url


@pytest.fixture
def redis_settings(dsn: str) -> RedisSettings:
    """Where that database is."""
    from arq.connections import RedisSettings

    return RedisSettings.from_dsn(dsn)


@pytest_asyncio.fixture
async def arq_redis(redis_settings: RedisSettings) -> AsyncIterator[ArqRedis]:
    """A pool on that database."""
    from arq import create_pool

    pool = await create_pool(redis_settings)
    yield pool
    await pool.aclose(close_connection_pool=True)


@pytest_asyncio.fixture
async def make_worker(arq_redis: ArqRedis) -> AsyncIterator[Callable[..., Worker]]:
    """Make burst workers on the pool that look often; they are closed afterwards."""
    from arq import Worker
    from arq_toys import close

    workers: list[Worker] = []

    def make(*functions: Any, **options: Any) -> Worker:
        if "redis_settings" not in options:
            options = {"redis_pool": arq_redis, **options}
        options = {"burst": True, "handle_signals": False, "poll_delay": 0.01, **options}
        worker = Worker(functions, **options)
        workers.append(worker)
        return worker

    yield make
    for worker in workers:
        await close(worker)


@pytest.fixture
def env() -> dict[str, str]:
    """The environment of a process that may import `arq`."""
    path = os.environ.get("PYTHONPATH", "")
    return dict(os.environ) if ON_ARQ else {**os.environ, "PYTHONPATH": os.pathsep.join([str(ALIASED), path])}
