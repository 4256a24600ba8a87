"""The fixtures, for pytest: `arqlite_redis`, `arqlite_valkey`, `arqlite_worker`, `arqlite_ledger`,
`arqlite_inline`, `arqlite_manual` and `arqlite_clock`.

pytest loads this in every run where arqlite is installed, so nothing is imported before a fixture is asked
for. The coroutines among them are pytest-asyncio's where that is installed, in either of its modes, and
anyio's otherwise.
"""

from __future__ import annotations

import importlib.util
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ..client import ArqRedis
    from ..embedded import EmbeddedServer
    from ..worker import Worker
    from .clock import Clock
    from .modes import testing_mode
    from .rows import Ledger

_fixture: Callable[[Any], Any] = pytest.fixture
if importlib.util.find_spec("pytest_asyncio") is not None:
    import pytest_asyncio

    _fixture = pytest_asyncio.fixture


@_fixture
async def arqlite_redis() -> AsyncIterator[ArqRedis]:
    """An empty queue in memory: an `ArqRedis` on a fakeredis server of its own."""
    try:
        import fakeredis
    except ImportError as error:
        from ..errors import MissingExtra

        raise MissingExtra("The fixture arqlite_redis", "testing") from error
    from ..client import ArqRedis

    pool = ArqRedis(fakeredis.FakeAsyncRedis(server=fakeredis.FakeServer()).connection_pool)
    yield pool
    await pool.aclose(close_connection_pool=True)


@pytest.fixture(scope="session")
def arqlite_valkey_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """A real Valkey or Redis server for the whole run, on a Unix socket of its own; skips without one."""
    from ..embedded import EmbeddedServer
    from ..errors import EmbeddedServerError

    folder = Path(tmp_path_factory.mktemp("arqlite-valkey", numbered=True))
    try:
        server = EmbeddedServer.ensure(folder, grace=0, force=True)
    except EmbeddedServerError as error:
        pytest.skip(f"no Valkey or Redis server: {error}")
    yield server
    server.release()


@_fixture
async def arqlite_valkey(arqlite_valkey_server: EmbeddedServer) -> AsyncIterator[ArqRedis]:
    """The same on a real server, emptied before each test."""
    from ..client import ArqRedis

    pool = ArqRedis(unix_socket_path=str(arqlite_valkey_server.socket_path), db=1)
    await pool.flushall()
    yield pool
    await pool.aclose(close_connection_pool=True)


@_fixture
async def arqlite_worker(arqlite_redis: ArqRedis) -> AsyncIterator[Callable[..., Worker]]:
    """Make workers: `arqlite_worker([pay], ctx={...})`, with the options of `Worker`, or of worker settings:
    `arqlite_worker(WorkerSettings)`.

    They are burst workers on `arqlite_redis` without signal handlers, unless told otherwise here, whatever
    Redis settings name; they are closed, with their pool, at the end of the test.
    """
    from ..worker import Worker
    from .bench import told_by

    workers: list[Worker] = []

    def make(functions: Any = (), **options: Any) -> Worker:
        told = {name: value for name, value in told_by(functions).items() if name != "redis_settings"}
        own = {"redis_pool": arqlite_redis, "burst": True, "handle_signals": False}
        worker = Worker(**{**told, **own, **options})
        workers.append(worker)
        return worker

    yield make
    for worker in workers:
        await worker.close()


@_fixture
async def arqlite_ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    """A ledger in a SQLite file, with its table."""
    from .rows import Ledger

    ledger = await Ledger.open(tmp_path / "arqlite-ledger.db")
    yield ledger
    await ledger.close()


@pytest.fixture
def arqlite_inline() -> Iterator[testing_mode]:
    """Jobs run where they are enqueued; set its `functions` and `ctx` as they need them."""
    from .modes import testing_mode

    with testing_mode("inline") as mode:
        yield mode


@pytest.fixture
def arqlite_manual() -> Iterator[testing_mode]:
    """Jobs are stored, and run by `drain_queue`; for tests where `arqlite_inline` is used by all."""
    from .modes import testing_mode

    with testing_mode("manual") as mode:
        yield mode


@pytest.fixture
def arqlite_clock() -> Iterator[Clock]:
    """A clock that moves the time of fakeredis."""
    from .clock import Clock

    with Clock() as clock:
        yield clock
