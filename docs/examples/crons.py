"""The page of cron jobs as a program: `python crons.py` shows when they run next."""

from datetime import UTC, datetime, timedelta

from arqlite import cron
from arqlite.cron import last_at, next_at


async def send_reports(ctx) -> None: ...


async def send_report(ctx, region) -> None: ...


async def fetch_mail(ctx) -> None: ...


async def warm_cache(ctx) -> None: ...


class WorkerSettings:
    cron_jobs = [
        cron(send_reports, weekday="mon", hour=9, minute=0, timezone="Europe/Prague"),
        cron(fetch_mail, crontab="*/5 9-17 * * mon-fri"),
        cron(warm_cache, crontab="@reboot", keep_result=60),
    ]


backup = cron(
    "crons.fetch_mail",
    name="backup",
    crontab="30 2 * * *",
    timezone="Europe/Prague",
    run_missed=True,
    timeout=timedelta(hours=2),
    keep_result=timedelta(days=1),
    max_tries=3,
)

report = cron(
    send_report,
    args=("north",),
    crontab="0 7 * * mon-fri",
    priority=3,
    tags=["report"],
    meta={"team": "sales"},
    unique={"period": float("inf"), "states": "incomplete"},
)

poll = cron(fetch_mail, name="poll", second={0, 20, 40}, job_id="poll")


def test_reports_are_sent_on_monday_morning() -> None:
    job = WorkerSettings.cron_jobs[0]

    job.calculate_next(datetime(2024, 3, 29, 12, tzinfo=UTC))

    assert job.next_run.isoformat(timespec="minutes") == "2024-04-01T09:00+02:00"


next_at("0 9 * * mon", timezone="Europe/Prague")
last_at("@monthly", datetime(2024, 11, 21, 1, 2, tzinfo=UTC))


if __name__ == "__main__":
    test_reports_are_sent_on_monday_morning()
    for job in [*WorkerSettings.cron_jobs, backup, poll]:
        job.calculate_next(datetime(2024, 3, 29, 17, 56, tzinfo=UTC))
        print(job.name, job.next_run and job.next_run.isoformat(" ", "seconds"))
