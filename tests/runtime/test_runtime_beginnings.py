"""Starts of runs, kept until somebody asks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from arqlite.model.functions import func
from arqlite.model.memory import NOTHING
from arqlite.runtime.beginnings import Beginnings
from arqlite.runtime.run import Run


async def work(ctx: dict[Any, Any]) -> None:
    """Never called."""


@pytest.fixture
def make_run() -> Callable[[str], Run]:
    """Make a run of a job."""

    def make(job_id: str) -> Run:
        return Run(job_id, "work", func(work), (), {}, b"{}", 1, NOTHING, 900, 900, "mail", "host:1:a")

    return make


def test_start_is_handed_out_once(make_run: Callable[[str], Run]) -> None:
    """A run that goes on is told of once, however often somebody asks."""
    beginnings = Beginnings()
    beginnings.begun(make_run("long"))

    assert [start.job_id for start in beginnings.take()] == ["long"]
    assert beginnings.take() == []


def test_run_that_is_over_is_not_told_of(make_run: Callable[[str], Run]) -> None:
    """Nobody hears of the start of a run that ended before somebody asked."""
    beginnings, run = Beginnings(), make_run("short")
    beginnings.begun(run)
    beginnings.over(run)

    assert beginnings.take() == []


def test_start_is_heard(make_run: Callable[[str], Run]) -> None:
    """Whoever takes the starts hears when there is one."""
    beginnings, heard = Beginnings(), []
    beginnings.heard = lambda: heard.append("one")
    beginnings.begun(make_run("long"))

    assert heard == ["one"]
