"""`arqlite dev`: everything in one terminal, and nothing left behind."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import time
from pathlib import Path

import pytest
from cli_kit_toys import Project, Terminal, command, enqueue
from cli_toys import Program

from arqlite.embedded import status, stop, wait_until_gone

pytestmark = [pytest.mark.real, pytest.mark.alone]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    for name in ("ARQLITE_REDIS_URL", "ARQLITE_LEDGER_URL", "ARQLITE_HOME", "ARQLITE_ENV", "REDIS_URL"):
        monkeypatch.delenv(name, raising=False)
    return Project(tmp_path)


def test_everything_runs_and_is_found(project: Project) -> None:
    """Server, ledger and worker are there; a program that names none of them finds them, and its job runs."""
    with project.dev("--no-dashboard") as program:
        program.wait_for("ready in")
        result = enqueue(project.folder, "greet", "Ada")
        program.wait_for("worker    │", times=4)
        stopped = command(project.folder, "dev", "--stop")
        code = program.ended()

    with sqlite3.connect(project.folder / ".arqlite" / "jobs.db") as rows:
        told = rows.execute("SELECT function, state FROM arqlite_jobs").fetchall()
    rows.close()
    assert result == "hello, Ada"
    assert told == [("greet", "completed")]
    assert (stopped.returncode, stopped.stdout, code) == (0, "ended\n", 0)
    assert "try: arqlite enqueue greet ..." in program.log


def test_nothing_is_written_elsewhere(project: Project) -> None:
    """The folder has its files, and `.arqlite`, which git does not see."""
    before = {path.name for path in project.folder.iterdir()}

    with project.dev("--no-dashboard") as program:
        program.wait_for("ready in")
        program.wait_for("Starting worker")
        program.signal(signal.SIGTERM)
        program.ended()

    assert {path.name for path in project.folder.iterdir()} == before | {".arqlite"}
    assert (project.folder / ".arqlite" / ".gitignore").read_text() == "*\n"
    assert not (project.folder / ".arqlite" / "dev.json").exists()
    assert wait_until_gone(project.folder / ".arqlite")


def test_changed_code_is_run(project: Project) -> None:
    """The worker starts anew when its code changes."""
    with project.dev("--no-dashboard") as program:
        program.wait_for("Starting worker")
        changed = project.tasks.read_text().replace("hello", "good evening")
        new = project.folder / "tasks.new"
        new.write_text(changed)
        new.replace(project.tasks)
        program.wait_for("files changed, reloading: tasks.py")
        program.wait_for("Starting worker", times=2)
        result = enqueue(project.folder, "greet", "Ada")
        program.signal(signal.SIGTERM)
        program.ended()

    assert result == "good evening, Ada"


def test_mistake_is_mended_while_it_runs(project: Project) -> None:
    """A worker that cannot be made tells why, and starts when the code has changed."""
    right = project.tasks.read_text()
    project.tasks.write_text(right.replace("functions = [", "max_jobs = 0\n    functions = ["))

    with project.dev("--no-dashboard") as program:
        program.wait_for("max_jobs must be a whole number of at least 1, got 0")
        program.wait_for("waiting for a change")
        project.tasks.write_text(right)
        program.wait_for("Starting worker")
        program.signal(signal.SIGTERM)
        code = program.ended()

    assert code == 0


def test_ledger_that_was_not_upgraded_is_told(project: Project) -> None:
    """A ledger whose tables are too old says which command brings them to date."""
    project.tasks.write_text(
        project.tasks.read_text()
        + "from arqlite.ledger import Ledger\n"
        + "WorkerSettings.ledger = Ledger('sqlite:///old.db', upgrade=False)\n"
    )
    with project.dev("--no-dashboard") as program:
        program.wait_for("arqlite db upgrade")
        program.wait_for("waiting for a change")
        program.signal(signal.SIGTERM)
        program.ended()

    assert "Traceback" not in program.log


def test_first_interrupt_lets_jobs_end(project: Project) -> None:
    """Ctrl-C says for how many jobs it waits, and how to go on without; the jobs end."""
    with project.dev("--no-dashboard") as program:
        program.wait_for("Starting worker")
        enqueue(project.folder, "gate", wait=False)
        program.wait_for("worker    │ the gate is shut")
        program.signal_all(signal.SIGINT)
        program.wait_for("finishing 1 job (25 s), press again to stop now")
        project.open_gate()
        code = program.ended()

    assert code == 0
    assert "'through'" in program.log
    assert "Traceback" not in program.log


def test_key_of_a_terminal_lets_jobs_end(project: Project) -> None:
    """In a terminal names are coloured, and the key Ctrl-C drains."""
    with Terminal(project.folder, "dev", "tasks.WorkerSettings", "--no-dashboard") as terminal:
        terminal.read_until("Starting worker")
        enqueue(project.folder, "gate", wait=False)
        terminal.read_until("the gate is shut")
        terminal.press("\x03")
        terminal.read_until("finishing 1 job (25 s), press again to stop now")
        project.open_gate()
        terminal.read_until("0 failed")
        code = terminal.ended()

    assert code == 0
    assert "\x1b[36mworker" in terminal.said
    assert "Traceback" not in terminal.said


def test_second_interrupt_stops(project: Project) -> None:
    """Ctrl-C twice gives running jobs back at once."""
    with project.dev("--no-dashboard") as program:
        program.wait_for("Starting worker")
        enqueue(project.folder, "gate", wait=False)
        program.wait_for("the gate is shut")
        program.signal_all(signal.SIGINT)
        program.wait_for("press again to stop now")
        program.signal_all(signal.SIGINT)
        program.wait_for("will be run again")
        code = program.ended()

    assert code == 0


def test_settings_say_how_long_jobs_may_take(project: Project) -> None:
    """Settings that give running jobs no time at the end are obeyed at the first Ctrl-C."""
    project.tasks.write_text(project.tasks.read_text() + "WorkerSettings.job_completion_wait = 0\n")
    with project.dev("--no-dashboard") as program:
        program.wait_for("Starting worker")
        enqueue(project.folder, "gate", wait=False)
        program.wait_for("the gate is shut")
        program.signal_all(signal.SIGINT)
        program.wait_for("will be run again")
        code = program.ended()

    assert code == 0
    assert "(25 s)" not in program.log


def test_killed_one_leaves_nothing_that_runs(project: Project) -> None:
    """When it is killed its worker ends by itself, and the next one starts as if nothing had been."""
    with project.dev("--no-dashboard") as program:
        program.wait_for("Starting worker")
        program.signal(signal.SIGKILL)
        program.ended()

    with project.dev("--no-dashboard") as program:
        program.wait_for("Starting worker")
        program.signal(signal.SIGTERM)
        code = program.ended()

    assert code == 0


def test_killed_server_comes_back(project: Project) -> None:
    """When the embedded server is killed another one takes its place, and the worker finds it."""
    with project.dev("--no-dashboard") as program:
        program.wait_for("Starting worker")
        server = status(project.folder / ".arqlite")
        assert server is not None
        os.kill(server.pid, signal.SIGKILL)
        program.wait_for("ended and was started again, with the data that it had on disk")
        result = enqueue(project.folder, "greet", "Ada")
        program.signal(signal.SIGTERM)
        code = program.ended()

    assert (result, code) == ("hello, Ada", 0)


def test_second_one_is_refused(project: Project) -> None:
    """One project has one `arqlite dev`, and the second one says how to end the first."""
    with project.dev("--no-dashboard") as program:
        program.wait_for("ready in")
        refused = command(project.folder, "dev", "tasks.WorkerSettings", "--no-dashboard")
        program.signal(signal.SIGTERM)
        program.ended()

    assert refused.returncode == 1
    assert f"runs in this project already (process {program.process.pid})" in refused.stderr
    assert "arqlite dev --stop" in refused.stderr


def test_what_settings_say_holds(project: Project, real_url: str) -> None:
    """Settings with a Redis and a ledger of their own get no other, and no server is started."""
    project.tasks.write_text(
        project.tasks.read_text()
        + "from arqlite import RedisSettings\n"
        + f"WorkerSettings.redis_settings = RedisSettings.from_dsn({real_url!r})\n"
        + "WorkerSettings.ledger = None\n"
    )
    with project.dev("--no-dashboard") as program:
        program.wait_for("Starting worker")
        program.signal(signal.SIGTERM)
        program.ended()

    assert "redis     │ as the settings say" in program.log
    assert "ledger    │ as the settings say" in program.log
    assert not stop(project.folder / ".arqlite")
    assert not (project.folder / ".arqlite" / "jobs.db").exists()


def test_environment_holds(project: Project, real_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Redis of the environment is used, and told without its password."""
    monkeypatch.setenv("ARQLITE_REDIS_URL", real_url)

    with project.dev("--no-dashboard") as program:
        program.wait_for("Starting worker")
        result = enqueue(project.folder, "greet", "Ada")
        program.signal(signal.SIGTERM)
        program.ended()

    assert result == "hello, Ada"
    assert "as ARQLITE_REDIS_URL says" in program.log


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["dev"], 2, "For example: arqlite dev tasks.WorkerSettings"),
        (["dev", "tasks.WorkerSetting"], 2, "did you mean tasks.WorkerSettings?"),
        (["dev", "task.WorkerSettings"], 2, "did you mean tasks.WorkerSettings?"),
        (["dev", "--stop"], 1, "no arqlite dev runs in this project"),
        (["dev", "wrong.WorkerSettings"], 2, "wrong cannot be imported: wrong.py line 1: SyntaxError"),
        (["dev", "lacking.WorkerSettings"], 2, "No module named 'no_such_package'"),
    ],
)
def test_mistakes_are_told(project: Project, args: list[str], code: int, words: str) -> None:
    """A wrong command in a project that names no settings is told in words, with what may be meant."""
    (project.folder / "pyproject.toml").unlink()
    (project.folder / "wrong.py").write_text("class WorkerSettings\n")
    (project.folder / "lacking.py").write_text("import no_such_package\n")

    done = command(project.folder, *args)

    assert done.returncode == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_settings_that_the_project_does_not_name_are_in_the_hint(project: Project) -> None:
    """Where the project names no settings, the command that is told to be tried does."""
    (project.folder / "pyproject.toml").unlink()

    with project.dev("--no-dashboard") as program:
        program.wait_for("ready in")

    assert "try: arqlite enqueue tasks.WorkerSettings greet ..." in program.log


def test_settings_of_the_project_need_not_be_said(project: Project) -> None:
    """Without a word `arqlite dev` runs what the project names."""
    with Program(project.folder, "-m", "arqlite", "dev", "--no-dashboard") as program:
        program.wait_for("ready in")
        assert enqueue(project.folder, "greet", "Ada") == "hello, Ada"


def test_dashboard_is_there(project: Project) -> None:
    """The dashboard runs beside the worker; a port that is taken is told, and the next one is used."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        with project.dev("--port", str(port)) as program:
            [line] = program.wait_for("dashboard │ http://")
            program.wait_for("ready in")
            url = line.split()[2]
            page = page_with("arq:queue", url)
            program.signal_all(signal.SIGINT)
            code = program.ended()

    assert f"({port} is taken)" in line
    assert "arq:queue" in page
    assert code == 0


def test_dashboard_follows_the_code(project: Project) -> None:
    """Of a function that came later the dashboard knows, too, which of its arguments nobody may read."""
    with project.dev() as program:
        program.wait_for("ready in")
        [line] = program.wait_for("dashboard │ http://")
        code = project.tasks.read_text()
        login = "async def login(ctx, user, password):\n    return user\n\n\n"
        new = project.folder / "tasks.new"
        new.write_text(
            code.replace("class WorkerSettings", f"{login}class WorkerSettings").replace(
                "functions = [", "functions = [login, "
            )
        )
        new.replace(project.tasks)
        program.wait_for("dashboard │ dashboard: http://", times=2)
        program.wait_for("Starting worker", times=2)
        enqueue(project.folder, "login", "ada", "hunter2")
        page = page_with("login", f"{line.split()[2]}/jobs")
        program.signal_all(signal.SIGINT)
        ended = program.ended()

    assert "login" in page
    assert "hunter2" not in page
    assert ended == 0


def page_with(word: str, url: str) -> str:
    """Reload a page until it has a word; on a machine with much to do its first answers may lack a queue."""
    import httpx

    until = time.monotonic() + 20
    while True:
        page = httpx.get(url, follow_redirects=True, timeout=20).text
        if word in page or time.monotonic() > until:
            return page


def test_dashboard_that_ends_is_told(project: Project) -> None:
    """A dashboard that ends by itself is told, and takes no worker along."""
    with project.dev() as program:
        program.wait_for("ready in")
        found = [
            int(pid)
            for pid in os.listdir("/proc")
            if pid.isdecimal() and _is_dashboard(int(pid), program.process.pid)
        ]
        for pid in found:
            os.kill(pid, signal.SIGKILL)
        program.wait_for("dashboard │ ended with exit code -9; the worker goes on")
        program.signal(signal.SIGTERM)
        program.ended()

    assert len(found) == 1


def _is_dashboard(pid: int, parent: int) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    return b"arqlite.cli.tether" in words and int(fields[1]) == parent
