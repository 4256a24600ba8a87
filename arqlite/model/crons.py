"""Cron jobs as workers tell of them in Redis, so that others can show them and run them by hand."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from pydantic_core import from_json, to_json

from ..utils import ms_to_datetime
from .cronjob import CronJob, Missed, first_time
from .crontab import Crontab, is_reboot
from .timetable import Fields, Timetable
from .wallclock import SystemZone

_FIELDS = ("month", "day", "weekday", "hour", "minute", "second")


@dataclass(frozen=True, slots=True)
class CronView:
    """A cron job of a queue, as an inspector shows it.

    Attributes:
        name: what it is paused, resumed and run by.
        schedule: when it runs: the crontab string, or the fields that name something.
        timezone: where that is read; `local` is the workers' system zone.
        function: the function that its jobs run.
        missed: what becomes of times that no worker could fire.
        last_at: the last time that was fired, or passed while it was paused; None for none.
        next_at: when it comes next; None for `@reboot`, and while it is paused.
        is_paused: whether it is.
    """

    name: str
    schedule: str
    timezone: str
    function: str
    missed: Missed
    last_at: datetime | None
    next_at: datetime | None
    is_paused: bool


def name_of_zone(zone: tzinfo) -> str:
    """Tell a zone as people and `ZoneInfo` know it."""
    return "local" if isinstance(zone, SystemZone) else str(zone)


def cron_meta(job: CronJob, zone: tzinfo) -> dict[str, Any]:
    """Tell what the jobs of a cron job carry: where they come from, and what the user wants them to."""
    own = {"cron": True, "cron_expr": job.expression, "cron_name": job.name, "cron_tz": name_of_zone(zone)}
    return {**own, **(job.settled().meta or {})}


def describe(job: CronJob, zone: tzinfo, now: datetime, blob: bytes, lock: Sequence[Any] | None) -> bytes:
    """Write what a cron job is.

    Args:
        job: the cron job.
        zone: where its times are read.
        now: the server's time.
        blob: a job of it, encoded.
        lock: what keeps a second one out, None for nothing.
    """
    offset = now.astimezone(zone).utcoffset() or timedelta()
    fields = {name: _plain(getattr(job, name)) for name in _FIELDS}
    when = {"crontab": job.crontab} if job.crontab is not None else fields
    return to_json(
        {
            "name": job.name,
            "schedule": job.expression,
            "timezone": name_of_zone(zone),
            "offset_s": offset.total_seconds(),
            "missed": job.missed,
            "microsecond": job.microsecond,
            "function": job.registered().name,
            "lock": lock,
            "job": base64.b64encode(blob),
            **when,
        }
    )


def view_of(description: bytes, last_ms: int, now_ms: int, paused: frozenset[str]) -> CronView:
    """Read what `describe` wrote."""
    facts = from_json(description)
    is_paused = facts["name"] in paused
    timetable = _timetable(facts)
    coming = None
    if timetable is not None and not is_paused:
        now = ms_to_datetime(now_ms)
        coming = first_time(timetable, now.astimezone(_zone(facts)), None)
    return CronView(
        facts["name"], facts["schedule"], facts["timezone"], facts["function"], facts["missed"],
        ms_to_datetime(last_ms) if last_ms else None, coming, is_paused,
    )  # fmt: skip


def name_in(description: bytes) -> str:
    """Read the name of what `describe` wrote."""
    return str(from_json(description)["name"])


def lock_in(description: bytes) -> list[Any] | None:
    """Read what keeps a second job of what `describe` wrote out, None for nothing."""
    lock: list[Any] | None = from_json(description)["lock"]
    return lock


def blob_of(description: bytes) -> bytes:
    """Take the encoded job out of what `describe` wrote."""
    return base64.b64decode(from_json(description)["job"])


def _timetable(facts: Mapping[str, Any]) -> Timetable | None:
    if "crontab" not in facts:
        fields = {name: facts[name] for name in _FIELDS}
        return Fields(**fields, microsecond=facts["microsecond"])
    return None if is_reboot(facts["crontab"]) else Crontab(facts["crontab"], facts["microsecond"])


def _zone(facts: Mapping[str, Any]) -> tzinfo:
    """Find the zone by its name; one that only its workers know has the offset that they saw last."""
    try:
        return UTC if facts["timezone"] == "UTC" else ZoneInfo(facts["timezone"])
    except (ValueError, OSError, LookupError):
        return timezone(timedelta(seconds=facts["offset_s"]))


def _plain(option: Any) -> Any:
    return option if option is None or isinstance(option, int | str) else sorted(option)
