"""Settings, the two workers' settings, and what importing starts."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from app.core.config import Settings

ROOT = Path(__file__).resolve().parents[2]


def python(code: str, **environment: str) -> str:
    """Run code in a process of its own, with these settings and no others."""
    names = ("REDIS_URL", "DATABASE_URL", "DATA_DIR", "ARQLITE_HOME")
    inherited = {name: value for name, value in os.environ.items() if name not in names}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=inherited | environment,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_workers_live_in_databases_of_their_own(tmp_path: Path) -> None:
    """The base queue is database 1, the e-mail queue database 2, of the server that is configured."""
    code = (
        "from app.core.worker.base_settings import WorkerSettings as Base\n"
        "from app.core.worker.email_settings import WorkerSettings as Email\n"
        "for each in (Base, Email):\n"
        "    settings = each.redis_settings\n"
        "    names = [getattr(each, 'name', None) or each.__name__ for each in each.functions]\n"
        "    print(settings.host, settings.port, settings.database, *names)"
    )
    told = python(code, REDIS_URL="redis://redis.example:6380/7", DATA_DIR=str(tmp_path))
    assert told.splitlines() == [
        "redis.example 6380 1 sample_task",
        "redis.example 6380 2 send_email send_otp_email run_email_fetch run_email_extraction",
    ]


@pytest.mark.parametrize(
    ("url", "times"),
    [
        ("redis://redis.example/5", 1),
        ("unix:///run/redis.sock?db=5", 1),
        ("redis://redis.example/0", 0),
        ("redis://redis.example", 0),
    ],
)
def test_database_number_of_the_url_is_told_to_be_unused(tmp_path: Path, url: str, times: int) -> None:
    """A REDIS_URL that names a database is warned of once, since the queues have their own."""
    code = (
        "import logging, sys\n"
        "logging.basicConfig(stream=sys.stdout)\n"
        "import app.core.worker.base_settings, app.core.worker.email_settings"
    )
    told = python(code, REDIS_URL=url, DATA_DIR=str(tmp_path))

    assert told.count("REDIS_URL names database 5, which is not used") == times
    assert told.count("WARNING") == times


def test_data_folder_is_private(tmp_path: Path) -> None:
    """The folder with the queues, the ledger and the logs is its owner's, whatever the umask."""
    umask = os.umask(0)
    try:
        folder = Settings(DATA_DIR=tmp_path / "new", DATABASE_URL=None).data_dir
    finally:
        os.umask(umask)

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_importing_models_and_api_starts_no_server(tmp_path: Path) -> None:
    """Tools that import the models, and tests that import the API, find no server started for them."""
    python("import app.models, app.main, app.workers.jobs", DATA_DIR=str(tmp_path))
    assert not list(tmp_path.glob("*.sock"))


@pytest.mark.real
def test_nothing_configured_brings_its_own_server(tmp_path: Path) -> None:
    """Without a REDIS_URL the workers' settings lead to the embedded server of the data folder."""
    code = "from app.core.worker.base_settings import WorkerSettings as W; print(W.redis_settings)"
    told = python(code, DATA_DIR=str(tmp_path))
    assert "valkey.sock" in told
    assert "database=1" in told


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("sqlite:////srv/app.db", "sqlite+aiosqlite:////srv/app.db"),
        ("postgresql://u:p@db/app", "postgresql+asyncpg://u:p@db/app"),
        ("postgres://u:p@db/app", "postgresql+asyncpg://u:p@db/app"),
        ("postgresql+asyncpg://u:p@db/app", "postgresql+asyncpg://u:p@db/app"),
    ],
)
def test_usual_database_urls_are_understood(given: str, used: str) -> None:
    """People write a database's address without its asyncio driver."""
    assert Settings(DATABASE_URL=given).database_url == used


def test_database_is_in_the_data_folder(tmp_path: Path) -> None:
    """Without a DATABASE_URL it is a SQLite file beside the embedded server's data."""
    assert Settings(DATA_DIR=tmp_path, DATABASE_URL=None).database_url.endswith(f"{tmp_path.name}/app.db")


async def test_start_opens_pools_and_tables(
    engine: object, real_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The API's lifespan opens both pools, makes the demo's account, and closes what it opened."""
    from app.core import config, queue
    from app.core.database import AsyncSessionLocal
    from app.main import app
    from app.services.account_service import list_accounts

    monkeypatch.setattr(config, "redis_url", lambda: real_url)
    async with app.router.lifespan_context(app):
        assert queue.base_pool is not None
        assert queue.email_pool is not None
        assert await queue.base_pool.ping()
        databases = [
            pool.connection_pool.connection_kwargs["db"] for pool in (queue.base_pool, queue.email_pool)
        ]
        async with AsyncSessionLocal() as db:
            [account] = await list_accounts(db, user_id=1)

    assert databases == [1, 2]
    assert account.provider == "mailbox"
    assert (queue.base_pool, queue.email_pool) == (None, None)
