"""The README's first five minutes, word for word."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from arqlite.cli import cli

CHECKOUT = Path(__file__).resolve().parents[2]
PATIENCE_S = 60.0

_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_DASHBOARD = re.compile(r"http://127\.0\.0\.1:\d+")


def blocks() -> list[str]:
    """The terminals of the section."""
    section = (CHECKOUT / "README.md").read_text().partition("## Five minutes\n")[2].partition("\n## ")[0]
    return _BLOCK.findall(section)


def commands(block: str) -> str:
    """What is typed, as a script."""
    typed = [line.removeprefix("$ ") for line in block.splitlines() if line.startswith("$ ")]
    return "\n".join(["set -e", *typed])


def shown(block: str) -> list[re.Pattern[str]]:
    """What is seen, but for numbers, ids and the width of columns."""
    lines = [line for line in block.splitlines() if not line.startswith("$ ")]
    return [re.compile(r"\s+".join(_loosely(word) for word in line.split())) for line in lines]


def _loosely(word: str) -> str:
    if re.fullmatch(r"[0-9a-f]{21}", word):
        return "[0-9a-f]{21}"
    # An age may be told in ms as well as in s, and a job may have taken longer.
    return re.sub(r"\d+(\\\.\d+)*(ms|s)?", r"[\\d.]+(ms|s)?", re.escape(word))


@contextmanager
def terminal(script: str, folder: Path, path: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a script as in a terminal of its own, that is closed at the end."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["bash", "-c", script],
            cwd=folder,
            env=_environment(path),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise


def run(script: str, folder: Path, path: str) -> str:
    """Run a script to its end, and give all it said."""
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env=_environment(path),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def five_minutes(folder: Path, path: str) -> None:
    """Do what the section says, but for the installation, and see what it shows.

    Args:
        folder: the checkout, or what stands for it: where the commands are typed.
        path: where the programs are.
    """
    import httpx

    _, first, second = blocks()
    log = folder.with_name("log")
    with terminal(commands(first), folder, path, log):
        until(lambda: "ready in" in log.read_text(), log)
        said = run(commands(second), folder, path)
        [dashboard, *_] = _DASHBOARD.findall(log.read_text())
        jobs, errors = [httpx.get(f"{dashboard}/{page}", timeout=20).text for page in ("jobs", "errors")]
        until(lambda: "'charged 5'" in log.read_text(), log)

    assert [line.pattern for line in shown(first) if not line.search(log.read_text())] == []
    assert [line.pattern for line in shown(second) if not line.search(said)] == []
    assert "retrying" in jobs
    assert "the bank is busy" in errors
    assert "dashboard │ Traceback" not in log.read_text()


def until(condition: Callable[[], bool], log: Path) -> None:
    """Wait until something holds; what is in the log says why it does not."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.02)


needs_all = pytest.mark.skipif(
    not {"enqueue", "jobs", "dashboard"} <= set(cli.list_commands(None)),  # type: ignore[arg-type]
    reason="the section needs commands that are not there",
)


@needs_all
@pytest.mark.real
@pytest.mark.alone
def test_five_minutes(tmp_path: Path) -> None:
    """The commands of the section do what it shows, typed one after the other in a checkout."""
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    (checkout / "pyproject.toml").write_text("[project]\nname = 'arqlite'\n")
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    program = bin_folder / "arqlite"
    here, python = shlex.quote(str(CHECKOUT)), shlex.quote(sys.executable)
    program.write_text(f'#!/bin/sh\nPYTHONPATH={here} exec {python} -m arqlite "$@"\n')
    program.chmod(0o755)

    five_minutes(checkout, f"{bin_folder}:{os.environ['PATH']}")


@needs_all
@pytest.mark.real
@pytest.mark.alone
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_five_minutes_from_the_installation(tmp_path: Path) -> None:
    """The same with what the section installs, in an environment that had nothing."""
    source = tmp_path / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(CHECKOUT / name, source)
    shutil.copytree(CHECKOUT / "arqlite", source / "arqlite", ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True, timeout=100)
    path = f"{tmp_path / 'venv' / 'bin'}:{os.environ['PATH']}"
    try:
        run(commands(blocks()[0]), source, path)
    except AssertionError as error:
        if "hatchling" in str(error) or "No matching distribution" in str(error):
            pytest.skip(f"packages cannot be had here: {str(error).splitlines()[-1]}")
        raise

    five_minutes(source, path)


def test_section_has_three_terminals() -> None:
    """The section installs, runs and enqueues: what these tests take for granted."""
    assert [commands(block).splitlines()[1].split()[0] for block in blocks()] == ["pip", "mkdir", "cd"]


def _environment(path: str) -> dict[str, str]:
    ours = ("PYTHONPATH", "REDIS_URL", "VIRTUAL_ENV")
    kept = {name: value for name, value in os.environ.items() if name not in ours and "ARQLITE" not in name}
    return kept | {"PATH": path}
