"""What `arqlite dev` runs: a server, a worker that follows the code, the dashboard; and one log of it all."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import re
import socket
import sys
import time
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from ..constants import default_queue_name
from ..embedded import EmbeddedServer, data_home
from ..errors import EmbeddedServerError
from ..surroundings import LEDGER_VARIABLE, REDIS_VARIABLE, DevSession, held
from .children import Child
from .defaults import is_default
from .devworker import option_of
from .merging import merged, prefix
from .serverwatch import keep_alive
from .supervisor import Supervisor, Watch
from .watch import watch_of

LEDGER_FILE = "jobs.db"

_HOST = "127.0.0.1"
_PORTS_TRIED = 50
_LOCAL_REDIS = ("localhost", 6379)
_CONNECT_S = 0.2
_LOOK_S = 0.05
_DASHBOARD_START_S = 20.0
_DASHBOARD_END_S = 5.0


class Development:
    """Everything of a project, run in one terminal.

    Args:
        paths: of the settings, as they were typed.
        settings: what these name.
        watched: the folder whose changes have the worker and the dashboard start anew.
        port: the dashboard's, or the first of those that are tried; None is no dashboard.
    """

    def __init__(self, paths: Sequence[str], settings: Sequence[Any], watched: str, port: int | None) -> None:
        self._began = time.monotonic()
        self._paths = paths
        self._settings = settings
        self._watched = watched
        self._port = port
        self._home = data_home()
        self._server: EmbeddedServer | None = None
        self._worker: Child | None = None
        self._started = asyncio.Event()
        self._changed = asyncio.Event()

    async def run(self) -> int:
        """Run until all is told to end; returns the exit code."""
        with held() as is_held:
            if not is_held:
                raise click.ClickException(_runs_already(DevSession.find()))
            return await self._run()

    async def _run(self) -> int:
        redis_url = self._provide_redis()
        ledger_url = self._provide_ledger()
        watch = self._make_watch()
        async with AsyncExitStack() as stack:
            dashboard_url = await self._start_dashboard(stack)
            stack.enter_context(
                DevSession(os.getpid(), redis_url, ledger_url, dashboard_url).told(self._home)
            )
            output = await stack.enter_async_context(merged("worker"))
            ready = asyncio.create_task(self._tell_when_ready(dashboard_url))
            stack.callback(ready.cancel)
            if self._server is not None:
                keeping = asyncio.create_task(keep_alive(self._server, lambda text: _say("redis", text)))
                stack.callback(keeping.cancel)
            return await Supervisor(1, watch, lambda environment: self._start(environment, output)).run()

    async def _start(self, environment: Any, output: int) -> Child:
        # What a job prints is to be seen when it prints it.
        child = await Child.start({**environment, "PYTHONUNBUFFERED": "1"}, output)
        self._worker = child
        self._started.set()
        return child

    # -- what there is

    def _provide_redis(self) -> str | None:
        """See to it that settings without a Redis find one; gives where, if there are such settings."""
        if all(option_of(one, "redis_settings") or option_of(one, "redis_pool") for one in self._settings):
            _say("redis", "as the settings say")
            return None
        if url := os.environ.get(REDIS_VARIABLE):
            _say("redis", f"{_without_secrets(url)}, as {REDIS_VARIABLE} says")
            return url
        try:
            server = EmbeddedServer.ensure()
        except EmbeddedServerError as error:
            if not _answers(_LOCAL_REDIS):
                raise click.ClickException(str(error)) from error
            url = "redis://{}:{}".format(*_LOCAL_REDIS)
            _say("redis", f"{url}, since no server is embedded")
        else:
            self._server = server  # the server lives as long as somebody holds it
            url = server.url()
            _say("redis", f"{server.binary_kind} {server.version}, embedded in {_shown(server.data_dir)}")
        os.environ[REDIS_VARIABLE] = url
        return url

    def _provide_ledger(self) -> str | None:
        """See to it that settings without a ledger find one; gives where, if there are such settings."""
        if all(_says(one, "ledger") or option_of(one, "redis_pool") for one in self._settings):
            _say("ledger", "as the settings say")
            return None
        if url := os.environ.get(LEDGER_VARIABLE):
            _say("ledger", f"{_without_secrets(url)}, as {LEDGER_VARIABLE} says")
            return url
        if missing := _missing("sqlalchemy", "aiosqlite", "alembic"):
            _say("ledger", f'none, {missing} is not installed: pip install "arqlite[standalone]"')
            return None
        file = self._home / LEDGER_FILE
        url = f"sqlite:///{file}"
        _say("ledger", f"sqlite, {_shown(file)}")
        os.environ[LEDGER_VARIABLE] = url
        return url

    def _make_watch(self) -> Watch | None:
        queues = ", ".join(option_of(one, "queue_name") or default_queue_name for one in self._settings)
        if _missing("watchfiles"):
            _say("worker", f'queue {queues}; not started anew on changes: pip install "arqlite[watch]"')
            return None
        _say("worker", f"queue {queues}; starts anew when {_shown(Path(self._watched).resolve())} changes")
        return _heard(watch_of(self._watched), self._changed)

    # -- the dashboard

    async def _start_dashboard(self, stack: AsyncExitStack) -> str | None:
        """Start it, if it is wanted and can be had; gives where it is."""
        if self._port is None:
            return None
        if missing := _missing("starlette", "jinja2", "python_multipart", "uvicorn"):
            _say("dashboard", f'none, {missing} is not installed: pip install "arqlite[dashboard]"')
            return None
        port = _free_port(self._port)
        if port is None:
            _say("dashboard", f"none, for ports {self._port} to {self._port + _PORTS_TRIED - 1} are taken")
            return None
        taken = "" if port == self._port else f" ({self._port} is taken)"
        url = f"http://{_HOST}:{port}"
        _say("dashboard", f"{url}{taken}")
        command = ["dashboard", *self._paths, "--host", _HOST, "--port", str(port)]
        # It knows functions by the code: which of their arguments are secret, for one.
        await stack.enter_async_context(_tethered("dashboard", command, self._changed))
        return url

    async def _tell_when_ready(self, dashboard_url: str | None) -> None:
        await self._started.wait()
        assert self._worker is not None  # noqa: S101 (it has been started)
        await self._worker.ready.wait()
        if dashboard_url is not None:
            await _wait_for_answer(dashboard_url)
        hint = _hint(self._paths[0], self._settings[0])
        _say("dev", f"ready in {time.monotonic() - self._began:.1f} s{hint}; Ctrl-C ends it")


def _heard(watch: Watch, changed: asyncio.Event) -> Watch:
    """The same watch, of whose changes somebody else hears, too."""

    async def changes(stop: asyncio.Event) -> AsyncIterator[Collection[str]]:
        async for files in watch(stop):
            changed.set()
            yield files

    return changes


@asynccontextmanager
async def _tethered(name: str, command: Sequence[str], changed: asyncio.Event) -> AsyncIterator[None]:
    """Run a command, anew after changes, where no Ctrl-C is heard; it ends with the block or with us."""
    async with merged(name) as output:
        keeping = asyncio.create_task(_keep(name, command, output, changed))
        try:
            yield
        finally:
            keeping.cancel()
            with suppress(asyncio.CancelledError):
                await keeping


async def _keep(name: str, command: Sequence[str], output: int, changed: asyncio.Event) -> None:
    """Have a command run, each time with the code as it is."""
    while True:
        changed.clear()
        try:
            async with _running(command, output) as process:
                await _until_changed(name, process, changed)
        except OSError as error:  # no process or no memory to be had now
            _say(name, f"cannot be started: {error}; the worker goes on")
            await changed.wait()


@asynccontextmanager
async def _running(command: Sequence[str], output: int) -> AsyncIterator[asyncio.subprocess.Process]:
    leash, ours = os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "arqlite.cli.tether", str(leash), *command),
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            pass_fds=[leash],
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    except BaseException:
        os.close(ours)
        raise
    finally:
        os.close(leash)
    try:
        yield process
    finally:
        os.close(ours)
        await _end(process)


async def _until_changed(name: str, process: asyncio.subprocess.Process, changed: asyncio.Event) -> None:
    """Wait for a change, and tell if the process ends before."""
    ended, change = asyncio.create_task(process.wait()), asyncio.create_task(changed.wait())
    try:
        await asyncio.wait({ended, change}, return_when=asyncio.FIRST_COMPLETED)
        if not change.done():
            _say(name, f"ended with exit code {ended.result()}; the worker goes on")
            await change
    finally:
        ended.cancel()
        change.cancel()


async def _end(process: asyncio.subprocess.Process) -> None:
    try:
        async with asyncio.timeout(_DASHBOARD_END_S):
            await process.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _wait_for_answer(url: str) -> None:
    port = urlsplit(url).port or 0
    with suppress(TimeoutError):
        async with asyncio.timeout(_DASHBOARD_START_S):
            while not await asyncio.to_thread(_answers, (_HOST, port)):  # noqa: ASYNC110 (a port tells nobody)
                await asyncio.sleep(_LOOK_S)


def _says(settings: Any, name: str) -> bool:
    """Whether settings say something of an option, be it None."""
    return name in settings if isinstance(settings, dict) else hasattr(settings, name)


def _say(name: str, text: str) -> None:
    click.echo(f"{prefix(name)}{text}", err=True)


def _hint(path: str, settings: Any) -> str:
    """How a first job is enqueued."""
    functions = list(option_of(settings, "functions") or ())
    if not functions:
        return ""
    first = functions[0]
    named = (
        first if isinstance(first, str) else getattr(first, "name", None) or getattr(first, "__name__", "")
    )
    said = "" if is_default(path) else f"{path} "  # whoever tries it may be in another terminal
    return f"; try: arqlite enqueue {said}{str(named).rpartition('.')[2]} ..."


def _runs_already(found: DevSession | None) -> str:
    which = "" if found is None else f" (process {found.pid})"
    return f"an arqlite dev runs in this project already{which}; to end it: arqlite dev --stop"


def _missing(*modules: str) -> str:
    """The first of some packages that is not installed; empty if all are."""
    return next((name for name in modules if importlib.util.find_spec(name) is None), "")


def _free_port(first: int) -> int | None:
    for port in range(first, min(first + _PORTS_TRIED, 65536)):
        with socket.socket() as tried, suppress(OSError):
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind((_HOST, port))
            return port
    return None


def _answers(address: tuple[str, int]) -> bool:
    with suppress(OSError), socket.create_connection(address, timeout=_CONNECT_S):
        return True
    return False


def _shown(path: Path) -> str:
    return os.path.relpath(path)


def _without_secrets(url: str) -> str:
    scheme, _, rest = url.partition("://")
    place, *query = re.split("[?#]", rest, maxsplit=1)
    host, slash, path = place.partition("/")
    # An @ behind the host: what seems to be the host may be the beginning of a password that is not encoded.
    if host and any("@" in part for part in (path, *query)):
        return f"{scheme}://..."
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"
