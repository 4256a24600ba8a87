"""`arqlite enqueue`: a job from the shell, run by a real worker."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_ops_toys import run, terminal, worker_at_work

pytestmark = pytest.mark.real

MODULE = """
import asyncio
from arqlite import report_progress, task
from arqlite.connections import RedisSettings

async def send_mail(ctx, to: str, subject: str = "hello", copies: int = 1):
    return f"{{to!r}} {{subject!r}} {{copies!r}}"

async def count(ctx, to):
    for number in range(to):
        report_progress(number + 1, total=to, message=f"page {{number + 1}}")
        await asyncio.sleep(0.2)
    return {{"pages": to}}

async def login(ctx):
    return {{"user": "ada", "token": "t0p"}}

async def fail(ctx):
    raise ValueError("no such address")

async def slow(ctx):
    raise TimeoutError("the other side")

async def hang(ctx):
    await asyncio.Event().wait()

class Settings:
    functions = [send_mail, count, login, fail, slow, hang]
    queue_name = "mail"
    redis_settings = RedisSettings.from_dsn({url!r})

class Other(Settings):
    queue_name = "other"

class Away:
    functions = [send_mail]
    redis_settings = RedisSettings(unix_socket_path="/nowhere/redis.sock", conn_retries=0)
"""


@pytest.fixture
def project(tmp_path: Path, real_url: str) -> Path:
    (tmp_path / "toyapp.py").write_text(MODULE.format(url=real_url))
    return tmp_path


@pytest.fixture
def worker(project: Path, real_url: str) -> Iterator[None]:
    """A worker in a process of its own."""
    with worker_at_work(project, real_url, "mail"):
        yield


def enqueue(project: Path, *args: str) -> subprocess.CompletedProcess[str]:
    return run(project, "enqueue", "toyapp.Settings", *args, fake=False)


def test_id_is_told(project: Path) -> None:
    """A job is enqueued without a worker, which is said, and its id is all that is on stdout."""
    done = enqueue(project, "send_mail", "ada", "--id", "mine", "--in", "2h", "--tag", "vip")

    assert (done.returncode, done.stdout) == (0, "mine\n")
    assert done.stderr == "no worker of queue mail is alive: the job waits until one starts\n"


@pytest.mark.usefixtures("worker")
def test_worker_that_is_alive_is_not_told(project: Path) -> None:
    """Where a worker is alive the id of the job is all that is said."""
    done = enqueue(project, "send_mail", "ada", "--id", "mine")

    assert (done.returncode, done.stdout, done.stderr) == (0, "mine\n", "")


def test_id_that_is_taken(project: Path) -> None:
    """An id that another job has is told; nothing is enqueued."""
    enqueue(project, "send_mail", "ada", "--id", "mine")
    done = enqueue(project, "send_mail", "bob", "--id", "mine")

    assert (done.returncode, done.stdout) == (0, "mine\n")
    assert done.stderr == "it was there already: nothing was enqueued\n"


@pytest.mark.usefixtures("worker")
def test_result_is_waited_for(project: Path) -> None:
    """With `--wait` the result is on stdout; a number is a text where the function wants one."""
    done = enqueue(project, "send_mail", "42", "--kwarg", "copies=3", "--json", '{"subject": "hi"}', "--wait")

    assert (done.returncode, done.stdout) == (0, "'42' 'hi' 3\n")
    assert done.stderr == ""


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("-5", "-.5", "-2"), "'-5' '-.5' -2\n"),
        (("--", "-5", "-x"), "'-5' '-x' 1\n"),
        (("ada", "--kwarg", "copies=-5", "hi"), "'ada' 'hi' -5\n"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_negative_numbers_are_values(project: Path, words: tuple[str, ...], told: str) -> None:
    """What begins with a dash and a digit is an argument and no option."""
    done = enqueue(project, "send_mail", "--wait", *words)

    assert (done.returncode, done.stdout) == (0, told)


@pytest.mark.usefixtures("worker")
def test_result_as_json(project: Path) -> None:
    """With `-o json` the job is told with its result."""
    done = enqueue(project, "count", "1", "--wait", "-o", "json")

    told = json.loads(done.stdout)
    assert (told["function"], told["queue"], told["state"]) == ("count", "mail", "completed")
    assert told["result"] == {"pages": 1}


@pytest.mark.usefixtures("worker")
def test_progress_is_shown(project: Path) -> None:
    """In a terminal a bar tells how far the job is, then the result stands there alone."""
    with terminal(project, "enqueue", "toyapp.Settings", "count", "5", "--wait", fake=False) as shell:
        shell.wait_for("page ")
        shell.wait_for("/5")
        code = shell.ended()

    assert code == 0
    assert '"pages": 5' in shell.plain


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize(
    ("function", "error"), [("fail", "ValueError: no such address"), ("slow", "TimeoutError: the other side")]
)
def test_job_that_fails(project: Path, function: str, error: str) -> None:
    """A job that fails ends the command with 1, and says what it failed with."""
    done = enqueue(project, function, "--id", "j1", "--wait")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"Error: job j1 failed: {error}\n"


def test_time_is_up(project: Path) -> None:
    """A job that nobody runs in time goes on waiting; the command says how to look at it."""
    done = enqueue(project, "hang", "--id", "j1", "--wait", "--timeout", "300ms")

    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "no worker of queue mail is alive: the job waits until one starts",
        "Error: job j1 has not ended in time: arqlite job j1 tells of it",
    ]


def test_paused_queue_is_told(project: Path) -> None:
    """Who waits for a job of a paused queue hears that it is paused, and what ends that."""
    run(project, "pause", "toyapp.Settings", "mail", fake=False)
    done = enqueue(project, "hang", "--id", "j1", "--wait", "--timeout", "300ms")

    assert done.returncode == 1
    assert done.stderr.splitlines()[0] == "queue mail is paused: the job waits until arqlite resume mail"


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("output", ["text", "json"])
def test_secret_of_a_result_is_not_shown(project: Path, output: str) -> None:
    """A value under a key that sounds like a secret is hidden, as `arqlite job` hides it."""
    done = enqueue(project, "login", "--wait", "-o", output)

    assert done.returncode == 0
    assert '"user": "ada"' in done.stdout
    assert "t0p" not in done.stdout


def test_interrupt_leaves_the_job(project: Path) -> None:
    """Ctrl-C while waiting ends the command with 130, and says how to look at the job, which goes on."""
    with terminal(project, "enqueue", "toyapp.Settings", "hang", "--id", "j1", "--wait", fake=False) as shell:
        shell.wait_for("job j1")
        shell.process.send_signal(2)
        code = shell.ended()

    assert code == 130
    assert "job j1 goes on: arqlite job j1" in shell.plain
    assert "Traceback" not in shell.plain
    assert "Aborted" not in shell.plain


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (("sned_mail", "ada"), 2, "there is no function 'sned_mail'; did you mean 'send_mail'?"),
        (("send_mail",), 2, "missing a required argument: 'to'"),
        (("send_mail", "ada", "--kwarg", "copies=many"), 2, "copies"),
        (("send_mail", "ada", "--kwarg", "copies"), 2, "written as NAME=VALUE, got 'copies'"),
        (("-5",), 2, "there is no function '-5'"),
        (("send_mail", "ada", "--priority", "-5"), 2, "'--priority': -5 is not in the range"),
        (("send_mail", "ada", "-x"), 2, "No such option"),
        (("send_mail", "--json", "{"), 2, "--json cannot be read"),
        (("send_mail", "--json", "1"), 2, "--json takes an object or a list, got 1"),
        (("send_mail", "--in", "soon"), 2, "a span is written as 30s, 5m, 2h or 1d, got 'soon'"),
        (("send_mail", "--at", "noon"), 2, "a time is written as 2026-11-20T09:00, got 'noon'"),
        (("send_mail", "--in", "1s", "--at", "2026-11-20"), 2, "--in and --at both say when"),
        (("send_mail", "--timeout", "1s"), 2, "--timeout is how long to --wait"),
        (("send_mail", "ada", "--queue", "mial"), 2, "there is no queue 'mial'; did you mean 'mail'?"),
        (("send_mail", "ada", "-s", "toyapp.Other"), 2, "several queues run 'send_mail': say --queue"),
        (("send_mail", "ada", "--wait", "-s", "toyapp.Away", "--queue", "arq:queue"), 4, "Redis cannot be"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_mistakes_are_told(project: Path, args: tuple[str, ...], code: int, message: str) -> None:
    """A mistake ends with its code, in words that say what is wrong."""
    done = run(project, "enqueue", "-s", "toyapp.Settings", *args, fake=False)

    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr
