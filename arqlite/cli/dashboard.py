"""`arqlite dashboard`: the dashboard by itself, for whoever has no application to mount it in."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import socket
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from ..errors import MissingExtra
from .broken import load_in_words
from .defaults import HOW_TO_NAME, named
from .worker import told_in_words

if TYPE_CHECKING:
    import uvicorn

    from ..dashboard.auth import Auth

USER, PASSWORD, TOKEN = "ARQLITE_DASHBOARD_USER", "ARQLITE_DASHBOARD_PASSWORD", "ARQLITE_DASHBOARD_TOKEN"
_PORT = 8484
_PORTS_TRIED = 20
# Requests that are being answered when it is told to end have so long, in seconds.
_LAST_ANSWERS_S = 5


@click.command(
    epilog=f"Who may see it: {USER} and {PASSWORD} in the environment for people, {TOKEN} for programs. "
    "Without them it is shown on this machine only. docs/dashboard.md tells of proxies and TLS."
)
@click.argument("settings", metavar="[SETTINGS]...", nargs=-1)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=_PORT,
    show_default=True,
    help="The port; the next one that is free if it is taken; 0 is any.",
)
@click.option(
    "--prefix", default="", metavar="PATH", help="The path under which a proxy shows it: /ops/jobs."
)
@click.option(
    "--allow-host", multiple=True, metavar="NAME", help="A name it has, e.g. ops.example.com; several times."
)
@click.option("--read-only", is_flag=True, help="Nobody may do anything, only look.")
@click.option(
    "--insecure-no-auth", is_flag=True, help="Let everybody in who reaches it, and let them do all."
)
@click.option("--title", default="arqlite", help="What stands above each page.")
@click.option("--trace-url", default="", metavar="URL", help="Where traces are seen, with {trace_id} in it.")
def dashboard(
    settings: tuple[str, ...],
    host: str,
    port: int,
    prefix: str,
    allow_host: tuple[str, ...],
    read_only: bool,
    insecure_no_auth: bool,
    title: str,
    trace_url: str,
) -> None:
    """Show and steer queues in a browser.

    Each of SETTINGS is the path of a worker's settings: package.module.WorkerSettings.
    """
    try:
        import uvicorn

        from ..dashboard import create_dashboard
    except ImportError as error:
        raise click.ClickException(str(MissingExtra("arqlite dashboard", "dashboard"))) from error
    paths = named(settings)
    if not paths:
        raise click.UsageError(
            f"which queues? Name worker settings, app.worker.WorkerSettings, or {HOW_TO_NAME}"
        )
    with told_in_words(lambda: True):
        auth, hosts = _door(host, allow_host, insecure_no_auth)
        app: Any = create_dashboard(
            [load_in_words(path) for path in paths],
            auth=auth,
            allowed_hosts=hosts,
            read_only=read_only,
            title=title,
            trace_url=trace_url,
            named=paths,
        )
    path = _prefix(prefix, app)
    own = _listen(host, port)
    config = uvicorn.Config(
        _under(path, app) if path else app,
        # Who asks is told by the connection alone: what a proxy says is for `auth` to trust, or not.
        proxy_headers=False,
        server_header=False,
        log_level="warning",
        ws="none",
        timeout_graceful_shutdown=_LAST_ANSWERS_S,
    )
    click.echo(f"dashboard: {_url(own, path)}", err=True)
    asyncio.run(_serve(config, own))


def _door(
    host: str, allow_host: Sequence[str], insecure_no_auth: bool
) -> tuple[Auth | None, Sequence[str] | None]:
    """Find out who is let in, and by which names: as `create_dashboard` takes them."""
    from ..dashboard import ADMIN, Access, basic_auth, bearer, first_of
    from ..dashboard.auth import from_this_machine
    from ..dashboard.hosts import ADDRESSES_ONLY, LOOPBACK_ONLY, is_loopback_host

    user, password, token = (os.environ.get(name, "") for name in (USER, PASSWORD, TOKEN))
    if bool(user) != bool(password):
        raise click.UsageError(f"set both {USER} and {PASSWORD}, or neither")
    auths: list[Auth] = [bearer(token)] if token else []
    if user:
        return first_of(*auths, basic_auth(user, password)), allow_host or None
    if insecure_no_auth:
        # A name could be pointed here by any site that somebody visits; an address cannot.
        hosts = (*ADDRESSES_ONLY, socket.gethostname().lower(), *allow_host)
        return (lambda _request: Access("anybody", can=ADMIN.can)), hosts
    if is_loopback_host(host):
        return first_of(*auths, from_this_machine()), (*LOOPBACK_ONLY, *allow_host)
    if auths:
        return first_of(*auths), allow_host or None
    raise click.UsageError(
        f"at {host} others can reach it, and nobody would ask who they are: set {USER} and {PASSWORD} "
        f"(or {TOKEN}, for programs), or leave --host out"
    )


def _listen(host: str, port: int) -> socket.socket:
    """Listen there, or at the next port that is free."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for tried in range(port, min(port + _PORTS_TRIED, 65535) + 1) if port else [0]:
        try:
            own = socket.create_server((host, tried), family=family)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise click.ClickException(f"cannot listen at {host}:{tried}: {error.strerror}") from error
            continue
        if tried != port:
            click.echo(f"port {port} is taken, so this is at {tried}", err=True)
        return own
    raise click.ClickException(f"the ports from {port} to {tried} are taken: choose one with --port")


def _url(own: socket.socket, path: str) -> str:
    host, port, *_ = own.getsockname()
    shown = {"0.0.0.0": "localhost", "::": "localhost"}.get(host, host)  # noqa: S104 (it is not bound here)
    return f"http://{f'[{shown}]' if ':' in shown else shown}:{port}{path}/"


def _prefix(told: str, app: Any) -> str:
    """The prefix with a slash before it and none behind."""
    prefix = "/".join(part for part in told.split("/") if part)
    own = {route.path.split("/")[1] for route in app.routes}
    if prefix.split("/")[0] in own - {""}:
        raise click.UsageError(
            f"--prefix /{prefix} looks like a page of the dashboard itself: choose one that begins otherwise"
        )
    return f"/{prefix}" if prefix else ""


def _under(prefix: str, app: Any) -> Any:
    """The same application under a prefix, whether the proxy before it leaves that in the path or not."""

    async def under(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            path = scope["path"]
            if not (path + "/").startswith(prefix + "/"):
                path = prefix + path
            # The root of the prefix has a slash, or relative links of other people would go astray.
            scope = {**scope, "path": path if path != prefix else prefix + "/", "root_path": prefix}
        await app(scope, receive, send)

    return under


async def _serve(config: uvicorn.Config, own: socket.socket) -> None:
    import uvicorn

    from .db import let_threads_end

    class Server(uvicorn.Server):
        """Ends with 0 when it was told to end, as a worker does: uvicorn would raise the signal once more."""

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            numbers = (signal.SIGINT, signal.SIGTERM)
            before = {number: signal.signal(number, self.handle_exit) for number in numbers}
            try:
                yield
            finally:
                for number, handler in before.items():
                    signal.signal(number, handler)

    await Server(config).serve(sockets=[own])
    await let_threads_end()
