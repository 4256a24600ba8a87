"""`arqlite health`: ask a worker's probe, for containers that can only run a command."""

from __future__ import annotations

import json
import os
import sys
from typing import Any
from urllib.parse import SplitResult, urlsplit

import click

# Modules of the library are imported where they are needed: this runs every few seconds.

_LONGEST_ANSWER = 1_000_000
_HERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 (who listens everywhere is asked here)


@click.command(epilog="Ends with 0 if all is well, with 1 if not, and with the reason on stderr.")
@click.argument("settings", metavar="[SETTINGS]", required=False)
@click.option("--url", help="The probe, such as http://127.0.0.1:8081/readyz; nothing of yours is imported.")
@click.option(
    "--probe",
    type=click.Choice(["livez", "readyz", "startupz"]),
    default="readyz",
    show_default=True,
    help="Which one to ask, where the URL names none.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=3.0,
    show_default=True,
    help="Seconds to wait for the answer.",
)
def health(settings: str | None, url: str | None, probe: str, timeout: float) -> None:
    """Tell whether a worker is well, by the answer of its probe.

    SETTINGS is the path of a worker's settings with a `health_port`: package.module.WorkerSettings. Without
    such a port Redis is asked whether any worker of the queue is alive, as --check does.
    """
    if (settings is None) == (url is None):
        raise click.UsageError("whose health? Give --url or SETTINGS")
    if url is None:
        assert settings is not None  # noqa: S101 (one of both is given)
        url = _url_of(settings)
    if url is None:
        sys.exit(_ask_redis(str(settings)))
    place = _place(url)
    path = place.path if place.path.strip("/") else f"/{probe}"
    try:
        status, body = ask(str(place.hostname), place.port or 80, path, timeout)
    except (OSError, ValueError) as error:
        reason = str(error) or type(error).__name__
        raise click.ClickException(f"no answer from {place.netloc}{path}: {reason}") from error
    _tell(status, body)


def ask(host: str, port: int, path: str, timeout: float) -> tuple[int, bytes]:
    """Get a path by HTTP, directly: no proxy of the environment is asked for what is on this machine.

    Not with `http.client`, whose import takes longer than all of this.

    Args:
        host: a name or an address.
        port: the port.
        path: what to get.
        timeout: seconds that all of it may take.

    Returns:
        The status and the body.

    Raises:
        OSError: nobody answers, or not in time.
        ValueError: the answer is not one of HTTP.
    """
    import socket
    import time

    give_up_at = time.monotonic() + timeout
    name = f"[{host}]" if ":" in host else host
    with socket.create_connection((host, port), timeout) as line:
        line.sendall(f"GET {path} HTTP/1.0\r\nHost: {name}:{port}\r\n\r\n".encode())
        answer = bytearray()
        while len(answer) < _LONGEST_ANSWER:
            line.settimeout(max(give_up_at - time.monotonic(), 0.001))
            piece = line.recv(65_536)
            if not piece:
                break
            answer += piece
    head, _, body = bytes(answer).partition(b"\r\n\r\n")
    words = head.split(maxsplit=2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/") or not words[1].isdigit():
        raise ValueError("the answer is no HTTP")
    return int(words[1]), body


def _place(url: str) -> SplitResult:
    try:
        place = urlsplit(url)
        is_one = place.scheme == "http" and place.hostname is not None and place.port != 0
    except ValueError:
        is_one = False
    if not is_one or any(sign.isspace() for sign in url):
        raise click.UsageError(f"a probe is at http://host:port/readyz, got {url!r}")
    return place


def _tell(status: int, body: bytes) -> None:
    try:
        told: Any = json.loads(body)
    except ValueError:
        told = {}
    told = told if isinstance(told, dict) else {}
    if status == 200:
        degraded = told.get("ledger") == "degraded"
        click.echo("ok, ledger: degraded" if degraded else "ok")
        return
    reasons = told.get("reasons")
    for reason in reasons if isinstance(reasons, list) else [f"HTTP status {status}"]:
        click.echo(str(reason), err=True)
    sys.exit(1)


def _url_of(settings: str) -> str | None:
    """Where the worker of these settings answers probes; None where it does not."""
    from ..settings import get_kwargs
    from .broken import load_in_words
    from .worker import told_in_words

    sys.path.append(os.getcwd())
    with told_in_words(lambda: True):
        told = get_kwargs(load_in_words(settings))
    port, host = told.get("health_port"), told.get("health_host", "127.0.0.1")
    if port is None:
        return None
    if port == 0:
        raise click.UsageError(f"{settings} has health_port 0, which is any: give --url")
    host = _HERE.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _ask_redis(settings: str) -> int:
    from ..worker import check_health
    from .broken import load_in_words
    from .worker import told_in_words

    with told_in_words(lambda: True):
        code = check_health(load_in_words(settings))
    click.echo("ok" if code == 0 else "no worker of the queue is alive", err=code != 0)
    return code
