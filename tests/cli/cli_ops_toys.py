"""What the tests of the operators' commands share: a console of made-up queues, and ways to run commands."""

from __future__ import annotations

import asyncio
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from redis.exceptions import ConnectionError as RedisAway

import arqlite.console
from arqlite import Inspector, RedisSettings, create_pool
from arqlite.console import (
    AskedToEnd,
    Attempt,
    CronLine,
    CronList,
    Done,
    ErrorGroup,
    ErrorGroups,
    JobDetail,
    JobLine,
    JobPage,
    LedgerInfo,
    Overview,
    Point,
    QueueState,
    ServerInfo,
    SystemInfo,
    Tally,
    Trouble,
    WorkerInfo,
    WorkerList,
)
from arqlite.console.knowledge import places_meant
from arqlite.console.links import Links
from arqlite.console.places import places_of
from arqlite.errors import ConfigurationError
from arqlite.model.limits import GlobalLimit, RateLimit
from arqlite.model.states import Cause, JobState, LedgerStatus

PATIENCE_S = 30.0
HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]

SETTINGS = """
from arqlite import cron
from arqlite.connections import RedisSettings

async def send_mail(ctx, to: str, subject: str = "hello", copies: int = 1):
    return f"sent to {to}"

async def resize(ctx, width: int):
    return width * 2

class Base:
    redis_settings = RedisSettings(host="redis.example", port=6380, password="hunter2", database=3)
    max_jobs = 7

class Mail(Base):
    functions = [send_mail]
    queue_name = "mail"
    cron_jobs = [
        cron(resize, name="nightly", crontab="30 3 * * *", timezone="Europe/Prague", kwargs={"width": 1})
    ]

class Pictures(Base):
    functions = [resize]
    queue_name = "pictures"
"""

NOW = datetime.now(UTC)
STEER = "\x1b]0;owned\x07"
"""What a job may have in its arguments, to have a terminal do something."""


def line(number: int, state: str = "discarded", **more: Any) -> JobLine:
    """A job as a list has it."""
    status = {"discarded": LedgerStatus.FAILED, "completed": LedgerStatus.SUCCESS}.get(
        state, LedgerStatus.QUEUED
    )
    told = {
        "queue": "mail", "id": f"job{number}", "function": "send_mail", "state": JobState(state),
        "status": status, "arguments": f"'ada{STEER}@example.org'", "attempt": 2, "max_attempts": 3,
        "enqueued_at": NOW - timedelta(minutes=10), "started_at": NOW - timedelta(minutes=5),
        "finished_at": NOW - timedelta(minutes=4), "error": "ValueError: no such address",
    }  # fmt: skip
    return JobLine(**{**told, **more})


class FakeConsole:
    """Tells of two queues with three jobs; notes what is done in a file, a line each.

    With TOY_AWAY in the environment Redis is out of reach, TOY_EMPTY leaves nothing to be told, TOY_STUCK has
    no job move, TOY_SPARSE has jobs far down the list only, and with TOY_ROWS only rows tell of jobs. With
    TOY_UNCOUNTED nobody knows how many there are, and with TOY_UNSEEN none is found among those looked at.
    With TOY_PARTLY the Redis of a queue is away when something is done. TOY_ASKED names jobs that run, TOY_ON
    those that run on by their worker's settings, and TOY_STILL those that run when they are looked at again.
    """

    def __init__(self, targets: Any, *, by: str = "") -> None:
        self.places = places_of(targets)
        self.by = by
        self.is_empty = "TOY_EMPTY" in os.environ
        self.left = int(os.environ.get("TOY_JOBS", "3"))

    async def __aenter__(self) -> FakeConsole:
        if "TOY_AWAY" in os.environ:
            raise RedisAway("Error 111 connecting to redis.example:6380")
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def queues(self) -> Sequence[QueueState]:
        return [_queue(place.key) for place in self.places]

    async def queue(self, key: str) -> QueueState:
        if key not in [place.key for place in self.places]:
            raise ConfigurationError(f"there is no queue {key!r}; did you mean 'mail'?")
        return _queue(key)

    def places_meant(self, query: Any) -> Sequence[Any]:
        return places_meant(Links(self.places), query)

    async def workers(self) -> WorkerList:
        return WorkerList([] if self.is_empty else [_worker("mail")])

    async def troubles(self) -> Sequence[Trouble]:
        return (Trouble("error", "no-worker", "no worker is alive", "start one", "mail"),)

    async def jobs(self, query: Any = None, *, after: str | None = None, limit: int = 50) -> JobPage:
        away = Trouble("error", "redis-away", "the Redis of queue pictures does not answer")
        if self.is_empty or query.get("id") == ("nowhere*",):
            return JobPage([], None, (away,) if "TOY_HALF_AWAY" in os.environ else ())
        if "TOY_SPARSE" in os.environ:
            return JobPage([], "further")
        lines = [line(1), line(2, "completed", error="", function="=SUM(A1)"), line(3, "retryable")]
        first = int(after or 0)
        last = first + min(limit, 2)  # a page may be shorter than was asked for
        return JobPage(lines[first:last], str(last) if last < len(lines) else None)

    async def count(self, query: Any) -> Tally:
        _note(f"count {query}")
        return (
            Tally(0, "at least")
            if "TOY_UNCOUNTED" in os.environ
            else Tally(0 if self.is_empty else self.left)
        )

    async def job(self, job_id: str, queue: str | None = None) -> JobDetail | None:
        return None if job_id == "nowhere" or self.is_empty else _detail(job_id)

    async def errors(self, *, since: Any = None, queue: str | None = None) -> ErrorGroups:
        _note(f"errors of {queue} since {round((NOW - since).total_seconds() / 3600)}h")
        return ErrorGroups([] if self.is_empty else [_group()], 1, not self.is_empty)

    async def crons(self) -> CronList:
        nightly = CronLine(
            queue="mail", name="nightly", schedule="30 3 * * *", words="every day at 03:30",
            timezone="Europe/Prague", function="resize", next_at=datetime(2026, 11, 27, 2, 30, tzinfo=UTC),
        )  # fmt: skip
        plain = replace(nightly, name="cron:clean", function="clean")
        return CronList([] if self.is_empty else [nightly, plain] if "TOY_CRON" in os.environ else [nightly])

    async def overview(self) -> Overview:
        points = [Point(at=NOW - timedelta(minutes=n), completed=n) for n in range(60)]
        queues = await self.queues()
        away = [Trouble("error", "redis-away", queue.error) for queue in queues if queue.error]
        return Overview(
            ready=12, running=2, failed=5, oldest=timedelta(seconds=90), points=points, queues=queues,
            errors=[_group()], troubles=[*await self.troubles(), *away],
        )  # fmt: skip

    async def system(self, *, production: bool = False) -> SystemInfo:
        found: Any = os.environ.get("TOY_TROUBLE", "warning")
        troubles = (
            () if found == "none" else (Trouble(found, "no-aof", "Redis keeps nothing", "Turn on AOF."),)
        )
        if production and "TOY_EMBEDDED" in os.environ:
            troubles += (Trouble("error", "embedded-server", "Redis is the embedded one", "Run one."),)
        server = ServerInfo(server="redis.example:6380/3", product="redis", version="7.4.1", role="master")
        ledger = LedgerInfo(url="sqlite:///jobs.db", dialect="sqlite", mode="behind", rows=Tally(9, "about"))
        return SystemInfo((server,), (ledger,), {"mail": "web-1:77"}, troubles)

    async def retry(self, query: Any) -> Done:
        return self._moved("retry", query)

    async def cancel(self, query: Any) -> Done:
        return self._moved("cancel", query)

    async def still_running(self, asked: Any) -> Sequence[AskedToEnd]:
        _note("look again")
        return [one for one in asked if one.id in os.environ.get("TOY_STILL", "").split()]

    async def delete(self, query: Any) -> Done:
        return self._moved("delete", query)

    async def pause(self, key: str, *, node: str | None = None) -> None:
        await self.queue(key)
        _note(f"pause {key} {node} by {bool(self.by)}")

    async def resume(self, key: str, *, node: str | None = None) -> None:
        _note(f"resume {key} {node}")

    async def scale(self, key: str, *, node: str | None = None, **limits: Any) -> None:
        _note(f"scale {key} {node} {limits}")

    async def drain(self, key: str, *, timeout: float | None = None) -> Sequence[str]:
        _note(f"drain {key} {timeout}")
        return [] if timeout is None else ["job9"]

    async def run_cron(self, key: str, name: str) -> Any:
        class Job:
            job_id = f"{key}-{name}-1"

        return Job()

    async def pause_cron(self, key: str, name: str) -> bool:
        _note(f"pause {key} {name}")
        return True

    async def resume_cron(self, key: str, name: str) -> bool:
        return False

    def _moved(self, verb: str, query: Any) -> Done:
        """Moves two jobs in a call, for a call does not do it to all of very many."""
        if "TOY_STUCK" in os.environ:
            return Done(self.left, 0)
        if "TOY_UNSEEN" in os.environ:
            return Done(0, 0, is_all=False)
        if "TOY_ROWS" in os.environ:
            return Done(0, 0)
        step, matched = min(self.left, 2), self.left
        self.left -= step
        _note(f"{verb} {query}")
        if told := os.environ.get("TOY_ASKED"):
            on = os.environ.get("TOY_ON", "").split()
            asked = tuple(AskedToEnd("mail", one, "web-1:77", one in on) for one in told.split())
            return Done(matched, matched - len(asked), asked=asked)
        if "TOY_PARTLY" in os.environ:
            away = Trouble(
                "error", "redis-away", "the Redis of queue pictures does not answer", "", "pictures"
            )
            return Done(matched, step, is_all=False, troubles=(away,))
        return Done(matched, step, not self.left)


def _note(text: str) -> None:
    if "TOY_NOTES" in os.environ:
        with open(os.environ["TOY_NOTES"], "a", encoding="utf-8") as notes:
            notes.write(text + "\n")


def _worker(queue: str) -> WorkerInfo:
    return WorkerInfo(
        queue=queue, session="web-1:77:abc", node="web-1", pid=77, version="1.0", limit=7, running=("job7",),
        started_at=NOW - timedelta(hours=3), leads=True, memory=81_000_000,
        loop_lag=timedelta(milliseconds=2),
    )  # fmt: skip


def _queue(key: str) -> QueueState:
    told = QueueState(key=key, name=key, server="redis.example:6380/3")
    if key != "mail":
        return replace(told, error="ConnectionError" if "TOY_HALF_AWAY" in os.environ else "")
    return replace(
        told, is_paused=True, available=1234, executing=2, slots=7, oldest=timedelta(seconds=90), limit=7,
        global_limit=GlobalLimit(20), rate_limit=RateLimit(100, 60), rate_used=3, workers=(_worker(key),),
        ended=tuple(range(60)),
    )  # fmt: skip


def _detail(job_id: str) -> JobDetail:
    attempt = Attempt(
        number=1, state="retryable", cause=Cause.ERROR, worker="web-1", started_at=NOW,
        error_type="ValueError",
        message="no such address", traceback=f"Traceback:\n  ValueError: no such address{STEER}",
    )  # fmt: skip
    return JobDetail(
        line=replace(line(1), id=job_id), args=("ada@example.org",), kwargs={"token": "[redacted]"},
        result="ValueError: no such address", result_is_error=True, attempts=(attempt,),
        logs=("12:00 sending",),
        actions=frozenset({"retry", "delete"}), sources=frozenset({"redis"}), is_redacted=True,
    )  # fmt: skip


def _group() -> ErrorGroup:
    return ErrorGroup(
        fingerprint="f1", queue="mail", function="send_mail", error_type="ValueError",
        message=f"no such address{STEER}", place="app.mail:12 in send", count=41,
        first_at=NOW - timedelta(hours=2),
        last_at=NOW - timedelta(minutes=3), recent=tuple(range(24)), sample="job1",
    )  # fmt: skip


def main() -> None:
    """Run the command line on the fake console."""
    from arqlite.cli import main as run

    arqlite.console.Console = FakeConsole  # type: ignore[misc,assignment]
    run()


_FAKED = "import cli_ops_toys; cli_ops_toys.main()"


def arqlite_command(*args: str, fake: bool = True) -> list[str]:
    """The command line as a command; on the fake console, or on what is real."""
    return [sys.executable, *(("-c", _FAKED) if fake else ("-m", "arqlite")), *args]


def environment(**more: str) -> dict[str, str]:
    """The environment of a command: nothing of the developer's own that would change what it says."""
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "ARQLITE_SETTINGS")}
    paths = os.pathsep.join([str(HERE), str(ROOT), kept.get("PYTHONPATH", "")])
    return {**kept, "PYTHONPATH": paths, "TERM": "xterm-256color", "COLUMNS": "160", "LINES": "40", **more}


def run(
    folder: Path, *args: str, fake: bool = True, stdin: str | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own, without a terminal."""
    return subprocess.run(
        arqlite_command(*args, fake=fake), cwd=folder, env=environment(**variables), text=True,
        input=stdin or "",
        capture_output=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip


@contextmanager
def worker_at_work(folder: Path, url: str, queue: str) -> Iterator[int]:
    """A worker of `toyapp.Settings` in a process of its own, which holds its lease; gives its pid."""
    command = [sys.executable, "-m", "arqlite", "toyapp.Settings"]
    with subprocess.Popen(command, cwd=folder, env=environment(), stderr=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + PATIENCE_S
            while not asyncio.run(_has_worker(url, queue)):
                assert time.monotonic() < deadline, "the worker never came"
            yield process.pid
        finally:
            process.kill()


async def _has_worker(url: str, queue: str) -> bool:
    pool = await create_pool(RedisSettings.from_dsn(url))
    try:
        info = await Inspector(pool).check_queue(queue)
        return info is not None and bool(info.sessions)
    finally:
        await pool.aclose(close_connection_pool=True)


class Terminal:
    """A command that sits in a terminal of its own."""

    def __init__(self, process: subprocess.Popen[bytes], descriptor: int) -> None:
        self.process = process
        self.said = ""
        self._descriptor = descriptor

    @property
    def plain(self) -> str:
        """What it said, without what steers the terminal."""
        return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\r", "", self.said)

    def wait_for(self, text: str) -> None:
        """Wait until it has said something."""
        self._read_until(lambda: text in self.plain, f"{text!r}")

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._descriptor, text.encode())

    def ended(self) -> int:
        """Wait for its end, and return its exit code."""
        self._read_until(lambda: self.process.poll() is not None, "its end")
        self._read()
        return self.process.wait()

    def _read_until(self, holds: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not holds():
            assert time.monotonic() < deadline, f"{what} never came:\n{self.plain}"
            self._read()

    def _read(self) -> None:
        while select.select([self._descriptor], [], [], 0.05)[0]:
            try:
                data = os.read(self._descriptor, 65536)
            except OSError:  # Linux says so where the other end is closed
                return
            if not data:
                return
            self.said += data.decode(errors="replace")


@contextmanager
def terminal(folder: Path, *args: str, fake: bool = True, **variables: str) -> Iterator[Terminal]:
    """Run a command in a terminal; it is ended however the block ends."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        arqlite_command(*args, fake=fake), cwd=folder, env=environment(**variables), stdin=theirs,
        stdout=theirs,
        stderr=theirs, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    try:
        yield Terminal(process, ours)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.wait(PATIENCE_S)
        os.close(ours)
