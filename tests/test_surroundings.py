"""What settings leave open: the environment says it, or the `arqlite dev` of the project."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from arqlite import ArqRedis, RedisSettings, Worker, create_pool
from arqlite.connections import default_redis_settings
from arqlite.console.places import places_of
from arqlite.errors import ConfigurationError
from arqlite.settings import with_default_ledger
from arqlite.surroundings import DevSession, held, ledger_url, redis_url
from arqlite.worker import create_worker


async def job(ctx: dict[str, Any]) -> None: ...


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of its own, in an environment that says nothing."""
    for name in ("ARQLITE_REDIS_URL", "ARQLITE_LEDGER_URL", "ARQLITE_ENV"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ARQLITE_HOME", str(tmp_path))
    return tmp_path


SESSION = DevSession(os.getpid(), "redis://dev:1/3", "sqlite:///dev.db", "http://127.0.0.1:8484")


def test_nothing_is_said() -> None:
    """Without an environment Redis is where arq looks, and there is no ledger."""
    assert (redis_url(), ledger_url()) == (None, None)
    assert default_redis_settings() == RedisSettings()


def test_environment_says_where_redis_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker whose settings name no Redis has that of `ARQLITE_REDIS_URL`; another has its own."""
    monkeypatch.setenv("ARQLITE_REDIS_URL", "redis://there:7000/2")

    assert Worker([job]).redis_settings == RedisSettings(host="there", port=7000, database=2)
    assert Worker([job], redis_settings=RedisSettings(port=1)).redis_settings == RedisSettings(port=1)
    assert [place.server for place in places_of([{"functions": [job]}])] == ["there:7000/2"]


async def test_dev_that_has_ended_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who names no Redis, and has had an `arqlite dev`, is told beneath the error what to start."""
    nowhere = RedisSettings(unix_socket_path="/nowhere/redis.sock", conn_retries=0)
    monkeypatch.setattr("arqlite.connections.default_redis_settings", lambda: nowhere)
    with pytest.raises(RedisConnectionError) as unnamed:
        await create_pool()
    with pytest.raises(RedisConnectionError) as named:
        await create_pool(nowhere)

    hint = "no `arqlite dev` runs in this project: start it, or set ARQLITE_REDIS_URL"
    assert unnamed.value.__notes__ == [hint]
    assert not hasattr(named.value, "__notes__")


@pytest.mark.parametrize("is_production", [True, False])
async def test_project_without_dev_has_no_note(
    home: Path, monkeypatch: pytest.MonkeyPatch, is_production: bool
) -> None:
    """In production, and where no `arqlite dev` has ever run, none is to be started."""
    if is_production:
        monkeypatch.setenv("ARQLITE_ENV", "production")
    else:
        monkeypatch.setenv("ARQLITE_HOME", str(home / "none"))
    nowhere = RedisSettings(unix_socket_path="/nowhere/redis.sock", conn_retries=0)
    monkeypatch.setattr("arqlite.connections.default_redis_settings", lambda: nowhere)

    with pytest.raises(RedisConnectionError) as told:
        await create_pool()

    assert not hasattr(told.value, "__notes__")


def test_variable_that_is_no_url_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that cannot be used is named."""
    monkeypatch.setenv("ARQLITE_REDIS_URL", "localhost:6379")

    with pytest.raises(ConfigurationError, match="ARQLITE_REDIS_URL must be a URL"):
        default_redis_settings()


def test_environment_says_where_the_ledger_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings that say nothing of a ledger have that of `ARQLITE_LEDGER_URL`, for workers and consoles."""
    monkeypatch.setenv("ARQLITE_LEDGER_URL", "sqlite:///there.db")

    made = create_worker({"functions": [job]}).options.ledger
    [place] = places_of([{"functions": [job]}])

    assert (made.url.database, place.ledger is not None) == ("there.db", True)


def test_said_is_said(monkeypatch: pytest.MonkeyPatch, arq_redis: ArqRedis) -> None:
    """`ledger = None` is no ledger, and who gives a pool has wired it as it is meant."""
    monkeypatch.setenv("ARQLITE_LEDGER_URL", "sqlite:///there.db")

    assert with_default_ledger({"ledger": None}) == {"ledger": None}
    assert with_default_ledger({"redis_pool": arq_redis}) == {"redis_pool": arq_redis}


def test_session_is_found_while_it_runs(home: Path) -> None:
    """What an `arqlite dev` tells holds while it runs, and no longer."""
    with held() as is_held, SESSION.told(home):
        assert is_held
        assert DevSession.find() == SESSION
        assert (home / "dev.json").stat().st_mode & 0o077 == 0  # a URL may have a password
        assert (redis_url(), ledger_url()) == ("redis://dev:1/3", "sqlite:///dev.db")

    assert DevSession.find() is None
    assert not (home / "dev.json").exists()


def test_environment_wins_over_a_session(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that is set is meant."""
    monkeypatch.setenv("ARQLITE_REDIS_URL", "redis://there")
    monkeypatch.setenv("ARQLITE_LEDGER_URL", "sqlite:///there.db")

    with held(), SESSION.told(home):
        assert (redis_url(), ledger_url()) == ("redis://there", "sqlite:///there.db")


def test_session_that_was_killed_is_none(home: Path) -> None:
    """What is left of one that was killed is not believed: nobody holds its lock."""
    (home / "dev.json").write_text(json.dumps({"pid": 1, "redis_url": "redis://gone"}))
    with held():
        pass

    assert redis_url() is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"pid": 1, "colour": "red"}'])
def test_file_that_is_none_is_not_believed(home: Path, text: str) -> None:
    """A file that is half written, or of another version, is as good as none."""
    (home / "dev.json").write_text(text)

    with held():
        assert DevSession.find() is None


def test_session_is_nothing_in_production(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In production only the environment counts."""
    monkeypatch.setenv("ARQLITE_ENV", "production")

    with held(), SESSION.told(home):
        assert redis_url() is None


def _make_link(home: Path) -> None:
    (home / "dev.json").rename(home / "real.json")
    (home / "dev.json").symlink_to(home / "real.json")


def _make_pipe(home: Path) -> None:
    (home / "dev.json").unlink()
    os.mkfifo(home / "dev.json", 0o600)


@pytest.mark.parametrize(
    "tamper",
    [
        lambda home: home.chmod(0o777),
        lambda home: (home / "dev.json").chmod(0o666),
        _make_link,
        _make_pipe,
    ],
    ids=["folder of all", "file of all", "link", "pipe"],
)
def test_what_others_may_write_is_not_believed(home: Path, tamper: Callable[[Path], None]) -> None:
    """A session that another user could have written leads nobody to his Redis."""
    with held(), SESSION.told(home):
        assert redis_url() is not None
        tamper(home)

        assert (redis_url(), ledger_url()) == (None, None)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
@pytest.mark.parametrize("name", ["", "dev.json"])
def test_session_of_another_user_is_not_believed(
    home: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A folder or file of another user is passed over, which is said once."""
    with held(), SESSION.told(home), caplog.at_level(logging.WARNING, "arqlite.surroundings"):
        os.chown(home / name, 12345, -1)

        assert (redis_url(), ledger_url()) == (None, None)

    assert [record.getMessage() for record in caplog.records] == [
        f"the arqlite dev of this project is not believed: {home / name} is another user's"
    ]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_folder_that_another_user_links_to_is_not_believed(
    home: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link of another user does not lead to the session of another project of ours."""
    project = tmp_path_factory.mktemp("theirs")
    (project / ".git").mkdir()
    (project / ".arqlite").symlink_to(home)
    os.lchown(project / ".arqlite", 12345, -1)
    with held(), SESSION.told(home):
        monkeypatch.delenv("ARQLITE_HOME")
        monkeypatch.chdir(project)

        assert DevSession.find() is None


def test_looking_makes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who only looks leaves no folder behind."""
    monkeypatch.setenv("ARQLITE_HOME", str(tmp_path / "none"))

    assert redis_url() is None
    assert not (tmp_path / "none").exists()


def test_second_session_is_refused(home: Path) -> None:
    """A folder has one `arqlite dev`."""
    with held() as first, held() as second:
        assert (first, second) == (True, False)
