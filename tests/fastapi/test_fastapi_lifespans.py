"""`lifespan`: what is open while an application runs, and closed afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import fastapi_toys as toys
import pytest
from fastapi import FastAPI
from redis.exceptions import ConnectionError as RedisConnectionError
from sqlite_threads import sqlite_threads_end  # noqa: F401 (a fixture)

from arqlite import ArqRedis, RedisSettings
from arqlite.errors import ConfigurationError, LedgerError
from arqlite.fastapi import OpenQueues, lifespan, open_queues
from arqlite.ledger import Ledger


def settings_of(url: str, **more: Any) -> dict[str, Any]:
    return {"functions": toys.FUNCTIONS, "redis_settings": RedisSettings.from_dsn(url), **more}


async def test_pools_are_opened_and_closed(real_url: str) -> None:
    """Each of the settings has its pool, to its own queue; afterwards the application has none."""
    app = FastAPI(lifespan=lifespan(settings_of(real_url), settings_of(real_url, queue_name="mail")))

    async with app.router.lifespan_context(app):
        queues: OpenQueues = app.state.arqlite
        names = {key: pool.default_queue_name for key, pool in queues.pools.items()}
        assert await queues.pool("mail").ping()

    assert names == {"arq:queue": "arq:queue", "mail": "mail"}
    assert not hasattr(app.state, "arqlite")


async def test_given_pool_stays_open(arq_redis: ArqRedis) -> None:
    """A pool that was given is its owner's to close."""
    app = FastAPI(lifespan=lifespan(arq_redis))

    async with app.router.lifespan_context(app):
        assert app.state.arqlite.pool() is arq_redis

    assert await arq_redis.ping()


@pytest.mark.real
async def test_redis_settings_are_enough(real_url: str) -> None:
    """Who only enqueues has no settings of a worker, and gives Redis' own."""
    app = FastAPI(lifespan=lifespan(RedisSettings.from_dsn(real_url)))

    async with app.router.lifespan_context(app):
        assert app.state.arqlite.pool().default_queue_name == "arq:queue"


@pytest.mark.real
async def test_settings_are_imported_at_the_start(
    real_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dotted path names settings that are imported when the application starts, and not before."""
    monkeypatch.syspath_prepend(tmp_path)
    app = FastAPI(lifespan=lifespan("late_kit_settings.WorkerSettings"))
    (tmp_path / "late_kit_settings.py").write_text(
        "from arqlite import RedisSettings\n"
        "class WorkerSettings:\n"
        "    functions = [len]\n    queue_name = 'late'\n"
        f"    redis_settings = RedisSettings.from_dsn({real_url!r})\n"
    )

    async with app.router.lifespan_context(app):
        assert list(app.state.arqlite.pools) == ["late"]


async def test_path_that_names_nothing_is_told() -> None:
    """A dotted path that leads nowhere stops the start, in words."""
    app = FastAPI(lifespan=lifespan("no_such_module.WorkerSettings"))

    with pytest.raises(ConfigurationError, match=r"'no_such_module\.WorkerSettings' cannot be imported"):
        async with app.router.lifespan_context(app):
            pass


async def test_redis_that_nobody_named_is_told_with_the_dev_that_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beneath the traceback of a start without Redis stands what to start."""
    for name in ("ARQLITE_REDIS_URL", "ARQLITE_LEDGER_URL", "ARQLITE_ENV"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ARQLITE_HOME", str(tmp_path))
    nowhere = RedisSettings(unix_socket_path="/nowhere/redis.sock", conn_retries=0)
    monkeypatch.setattr("arqlite.connections.default_redis_settings", lambda: nowhere)

    with pytest.raises(RedisConnectionError) as told:
        async with open_queues(FastAPI(), {"functions": toys.FUNCTIONS}):
            pass

    assert "no `arqlite dev` runs in this project" in told.value.__notes__[0]


@pytest.mark.parametrize("start", [lifespan(), lambda app: open_queues(app)])
async def test_application_without_queues_is_told(start: Any) -> None:
    """Who forgets to name the queues reads what to write, and nothing of a console."""
    with pytest.raises(ConfigurationError, match=r"lifespan\(WorkerSettings\)"):
        async with start(FastAPI()):
            pass


async def test_unknown_queue_is_told_with_the_nearest(arq_redis: ArqRedis) -> None:
    """Who asks for the pool of a queue that is not there is told which is meant."""
    async with open_queues(FastAPI(), arq_redis) as queues:
        with pytest.raises(ConfigurationError, match=r"no queue 'arq:queu'; did you mean 'arq:queue'\?"):
            queues.pool("arq:queu")


@pytest.mark.parametrize("is_decorated", [False, True])
async def test_own_lifespan_is_around(arq_redis: ArqRedis, is_decorated: bool) -> None:
    """A lifespan of one's own begins first and ends last, and its state is the application's."""
    told: list[str] = []

    async def own(app: FastAPI) -> AsyncIterator[dict[str, str]]:
        told.append(f"begins {hasattr(app.state, 'arqlite')}")
        yield {"greeting": "hello"}
        told.append(f"ends {hasattr(app.state, 'arqlite')}")

    compose: Any = asynccontextmanager(own) if is_decorated else own
    app = FastAPI(lifespan=lifespan(arq_redis, compose=compose))

    async with app.router.lifespan_context(app) as state:
        told.append("runs")

    assert state == {"greeting": "hello"}
    assert told == ["begins False", "runs", "ends False"]


@pytest.mark.real
async def test_embedded_worker_runs_jobs(real_url: str) -> None:
    """With `embed_worker` jobs are run in this very process, until the application ends."""
    app = FastAPI(lifespan=lifespan(settings_of(real_url), embed_worker=True))

    async with app.router.lifespan_context(app):
        pool = app.state.arqlite.pool()
        job = await pool.enqueue(toys.double, 21)
        result = await job.result(timeout=10)

    assert result == 42


async def test_pool_cannot_be_worked_on(arq_redis: ArqRedis) -> None:
    """A pool has no functions, so that no worker can be made of it; that is told."""
    app = FastAPI(lifespan=lifespan(arq_redis, embed_worker=True))

    with pytest.raises(ConfigurationError, match="a pool has none"):
        async with app.router.lifespan_context(app):
            pass


@pytest.mark.real
async def test_failure_of_the_embedded_worker_is_logged(
    real_url: str, caplog: pytest.LogCaptureFixture, eventually: Any
) -> None:
    """An embedded worker that fails takes no application along, and is told in the log."""

    async def fail(ctx: dict[str, Any]) -> None:
        raise RuntimeError("no printer")

    app = FastAPI(lifespan=lifespan(settings_of(real_url, on_startup=fail), embed_worker=True))

    with caplog.at_level(logging.ERROR, "arqlite.fastapi"):
        async with app.router.lifespan_context(app):
            await eventually(lambda: "jobs are enqueued, not run" in caplog.text)

    assert "no printer" in caplog.text


async def test_tables_are_made_before_the_first_request(
    real_url: str,
    tmp_path: Path,
    sqlite_threads_end: Any,  # noqa: F811
) -> None:
    """No worker has to start first for a request to have its row, and two applications may begin at once."""
    url = f"sqlite:///{tmp_path}/jobs.db"
    apps = [FastAPI(lifespan=lifespan(settings_of(real_url, ledger=Ledger(url)))) for _ in range(2)]

    async def enqueued(app: FastAPI) -> str:
        async with app.router.lifespan_context(app):
            pool = app.state.arqlite.pool()
            async with pool.ledger.sessions() as session, session.begin():
                job = await pool.options(session=session).enqueue(toys.double, 1)
        return str(job.job_id)

    made = await asyncio.gather(*map(enqueued, apps))

    ledger = Ledger(url)
    assert {row.id for row in (await ledger.jobs()).items} == set(made)
    await ledger.aclose()


async def test_tables_of_a_deployment_are_left_alone(
    real_url: str,
    tmp_path: Path,
    sqlite_threads_end: Any,  # noqa: F811
) -> None:
    """With `upgrade=False` an application changes no tables."""
    ledger = Ledger(f"sqlite:///{tmp_path}/jobs.db", upgrade=False)
    app = FastAPI(lifespan=lifespan(settings_of(real_url, ledger=ledger)))

    async with app.router.lifespan_context(app):
        with pytest.raises(LedgerError, match="missing"):
            await ledger.check()


async def test_tables_are_made_when_the_database_is_back(
    real_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    eventually: Any,
    sqlite_threads_end: Any,  # noqa: F811
) -> None:
    """A database that is away at the start keeps no application from starting."""
    monkeypatch.setattr("arqlite.fastapi.tables._START_PATIENCE_S", 0.05)
    ledger = Ledger(f"sqlite:///{tmp_path}/later/jobs.db")
    app = FastAPI(lifespan=lifespan(settings_of(real_url, ledger=ledger)))

    async def is_usable() -> bool:
        with contextlib.suppress(LedgerError):
            await ledger.check()
            return True
        return False

    async with app.router.lifespan_context(app):
        assert await app.state.arqlite.pool().ping()
        (tmp_path / "later").mkdir()
        await eventually(is_usable)


@pytest.mark.real
async def test_session_of_a_request(real_url: str, tmp_path: Path, sqlite_threads_end: Any) -> None:  # noqa: F811
    """A job that is enqueued in a session is told of from its row; a ledger of a URL is closed at the end."""
    ledger = Ledger(f"sqlite:///{tmp_path}/jobs.db")
    app = toys.application(settings_of(real_url, ledger=ledger))

    async with app.router.lifespan_context(app):
        pool = app.state.arqlite.pool()
        async with ledger.sessions() as session, session.begin():
            job = await pool.options(session=session).enqueue(toys.double, 1)
        from arqlite.fastapi.status import status_of

        await pool.flushall()
        told = await status_of(pool, job.job_id, shows_errors=True)

    assert told is not None
    assert (told.function, told.state) == ("double", "available")
