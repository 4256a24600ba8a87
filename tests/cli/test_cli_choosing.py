"""`arqlite worker --queues`: which queues a process runs, and how many jobs of each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest
from cli_ops_toys import run

from arqlite import cron
from arqlite.cli.choosing import chosen, queues_of

CONTEXT = click.Context(click.Command("worker"))
OPTION = click.Option(["--queues"])


async def job(ctx: Any) -> None: ...


class Base:
    functions = (job,)
    cron_jobs = (cron(job, minute=5),)
    max_jobs = 7


class Mail(Base):
    queue_name = "mail"


class Pictures(Base):
    queue_name = "pictures"


@pytest.mark.parametrize(
    ("told", "queues"),
    [
        (None, {}),
        ("mail", {"mail": None}),
        ("default:20,mail:5", {"default": 20, "mail": 5}),
        ("default:20, mail", {"default": 20, "mail": None}),
        ("arq:queue", {"arq:queue": None}),
        ("arq:queue:3", {"arq:queue": 3}),
    ],
)
def test_queues_are_read(told: str | None, queues: dict[str, int | None]) -> None:
    """Names with commas between them, each with a number or without; a name may have a colon."""
    assert queues_of(CONTEXT, OPTION, told) == queues


@pytest.mark.parametrize("told", ["", "mail,", ",mail", ":5", "mail:0", "mail,mail:5"])
def test_queues_that_cannot_be_read(told: str) -> None:
    """What is no list of queues is refused."""
    with pytest.raises(click.BadParameter):
        queues_of(CONTEXT, OPTION, told)


def test_no_queues_are_all() -> None:
    """Without the option all settings stay as they are."""
    assert chosen([Mail, Pictures], {}) == [Mail, Pictures]


def test_one_class_runs_any_queue() -> None:
    """The functions of one class run in several queues; its cron jobs run in its own alone."""
    default, mail = chosen([Mail], {"default": 20, "mail": None})

    assert (default["queue_name"], default["max_jobs"], default["cron_jobs"]) == ("default", 20, None)
    assert (mail["queue_name"], mail["max_jobs"], mail["cron_jobs"]) == ("mail", 7, Base.cron_jobs)
    assert default["functions"] == mail["functions"] == (job,)


def test_several_classes_are_chosen_from() -> None:
    """Of several classes those run whose queues are named."""
    [told] = chosen([Mail, Pictures], {"pictures": 2})

    assert (told["queue_name"], told["max_jobs"]) == ("pictures", 2)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ([Mail, Pictures], "none of these settings have queue 'other'; they have mail, pictures"),
        ([{"queue_name": "other"}, {"queue_name": "other"}], "several of these settings have queue 'other'"),
    ],
)
def test_queue_of_no_settings(settings: list[Any], words: str) -> None:
    """A queue that none of several settings has, or two, is refused with those that there are."""
    with pytest.raises(click.UsageError, match=words):
        chosen(settings, {"other": 1})


@pytest.mark.real
def test_process_runs_the_queues(tmp_path: Path, real_url: str) -> None:
    """A worker process runs the queues that are named, with their limits, and is called as it is told."""
    (tmp_path / "toyapp.py").write_text(
        ""
        "from arqlite.connections import RedisSettings\n"
        "async def note(ctx, number):\n"
        "    with open('notes', 'a') as file: file.write(f'{number}\\n')\n"
        "class Settings:\n"
        "    functions = [note]\n"
        f"    redis_settings = RedisSettings.from_dsn({real_url!r})\n"
    )
    for number, queue in enumerate(("default", "mail", "other")):
        settings = f"class Settings{number}(Settings):\n    queue_name = {queue!r}\n"
        with (tmp_path / "toyapp.py").open("a") as file:
            file.write(settings)
        done = run(tmp_path, "enqueue", f"toyapp.Settings{number}", "note", str(number), fake=False)
        assert done.returncode == 0, done.stderr

    worked = run(
        tmp_path, "worker", "toyapp.Settings", "--queues", "default:3,mail:1", "--node", "web-1", "--burst",
        fake=False,
    )  # fmt: skip

    assert worked.returncode == 0, worked.stderr
    assert sorted((tmp_path / "notes").read_text().split()) == ["0", "1"]
    assert "[mail]" in worked.stderr
    refused = run(tmp_path, "worker", "toyapp.Settings", "--queues", "mail:0", fake=False)
    assert (refused.returncode, "at least one job of mail" in refused.stderr) == (2, True)


@pytest.mark.parametrize("told", ["mail:x", "mail:-5", "mail:1.5", "mail:5x"])
def test_mistyped_number_is_refused(told: str) -> None:
    """What is behind a colon is no part of a name that no settings know: it is told how that name is said."""
    with pytest.raises(click.UsageError, match=f"no whole number of jobs.*{told}:10"):
        chosen([Mail], {told: None})


@pytest.mark.parametrize(("told", "limit"), [("arq:queue", None), ("shop:mail", 5)])
def test_name_with_a_colon_is_no_mistake(told: str, limit: int | None) -> None:
    """A name with a colon is arq's own, or has a number behind it."""
    assert chosen([Mail], {told: limit})[0]["queue_name"] == told
