"""`arqlite retry`, `cancel` and `delete`: counted first, asked, done to all."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_ops_toys import run, terminal
from click.testing import Result


def notes(project: Path) -> list[str]:
    file = project / "notes"
    return file.read_text().splitlines() if file.exists() else []


@pytest.mark.parametrize(
    ("verb", "states", "told"),
    [
        ("retry", "discarded,cancelled,retryable", "retried 3 jobs\n"),
        ("cancel", "available,scheduled,retryable,suspended,executing", "cancelled 3 jobs\n"),
        (
            "delete",
            "available,scheduled,retryable,suspended,completed,discarded,cancelled",
            "deleted 3 jobs\n",
        ),
    ],
)
def test_all_are_meant_in_the_verbs_states(project: Path, verb: str, states: str, told: str) -> None:
    """A filter without a state means those it can be done to, in as many calls as it takes."""
    done = run(project, verb, "toyapp.Mail", "tag:vip", "--yes", TOY_NOTES=str(project / "notes"))

    query = f"tag:vip state:{states}"
    assert (done.returncode, done.stdout) == (0, told)
    assert notes(project) == [f"count {query}", f"{verb} {query}", f"{verb} {query}"]


def test_states_of_the_filter_count(invoke: Callable[..., Result], project: Path) -> None:
    """A filter that names states means these."""
    invoke("retry", "toyapp.Mail", "state:completed", "--yes", TOY_NOTES=str(project / "notes"))

    assert notes(project)[0] == "count state:completed"


def test_count_comes_before_the_question(project: Path) -> None:
    """A person is told how many jobs are meant, and may say no: then nothing is done."""
    with terminal(project, "retry", "toyapp.Mail", "tag:vip", TOY_NOTES=str(project / "notes")) as shell:
        shell.wait_for("retry 3 jobs? [y/N]: ")
        shell.type("n\n")
        code = shell.ended()

    assert code == 1
    assert len(notes(project)) == 1


def test_yes_does_it(project: Path) -> None:
    """A person who says yes has it done."""
    with terminal(project, "delete", "toyapp.Mail", "tag:vip") as shell:
        shell.wait_for("delete 3 jobs? [y/N]: ")
        shell.type("y\n")
        code = shell.ended()

    assert code == 0
    assert "deleted 3 jobs" in shell.plain


def test_interrupt_at_the_question(project: Path) -> None:
    """Ctrl-C at the question ends it at once."""
    with terminal(project, "retry", "toyapp.Mail", "tag:vip", TOY_NOTES=str(project / "notes")) as shell:
        shell.wait_for("[y/N]: ")
        shell.process.send_signal(2)
        code = shell.ended()

    assert code == 1
    assert "Traceback" not in shell.plain
    assert len(notes(project)) == 1


def test_nobody_to_ask(project: Path) -> None:
    """Without a terminal it takes `--yes`, and says so."""
    done = run(project, "cancel", "toyapp.Mail", "tag:vip")

    assert done.returncode == 2
    assert done.stderr == "Error: this would cancel 3 jobs, and nobody can be asked: say --yes\n"


def test_filter_is_needed(invoke: Callable[..., Result]) -> None:
    """No filter does not mean all jobs."""
    done = invoke("delete", "toyapp.Mail", "--yes")

    assert done.exit_code == 2
    assert "delete which jobs? Say a filter" in done.stderr


def test_jobs_that_do_not_move(invoke: Callable[..., Result]) -> None:
    """Where it cannot be done to all, the command fails, and does not try for ever."""
    done = invoke("retry", "toyapp.Mail", "tag:vip", "--yes", TOY_STUCK="1")

    assert done.exit_code == 1
    assert "retried 0 of 3 jobs" in done.stderr


def test_rows_are_no_jobs(invoke: Callable[..., Result]) -> None:
    """Where only rows tell of the jobs that were counted, nothing is done."""
    done = invoke("delete", "toyapp.Mail", "state:cancelled", "--yes", TOY_ROWS="1")

    assert (done.exit_code, done.stdout) == (3, "")
    assert "no jobs to delete are left in Redis" in done.stderr


def test_jobs_that_nobody_counted_are_asked_about(project: Path) -> None:
    """Where counting stopped before it found a job there may be some: a person is asked, and it is done."""
    with terminal(project, "retry", "toyapp.Mail", "tag:vip", TOY_UNCOUNTED="1") as shell:
        shell.wait_for("retry an unknown number of jobs? [y/N]: ")
        shell.type("y\n")
        code = shell.ended()

    assert code == 0
    assert "retried 3 jobs" in shell.plain


def test_jobs_that_were_not_found_may_be_there(invoke: Callable[..., Result]) -> None:
    """Where not all jobs were looked at, it is not said that there are none."""
    done = invoke("cancel", "toyapp.Mail", "tag:vip", "--yes", TOY_UNCOUNTED="1", TOY_UNSEEN="1")

    assert (done.exit_code, done.stdout) == (3, "")
    assert "no jobs to cancel were found among those that were looked at: tag:vip" in done.stderr


def test_result_as_json(invoke: Callable[..., Result]) -> None:
    """JSON tells how many were meant, and to how many it was done."""
    done = invoke("retry", "toyapp.Mail", "state:discarded", "--yes", "-o", "json")

    assert json.loads(done.stdout) == {
        "action": "retry", "query": "state:discarded", "matched": 3, "done": 3, "is_all": True,
    }  # fmt: skip


def test_part_of_it_was_done(invoke: Callable[..., Result]) -> None:
    """Where the Redis of a queue is away it is done to the others: both are told, and the code says so."""
    done = invoke("cancel", "toyapp.Mail", "tag:vip", "--yes", TOY_PARTLY="1")

    assert (done.exit_code, done.stdout) == (4, "cancelled 3 jobs\n")
    assert "the Redis of queue pictures does not answer" in done.stderr
    assert "changed meanwhile" not in done.stderr


def test_part_of_it_as_json(invoke: Callable[..., Result]) -> None:
    """JSON has what could not be asked, too."""
    done = invoke("cancel", "toyapp.Mail", "tag:vip", "--yes", "-o", "json", TOY_PARTLY="1")

    told = json.loads(done.stdout)
    assert (done.exit_code, told["done"], told["is_all"]) == (4, 3, False)
    assert [one["code"] for one in told["troubles"]] == ["redis-away"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("tag:vip",), 4),
        (("tag:vip", "queue:mail"), 3),
        (("tag:vip", "-queue:pictures"), 3),
        (("tag:vip", "queue:pict*"), 4),
    ],
)
def test_nothing_found_where_redis_is_away(
    invoke: Callable[..., Result], words: tuple[str, ...], code: int
) -> None:
    """That nothing is meant is not known where the Redis of a queue that is meant is away: that is said."""
    settings = {"ARQLITE_SETTINGS": "toyapp.Mail toyapp.Pictures"}
    done = invoke("cancel", *words, "--yes", TOY_EMPTY="1", TOY_HALF_AWAY="1", **settings)

    assert (done.exit_code, "pictures at" in done.stderr) == (code, code == 4)


@pytest.mark.parametrize(
    ("variables", "told", "code"),
    [
        ({"TOY_ASKED": "a"},
         "cancelled 2 jobs, asked the worker of 1 job that runs to cancel it: it runs no more", 0),
        ({"TOY_ASKED": "a b", "TOY_STILL": "b"},
         "cancelled 1 job, asked the workers of 2 jobs that run to cancel them: 1 of them runs still", 0),
        ({"TOY_ASKED": "a b c", "TOY_ON": "a b c"},
         "asked the workers of 3 jobs that run to cancel them: 3 of them run still", 1),
    ],
    ids=["ended", "still", "on"],
)  # fmt: skip
def test_running_jobs_are_told_apart(
    invoke: Callable[..., Result], variables: dict[str, str], told: str, code: int
) -> None:
    """Of jobs that run it is said that their workers were asked, and after a look how many run still."""
    done = invoke("cancel", "toyapp.Mail", "tag:vip", "--yes", **variables)

    assert (done.exit_code, done.stdout) == (code, f"{told}\n")


def test_why_jobs_run_on_is_said(invoke: Callable[..., Result], project: Path) -> None:
    """Where all are known to run on nobody waits, and the setting that lets them is named."""
    file = str(project / "notes")
    done = invoke("cancel", "toyapp.Mail", "tag:vip", "--yes", TOY_ASKED="a", TOY_ON="a", TOY_NOTES=file)

    assert done.exit_code == 1
    assert "Error: 1 job (a) runs on: a worker with allow_abort_jobs=False cancels only tasks" in done.stderr
    assert "look again" not in notes(project)


def test_job_that_may_clean_up_is_no_failure(invoke: Callable[..., Result]) -> None:
    """A job that runs still a second later may be cleaning up: that is said, and the code is 0."""
    done = invoke("cancel", "toyapp.Mail", "tag:vip", "--yes", TOY_ASKED="a", TOY_STILL="a")

    assert done.exit_code == 0
    assert "1 job (a) runs still: a job may clean up before it ends" in done.stderr


def test_running_jobs_as_json(invoke: Callable[..., Result]) -> None:
    """JSON counts those whose workers were asked apart, and names those that run still."""
    told = invoke("cancel", "toyapp.Mail", "tag:vip", "--yes", "-o", "json", TOY_ASKED="a", TOY_ON="a").stdout

    assert json.loads(told) == {
        "action": "cancel", "query": "tag:vip state:available,scheduled,retryable,suspended,executing",
        "matched": 3, "done": 2, "is_all": True, "asked": 1,
        "running": [{"queue": "mail", "id": "a", "worker": "web-1:77", "runs_on": True}],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("cancel", "toyapp.Mail", "state:completed"),
         "no jobs to cancel: state:completed; one can cancel jobs that are suspended, scheduled, available,"
         " executing or retryable"),
        (("retry", "toyapp.Mail", "status:RUNNING"), "no jobs to retry: status:RUNNING; one can retry jobs"),
    ],
    ids=["cancel", "retry"],
)  # fmt: skip
def test_jobs_in_no_state_for_it_are_not_counted(
    invoke: Callable[..., Result], project: Path, words: tuple[str, ...], told: str
) -> None:
    """Where only states are named in which it cannot be done, nothing is counted, and it is said why."""
    done = invoke(*words, "--yes", TOY_NOTES=str(project / "notes"))

    assert (done.exit_code, done.stdout) == (3, "")
    assert told in done.stderr
    assert notes(project) == []


def test_only_jobs_in_a_state_for_it_are_counted(invoke: Callable[..., Result], project: Path) -> None:
    """Of states that are named those count in which it can be done."""
    invoke("cancel", "toyapp.Mail", "state:completed,available", "--yes", TOY_NOTES=str(project / "notes"))

    assert notes(project)[0] == "count state:completed,available state:available"
