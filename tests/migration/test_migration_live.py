"""Beside a real arq, installed from its package: every job runs once, here or there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from lacking import lack

pytestmark = [pytest.mark.slow, pytest.mark.real, pytest.mark.timeout(600)]

HERE = Path(__file__).parent
ARQ = "arq==0.28.0"
JOBS, DEFERRED = 3000, 50
INSTALL_S, PATIENCE_S = 300.0, 120.0


@pytest.fixture(scope="session")
def arq_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a throw-away environment that has arq and not arqlite."""
    folder = tmp_path_factory.mktemp("arq")
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", ARQ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_S, check=False)
    if done.returncode:
        lack(f"{ARQ} could not be installed: {done.stderr.strip().splitlines()[-1:]}")
    return python


class Town:
    """Processes of both kinds on one Redis."""

    def __init__(self, url: str, arq_python: Path, folder: Path) -> None:
        self.redis: Any = redis.from_url(url)
        self.environment = {**os.environ, "ACROSS_URL": url, "PYTHONPATH": f"{HERE}:{HERE.parents[1]}"}
        self.arq_python = arq_python
        self.folder = folder
        self.running: list[subprocess.Popen[bytes]] = []

    def arq(self, *args: str) -> str:
        """Run arq's application, as a producer."""
        command = [str(self.arq_python), str(HERE / "migration_arq_app.py"), *args]
        return self._run(command, self._of_arq()).stdout

    def arqlite(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Run a command of arqlite."""
        return self._run([sys.executable, "-m", "arqlite", *args], self.environment)

    def hire_arq(self) -> subprocess.Popen[bytes]:
        """Start a worker of arq."""
        command = [str(self.arq_python), "-m", "arq", "migration_arq_app.WorkerSettings"]
        return self._start(command, self._of_arq())

    def hire_arqlite(self, settings: str) -> subprocess.Popen[bytes]:
        """Start a worker of arqlite."""
        return self._start(
            [sys.executable, "-m", "arqlite", f"migration_new_app.{settings}"], self.environment
        )

    def until(self, condition: Callable[[], Any], what: str) -> None:
        """Wait until something is so."""
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, f"not in {PATIENCE_S} s: {what}\n{self.logs()}"
            time.sleep(0.02)

    def ran(self, where: str) -> int:
        return int(self.redis.get(f"ran-in-{where}") or 0)

    def runs(self) -> dict[str, int]:
        return {job_id.decode(): int(times) for job_id, times in self.redis.hgetall("runs").items()}

    def left_of_arq(self) -> list[bytes]:
        """Name all keys of arq but results."""
        return [
            key for key in self.redis.keys("arq:*") if not key.startswith((b"arq:result:", b"arq:queue:h"))
        ]

    def dismiss(self) -> None:
        """End all workers that are left."""
        for process in self.running:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.running:
            process.wait(30)
        self.running.clear()

    def logs(self) -> str:
        return "\n".join(path.read_text()[-2000:] for path in sorted(self.folder.glob("*.log")))

    def _of_arq(self) -> dict[str, str]:
        return {**self.environment, "PYTHONPATH": str(HERE)}

    def _start(self, command: list[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
        with (self.folder / f"{len(list(self.folder.iterdir()))}.log").open("wb") as log:
            process = subprocess.Popen(command, env=environment, cwd=self.folder, stdout=log, stderr=log)
        self.running.append(process)
        return process

    def _run(self, command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command, env=environment, cwd=self.folder, capture_output=True, text=True, timeout=PATIENCE_S,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{self.logs()}"
        return done


@pytest.fixture
def town(real_url: str, arq_python: Path, tmp_path: Path) -> Iterator[Town]:
    """An empty Redis; what was started is ended afterwards."""
    town = Town(real_url, arq_python, tmp_path)
    yield town
    town.dismiss()
    town.redis.close()


def test_import_beside_live_workers(town: Town) -> None:
    """3,000 jobs, three workers of arq and an import in their midst: each job runs exactly once."""
    town.arq("enqueue", "0", str(JOBS))
    town.arq("enqueue", str(JOBS), str(JOBS + DEFERRED), "20")
    for _ in range(3):
        town.hire_arq()
    town.until(lambda: town.ran("arq") >= 300, "arq at work")

    done = town.arqlite("import-arq", "migration_new_app.WorkerSettings", "--wait", "-o", "json")

    report = json.loads(done.stdout)
    in_arq = town.ran("arq")
    assert town.left_of_arq() == []
    assert 300 <= in_arq < JOBS
    assert report["moved"] == JOBS + DEFERRED - in_arq
    assert (report["left"], report["duplicates"], report["complete"]) == ([], [], True)
    assert report["results"] == in_arq
    town.arqlite("migration_new_app.WorkerSettings", "--burst")
    assert town.runs() == {f"j{number}": 1 for number in range(JOBS + DEFERRED)}
    assert town.ran("arq") + town.ran("arqlite") == JOBS + DEFERRED
    print(f"\n{in_arq} ran in arq, {report['moved']} moved and ran in arqlite", report)  # noqa: T201


def test_producers_move_last(town: Town) -> None:
    """With a bridge the producers of arq go on: their jobs run in arqlite, and they get their results."""
    town.hire_arqlite("BridgedSettings")

    said = town.arq("follow", "0", "500")

    assert said.strip() == str(sum(range(500)))
    assert town.runs() == {f"j{number}": 1 for number in range(500)}
    assert town.ran("arqlite") == 500
    assert town.left_of_arq() == []


def test_workers_are_exchanged_under_way(town: Town) -> None:
    """Workers of arq and a bridge share a queue while its producers enqueue: each job runs exactly once."""
    first, second = town.hire_arq(), town.hire_arq()
    town.arq("enqueue", "0", "500")
    town.hire_arqlite("BridgedSettings")
    town.arq("enqueue", "500", "1000")
    for process in (first, second):
        process.send_signal(signal.SIGTERM)
        process.wait(30)

    said = town.arq("follow", "1000", "1500")

    assert said.strip() == str(sum(range(1000, 1500)))
    town.until(lambda: len(town.runs()) == 1500, "all jobs done")
    assert set(town.runs().values()) == {1}
    town.until(lambda: town.left_of_arq() == [], "arq's queue empty")
