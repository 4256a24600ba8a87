"""The HTTP server of the probes: what it answers, and whom."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from probes_toys import ask

from arqlite.errors import ConfigurationError
from arqlite.probes.server import ProbeServer, Reply


@contextlib.contextmanager
def served(answer: Any = None, host: str = "127.0.0.1") -> Iterator[ProbeServer]:
    server = ProbeServer(host, 0, answer or (lambda path: (200, "application/json", b'{"a": 1}\n')))
    server.start()
    try:
        yield server
    finally:
        server.stop()


def test_head_is_get_without_a_body() -> None:
    """HEAD has the status and headers of GET, and no body."""
    with served() as server:
        got, head = ask(server.url, "/livez"), ask(server.url, "/livez", "HEAD")

    assert got[0] == head[0] == 200
    assert got[2] == b'{"a": 1}\n'
    assert head[2] == b""
    assert head[1]["Content-Length"] == got[1]["Content-Length"] == "9"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "BREW"])
def test_other_methods_are_refused(method: str) -> None:
    """Nothing can be changed here, and the refusal says what may be asked."""
    with served() as server:
        status, headers, body = ask(server.url, "/livez", method)

    assert (status, headers["Allow"], body) == (405, "GET, HEAD", b'{"error": "only GET and HEAD"}\n')


def test_answers_tell_no_versions_and_are_not_stored() -> None:
    """No header names Python, and nobody on the way keeps what is true of one moment."""
    with served() as server:
        _, headers, _ = ask(server.url, "/livez")

    assert headers["Server"] == "arqlite"
    assert headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200), ("127.0.0.1:8081", 200), ("10.1.2.3:8081", 200), ("[::1]:8081", 200), ("", 200),
        ("evil.test", 403), ("localhost.evil.test:8081", 403),
    ],
)  # fmt: skip
def test_foreign_host_is_refused_on_loopback(host: str, status: int) -> None:
    """A page whose name resolves to this machine reads nothing from a server that only serves it."""
    with served() as server:
        assert ask(server.url, "/livez", Host=host)[0] == status


def test_any_host_is_answered_where_others_ask() -> None:
    """Who listens at all addresses is asked by names of its network."""
    with served(host="0.0.0.0") as server:
        url = server.url.replace("0.0.0.0", "127.0.0.1")
        assert ask(url, "/livez", Host="worker-1.default.svc:8081")[0] == 200


def test_path_comes_without_its_question() -> None:
    """What stands behind a question mark is nobody's business."""
    paths: list[str] = []

    def answer(path: str) -> Reply:
        paths.append(path)
        return 200, "text/plain", b""

    with served(answer) as server:
        ask(server.url, "/livez?verbose=1")

    assert paths == ["/livez"]


def test_probe_that_fails_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """An error in an answer is a 500 without its words, a traceback in the log, and no end."""

    def answer(path: str) -> Reply:
        raise RuntimeError("secret")

    with served(answer) as server:
        status, _, body = ask(server.url, "/livez")
        again = ask(server.url, "/livez")[0]

    assert (status, again) == (500, 500)
    assert b"secret" not in body
    assert "secret" in caplog.text


def test_slow_askers_hold_nobody_up() -> None:
    """However many connect and say nothing, who asks is answered: the eldest of the others are cut off."""
    with served() as server:
        port = server.server_port
        silent = [socket.create_connection(("127.0.0.1", port), 5) for _ in range(40)]
        try:
            status, _, _ = ask(server.url, "/livez")
            silent[0].settimeout(5)
            assert silent[0].recv(1) == b""
            assert len(server._open) <= 16
        finally:
            for one in silent:
                one.close()

    assert status == 200


def test_stop_is_quick_and_frees_the_port() -> None:
    """The port is free as soon as `stop` returns, and no thread of the server is left."""
    with served() as server:
        port = server.server_port
    with socket.create_server(("127.0.0.1", port)):
        pass

    assert not any(thread.name == "arqlite:probes" for thread in threading.enumerate())


def test_port_that_is_taken_is_told() -> None:
    """A port of somebody else is an error in words with the names of the options."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ConfigurationError, match=rf"health_port {port} cannot be had: Address already"):
            ProbeServer("127.0.0.1", port, lambda path: (200, "", b""))
