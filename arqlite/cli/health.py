"""`arqlite health`: how a worker is, by its probe or its file, for containers that can only run a command."""

from __future__ import annotations

import json
import os
import sys
from typing import Any, NoReturn
from urllib.parse import SplitResult, urlsplit

import click

# Modules of the library are imported where they are needed: this runs every few seconds.

_LONGEST_ANSWER = 1_000_000
_HERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 (who listens everywhere is asked here)


class _Unwell(Exception):
    """Nobody answers, or what there is cannot be read."""


@click.command(epilog="Ends with 0 if all is well, with 1 if not, and with the reason on stderr.")
@click.argument("settings", metavar="[SETTINGS]", required=False)
@click.option("--url", help="The probe, such as http://127.0.0.1:8081/readyz; nothing of yours is imported.")
@click.option(
    "--file", "path", metavar="PATH",
    help="The worker's health_file, where it has no port; nothing of yours is imported.",
)  # fmt: skip
@click.option(
    "--probe",
    type=click.Choice(["livez", "readyz", "startupz"]),
    default="readyz",
    show_default=True,
    help="Which one to ask, where the URL names none.",
)
@click.option(
    "--max-age",
    type=click.FloatRange(min=0, min_open=True),
    default=10.0,
    show_default=True,
    help="Seconds that the file may be old: the worker writes it each second.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=3.0,
    show_default=True,
    help="Seconds to wait for the answer.",
)
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", help="How to tell it.")
def health(
    settings: str | None,
    url: str | None,
    path: str | None,
    probe: str,
    max_age: float,
    timeout: float,
    output: str,
) -> None:
    """Tell whether a worker is well, by the answer of its probe.

    SETTINGS is the path of a worker's settings with a `health_port` or a `health_file`:
    package.module.WorkerSettings. Without these Redis is asked whether any worker of the queue is alive, as
    --check does.
    """
    if sum(one is not None for one in (settings, url, path)) > 1:
        raise click.UsageError("whose health? Give --url or SETTINGS, or --file: one of them")
    if url is None and path is None:
        settings = _settings(settings)
        url, path = _places_of(settings)
    try:
        if url is not None:
            status, told = _ask_url(url, probe, timeout)
        elif path is not None:
            status, told = _read(path, probe, max_age)
        else:
            status, told = _ask_redis(str(settings))
    except _Unwell as error:
        if output == "json":
            _end(False, {"reasons": [str(error)]}, output)
        raise click.ClickException(str(error)) from error
    _end(status == 200, told, output, f"HTTP status {status}")


def _ask_url(url: str, probe: str, timeout: float) -> tuple[int, dict[str, Any]]:
    place = _place(url)
    path = place.path if place.path.strip("/") else f"/{probe}"
    try:
        status, body = ask(str(place.hostname), place.port or 80, path, timeout)
    except (OSError, ValueError) as error:
        reason = str(error) or type(error).__name__
        raise _Unwell(f"no answer from {place.netloc}{path}: {reason}") from error
    try:
        told: Any = json.loads(body)
    except ValueError:
        told = {}
    return status, told if isinstance(told, dict) else {}


def _read(path: str, probe: str, max_age: float) -> tuple[int, dict[str, Any]]:
    """Read what a worker wrote; it writes each second, so what is old is of one that is dead."""
    import time

    try:
        with open(path, encoding="utf-8") as file:
            age = time.time() - os.fstat(file.fileno()).st_mtime
            told = json.load(file)[probe]
            status, body = int(told["status"]), dict(told["body"])
    except OSError as error:
        raise _Unwell(f"no worker writes {path}: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise _Unwell(f"{path} was written by no worker") from error
    if age > max_age:
        raise _Unwell(f"the worker has not written {path} for {age:.0f} s")
    return status, body


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


def _end(is_well: bool, told: dict[str, Any], output: str, reason: str = "") -> NoReturn:
    """Tell how it is, and end with the code for that."""
    given = told.get("reasons")
    reasons = [] if is_well else [str(one) for one in given] if isinstance(given, list) else [reason]
    if output == "json":
        from .output import tell_json  # which a probe that only wants the code need not load

        tell_json({**told, "is_well": is_well, "reasons": reasons})
    elif is_well:
        click.echo("ok, ledger: degraded" if told.get("ledger") == "degraded" else "ok")
    else:
        for one in reasons:
            click.echo(one, err=True)
    sys.exit(0 if is_well else 1)


def _settings(told: str | None) -> str:
    from .defaults import named_one

    return named_one(told, "whose health? Give --url or SETTINGS, or --file.")


def _places_of(settings: str) -> tuple[str | None, str | None]:
    """The URL and the file by which the worker of these settings tells how it is; None where it does not."""
    from ..settings import get_kwargs
    from .broken import load_in_words
    from .worker import told_in_words

    with told_in_words(lambda: True):
        told = get_kwargs(load_in_words(settings))
    port, host, path = told.get("health_port"), told.get("health_host", "127.0.0.1"), told.get("health_file")
    if port is None or (port == 0 and path is not None):
        return None, path
    if port == 0:
        raise click.UsageError(f"{settings} has health_port 0, which is any: give --url")
    host = _HERE.get(host, host)
    return (f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"), None


def _ask_redis(settings: str) -> tuple[int, dict[str, Any]]:
    from ..worker import check_health
    from .broken import load_in_words
    from .worker import told_in_words

    with told_in_words(lambda: True):
        code = check_health(load_in_words(settings))
    return (200, {}) if code == 0 else (503, {"reasons": ["no worker of the queue is alive"]})
