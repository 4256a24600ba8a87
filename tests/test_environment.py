"""The variables that say where Redis and the ledger are, for all that is told nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest
from worker_toys import Ctx

from arqlite import Worker
from arqlite.connections import RedisSettings, create_pool
from arqlite.console.places import places_of
from arqlite.ledger import Ledger
from arqlite.worker import create_worker


async def ok(ctx: Ctx) -> None: ...


class Plain:
    functions: ClassVar = [ok]


class Told(Plain):
    redis_settings = RedisSettings(host="told")
    ledger = Ledger("sqlite:///told.db")


class Without(Plain):
    ledger = None


@pytest.fixture(autouse=True)
def _variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ARQLITE_REDIS_URL", "redis://ada:secret@cache.example:6380/3")
    monkeypatch.setenv("ARQLITE_LEDGER_URL", f"sqlite:///{tmp_path}/jobs.db")


def test_worker_goes_by_the_variables() -> None:
    """Settings that say neither where Redis nor where the ledger is have those of the environment."""
    worker = create_worker(Plain)

    assert worker.redis_settings == RedisSettings(
        host="cache.example", port=6380, database=3, username="ada", password="secret"
    )
    assert worker.options.ledger.url.database.endswith("/jobs.db")


def test_settings_win() -> None:
    """What settings say counts, also that there is no ledger."""
    told = create_worker(Told)

    assert told.redis_settings == RedisSettings(host="told")
    assert told.options.ledger is Told.ledger
    assert create_worker(Without).options.ledger is None
    assert create_worker(Plain, ledger=None).options.ledger is None


def test_console_goes_by_the_variables() -> None:
    """Who looks at queues looks where their workers work."""
    [place] = places_of([Plain])

    assert place.server == "cache.example:6380/3"
    assert place.ledger is not None
    assert str(place.ledger.url.database).endswith("/jobs.db")


@pytest.mark.real
async def test_pool_goes_by_the_variable(monkeypatch: pytest.MonkeyPatch, real_url: str) -> None:
    """`create_pool()` connects to where the variable says."""
    monkeypatch.setenv("ARQLITE_REDIS_URL", real_url)

    pool = await create_pool()

    assert pool.connection_pool.connection_kwargs["path"] == RedisSettings.from_dsn(real_url).unix_socket_path
    await pool.aclose(close_connection_pool=True)


@pytest.mark.parametrize("given", [None, ""])
def test_without_the_variable_redis_is_here(monkeypatch: pytest.MonkeyPatch, given: Any) -> None:
    """Unset or empty, as Compose leaves it, the variable means localhost."""
    monkeypatch.delenv("ARQLITE_REDIS_URL")
    if given is not None:
        monkeypatch.setenv("ARQLITE_REDIS_URL", given)

    assert Worker([ok]).redis_settings == RedisSettings()
