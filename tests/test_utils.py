"""The helpers that applications import from arq."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from arqlite import utils
from arqlite.logs import default_log_config
from arqlite.utils import (
    IdMaker,
    args_to_string,
    get_tz,
    import_string,
    ms_to_datetime,
    poll,
    to_ms,
    to_seconds,
    to_unix_ms,
    truncate,
)

MOMENT = datetime(2023, 11, 14, 22, 13, 20, 123_000, tzinfo=UTC)
MOMENT_MS = 1_700_000_000_123


@pytest.fixture
def no_zone(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The environment names no time zone; what was read before is forgotten, before and after."""
    for name in ("ARQ_TIMEZONE", "arq_timezone", "TIMEZONE", "timezone"):
        monkeypatch.delenv(name, raising=False)
    get_tz.cache_clear()
    yield monkeypatch
    get_tz.cache_clear()


def test_moments(no_zone: pytest.MonkeyPatch) -> None:
    """Moments and ms since 1970 are turned into each other, in any zone."""
    assert to_unix_ms(MOMENT) == MOMENT_MS
    assert to_unix_ms(MOMENT.astimezone(timezone(timedelta(hours=9)))) == MOMENT_MS
    assert ms_to_datetime(MOMENT_MS) == MOMENT
    assert ms_to_datetime(MOMENT_MS).tzinfo is UTC


def test_naive_moment_is_local_time() -> None:
    """A datetime without a zone is local time, as in arq."""
    assert to_unix_ms(MOMENT.astimezone().replace(tzinfo=None)) == MOMENT_MS


@pytest.mark.parametrize("name", ["ARQ_TIMEZONE", "timezone"])
def test_zone_of_the_environment(no_zone: pytest.MonkeyPatch, name: str) -> None:
    """The environment may name the zone that moments are shown in."""
    no_zone.setenv(name, "Asia/Tokyo")
    get_tz.cache_clear()

    assert get_tz() == ZoneInfo("Asia/Tokyo")
    assert ms_to_datetime(MOMENT_MS).hour == 7


@pytest.mark.parametrize(
    ("span", "ms", "seconds"),
    [(None, None, None), (2, 2000, 2), (1.5, 1500, 1.5), (timedelta(minutes=1), 60_000, 60)],
)
def test_spans(span: Any, ms: int | None, seconds: float | None) -> None:
    """Seconds and timedeltas are turned into ms and seconds; None stays None."""
    assert (to_ms(span), to_seconds(span)) == (ms, seconds)


def test_texts() -> None:
    """Texts for the log are cut to a readable length."""
    assert truncate("abc", 3) == "abc"
    assert truncate("abcd", 3) == "ab…"
    assert args_to_string((1, "a"), {"b": None}) == "1, 'a', b=None"
    assert len(args_to_string(("x" * 200,), {})) == 80


def test_import_string() -> None:
    """A dotted path is imported; a wrong one is told in arq's words."""
    assert import_string("os.path.join") is os.path.join
    with pytest.raises(ImportError, match="doesn't look like a module path"):
        import_string("nothing")
    with pytest.raises(ImportError, match='Module "os" does not define a "nothing" attribute'):
        import_string("os.nothing")


async def test_poll() -> None:
    """`poll` yields the seconds since it began, again and again."""
    seen = []
    async for seconds in poll(0.01):
        seen.append(seconds)
        if len(seen) == 3:
            break

    assert seen[0] < 0.01
    assert seen == sorted(seen)
    assert seen[2] >= 0.015


def test_ids_sort_in_the_order_they_were_made() -> None:
    """Ids of one process are unique, sort as they were made within a ms, and differ between processes."""
    maker = IdMaker()
    made = [maker() for _ in range(500)]

    assert len(set(made)) == 500
    assert {len(job_id) for job_id in made} == {21}
    assert len({job_id[15:] for job_id in made}) == 1
    before = made[0][15:]
    maker.renew()
    assert maker()[15:] != before


def test_ids_of_one_ms_stay_first_in_first_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids of one ms sort as they were made, wherever the counter began."""
    monkeypatch.setattr(utils, "timestamp_ms", lambda: MOMENT_MS)
    maker = IdMaker()
    maker._counter = iter(range(0xFFF0, 0x1_0000))  # type: ignore[assignment]
    made = [maker() for _ in range(10)]

    assert made == sorted(made)


@pytest.mark.parametrize(("verbose", "level"), [(True, "DEBUG"), (False, "INFO")])
def test_log_config(verbose: bool, level: str) -> None:
    """The command line's logging shows arqlite's logger on stderr in arq's format."""
    config = default_log_config(verbose)

    assert config["loggers"]["arqlite"]["level"] == level
    assert config["formatters"]["arqlite.standard"] == {
        "format": "%(asctime)s: %(message)s",
        "datefmt": "%H:%M:%S",
    }
    assert config["disable_existing_loggers"] is False


def test_ids_stay_in_order_where_their_counter_begins_anew() -> None:
    """Jobs of one process stay first in, first out, also where the counter in their ids begins anew."""
    make = IdMaker()

    ids = [make() for _ in range(70_000)]

    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)
