"""`--watch DIR`: code that was changed runs, and what ran before it is not cut off."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest
from cli_toys import Program, Project

import arqlite.cli
from arqlite.cli import watch_reload
from arqlite.errors import ConfigurationError, MissingExtra

pytestmark = pytest.mark.real


@pytest.fixture
def project(tmp_path: Path, real_url: str) -> Project:
    return Project(tmp_path, real_url)


def test_changed_code_runs(project: Project) -> None:
    """After an edit the new code runs, even if it came within the same second and has the same length."""
    with project.run("toys.First", "--watch", ".") as program:
        project.enqueue("tell", _job_id="one")
        program.wait_for("← one:tell ● 'OLD'")
        project.write(project.source.replace('"OLD"', '"NEW"'))
        program.wait_for("files changed, reloading: toys.py")
        program.wait_for("shutdown on SIGTERM ◆ ")  # it claims nothing from here on
        project.enqueue("tell", _job_id="two")
        program.wait_for("← two:tell ● 'NEW'")
        project.write(project.source.replace('"NEW"', '"BIG"'))
        program.wait_for("shutdown on SIGTERM ◆ ", times=2)
        project.enqueue("tell", _job_id="three")
        program.wait_for("← three:tell ● 'BIG'")
        program.signal(signal.SIGINT)
        code = program.ended()

    assert code == 0
    assert len(program.pids()) == 3
    assert project.notes() == ["startup", "shutdown"] * 3


def test_running_job_ends_before_the_reload(project: Project) -> None:
    """A job that runs at an edit has its time: it ends where it began, and its effect is there once."""
    project.enqueue("gate", _job_id="one")

    with project.run("toys.First", "--watch", ".") as program:
        program.wait_for("→ one:gate()")
        project.write(project.source + "\n# an edit\n")
        program.wait_for("shutdown on SIGTERM ◆ ")
        project.open_gate()
        [end] = program.wait_for("← one:gate ● ")
        program.wait_for("redis_version=", times=2)
        program.signal(signal.SIGTERM)
        code = program.ended()

    assert code == 0
    assert end.endswith(f"● {program.pids()[0]}")
    assert (project.notes().count("begun"), project.notes().count("done")) == (1, 1)


def test_edits_and_a_signal_while_it_drains_do_not_hurry(project: Project) -> None:
    """Neither a second edit nor a first Ctrl-C counts as a second signal for a job that has its time."""
    project.enqueue("gate", _job_id="one")

    with project.run("toys.First", "--watch", ".") as program:
        program.wait_for("→ one:gate()")
        project.write(project.source + "\n# an edit\n")
        program.wait_for("1 to be completed")
        project.write(project.source + "\n# another\n")
        program.wait_for("files changed, reloading", times=2)
        program.signal_all(signal.SIGINT)
        program.wait_for("SIGINT: waiting for 1 worker process")
        project.open_gate()
        code = program.ended()

    assert code == 0
    assert project.notes().count("done") == 1
    assert len(program.pids()) == 1


def test_syntax_error_is_waited_out(project: Project) -> None:
    """A module that cannot be read does not end the watch: it says so, and the mended one runs."""
    good = project.source
    with project.run("toys.First", "--watch", ".") as program:
        program.wait_for("redis_version=")
        project.write(good + "\ndef broken(:\n")
        program.wait_for("SyntaxError: ")
        program.wait_for("worker process 1 ended with exit code 1, waiting for a change")
        project.write(good)
        program.wait_for("redis_version=", times=2)
        program.signal(signal.SIGINT)
        code = program.ended()

    assert code == 0


def test_watch_begins_with_a_syntax_error(project: Project) -> None:
    """A module that is broken from the start is waited for like one that breaks later."""
    good = project.source
    project.write("def broken(:\n")
    with project.run("toys.First", "--watch", ".") as program:
        program.wait_for("waiting for a change")
        project.write(good)
        program.wait_for("redis_version=")
        program.signal(signal.SIGINT)
        code = program.ended()

    assert code == 0


def test_burst_runs_after_each_change(project: Project) -> None:
    """With `--burst` what waits is run at the start and after each change."""
    project.enqueue("tell", _job_id="one")
    with project.run("toys.First", "--burst", "--watch", ".") as program:
        program.wait_for("← one:tell ● 'OLD'")
        program.wait_for("worker process 1 ended with exit code 0, waiting for a change")
        project.enqueue("tell", _job_id="two")
        project.write(project.source.replace('"OLD"', '"NEW"'))
        program.wait_for("← two:tell ● 'NEW'")
        program.wait_for("waiting for a change", times=2)
        program.signal(signal.SIGINT)
        code = program.ended()

    assert code == 0


def test_watch_of_several_processes_and_settings(project: Project) -> None:
    """All processes are replaced after a change, each with a worker for each of the settings."""
    with project.run("toys.First", "toys.Second", "--processes", "2", "--watch", ".") as program:
        program.wait_for("redis_version=", times=4)
        project.write(project.source + "\n# an edit\n")
        program.wait_for("redis_version=", times=8)
        program.signal(signal.SIGINT)
        code = program.ended()

    assert code == 0
    assert len(set(program.pids())) == 4


def test_what_is_no_code_changes_nothing(project: Project) -> None:
    """Files that jobs write, and those of git and of Python's cache, reload nothing."""
    (project.folder / "__pycache__").mkdir(exist_ok=True)
    (project.folder / ".git").mkdir()
    with project.run("toys.First", "--watch", ".") as program:
        program.wait_for("redis_version=")
        for name in ("app.db", ".git/hook.py", "__pycache__/toys.py"):
            (project.folder / name).write_text("new")
        (project.folder / "other.py").write_text("new = 1\n")
        [line] = program.wait_for("files changed, reloading")
        program.signal(signal.SIGINT)
        program.ended()

    assert line.endswith("reloading: other.py")


def test_watch_reload_of_a_program(project: Project) -> None:
    """`watch_reload` reloads for a program that starts its worker itself, whatever its settings are."""
    (project.folder / "run.py").write_text(
        "import asyncio, logging.config, toys\n"
        "from arqlite.cli import default_log_config, watch_reload\n"
        "logging.config.dictConfig(default_log_config(False))\n"
        "settings = {'functions': [toys.tell], 'redis_settings': toys.at(1)}\n"
        "asyncio.run(watch_reload('.', settings))\n"
    )

    with Program(project.folder, "run.py") as program:
        project.enqueue("tell", _job_id="one")
        program.wait_for("← one:tell ● 'OLD'")
        project.write(project.source.replace('"OLD"', '"NEW"'), second=1)
        program.wait_for("files changed, reloading: toys.py")
        program.wait_for("shutdown on SIGTERM ◆ ")  # it claims nothing from here on
        project.enqueue("tell", _job_id="two")
        program.wait_for("← two:tell ● 'NEW'")
        program.signal(signal.SIGTERM)
        code = program.ended()

    assert code == 0


async def test_watch_reload_refuses_what_is_no_folder(tmp_path: Path) -> None:
    """A folder that is not there is told in words."""
    with pytest.raises(ConfigurationError, match="no such directory"):
        await watch_reload(str(tmp_path / "nowhere"), {})


async def test_watch_needs_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without watchfiles the error names the extra to install."""
    monkeypatch.setitem(sys.modules, "watchfiles", None)

    with pytest.raises(MissingExtra, match=r"arqlite\[watch\]"):
        await arqlite.cli.watch_reload(str(tmp_path), {})


def test_wrong_folder_is_a_usage_error(tmp_path: Path) -> None:
    """`--watch` of something that is no folder is a usage error."""
    with Program(tmp_path, "-m", "arqlite", "toys.First", "--watch", "nowhere") as program:
        assert program.ended() == 2

    assert "Invalid value for '--watch'" in program.log
