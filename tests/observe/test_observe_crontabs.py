"""Schedules as other programs read them."""

from __future__ import annotations

import pytest

from arqlite.cron import cron
from arqlite.observe.crontabs import five_fields


async def job(ctx: dict[str, object]) -> None: ...


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("*/15 * * * *", "*/15 * * * *"),
        ("0 7 * * mon-fri", "0 7 * * mon-fri"),
        ("@daily", "@daily"),
        ("@reboot", None),
        ("0 0 13 * 5", None),  # here only on Friday the 13th, elsewhere on each of both
        ("0 0 13 * *", "0 0 13 * *"),
        ("30 * * * * *", None),
        ("0 0 l * *", None),
        ("0 0 * * fri#2", None),
        ("hour=3 minute=0 second=0", "0 3 * * *"),
        ("weekday=0,6 hour=9 minute=30 second=0", "30 9 * * 1,0"),
        ("month=1 day=1 hour=0 minute=0 second=0", "0 0 1 1 *"),
        ("minute=0 second=0,30", None),
        ("minute=0", None),  # each second of that minute
        ("second=0", "* * * * *"),
        ("every second", None),
        ("day=13 weekday=4 hour=0 minute=0 second=0", None),
    ],
)
def test_schedule_as_five_fields(expression: str, told: str | None) -> None:
    """What others read as it is meant is told; what they would not is left out."""
    assert five_fields(expression) == told


def test_schedules_of_cron_jobs() -> None:
    """The words of real cron jobs are understood."""
    assert five_fields(cron(job, hour={3, 5}, minute=0).expression) == "0 3,5 * * *"
    assert five_fields(cron(job, weekday="mon", hour=9, minute=30).expression) == "30 9 * * 1"
    assert five_fields(cron(job, second={0, 30}).expression) is None
