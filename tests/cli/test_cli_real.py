"""The operators' commands on what is real: a worker, a server, and rows in SQLite."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cli_ops_toys import PATIENCE_S, Terminal, terminal, worker_at_work
from click.testing import CliRunner, Result

from arqlite.cli import cli

pytestmark = pytest.mark.real

MODULE = """
import asyncio
from pathlib import Path
from arqlite import cron
from arqlite.connections import RedisSettings

HERE = Path(__file__).parent

async def send_mail(ctx, to: str, password: str = ""):
    return f"sent to {{to}}"

async def fail(ctx, number: int):
    if not (HERE / "mended").exists():
        raise ValueError(f"no such address {{number}}")
    return number

async def gate(ctx):
    while not (HERE / "open").exists():
        await asyncio.sleep(0.01)

class Settings:
    functions = [send_mail, fail, gate]
    queue_name = "mail"
    redis_settings = RedisSettings.from_dsn({url!r})
    ledger = "sqlite:///" + str(HERE / "jobs.db")
    cron_jobs = [cron(send_mail, name="nightly", crontab="30 3 * * *", kwargs={{"to": "all"}})]
"""


class Shop:
    """A project, and commands about its queue, in this process: of the worker's alone there is one more."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *args: str) -> Result:
        return CliRunner().invoke(cli, args, prog_name="arqlite", env={"ARQLITE_SETTINGS": "toyapp.Settings"})

    def jobs(self, *words: str, count: int) -> list[Any]:
        """The jobs that are meant once there are so many: rows come a moment behind what Redis says."""
        deadline = time.monotonic() + PATIENCE_S
        while len(found := json.loads(self.run("jobs", *words, "-o", "json").stdout)["jobs"]) < count:
            assert time.monotonic() < deadline, found
        return list(found)

    @contextmanager
    def terminal(self, *args: str) -> Iterator[Terminal]:
        with terminal(self.folder, *args, fake=False, ARQLITE_SETTINGS="toyapp.Settings") as shell:
            yield shell

    def json(self, *args: str, code: int = 0) -> Any:
        done = self.run(*args, "-o", "json")
        assert done.exit_code == code, done.stdout + done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def shop(tmp_path: Path, real_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    (tmp_path / "toyapp.py").write_text(MODULE.format(url=real_url))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    shop = Shop(tmp_path)
    assert shop.run("db", "upgrade", "toyapp.Settings").exit_code == 0
    yield shop
    sys.modules.pop("toyapp", None)


@pytest.fixture
def worker(shop: Shop, real_url: str) -> Iterator[int]:
    """The pid of a worker that is at work."""
    with worker_at_work(shop.folder, real_url, "mail") as pid:
        yield pid


@pytest.mark.usefixtures("worker")
def test_failures_are_found_and_retried(shop: Shop) -> None:
    """Failed jobs are listed, told in full, grouped, and run again with one command."""
    for number in ("1", "2"):
        done = shop.run("enqueue", "fail", number, "--id", f"f{number}", "--wait")
        assert done.exit_code == 1
    shop.run("enqueue", "send_mail", "ada", "--kwarg", "password=hunter2", "--id", "m1", "--wait")

    failed = shop.jobs("state:discarded", count=2)
    assert [job["id"] for job in failed] == ["f2", "f1"]
    [group] = shop.json("errors")["groups"]
    assert (group["function"], group["error_type"], group["count"]) == ("fail", "ValueError", 2)
    detail = shop.run("job", "f1").stdout
    assert "ValueError: no such address 1" in detail
    assert "hunter2" not in shop.run("job", "m1").stdout + shop.run("jobs").stdout

    (shop.folder / "mended").touch()
    done = shop.run("retry", "function:fail", "--yes")
    assert (done.exit_code, done.stdout) == (0, "retried 2 jobs\n")
    with shop.terminal("jobs", "state:completed", "--watch") as shell:
        shell.wait_for("f1")
        shell.wait_for("f2")
        shell.type("q")
        assert shell.ended() == 0


@pytest.mark.usefixtures("worker")
def test_job_that_runs_on_is_not_told_as_cancelled(shop: Shop) -> None:
    """By default a worker lets a running job run on: that is said, and the command fails."""
    shop.run("enqueue", "gate", "--id", "s1")
    shop.jobs("state:executing", count=1)

    done = shop.run("cancel", "s1", "--yes")

    assert (done.exit_code, done.stdout) == (
        1,
        "asked the worker of 1 job that runs to cancel it: it runs still\n",
    )
    assert "1 job (s1) runs on: a worker with allow_abort_jobs=False" in done.stderr


def test_waiting_jobs_are_cancelled_and_deleted(shop: Shop) -> None:
    """Jobs that wait are cancelled, then deleted; after that nothing is there for it."""
    for number in range(3):
        shop.run("enqueue", "send_mail", "ada", "--id", f"m{number}", "--in", "1h")

    assert shop.run("cancel", "function:send_mail", "--yes").stdout == "cancelled 3 jobs\n"
    assert shop.run("delete", "function:send_mail", "--yes").stdout == "deleted 3 jobs\n"
    assert shop.run("cancel", "function:send_mail", "--yes").exit_code == 3


@pytest.mark.usefixtures("worker")
def test_queue_is_paused_and_resumed(shop: Shop) -> None:
    """A paused queue keeps its jobs until it is resumed; its limit is what was said."""
    assert shop.run("pause", "mail").exit_code == 0
    shop.run("scale", "mail=3", "--global", "5")
    shop.run("enqueue", "send_mail", "ada", "--id", "m1")

    [queue] = shop.json("queues")
    assert (queue["is_paused"], queue["available"], queue["limit"]) == (True, 1, 3)
    assert queue["global_limit"]["allowed"] == 5

    assert shop.run("resume", "mail").exit_code == 0
    done = shop.run("enqueue", "send_mail", "bob", "--wait")
    assert (done.exit_code, done.stdout) == (0, "sent to bob\n")


@pytest.mark.usefixtures("worker")
def test_drain_waits_for_what_runs(shop: Shop) -> None:
    """A drain that is too short names the job that runs, and one that is not waits for it."""
    shop.run("enqueue", "gate", "--id", "g1")
    with shop.terminal("top") as shell:
        shell.wait_for("g1")
        shell.type("q")
        assert shell.ended() == 0

    done = shop.run("drain", "mail", "--timeout", "200ms")
    assert (done.exit_code, done.stdout) == (1, "runs still mail: g1\n")
    (shop.folder / "open").touch()
    assert shop.run("drain", "mail").stdout == "drained mail\n"


def test_worker_and_cron_jobs_are_told(shop: Shop, worker: int) -> None:
    """The worker that runs is listed, and so are its cron jobs, one of which is run by hand."""
    with shop.terminal("cron", "--next", "2") as shell:
        code = shell.ended()
    assert (code, "nightly" in shell.plain) == (0, True)
    assert [told["pid"] for told in shop.json("workers")] == [worker]

    job_id = shop.run("cron", "run", "nightly").stdout.strip()
    [job] = shop.jobs(f"id:{job_id}", count=1)  # cron jobs keep no results: Redis has forgotten it
    assert job["function"] == "nightly"
    assert shop.run("cron", "pause", "nightly").stdout == "paused nightly\n"
    assert shop.json("cron")[0]["is_paused"] is True


@pytest.mark.usefixtures("worker")
def test_doctor_finds_the_server_that_keeps_nothing(shop: Shop) -> None:
    """The doctor looks at what is there; what is a warning fails in production only."""
    deadline = time.monotonic() + PATIENCE_S
    while not any(worker["leads"] for worker in shop.json("workers")):
        assert time.monotonic() < deadline, "nobody leads"
    told = shop.json("doctor")
    assert [server["error"] for server in told["servers"] + told["ledgers"]] == ["", ""]

    found = {trouble["code"]: trouble["severity"] for trouble in told["troubles"]}
    assert "error" not in found.values()
    assert found["short-grace"] == "info"

    strict = json.loads(shop.run("doctor", "--production", "-o", "json").stdout)
    found = {trouble["code"]: trouble["severity"] for trouble in strict["troubles"]}
    assert found["short-grace"] == "warning"
    assert shop.run("doctor", "--production").exit_code == 1


def test_queue_without_a_worker(shop: Shop) -> None:
    """A job that nobody runs is an error to the doctor, and no worker is there to be listed."""
    shop.run("enqueue", "send_mail", "ada")

    done = shop.run("doctor")
    assert done.exit_code == 1
    assert "no worker" in done.stdout
    assert shop.run("workers").exit_code == 3
