"""`arqlite health`: what a container's probe runs every few seconds."""

from __future__ import annotations

import http.server
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_toys import Project, until

from arqlite.cli.health import ask


def health(
    folder: Path, *args: str, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "arqlite", "health", *args],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env=environment,
    )


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


@pytest.fixture
def project(tmp_path: Path, real_url: str, free_port: int) -> Project:
    made = Project(tmp_path, real_url)
    made.write(
        made.source
        + f"""
class Probed(First):
    health_port = {free_port}

class Anywhere(First):
    health_port = 0
"""
    )
    return made


@pytest.mark.real
@pytest.mark.alone
def test_worker_is_asked_by_its_file(project: Project) -> None:
    """A worker without a port writes how it is into a file, until its end; two processes write one each."""
    file = project.folder / "health"
    options = ("--health-file", str(file), "--processes", "2")
    before = health(project.folder, "--file", str(file))
    with project.run("toys.First", *options) as program:
        for path in (file, file.with_name("health.2")):
            until(lambda path=path: health(project.folder, "--file", str(path)).returncode == 0)  # type: ignore[misc]
        at_work = [
            health(project.folder, "--file", str(file), "--probe", probe)
            for probe in ("livez", "readyz", "startupz")
        ]
        program.process.terminate()
        assert program.ended() == 0
    after = health(project.folder, "--file", str(file))

    assert [(done.returncode, done.stdout) for done in at_work] == [(0, "ok\n")] * 3
    assert [(done.returncode, done.stderr) for done in (before, after)] == [
        (1, f"Error: no worker writes {file}: No such file or directory\n")
    ] * 2


@pytest.mark.parametrize(
    ("text", "age", "words"),
    [
        ('{"readyz": {"status": 200, "body": {}}}', 60, "the worker has not written"),
        ("{", 0, "was written by no worker"),
        ('{"readyz": 200}', 0, "was written by no worker"),
        ('{"livez": {"status": 200, "body": {}}}', 0, "was written by no worker"),
        ('{"readyz": {"status": 503, "body": {"reasons": ["mail is draining"]}}}', 0, "mail is draining"),
    ],
)
def test_file_that_says_no(tmp_path: Path, text: str, age: int, words: str) -> None:
    """A file that is old, was written by something else, or says that the worker is not well, is no good."""
    file = tmp_path / "health"
    file.write_text(text)
    os.utime(file, (time.time() - age, time.time() - age))

    done = health(tmp_path, "--file", str(file))
    told = health(tmp_path, "--file", str(file), "-o", "json")

    assert (done.returncode, done.stdout) == (1, "")
    assert words in done.stderr
    assert (told.returncode, json.loads(told.stdout)["is_well"]) == (1, False)
    assert words in json.loads(told.stdout)["reasons"][0]


def test_file_may_be_older_where_that_is_said(tmp_path: Path) -> None:
    """How old the file may be is an option."""
    file = tmp_path / "health"
    file.write_text('{"readyz": {"status": 200, "body": {}}}')
    os.utime(file, (time.time() - 60, time.time() - 60))

    assert health(tmp_path, "--file", str(file), "--max-age", "90").returncode == 0


class Answers(http.server.BaseHTTPRequestHandler):
    """A server that says at each path what the path says."""

    def do_GET(self) -> None:
        status, _, body = self.path[1:].partition("/")
        self.send_response(int(status))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def server() -> Iterator[str]:
    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=made.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{made.server_port}"
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.mark.real
@pytest.mark.alone
def test_worker_is_asked_by_url_and_by_settings(project: Project, free_port: int) -> None:
    """Before its start, at work and after its end a worker's health is told by the exit code."""
    url = f"http://127.0.0.1:{free_port}"
    before = health(project.folder, "--url", url)
    with project.run("toys.Probed") as program:
        until(lambda: health(project.folder, "toys.Probed").returncode == 0)
        at_work = [
            health(project.folder, "--url", f"{url}/{probe}") for probe in ("livez", "readyz", "startupz")
        ]
        program.process.terminate()
        assert program.ended() == 0
    after = health(project.folder, "toys.Probed")

    assert [(done.returncode, done.stdout) for done in at_work] == [(0, "ok\n")] * 3
    assert (before.returncode, after.returncode) == (1, 1)
    assert (
        before.stderr
        == f"Error: no answer from 127.0.0.1:{free_port}/readyz: [Errno 111] Connection refused\n"
    )


@pytest.mark.real
@pytest.mark.alone
def test_each_process_has_a_port_of_its_own(project: Project, free_port: int) -> None:
    """The second of two processes answers at the next port."""
    with project.run("toys.First", "--processes", "2", "--health-port", str(free_port)) as program:
        for port in (free_port, free_port + 1):
            url = f"http://127.0.0.1:{port}"
            until(lambda url=url: health(project.folder, "--url", url).returncode == 0)  # type: ignore[misc]
        program.process.terminate()
        assert program.ended() == 0


@pytest.mark.real
@pytest.mark.alone
def test_port_that_is_taken_ends_the_worker_in_words(project: Project, free_port: int) -> None:
    """A port of somebody else is told in a line, with the name of the option."""
    with (
        socket.create_server(("127.0.0.1", free_port)),
        project.run("toys.Probed") as program,
    ):
        assert program.ended() == 1

    assert program.lines[-1].startswith(
        f"Error: health_host '127.0.0.1', health_port {free_port} cannot be had: Address already in use"
    )


@pytest.mark.real
def test_settings_without_a_port_are_looked_for_in_redis(project: Project) -> None:
    """Where the settings have no port Redis is asked, and without a worker the answer is no."""
    done = health(project.folder, "toys.First")

    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, "no worker of the queue is alive")


@pytest.mark.parametrize(
    ("path", "code", "stdout", "stderr"),
    [
        ('200/{"status":"ok"}', 0, "ok\n", ""),
        ('200/{"ledger":"degraded"}', 0, "ok, ledger: degraded\n", ""),
        ('503/{"reasons":["mail-is-draining","Redis"]}', 1, "", "mail-is-draining\nRedis\n"),
        ("503/[1]", 1, "", "HTTP status 503\n"),
        ("404/no-json", 1, "", "HTTP status 404\n"),
        ("302/", 1, "", "HTTP status 302\n"),
    ],
)
def test_answer_is_told(server: str, tmp_path: Path, path: str, code: int, stdout: str, stderr: str) -> None:
    """The status decides, and the reasons of the answer are shown; nobody is followed elsewhere."""
    done = health(tmp_path, "--url", f"{server}/{path}")

    assert (done.returncode, done.stdout, done.stderr) == (code, stdout, stderr)


def test_answer_is_told_as_json(server: str, tmp_path: Path) -> None:
    """JSON has what the probe answered, whether that is well, and why not; so has that nobody answers."""
    well, unwell, nobody = (
        health(tmp_path, "--url", url, "-o", "json")
        for url in (
            f'{server}/200/{{"workers":[]}}', f'{server}/503/{{"reasons":["Redis"]}}', "http://127.0.0.1:1/",
        )
    )  # fmt: skip

    assert json.loads(well.stdout) == {"workers": [], "is_well": True, "reasons": []}
    assert json.loads(unwell.stdout) == {"is_well": False, "reasons": ["Redis"]}
    assert json.loads(nobody.stdout)["reasons"] == [
        "no answer from 127.0.0.1:1/readyz: [Errno 111] Connection refused"
    ]
    assert [done.returncode for done in (well, unwell, nobody)] == [0, 1, 1]


def test_proxies_of_the_environment_are_not_asked(server: str, tmp_path: Path) -> None:
    """What is on this machine is asked directly, whatever the environment says of the way out."""
    proxy = dict.fromkeys(("http_proxy", "HTTP_PROXY", "ALL_PROXY"), "http://127.0.0.1:1")
    environment = {"PYTHONPATH": str(Path(__file__).resolve().parents[1]), **proxy}

    assert health(tmp_path, "--url", f"{server}/200/", environment=environment).returncode == 0


def test_url_imports_nothing_of_the_user(tmp_path: Path, server: str) -> None:
    """With a URL no client of Redis, no SQL toolkit and no code of the project is loaded."""
    code = (
        "import sys\n"
        "from arqlite.cli import main\n"
        f"try: main(args=['health', '--url', {server + '/200/'!r}])\n"
        "except SystemExit as end: print(end.code)\n"
        "heavy = ('asyncio', 'redis', 'pydantic', 'sqlalchemy', 'http.client', 'email', 'toys')\n"
        "print([name for name in heavy if name in sys.modules])\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=30, check=True
    )

    assert done.stdout.splitlines() == ["ok", "0", "[]"]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ((), "whose health? Give --url or SETTINGS"),
        (("toys.First", "--url", "http://127.0.0.1:1"), "whose health? Give --url or SETTINGS"),
        (("--url", "https://127.0.0.1:1/"), "a probe is at http://host:port/readyz, got "),
        (("--url", "http://a:99999/"), "a probe is at http://host:port/readyz, got "),
        (("--url", "http://127.0.0.1:1/a\r\nX: y"), "a probe is at http://host:port/readyz, got "),
        (("--url", "127.0.0.1:8081"), "a probe is at http://host:port/readyz, got "),
    ],
)
def test_what_cannot_be_asked_is_a_usage_error(tmp_path: Path, args: tuple[str, ...], words: str) -> None:
    """A command that means nothing ends with 2 and says what is wanted."""
    done = health(tmp_path, *args)

    assert done.returncode == 2
    assert words in done.stderr


@pytest.mark.real
def test_any_port_cannot_be_guessed(project: Project) -> None:
    """Settings whose port is any free one tell nobody where that is."""
    done = health(project.folder, "toys.Anywhere")

    assert done.returncode == 2
    assert "health_port 0, which is any: give --url" in done.stderr


def test_answer_that_does_not_end_is_given_up() -> None:
    """Who takes the question and says nothing has as many seconds as were given, in all."""
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(TimeoutError),
    ):
        ask("127.0.0.1", silent.getsockname()[1], "/", 0.05)
