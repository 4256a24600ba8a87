"""The page of one job."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from dashboard_toys import BIG, FakeConsole, job_line, pages_app, visitor

from arqlite.console import JobLine
from arqlite.dashboard.pages.job import Progress, progress_of
from arqlite.model.states import JobState


async def page_of(console: FakeConsole, line: JobLine, **options: Any) -> str:
    async with visitor(pages_app(console, **options)) as client:
        answer = await client.get(f"/jobs/{line.queue}/{line.id}")
    assert answer.status_code == 200
    return answer.text


def console_with(**changes: Any) -> tuple[FakeConsole, JobLine]:
    console = FakeConsole()
    line = job_line(console.now, 0, **changes)
    console.jobs_ = [line, *console.jobs_[1:]]
    return console, line


async def test_each_attempt_has_its_error() -> None:
    """All attempts are listed with how they ended, the newest first, and their tracebacks below."""
    console, line = console_with(state=JobState.DISCARDED, attempt=3, error="Lost")

    page = await page_of(console, line)

    assert re.findall(r'<tr id="attempt-(\d)"', page) == ["3", "2", "1"]
    assert re.findall(r'<details class="value" id="trace-(\d)"', page) == ["3", "2", "1"]
    assert "1 frame of libraries" in page


async def test_big_numbers_are_exact() -> None:
    """An integer that no double holds is on the page as it was given."""
    assert str(BIG) in await page_of(*console_with())


@pytest.mark.parametrize(
    ("state", "offered"),
    [(JobState.DISCARDED, ["retry", "delete"]), (JobState.AVAILABLE, ["retry", "cancel"])],
)
async def test_only_what_can_be_done_is_offered(state: JobState, offered: list[str]) -> None:
    """An ended job is retried or deleted, and one that waits is run now or cancelled."""
    console, line = console_with(state=state)

    page = await page_of(console, line)

    assert re.findall(rf'action="/jobs/{line.queue}/{line.id}/(\w+)"', page) == offered


async def test_job_that_ended_early_is_not_due() -> None:
    """A job that was cancelled before its time has no time to come, and was never started."""
    console, line = console_with(state=JobState.CANCELLED, attempt=0, started_at=None)
    console.jobs_[0] = line = replace(line, finished_at=console.now, due_at=console.now + timedelta(hours=1))

    page = await page_of(console, line)

    assert "<dt>Due</dt>" not in page


async def test_trace_is_linked_where_there_is_a_place_for_it() -> None:
    """The link to a trace is made of the template, and is not there without one."""
    console, line = console_with()

    assert 'href="https://traces.example/4bf92f3577b34da6a3ce929d0e0e4736"' in await page_of(console, line)
    assert "Trace</dt>" not in await page_of(console, line, trace_url="")


async def test_link_to_a_parent_means_that_job() -> None:
    """An id with odd characters in it is quoted in the query that finds it."""
    console, line = console_with(parent='odd id, "quoted"')

    async with visitor(pages_app(console)) as client:
        page = (await client.get(f"/jobs/{line.queue}/{line.id}")).text
        href = re.search(r'Parent</dt><dd><a href="([^"]+)"', page)
        assert href is not None
        answer = await client.get(href[1])

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("told", "read"),
    [
        ({"done": 3, "total": 10, "text": "pages"}, Progress(3, 10, "pages")),
        ({"current": 3, "of": 0}, Progress(3, 0, "")),
        ({"note": "thinking"}, Progress(None, None, "thinking")),
        (0.25, Progress(0.25, 1.0, "")),
        (40, Progress(40.0, 100.0, "")),
        ("half way", Progress(None, None, "half way")),
        ([1, 2], Progress(None, None, "[1, 2]")),
        ({"done": True}, Progress(None, None, "")),
        (None, None),
    ],
)
def test_progress_of_any_form_is_read(told: Any, read: Progress | None) -> None:
    """Jobs tell how far they are as they like: numbers make a bar, words are shown."""
    assert progress_of(told) == read
