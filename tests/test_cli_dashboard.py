"""`arqlite dashboard`: a server of its own, on this machine only until it asks who people are."""

from __future__ import annotations

import re
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from cli_toys import Program, Project

pytestmark = [pytest.mark.real, pytest.mark.alone]

USER, PASSWORD, TOKEN = "ARQLITE_DASHBOARD_USER", "ARQLITE_DASHBOARD_PASSWORD", "ARQLITE_DASHBOARD_TOKEN"

Run = Callable[..., Program]


@pytest.fixture
def project(tmp_path: Path, real_url: str, monkeypatch: pytest.MonkeyPatch) -> Project:
    for name in (USER, PASSWORD, TOKEN):
        monkeypatch.delenv(name, raising=False)
    return Project(tmp_path, real_url)


def url_of(program: Program) -> str:
    """Where it says that it is."""
    [line] = program.wait_for("dashboard: http")
    return line.partition("dashboard: ")[2].strip()


def ready(url: str) -> httpx.Response:
    """The first answer; the server listens before it says so, and answers when it has started."""
    return httpx.get(url, timeout=30)


def test_shows_queues_until_it_is_told_to_end(project: Project) -> None:
    """It shows the queue of the settings with its jobs, and SIGTERM ends it with 0."""
    project.enqueue("whoami", _job_id="one")

    with project.run("dashboard", "toys.First", "--port", "0") as program:
        url = url_of(program)
        [queue] = ready(f"{url}api/v1/queues").json()
        program.signal(signal.SIGTERM)
        code = program.ended()

    assert (queue["key"], queue["available"]) == ("arq:queue", 1)
    assert code == 0
    assert "Traceback" not in program.log


def test_open_pages_do_not_hold_up_its_end(project: Project) -> None:
    """A page that listens hears how it is, and Ctrl-C ends the dashboard at once all the same."""
    with project.run("dashboard", "toys.First", "--port", "0") as program:
        url = url_of(program)
        ready(f"{url}api/v1/queues")
        with httpx.stream("GET", f"{url}live", timeout=30) as stream:
            lines = stream.iter_lines()
            assert next(line for line in lines if line.startswith("event:")) == "event: changed"
            began = time.monotonic()
            program.signal(signal.SIGINT)
            for _ in lines:
                pass
            code = program.ended()
        took = time.monotonic() - began

    assert code == 0
    assert took < 5  # its patience with answers that do not end
    assert "Traceback" not in program.log


def test_other_machines_are_not_let_in_without_a_password(project: Project) -> None:
    """At an address that others reach it does not start as long as it would ask nobody who they are."""
    with project.run("dashboard", "toys.First", "--host", "0.0.0.0", "--port", "0") as program:
        code = program.ended()

    assert code == 2
    assert f"set {USER} and {PASSWORD}" in program.log


@pytest.mark.parametrize("half", [USER, PASSWORD])
def test_half_a_password_is_none(project: Project, half: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without a password, or the other way round, is a mistake, and nothing is shown."""
    monkeypatch.setenv(half, "ada")

    with project.run("dashboard", "toys.First", "--port", "0") as program:
        code = program.ended()

    assert code == 2
    assert "set both" in program.log


def test_password_and_token_come_from_the_environment(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """People come with the password, programs with the token, and nobody without, from this machine, too."""
    token = "a-token-that-is-long"
    for name, value in ((USER, "ada"), (PASSWORD, "secret"), (TOKEN, token)):
        monkeypatch.setenv(name, value)

    with project.run("dashboard", "toys.First", "--host", "0.0.0.0", "--port", "0") as program:
        url = re.sub(r"//[^:]+:", "//127.0.0.1:", url_of(program))
        queues = f"{url}api/v1/queues"
        nobody = ready(queues)
        person = httpx.get(queues, auth=("ada", "secret"), timeout=30)
        machine = httpx.post(
            f"{queues}/arq:queue/pause", headers={"Authorization": f"Bearer {token}"}, timeout=30
        )
        program.signal(signal.SIGTERM)
        program.ended()

    assert [answer.status_code for answer in (nobody, person, machine)] == [401, 200, 200]
    assert token not in program.log
    assert "secret" not in program.log


def test_no_auth_has_to_be_wished_for(project: Project) -> None:
    """With --insecure-no-auth everybody is let in by address, and nobody by a name that is not its own."""
    with project.run(
        "dashboard", "toys.First", "--host", "0.0.0.0", "--port", "0", "--insecure-no-auth", "--read-only"
    ) as program:
        url = re.sub(r"//[^:]+:", "//127.0.0.1:", url_of(program))
        by_address = ready(f"{url}api/v1/queues")
        by_name = httpx.get(f"{url}api/v1/queues", headers={"Host": "evil.example"}, timeout=30)
        origin = {"Origin": url.rstrip("/")}
        act = httpx.post(f"{url}api/v1/queues/arq:queue/pause", headers=origin, timeout=30)
        program.signal(signal.SIGTERM)
        program.ended()

    assert [answer.status_code for answer in (by_address, by_name, act)] == [200, 400, 405]


def test_port_that_is_taken_is_no_end(project: Project) -> None:
    """Where the port is taken it takes the next one that is free, and says so."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with project.run("dashboard", "toys.First", "--port", str(port)) as program:
            url = url_of(program)
            program.signal(signal.SIGTERM)
            program.ended()

    assert f"port {port} is taken" in program.log
    assert url != f"http://127.0.0.1:{port}/"


@pytest.mark.parametrize("seen", ["", "/ops/jobs"])
def test_prefix_holds_behind_every_proxy(project: Project, seen: str) -> None:
    """With a prefix all links have it, whether the proxy leaves it in the path or takes it away."""
    with project.run("dashboard", "toys.First", "--port", "0", "--prefix", "ops/jobs") as program:
        url = url_of(program).removesuffix("/ops/jobs/")
        page = ready(f"{url}{seen}/queues")
        bare = httpx.get(f"{url}/ops/jobs", timeout=30)
        program.signal(signal.SIGTERM)
        program.ended()

    assert (page.status_code, bare.status_code) == (200, 200)
    assert 'href="/ops/jobs/queues"' in page.text
    assert 'href="/queues"' not in page.text


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["toys.Missing"], "Missing"),
        (["nothing.First"], "no module named 'nothing'"),
        (["toys.First", "--prefix", "/jobs"], "looks like a page"),
        (["toys.First", "--host", "203.0.113.1", "--insecure-no-auth"], "cannot listen at 203.0.113.1"),
    ],
)
def test_mistakes_are_told_in_words(project: Project, args: list[str], words: str) -> None:
    """A mistake ends it with a sentence, and without a traceback."""
    with project.run("dashboard", *args) as program:
        code = program.ended()

    assert code != 0
    assert words in program.log
    assert "Traceback" not in program.log
