"""`--processes N`: children that are told, waited for, replaced, and never left behind."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from cli_toys import Program, Project, until

from arqlite import ArqRedis

pytestmark = [pytest.mark.real, pytest.mark.alone]


@pytest.fixture
def project(tmp_path: Path, real_url: str) -> Project:
    return Project(tmp_path, real_url)


def at_work(program: Program, count: int) -> list[int]:
    """Wait until so many workers have started, and return the pids of all that ever were."""
    program.wait_for("redis_version=", times=count)
    return program.pids()


async def sessions(pool: ArqRedis) -> int:
    return int(await pool.zcard("aq:{arq:queue}:live"))


def test_signal_ends_all_and_their_jobs_end_first(project: Project) -> None:
    """SIGTERM to the supervisor drains every child; it ends with 0 when all have."""
    project.enqueue("gate", _job_id="one")

    with project.run("toys.First", "--processes", "2") as program:
        at_work(program, 2)
        program.wait_for("→ one:gate()")
        program.signal(signal.SIGTERM)
        program.wait_for("shutdown on SIGTERM ◆ ", times=2)
        project.open_gate()
        code = program.ended()

    assert code == 0
    assert "SIGTERM: waiting for 2 worker processes" in program.log
    assert len(program.pids()) == 2
    assert project.notes().count("done") == project.notes().count("begun") == 1
    assert project.notes().count("shutdown") == 2
    assert project.ask(sessions) == 0, program.log


def test_signal_of_the_terminal_is_one_signal(project: Project) -> None:
    """A Ctrl-C reaches children from the terminal and from their parent, and is still no second one."""
    project.enqueue("gate", _job_id="one")

    with project.run("toys.First", "--processes", "2") as program:
        at_work(program, 2)
        program.wait_for("→ one:gate()")
        program.signal_all(signal.SIGINT)
        program.wait_for("1 to be completed")
        program.wait_for("SIGINT: waiting for")
        project.open_gate()
        code = program.ended()

    assert code == 0
    assert project.notes().count("done") == 1
    assert "cancelled, will be run again" not in program.log


@pytest.mark.parametrize("to_all", [False, True])
def test_second_signal_does_not_wait(project: Project, to_all: bool) -> None:
    """A second signal, to the supervisor or to all, gives running jobs back at once."""
    project.enqueue("gate", _job_id="one")

    with project.run("toys.First", "--processes", "2") as program:
        at_work(program, 2)
        program.wait_for("→ one:gate()")
        send = program.signal_all if to_all else program.signal
        send(signal.SIGINT)
        program.wait_for("1 to be completed")
        program.wait_for("SIGINT: waiting for")
        send(signal.SIGINT)
        program.wait_for("gate cancelled, will be run again")
        code = program.ended()

    assert code == 0
    assert "SIGINT: again, hurrying " in program.log
    assert "done" not in project.notes()


def test_third_signal_ends_a_child_that_hangs(project: Project) -> None:
    """A child that hangs in its `on_shutdown` is ended by a third signal, and the exit code says so."""
    project.write(
        project.source.replace(
            "async def say_end(ctx):\n",
            "async def say_end(ctx):\n    note('hangs')\n    await asyncio.Event().wait()\n",
        )
    )
    with project.run("toys.First", "--processes", "1") as program:
        at_work(program, 1)
        program.signal_all(signal.SIGINT)
        until(lambda: "hangs" in project.notes())
        program.signal_all(signal.SIGINT)
        program.wait_for("SIGINT: again, hurrying 1 worker process")
        program.signal_all(signal.SIGINT)
        code = program.ended()

    assert code == 1
    assert "Traceback" not in program.log


def test_killed_child_is_replaced(project: Project) -> None:
    """A child that was killed is replaced, with a word on how it ended; the other goes on."""
    with project.run("toys.First", "--processes", "2") as program:
        first, second = at_work(program, 2)
        os.kill(first, signal.SIGKILL)
        program.wait_for("was killed by SIGKILL, starting another in 0.5 s")
        at_work(program, 3)
        program.signal(signal.SIGTERM)
        code = program.ended()

    assert code == 0
    assert len(program.pids()) == 3
    assert f"worker process 2 has pid {second}" in program.log


def test_crash_after_crash_makes_pauses_grow(project: Project) -> None:
    """A worker that never comes up is tried again after longer and longer pauses; the end is 1."""
    with project.run("toys.Buggy", "--processes", "1") as program:
        program.wait_for("worker process 1 ended with exit code 1, starting another in 0.5 s")
        program.wait_for("worker process 1 ended with exit code 1, starting another in 1.0 s")
        program.signal(signal.SIGTERM)
        code = program.ended()

    assert code == 1
    assert len(program.pids()) == 2


def test_burst_is_not_repeated(project: Project) -> None:
    """Children that ended well are not replaced: with `--burst` the supervisor ends with 0 after them."""
    project.enqueue("tell", _job_id="one")

    with project.run("toys.First", "--processes", "2", "--burst") as program:
        code = program.ended()

    assert code == 0
    assert len(program.pids()) == 2
    assert "← one:tell ● 'OLD'" in program.log


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ("toys.Nothing", 'Module "toys" does not define a "Nothing" attribute'),
        ("toys.Bad", "Error: max_jobs must be a whole number of at least 1, got 0"),
    ],
)
def test_mistake_is_not_tried_again(project: Project, settings: str, text: str) -> None:
    """A path that leads nowhere and settings that cannot work end the supervisor, with 1."""
    with project.run(settings, "--processes", "2") as program:
        code = program.ended()

    assert code == 1
    assert text in program.log
    assert "ended by a mistake that another start would not mend" in program.log
    assert "starting another" not in program.log


def test_mistake_that_came_later_ends_nobody(project: Project) -> None:
    """A child that cannot come up again, since the settings were broken, is no reason to end the others."""
    with project.run("toys.First", "--processes", "2") as program:
        first, second = at_work(program, 2)
        project.write(
            project.source.replace("class First(Common):", "class First(Common):\n    max_jobs = 0")
        )
        os.kill(first, signal.SIGKILL)
        program.wait_for("worker process 1 ended with exit code 2, starting another in")
        os.kill(second, 0)
        program.signal(signal.SIGTERM)
        code = program.ended()

    assert code == 1
    assert project.notes().count("shutdown") == 1


def test_children_have_numbers(project: Project) -> None:
    """`ARQLITE_PROCESS` tells a child which one it is; the supervisor's own variable goes to no job."""
    project.write(
        project.source + "\nimport sys\n"
        "told = os.environ['ARQLITE_PROCESS'], os.environ.get('ARQLITE_LEASH')\n"
        "sys.stderr.write(f'told {told}\\n')\n"
    )
    with project.run("toys.First", "--processes", "2", "--burst") as program:
        program.ended()

    told = sorted(line for line in program.lines if line.startswith("told"))
    assert told == ["told ('1', None)", "told ('2', None)"]


def test_children_do_not_outlive_a_killed_supervisor(project: Project) -> None:
    """A supervisor that was killed leaves no orphans: they shut down in order, and their jobs end first."""
    project.enqueue("gate", _job_id="one")

    with project.run("toys.First", "--processes", "2") as program:
        at_work(program, 2)
        program.wait_for("→ one:gate()")
        program.signal(signal.SIGKILL)
        program.wait_for("the supervisor is gone, shutting down", times=2)
        project.open_gate()
        program.wait_for_silence()

    assert project.notes().count("done") == 1
    assert project.notes().count("shutdown") == 2
    assert project.ask(sessions) == 0, program.log


def test_child_that_still_imports_is_ended_at_once(project: Project) -> None:
    """A signal does not wait for a child whose imports take long: nothing runs there yet."""
    project.write("from cli_toys_gate import wait")
    (project.folder / "cli_toys_gate.py").write_text(
        "import sys, threading\nprint('importing', file=sys.stderr, flush=True)\nthreading.Event().wait()\n"
    )

    with project.run("toys.First", "--processes", "1") as program:
        program.wait_for("importing")
        program.signal_all(signal.SIGINT)
        code = program.ended()

    assert code == 0
    assert "Traceback" not in program.log


def test_program_of_ones_own_is_run_again(project: Project) -> None:
    """A program that prepares something and then calls the command line does so in each child, too."""
    (project.folder / "run.py").write_text(
        "import sys\nfrom arqlite.cli import main\n"
        "print('prepared', file=sys.stderr, flush=True)\n"
        "main(args=['toys.First', *sys.argv[1:]])\n"
    )

    with Program(project.folder, "run.py", "--processes", "2", "--burst") as program:
        code = program.ended()

    assert code == 0
    assert program.log.count("prepared") == 3


def test_two_settings_in_two_processes(project: Project, eventually: Any) -> None:
    """Every process has a worker for each of the settings."""

    async def two_work(pool: ArqRedis) -> bool:
        return await sessions(pool) == 2

    with project.run("toys.First", "toys.Second", "--processes", "2") as program:
        program.wait_for("[arq:queue, database 1] redis_version=", times=1)
        for database in (1, 2):
            project.ask(lambda pool: eventually(lambda: two_work(pool)), database)
        program.signal(signal.SIGTERM)
        code = program.ended()

    assert code == 0


def test_number_of_processes_has_to_be_one(tmp_path: Path) -> None:
    """No processes at all, or a word for a number, is a usage error."""
    for number in ("0", "-1", "many"):
        with Program(tmp_path, "-m", "arqlite", "toys.First", "--processes", number) as program:
            assert program.ended() == 2
        assert "Invalid value for '--processes'" in program.log
