"""The commands of the way across, run as people run them."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import redis
from migration_toys import Arq, arq_result

from arqlite import ArqRedis, Job
from arqlite.connections import RedisSettings

MODULE = """
import json
from arqlite.connections import RedisSettings

async def add(ctx, a, b=2):
    return a + b

class Settings:
    functions = [add]
    redis_settings = RedisSettings.from_dsn({url!r})

class Lost(Settings):
    redis_settings = RedisSettings(unix_socket_path="/nowhere/redis.sock", conn_retries=0)

class Bad(Settings):
    max_jobs = 0

read = json.loads
"""


@pytest.fixture
def project(tmp_path: Path, real_url: str) -> Path:
    """A folder with a module of settings."""
    (tmp_path / "newapp.py").write_text(MODULE.format(url=real_url))
    return tmp_path


def arqlite(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "arqlite", *args], cwd=folder, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip


def with_arq(url: str, work: Any) -> Any:
    """Do something with arq's keys in a database."""

    async def run() -> Any:
        settings = RedisSettings.from_dsn(url)
        pool = ArqRedis(unix_socket_path=settings.unix_socket_path, db=settings.database)
        try:
            return await work(Arq(pool))
        finally:
            await pool.aclose(close_connection_pool=True)

    return asyncio.run(run())


@pytest.mark.real
def test_import(project: Path, real_url: str) -> None:
    """Everything is moved: exit 0, and the report says what."""

    async def fill(arq: Arq) -> None:
        await arq.enqueue("a", "add", 1)
        await arq.enqueue("b", "add", 1, defer_ms=60_000)
        await arq.client.set("arq:result:c", arq_result("c", 3), px=60_000)

    with_arq(real_url, fill)

    done = arqlite(project, "import-arq", "newapp.Settings")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "2 jobs moved from arq:queue to arq:queue, 1 of them deferred",
        "        2  add",
        "1 result copied",
    ]
    assert with_arq(real_url, lambda arq: Job("c", arq.client).result()) == 3


@pytest.mark.real
def test_import_that_is_killed(project: Path, real_url: str) -> None:
    """An import that is killed over and over, and run once more, has moved each job once."""
    ids = [f"j{number}" for number in range(2000)]

    async def fill(arq: Arq) -> None:
        for job_id in ids:
            await arq.enqueue(job_id, "add", 1)

    with_arq(real_url, fill)
    left = len(ids)
    with redis.from_url(real_url) as client:
        for _ in range(4):
            command = [sys.executable, "-m", "arqlite", "import-arq", "newapp.Settings"]
            with subprocess.Popen(command, cwd=project, stdout=subprocess.DEVNULL) as process:
                while client.zcard("arq:queue") == left and process.poll() is None:
                    pass  # it has not begun
                process.kill()
            left = client.zcard("arq:queue")
        assert left > 0, "it was never killed in its midst"

        done = arqlite(project, "import-arq", "newapp.Settings")

        records = client.hgetall("aq:{arq:queue}:jobs")
        assert done.returncode == 0
        assert sorted(key.decode() for key in records) == sorted(ids)
        assert client.zcard("aq:{arq:queue}:ready") == len(ids)
        assert client.keys("arq:*") + client.keys("aq:import:*") == []


@pytest.mark.real
def test_import_that_leaves_something(project: Path, real_url: str) -> None:
    """Something stays: exit 3, and the reasons are told, also to programs."""

    async def fill(arq: Arq) -> None:
        await arq.enqueue("a", "add", running=True)
        await arq.enqueue("b", "nobody")
        await arq.enqueue("c", "add", (1, 2))

    with_arq(real_url, fill)

    plain = arqlite(project, "import-arq", "newapp.Settings", "-o", "json")
    told = arqlite(project, "import-arq", "newapp.Settings")

    assert (told.returncode, plain.returncode) == (3, 3)
    assert "1  a worker of arq runs it (a)" in told.stdout
    assert "1  nobody: the settings have no function 'nobody' (b)" in told.stdout
    report = json.loads(plain.stdout)
    assert (report["moved"], report["complete"], report["functions"]) == (1, False, {"add": 1})
    assert report["changes"] == {"add": {"tuple -> list": 1}}
    assert sorted(left["job_id"] for left in report["left"]) == ["a", "b"]


@pytest.mark.real
def test_import_from_elsewhere(project: Path, real_url: str) -> None:
    """The source may be another database, its queue may have another name and its own deserializer."""
    elsewhere = real_url.replace("db=1", "db=2").replace("/1", "/2")
    assert elsewhere != real_url

    async def fill(arq: Arq) -> None:
        await Arq(arq.client, "mail").enqueue(
            "a", "add", 1, write=lambda envelope: json.dumps(envelope).encode()
        )

    with_arq(elsewhere, fill)

    done = arqlite(
        project, "import-arq", "newapp.Settings", "--from", elsewhere, "--queue", "mail",
        "--deserializer", "newapp.read", "--force",
    )  # fmt: skip

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("1 job moved from mail to arq:queue")


@pytest.mark.real
def test_dry_run(project: Path, real_url: str) -> None:
    """A dry run says what would be, and the import after it still has all to do."""
    with_arq(real_url, lambda arq: arq.enqueue("a", "add", (1, 2)))

    done = arqlite(project, "import-arq", "newapp.Settings", "--dry-run")

    assert done.returncode == 0
    assert "1 job would be moved from arq:queue to arq:queue" in done.stdout
    assert "  add: tuple -> list (1)" in done.stdout
    assert "1 job moved" in arqlite(project, "import-arq", "newapp.Settings").stdout


@pytest.mark.real
@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["newapp.Nothing"], 2, 'does not define a "Nothing" attribute'),
        (["newapp.Settings", "--wait", "--force"], 2, "give one"),
        (["newapp.Settings", "--from", "http://x"], 2, "--from: invalid DSN scheme"),
        (["newapp.Settings", "--deserializer", "newapp.MISSING"], 2, "does not define"),
        (["newapp.Settings", "--deserializer", "newapp.__name__"], 2, "must name a function, got 'newapp'"),
        (["newapp.Bad"], 1, "max_jobs must be"),
        (["newapp.Lost"], 1, "Redis cannot be reached"),
        (
            ["newapp.Settings", "--from", "unix:///nowhere/r.sock?conn_retries=0"],
            1,
            "Redis cannot be reached",
        ),
    ],
)
def test_mistakes_are_told_in_words(project: Path, args: list[str], code: int, words: str) -> None:
    """What cannot work ends in one line, not in a traceback."""
    done = arqlite(project, "import-arq", *args)

    assert done.returncode == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_doctor(tmp_path: Path) -> None:
    """The doctor tells file, line, reason and fix, and ends with 1 when something differs."""
    (tmp_path / "app.py").write_text('\nredis.zcard("arq:queue")\n')

    told = arqlite(tmp_path, "doctor", "--from-arq", ".")
    plain = arqlite(tmp_path, "doctor", "--from-arq", ".", "-o", "json")

    assert (told.returncode, plain.returncode) == (1, 1)
    assert told.stdout.splitlines()[0] == "app.py:2: differs: zcard on the queue 'arq:queue'"
    assert told.stdout.splitlines()[-1] == ".: 1 differs"
    [finding] = json.loads(plain.stdout)
    assert (finding["path"], finding["line"], finding["level"]) == ("app.py", 2, "differs")


def test_doctor_finds_nothing(tmp_path: Path) -> None:
    """An application that needs no change ends with 0."""
    (tmp_path / "app.py").write_text("import arqlite\n")

    done = arqlite(tmp_path, "doctor", "--from-arq", ".")

    assert (done.returncode, done.stdout) == (0, ".: nothing found that differs\n")


def test_doctor_alone_says_what_it_can(tmp_path: Path) -> None:
    """Without an option the doctor shows its help; a path that is not there is a usage error."""
    alone = arqlite(tmp_path, "doctor")
    lost = arqlite(tmp_path, "doctor", "--from-arq", "nowhere")

    assert (alone.returncode, "--from-arq PATH" in alone.stdout) == (0, True)
    assert lost.returncode == 2
