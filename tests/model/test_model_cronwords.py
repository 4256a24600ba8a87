"""Schedules are said in words, and stay what they are where words would be worse."""

from __future__ import annotations

import pytest

from arqlite.cron import cron
from arqlite.model.cronwords import in_words


async def noop(ctx: object) -> None: ...


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        ("* * * * *", "every minute"),
        ("*/1 * * * *", "every minute"),
        ("*/15 * * * *", "every 15 minutes"),
        ("0,15,30,45 * * * *", "every 15 minutes"),
        ("0,30 * * * *", "every 30 minutes"),
        ("@hourly", "every hour"),
        ("5 * * * *", "every hour at :05"),
        ("5,20 * * * *", "every hour at :05 and :20"),
        ("0 */6 * * *", "every 6 hours"),
        ("30 */6 * * *", "every 6 hours at :30"),
        ("0 9-17 * * *", "every hour from 09:00 to 17:00"),
        ("*/5 9-17 * * mon-fri", "every 5 minutes from 09:00 to 17:59 on weekdays"),
        ("*/5 * * * 1", "every 5 minutes on Mondays"),
        ("*/5 * * 1,2 *", "every 5 minutes in January and February"),
        ("*/5 * 1 * *", "every 5 minutes on the 1st of each month"),
        ("* * * * * *", "every second"),
        ("* * * * * */10", "every 10 seconds"),
        ("* * * * * 30", "every minute at second 30"),
        ("0 9 * * * 30", "every day at 09:00:30"),
        ("@daily", "every day at 00:00"),
        ("@midnight", "every day at 00:00"),
        ("0 9,17 * * *", "every day at 09:00 and 17:00"),
        ("0 9 * * mon-fri", "weekdays at 09:00"),
        ("0 9 * * 1-5", "weekdays at 09:00"),
        ("0 9 * * 0,6", "weekends at 09:00"),
        ("0 9 * * 6,7", "weekends at 09:00"),
        ("@weekly", "Sundays at 00:00"),
        ("0 9 * * 7", "Sundays at 09:00"),
        ("0 9 * * MON,WED,FRI", "Mondays, Wednesdays and Fridays at 09:00"),
        ("0 12 * * 1-6", "every day but Sunday at 12:00"),
        ("0 9 * * fri#2", "the second Friday of each month at 09:00"),
        ("0 9 * * l5", "the last Friday of each month at 09:00"),
        ("@monthly", "on the 1st of each month at 00:00"),
        ("0 9 1,15 * *", "on the 1st and 15th of each month at 09:00"),
        ("0 0 2,3,11,22 * *", "on the 2nd, 3rd, 11th and 22nd of each month at 00:00"),
        ("0 0 1-7 * *", "from the 1st to the 7th of each month at 00:00"),
        ("0 0 l * *", "on the last day of each month at 00:00"),
        ("0 9 13 * fri", "on the 13th of each month if it is a Friday at 09:00"),
        ("0 0 1 */3 *", "on the 1st of January, April, July and October at 00:00"),
        ("@yearly", "every year on 1 January at 00:00"),
        ("0 9 * jan-mar mon", "Mondays in January to March at 09:00"),
        ("0 9 * dec *", "every day in December at 09:00"),
        ("@reboot", "once, when the first worker starts"),
        ("every second", "every second"),
        ("hour=9 minute=0 second=0", "every day at 09:00"),
        ("weekday=0 hour=9 minute=30 second=0", "Mondays at 09:30"),
        ("minute=0,15,30,45 second=0", "every 15 minutes"),
        ("hour=3 second=0", "every minute from 03:00 to 03:59"),
        ("second=0", "every minute"),
    ],
)
def test_schedule_in_words(schedule: str, words: str) -> None:
    """What people write most often has a sentence."""
    assert in_words(schedule) == words


@pytest.mark.parametrize(
    "schedule",
    [
        "*/7 * * * *",  # it does not come round: 56 and 0 are four minutes apart
        "1,2,3,4,5,6 * * * *",
        "*/15 9,17 * * *",
        "0 0 */2 * *",
        "3 1-23/2 * * *",
        "0 0 13 * mon,fri",
        "0 0 l,1 * *",
        "0 9 * * fri#2,mon",
        "0,10 9,17 1,2 * * 5,10",
        "hour=9",
        "no schedule at all",
    ],
)
def test_schedule_without_a_good_sentence_stays(schedule: str) -> None:
    """Where words would mislead or be longer, the schedule is shown as it is."""
    assert in_words(schedule) == schedule


def test_every_schedule_that_a_cron_job_shows_is_read() -> None:
    """What `cron` writes of its fields is what this reads."""
    job = cron(noop, weekday="mon", hour={9, 17}, minute=0)

    assert in_words(job.expression) == "Mondays at 09:00 and 17:00"
