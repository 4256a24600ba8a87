"""`python -m app.demo` from its start to its end, as `scripts/demo` runs it."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(sys.platform != "linux", reason="processes are looked for in /proc"),
]

CHECKOUT = Path(__file__).resolve().parents[3]
SAMPLE = CHECKOUT / "app" / "sample_mailbox"
PATIENCE_S = 60.0


@dataclass(frozen=True)
class Ended:
    """A run that has ended."""

    exit_code: int
    output: str
    summary: dict[str, Any]
    rows: list[dict[str, str]]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Ended, Ended, Path]:
    """Two runs over the same mailbox, and their data folder."""
    folder = tmp_path_factory.mktemp("demo")
    mailbox = folder / "mail"
    mailbox.mkdir()
    for message in SAMPLE.glob("*.eml"):
        (mailbox / message.name).write_bytes(message.read_bytes())
    (mailbox / "empty.eml").write_bytes(b"")
    first, second = (_run_once(folder, mailbox) for _ in range(2))
    return first, second, folder / "data"


def test_all_jobs_succeed(runs: tuple[Ended, Ended, Path]) -> None:
    """Both queues run their jobs to SUCCESS, and the exit code says so."""
    first, _, _ = runs

    assert first.exit_code == 0, first.output
    assert first.summary["ok"] is True
    assert [(job["type"], job["queue"], job["status"]) for job in first.summary["jobs"]] == [
        ("SAMPLE", "base", "SUCCESS"),
        ("EMAIL_FETCH", "email", "SUCCESS"),
        ("EMAIL_EXTRACTION", "email", "SUCCESS"),
    ]
    assert re.search(r"EMAIL_FETCH +email queue +SUCCESS .* 15 fetched, 14 saved", first.output)
    assert re.search(r"EMAIL_EXTRACTION +email queue +SUCCESS .* 14 read, \d+ transactions", first.output)


def test_unreadable_message_is_named(runs: tuple[Ended, Ended, Path]) -> None:
    """A message that is no e-mail is named with a reason, and fails nothing."""
    first, _, _ = runs

    [unreadable] = first.summary["unreadable"]
    assert unreadable["source"] == "empty.eml"
    assert f"mail/empty.eml  {unreadable['reason']}" in first.output


def test_every_message_has_its_row(runs: tuple[Ended, Ended, Path]) -> None:
    """The CSV accounts for each message, the unreadable one too, and agrees with the summary."""
    first, _, _ = runs

    assert [row["file"] for row in first.rows] == sorted(
        [f"mail/{message.name}" for message in SAMPLE.glob("*.eml")] + ["mail/empty.eml"]
    )
    moved = [row for row in first.rows if row["is_transaction"] == "1"]
    assert len(moved) == first.summary["transactions"]["new"] == first.summary["transactions"]["known"] > 0
    assert all(re.fullmatch(r"\d+(\.\d\d)?", row["amount"]) for row in moved)
    assert {row["is_transaction"] for row in first.rows if row["file"] == "mail/empty.eml"} == {"0"}


def test_second_run_saves_nothing_new(runs: tuple[Ended, Ended, Path]) -> None:
    """The data is kept: a second run finds all e-mails saved and all transactions known."""
    first, second, _ = runs

    assert second.exit_code == 0, second.output
    assert second.summary["emails"]["saved"] == 0
    assert "0 new e-mails saved: an earlier run" in second.output
    assert second.summary["transactions"]["new"] == 0
    assert second.rows == first.rows


def test_no_process_is_left(runs: tuple[Ended, Ended, Path]) -> None:
    """Workers, API, server and keeper are gone when the demo is."""
    _, _, data_dir = runs

    assert _processes_of(data_dir) == []


def test_it_keeps_running_until_ctrl_c(tmp_path: Path) -> None:
    """Without --once the API goes on answering; Ctrl-C ends everything, and that is a success."""
    with _started(tmp_path) as (demo, said):
        url = re.search(r"API +(http://127\.0\.0\.1:\d+)", said("Everything keeps running"))
        assert url is not None
        with urllib.request.urlopen(f"{url[1]}/health", timeout=10) as answer:
            assert answer.status == 200

        demo.send_signal(signal.SIGINT)

        assert demo.wait(PATIENCE_S) == 0
        assert "all processes have ended" in said("all processes have ended")
    assert _processes_of(tmp_path) == []


def test_sigterm_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    """A demo that is ended while it starts ends what it had started, and tells the signal."""
    with _started(tmp_path) as (demo, said):
        said("valkey")
        demo.terminate()

        assert demo.wait(PATIENCE_S) == 128 + signal.SIGTERM
    assert _processes_of(tmp_path) == []


def test_killed_demo_leaves_nothing(tmp_path: Path) -> None:
    """A demo that is killed outright takes workers, API and server along."""
    with _started(tmp_path) as (demo, said):
        said("Everything keeps running")
        demo.kill()
        demo.wait(PATIENCE_S)

    give_up_at = time.monotonic() + PATIENCE_S
    while (left := _processes_of(tmp_path)) and time.monotonic() < give_up_at:
        time.sleep(0.05)
    assert left == []


def test_worker_that_dies_at_start_is_told(tmp_path: Path) -> None:
    """A database that cannot be opened ends the demo with the last lines of the process that found out."""
    ended = _run(tmp_path, "--once", DATABASE_URL=f"sqlite:///{tmp_path}/missing/app.db")

    assert ended.returncode == 1
    assert "ended with exit code" in ended.stdout
    assert "unable to open database file" in ended.stdout
    assert _processes_of(tmp_path) == []


def test_missing_mailbox_is_told_before_anything_starts(tmp_path: Path) -> None:
    """A mailbox that is not there is an error of use: exit code 2, in words, and nothing was started."""
    ended = _run(tmp_path, "--once", "--mailbox", str(tmp_path / "nowhere"))

    assert ended.returncode == 2
    assert f"there is no mailbox at {tmp_path / 'nowhere'}" in ended.stdout
    assert "valkey" not in ended.stdout


def _run_once(folder: Path, mailbox: Path) -> Ended:
    summary, rows = folder / "summary.json", folder / "rows.csv"
    files = ("--json", str(summary), "--transactions", str(rows))
    ended = _run(folder / "data", "--once", "--mailbox", str(mailbox), *files)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    with rows.open(encoding="utf-8", newline="") as opened:
        return Ended(
            ended.returncode, ended.stdout, json.loads(summary.read_text()), list(csv.DictReader(opened))
        )


def _run(data_dir: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        _command(data_dir, *arguments),
        env=_environment(**environment),
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


@contextmanager
def _started(data_dir: Path) -> Iterator[tuple[subprocess.Popen[str], Callable[[str], str]]]:
    """A demo that keeps running, and a way to wait for what it says: all until then is returned."""
    demo = subprocess.Popen(
        _command(data_dir), env=_environment(), cwd=CHECKOUT, stdout=subprocess.PIPE, text=True
    )
    assert demo.stdout is not None
    output = demo.stdout
    watchdog = threading.Timer(PATIENCE_S, demo.kill)  # ends the reading below, and so the test
    watchdog.start()
    heard: list[str] = []

    def said(wanted: str) -> str:
        while wanted not in (line := output.readline()):
            assert line, f"{wanted!r} never came: {''.join(heard)}"
            heard.append(line)
        heard.append(line)
        return "".join(heard)

    try:
        yield demo, said
    finally:
        watchdog.cancel()
        if demo.poll() is None:
            demo.terminate()
            demo.wait(PATIENCE_S)
        output.close()


def _command(data_dir: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "app.demo", "--data-dir", str(data_dir), *arguments]


def _environment(**more: str) -> dict[str, str]:
    unset = {"REDIS_URL", "DATABASE_URL", "DATA_DIR", "MAILBOX_PATH", "ARQLITE_HOME", "ARQLITE_ENV"}
    kept = {name: value for name, value in os.environ.items() if name not in unset}
    return kept | {"ARQLITE_EMBEDDED": "force", "PYTHONUNBUFFERED": "1"} | more


def _processes_of(data_dir: Path) -> list[str]:
    """The command lines of all processes that have this folder in their arguments or environment."""
    mark = os.fsencode(data_dir)
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command, environment = ((process / name).read_bytes() for name in ("cmdline", "environ"))
        except OSError:
            continue
        if mark in command + environment and int(process.name) != os.getpid():
            found.append(command.replace(b"\0", b" ").decode(errors="replace"))
    return found
