"""Several settings on the command line: one process, a worker for each."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
from cli_toys import Project

pytestmark = [pytest.mark.real, pytest.mark.alone]


@pytest.fixture
def project(tmp_path: Path, real_url: str) -> Project:
    return Project(tmp_path, real_url)


def test_two_databases_in_one_process(project: Project) -> None:
    """Each of the settings is a worker with a database of its own; one signal ends both."""
    project.enqueue("whoami", database=1, _job_id="one")
    project.enqueue("whoami", database=2, _job_id="two")

    with project.run("toys.First", "toys.Second") as program:
        [one] = program.wait_for("← one:whoami ● ")
        [two] = program.wait_for("← two:whoami ● ")
        program.signal(signal.SIGTERM)
        code = program.ended()

    assert code == 0
    assert "[arq:queue, database 1] " in one
    assert "[arq:queue, database 2] " in two
    assert one.split()[-1] == two.split()[-1] == str(program.process.pid)
    assert project.notes() == ["startup", "startup", "shutdown", "shutdown"]
    assert len([line for line in program.lines if "shutdown on SIGTERM ◆ " in line]) == 2
    assert "SIGUSR1" not in program.log


def test_burst_ends_when_all_are_over(project: Project) -> None:
    """`--burst` with several settings runs what waits in each queue, and ends with 0."""
    project.enqueue("tell", database=1, _job_id="one")
    project.enqueue("tell", database=1, _queue_name="mail", _job_id="two")

    with project.run("toys.First", "toys.Mail", "--burst") as program:
        code = program.ended()

    assert code == 0
    assert "[arq:queue]   0." in program.log
    assert any(line.endswith("← one:tell ● 'OLD'") for line in program.lines)
    assert any("[mail]" in line and line.endswith("← two:tell ● 'OLD'") for line in program.lines)


def test_two_workers_of_one_queue(project: Project) -> None:
    """Two settings of one queue in one database are two workers of it."""
    with project.run("toys.First", "toys.Twin", "--burst") as program:
        code = program.ended()

    assert code == 0
    assert "[arq:queue, database 1, worker 1] Starting worker" in program.log
    assert "[arq:queue, database 1, worker 2] Starting worker" in program.log


def test_running_jobs_of_all_are_waited_for(project: Project) -> None:
    """A signal gives the jobs of every worker their time; a second one gives back those of all."""
    project.enqueue("gate", database=1, _job_id="one")
    project.enqueue("gate", database=2, _job_id="two")

    with project.run("toys.First", "toys.Second") as program:
        program.wait_for("→ one:gate()")
        program.wait_for("→ two:gate()")
        program.signal(signal.SIGINT)
        program.wait_for("1 to be completed", times=2)
        program.signal(signal.SIGINT)
        code = program.ended()

    assert code == 0
    assert len([line for line in program.lines if line.endswith("gate cancelled, will be run again")]) == 2
    assert "done" not in project.notes()


def test_lost_redis_of_one_ends_all_in_words(project: Project) -> None:
    """One whose Redis is not there ends the process with 1 and in words, after the others shut down."""
    with project.run("toys.First", "toys.Lost") as program:
        code = program.ended()

    assert code == 1
    assert "Error: Redis cannot be reached (ConnectionError: " in program.log
    assert "the worker of lost ended by ConnectionError: " in program.log
    assert "Traceback" not in program.log
    assert project.notes() == ["startup", "shutdown"]


def test_bug_at_the_start_of_one_keeps_its_traceback(project: Project) -> None:
    """An `on_startup` that raises ends all: the others in order, the process with 1 and the traceback."""
    project.enqueue("tell", _job_id="one")

    with project.run("toys.First", "toys.Buggy") as program:
        code = program.ended()

    assert code == 1
    assert "RuntimeError: a bug" in program.log.splitlines()[-1]
    assert "the worker of buggy ended by RuntimeError: a bug; the others are shut down, too" in program.log
    assert "[arq:queue] shutdown on SIGUSR1 ◆ " in program.log
    assert project.notes().count("shutdown") == 2


def test_stubborn_job_holds_nobody_up(project: Project) -> None:
    """A job that ignores its cancellation is left behind, with 1, as with one worker."""
    project.enqueue("stubborn", database=2, _job_id="one")

    with project.run("toys.First", "toys.Second") as program:
        program.wait_for("→ one:stubborn()")
        program.signal(signal.SIGTERM)
        program.wait_for("1 to be completed")
        program.signal(signal.SIGTERM)
        code = program.ended()

    assert code == 1
    assert "leaving jobs behind that ignore their cancellation" in program.log
    assert project.notes().count("shutdown") == 2


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (["toys.First", "toys.First"], "Error: toys.First was given twice. "),
        (["toys.First", "toys.Bad"], "max_jobs must be a whole number of at least 1, got 0 (in toys.Bad)"),
    ],
)
def test_mistake_in_one_is_told_in_words(project: Project, settings: list[str], text: str) -> None:
    """A mistake is told with the settings that it is in, before anything runs."""
    with project.run(*settings) as program:
        code = program.ended()

    assert code == 1
    assert text in program.log
    assert "Traceback" not in program.log
    assert project.notes() == []


def test_check_looks_at_all(project: Project, eventually: Any) -> None:
    """`--check` with several settings is 0 only while each has a worker, and tells which has none."""
    both = ("toys.First", "toys.Mail", "--check")
    with project.run("toys.First") as first:
        project.ask(lambda pool: eventually(lambda: pool.exists("arq:queue:health-check")))
        with project.run(*both) as check:
            one_alive = check.ended()
        with project.run("toys.Mail") as second:
            project.ask(lambda pool: eventually(lambda: pool.exists("mail:health-check")))
            with project.run(*both) as check_again:
                both_alive = check_again.ended()
            second.signal(signal.SIGTERM)
            second.ended()
        first.signal(signal.SIGTERM)
        first.ended()

    assert (one_alive, both_alive) == (1, 0)
    assert "[toys.First] Health check successful: b'" in check.log
    assert "[toys.Mail] Health check failed: no health check sentinel value found" in check.log


def test_check_starts_nothing(project: Project) -> None:
    """`--check` beside the options of a deployment is still no more than a look."""
    with project.run("toys.First", "--check", "--processes", "2", "--watch", ".") as check:
        code = check.ended()

    assert code == 1
    assert check.lines[-1].endswith("Health check failed: no health check sentinel value found")
    assert check.pids() == []


def test_check_looks_at_all_though_one_redis_is_lost(project: Project) -> None:
    """A Redis that is not there does not keep `--check` from looking at the others."""
    with project.run("toys.Lost", "toys.First", "--check") as check:
        code = check.ended()

    assert code == 1
    assert "Error: Redis cannot be reached (ConnectionError: " in check.log
    assert "(toys.Lost)" in check.log
    assert "[toys.First] Health check failed: " in check.log
