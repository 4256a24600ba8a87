"""What a cron job is called with, and how its jobs are enqueued: checked where it is written."""

from __future__ import annotations

import logging
import subprocess
import sys
from typing import Any

import pytest
from worker_toys import Ctx

from arqlite import cron, func
from arqlite.errors import ConfigurationError, InvalidArguments
from arqlite.model.functions import CronFunction
from arqlite.model.tasks import Task
from arqlite.settings import WorkerOptions


async def report(ctx: Ctx, day: str, *, full: bool = False) -> None: ...


async def tick(ctx: Ctx) -> None: ...


def task(**options: Any) -> Task[..., Any]:
    return Task("report", report, None, None, None, None, **options)


def test_entries_that_differ_in_arguments_have_names_of_their_own() -> None:
    """Two cron jobs of one function and other arguments are two, however their arguments are written."""
    jobs = [
        cron(report, args=("mon",), minute=0),
        cron(report, args=("tue",), minute=0),
        cron(report, kwargs={"day": "mon"}, minute=0),
        cron(report, args=["mon"], kwargs={"full": True}, minute=0),
    ]

    assert len({job.name for job in jobs}) == 4
    assert all(job.name.startswith("cron:report#") for job in jobs)
    assert cron(report, args=["mon"], minute=30).name == jobs[0].name
    assert cron(tick).name == "cron:tick"


def test_names_are_the_same_in_every_process() -> None:
    """The order of a set, which each process has its own of, makes no other name."""
    code = (
        "import arqlite\nasync def f(ctx, a): ...\nprint(arqlite.cron(f, args=({'a', 'b', 'c', 'd'},)).name)"
    )

    names = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30,
            env={"PYTHONHASHSEED": seed},
        ).stdout
        for seed in "123"
    }  # fmt: skip

    assert len(names) == 1


def test_one_name_is_one_call() -> None:
    """Cron jobs that share a name that was given share their call, or a worker refuses them."""
    jobs = [cron(report, name="r", args=(day,), minute=0) for day in ("mon", "tue")]

    with pytest.raises(ConfigurationError, match="two cron jobs are named r and have other arguments"):
        WorkerOptions(cron_jobs=jobs)


@pytest.mark.parametrize(
    "options",
    [{"args": (1, 2)}, {"kwargs": {"night": 1}}, {"args": ("mon",), "kwargs": {"day": "tue"}}],
)
def test_call_that_cannot_be_made_is_refused(options: dict[str, Any]) -> None:
    """Arguments that the function does not take are refused where the cron job is written."""
    with pytest.raises(InvalidArguments):
        cron(report, **options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"priority": -1}, "priority must be"),
        ({"priority": 10}, r"priority must be 0 \(first\) to 9"),
        ({"tags": "daily"}, "tags"),
        ({"meta": ["a"]}, "meta"),
        ({"args": "mon"}, "args must be a tuple or a list"),
        ({"kwargs": [("day", "mon")]}, "kwargs must be a dict"),
        ({"queue": "mail"}, "a cron job belongs to its worker's queue: give this one to a worker of 'mail'"),
        ({"max_attempts": 3}, "max_attempts is for a task; a bare function has max_tries"),
        ({"missed": "none"}, "missed must be one of skip, once, all, got 'none'"),
        ({"missed": "all", "run_missed": True}, "run_missed=True is missed='once', got missed='all'"),
        ({"missed": "all", "unique": False}, "missed='all' needs unique=True"),
        ({"unique": None}, "unique must be True, False, a Unique or a dict of its options, got None"),
        ({"unique": {"perriod": 5}}, "unique has no option 'perriod'"),
        ({"unique": {"fields": ["function"], "keys": ["a"]}}, "keys"),
        ({"timezone": "america/chicago"}, "name of a zone"),
        ({"timezone": "america"}, "name of a zone"),
        ({"timezone": ""}, "name of a zone"),
    ],
)
def test_option_that_cannot_work_is_refused(options: dict[str, Any], words: str) -> None:
    """An option is refused by its name, with what it must be."""
    with pytest.raises(ConfigurationError, match=words):
        cron(tick, **options)


@pytest.mark.parametrize("entry", ["* * * * *", ("* * * * *", tick, {}, 5), tick])
def test_what_is_no_cron_job_is_refused(entry: Any) -> None:
    """A crontab string, a tuple or a function among `cron_jobs` is refused at the start of a worker."""
    with pytest.raises(RuntimeError, match="cron_jobs, must be instances of CronJob"):
        WorkerOptions(cron_jobs=[entry])


def test_unknown_function_and_unknown_option_are_refused() -> None:
    """A path that leads nowhere, something without a call, and an option that there is not."""
    with pytest.raises(ImportError):
        cron("test_cron_options.nothing")
    with pytest.raises(RuntimeError, match="is not a coroutine function"):
        cron(object())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="priorty"):
        cron(tick, priorty=1)  # type: ignore[call-arg]


def test_zone_by_its_exact_name() -> None:
    """A zone is known by its name as it is written."""
    assert str(cron(tick, timezone="Europe/Copenhagen").timezone) == "Europe/Copenhagen"


def test_run_missed_is_missed_once() -> None:
    """`run_missed`, which came first, is one of the policies."""
    assert cron(tick).missed == "skip"
    assert cron(tick, run_missed=True).missed == cron(tick, missed="once").missed == "once"
    assert "missed=all" in repr(cron(tick, missed="all"))


def test_limits_of_func_hold() -> None:
    """What `func` made keeps what it was told, where the cron job says nothing else."""

    def plain(ctx: Ctx) -> None: ...

    made = func(plain, name="p", cpu=True, timeout=5, max_jobs=2)
    [function] = WorkerOptions(cron_jobs=[cron(made)]).table().values()

    assert isinstance(function, CronFunction)
    assert (function.name, function.coroutine) == ("cron:p", plain)
    assert (function.cpu, function.timeout_s, function.max_jobs) == (True, 5, 2)
    assert cron(made, timeout=7).timeout_s == 7


def test_jobs_of_a_task_are_its_own() -> None:
    """A task in cron is registered under its own name, and gives its jobs what it gives all of them."""
    daily = task(priority=3, tags=("report",), meta={"team": "a"}, max_attempts=7)
    job = cron(daily, args=("mon",), meta={"from": "cron"}, max_attempts=2)

    assert WorkerOptions(cron_jobs=[job]).table() == {"report": daily}
    assert job.name.startswith("cron:report#")
    options = job.settled()
    assert (options.priority, options.tags, options.max_attempts) == (3, ("report",), 2)
    assert options.meta == {"from": "cron"}
    assert cron(daily, args=("mon",)).settled().meta == {"team": "a"}


@pytest.mark.parametrize(
    "rule", [{"timeout": 5}, {"keep_result": 5}, {"keep_result_forever": True}, {"max_tries": 3}]
)
def test_rules_of_a_task_are_not_told_at_cron(rule: dict[str, Any]) -> None:
    """What a task says of its jobs is not said again by its cron job."""
    with pytest.raises(ConfigurationError, match="keep to the rules of the task"):
        cron(task(), args=("mon",), **rule)


def test_task_is_checked_even_without_arguments() -> None:
    """A task that needs arguments is refused without them; a bare function is called as in arq."""
    with pytest.raises(InvalidArguments):
        cron(task())
    assert cron(report).args == ()


def test_task_of_another_queue_is_refused() -> None:
    """A task that belongs to a queue has no cron job in another one's worker."""
    job = cron(task(queue="mail"), args=("mon",))

    with pytest.raises(ConfigurationError, match="its task belongs to 'mail': give it to a worker of that"):
        WorkerOptions(cron_jobs=[job])
    assert WorkerOptions(cron_jobs=[job], queue_name="mail").queue == "mail"


def test_function_that_needs_arguments_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """A bare function that takes more than `ctx` and is given nothing passes as in arq; the log tells."""
    assert cron(report, minute=0).name == "cron:report"
    cron(report, args=("mon",), minute=0)
    cron(tick, minute=0)

    assert caplog.messages == [
        "cron job cron:report: its jobs will fail, give it args or kwargs: "
        "report(): missing a required argument: 'day'"
    ]


def test_step_that_never_steps_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """`*/90` runs every hour and not every 90 minutes: the log says so."""
    caplog.set_level(logging.WARNING)

    cron(tick, crontab="*/90 * * * *")

    assert caplog.messages == [
        "cron job cron:tick: the step in '*/90' is longer than the 60 values that minute has"
    ]
