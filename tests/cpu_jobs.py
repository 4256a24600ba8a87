"""Job functions that tests let run in processes; a process imports this module by its name."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from arqlite import Retry, Snooze, current_job, run_in_loop, task
from arqlite.model.functions import func

Ctx = dict[Any, Any]


class TwoParts(Exception):
    """An exception that cannot be made again from its `args`."""

    def __init__(self, a: int, b: int) -> None:
        super().__init__(f"{a} and {b}")


class NoWayOut:
    def __reduce__(self) -> Any:
        raise TypeError("it stays here")


class NoWayIn:
    """Can be written, but not read."""

    def __reduce__(self) -> Any:
        return _refuse, ()


def _refuse() -> None:
    raise EOFError("not here")


def add(ctx: Ctx, a: int, b: int = 0) -> int:
    return a + b


def pid(ctx: Ctx) -> int:
    return os.getpid()


def facts(ctx: Ctx) -> dict[str, Any]:
    job = current_job()
    assert job is not None
    ctx["enqueue_time"] = ctx["enqueue_time"].isoformat()
    return {"ctx": ctx, "id": job.job_id, "try": job.job_try, "function": job.function, "pid": os.getpid()}


def fail(ctx: Ctx) -> None:
    raise ValueError("not today")


def fail_oddly(ctx: Ctx, how: str) -> Any:
    if how == "two parts":
        raise TwoParts(1, 2)
    if how == "exit":
        sys.exit(3)
    if how == "stop":
        raise StopIteration
    if how == "result":
        return lambda: None
    if how == "way out":
        return NoWayOut()
    if how == "way in":
        return NoWayIn()
    raise AssertionError(how)


def retry(ctx: Ctx) -> int:
    if ctx["job_try"] == 1:
        raise Retry(defer=0.01)
    return int(ctx["job_try"])


def die(ctx: Ctx, how: str) -> None:
    if how == "exit":
        os._exit(7)
    os.kill(os.getpid(), getattr(signal, how))


def meet(ctx: Ctx, folder: str, count: int) -> int:
    """Wait until so many of these run at once."""
    Path(folder, str(os.getpid())).touch()
    until = time.monotonic() + 30
    while len(os.listdir(folder)) < count and time.monotonic() < until:
        time.sleep(0.005)
    return len(os.listdir(folder))


def hang(ctx: Ctx, file: str, how: str = "python") -> None:
    """Tell the process's id, and never end."""
    part = Path(f"{file}.part")
    part.write_text(str(os.getpid()))
    if how == "child":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        part.write_text(f"{os.getpid()} {child.pid}")
    part.rename(file)
    if how == "c":
        sum(range(10**13))
    while True:
        time.sleep(0.01)


def until(ctx: Ctx, started: str, file: str) -> str:
    """Run until a file is there."""
    Path(started).touch()
    end = time.monotonic() + 30
    while not Path(file).exists() and time.monotonic() < end:
        time.sleep(0.005)
    return "through"


def log(ctx: Ctx) -> None:
    logging.getLogger("cpu_jobs").info("at work on %s", "it")
    logging.getLogger("cpu_jobs").debug("too small to tell")


def signals(ctx: Ctx) -> bool:
    """Survive what a terminal or a supervisor sends to everybody."""
    os.kill(os.getpid(), signal.SIGINT)
    os.kill(os.getpid(), signal.SIGTERM)
    return os.getpgid(0) == os.getpid()


def reenter(ctx: Ctx) -> str:
    try:
        run_in_loop(_nothing())
    except RuntimeError as error:
        return str(error)
    return "?"


async def _nothing() -> None: ...


def leave_thread(ctx: Ctx) -> str:
    """A thread of the job that goes on after it must not disturb the next."""
    threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
    return "left"


declared = func(add, name="declared", cpu=True)


class Adder:
    def __init__(self, base: int) -> None:
        self.base = base

    def __call__(self, ctx: Ctx, a: int) -> int:
        return self.base + a

    def method(self, ctx: Ctx, a: int) -> int:
        return self.base * a


@task(cpu=True, max_attempts=3, backoff=0)
def stubborn(ctx: Ctx, name: str) -> Any:
    """Fail, snooze, and tell what a task knows of its job."""
    job = current_job()
    assert job is not None
    if job.attempt == 1:
        raise ValueError("not yet")
    if not job.snoozes:
        return Snooze(0)
    return {
        "attempt": job.attempt,
        "max_attempts": job.max_attempts,
        "last": job.is_last_attempt,
        "errors": [error.message for error in job.errors],
        "tags": job.tags,
        "meta": job.meta,
        "snoozes": job.snoozes,
        "args": job.args,
        "is_in_ctx": ctx["job"] is job,
    }


@task(cpu=True, backoff=0)
def die_once(ctx: Ctx, how: str) -> str:
    job = current_job()
    assert job is not None
    if job.attempt == 1:
        die(ctx, how)
    return job.errors[0].message
