"""The helpers that applications import from `arq.utils`, and the logging configuration."""

from __future__ import annotations

import importlib.util
import os
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import arq
import pytest
from arq.logs import default_log_config
from arq.typing import WEEKDAYS
from arq.utils import (
    DEFAULT_CURTAIL,
    args_to_string,
    as_int,
    get_tz,
    import_string,
    ms_to_datetime,
    poll,
    timestamp_ms,
    to_ms,
    to_seconds,
    to_unix_ms,
    truncate,
)

# arq reads zones with pytz alone.
reads_zones = pytest.mark.skipif(
    os.environ.get("ARQ_SUITE") == "arq" and importlib.util.find_spec("pytz") is None, reason="no pytz"
)


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Set the zone of the environment."""

    def set_zone(**names: str) -> None:
        for name in ("ARQ_TIMEZONE", "arq_timezone", "TIMEZONE", "timezone"):
            monkeypatch.delenv(name, raising=False)
        for name, value in names.items():
            monkeypatch.setenv(name, value)
        get_tz.cache_clear()

    set_zone()
    yield set_zone
    get_tz.cache_clear()


def test_timestamp() -> None:
    """The time in ms since 1970."""
    assert abs(timestamp_ms() - time.time() * 1000) < 1000
    assert isinstance(timestamp_ms(), int)


@pytest.mark.parametrize(
    ("span", "ms", "seconds"),
    [
        (1, 1000, 1),
        (1.5, 1500, 1.5),
        (timedelta(minutes=1, milliseconds=5), 60_005, 60.005),
        (1.001, 1001, 1.001),
        (-2, -2000, -2),
        (0, 0, 0),
        (None, None, None),
    ],
)
def test_spans(span: Any, ms: Any, seconds: Any) -> None:
    """Spans are numbers of seconds or timedeltas; ms are rounded."""
    assert to_ms(span) == ms
    assert to_seconds(span) == seconds


def test_as_int() -> None:
    """The nearest whole number."""
    assert (as_int(1.4), as_int(1.6), as_int(-1.6)) == (1, 2, -2)


def test_moments(zone: Any) -> None:
    """Moments are ms since 1970, and come back as UTC."""
    moment = datetime(2032, 1, 1, 12, 0, 0, 123_000, tzinfo=UTC)

    assert to_unix_ms(moment) == 1_956_571_200_123
    assert ms_to_datetime(1_956_571_200_123) == moment
    assert ms_to_datetime(1_956_571_200_123).utcoffset() == timedelta(0)
    assert to_unix_ms(moment.astimezone().replace(tzinfo=None)) == 1_956_571_200_123


@reads_zones
@pytest.mark.parametrize("name", ["ARQ_TIMEZONE", "arq_timezone", "TIMEZONE", "timezone"])
def test_zone_of_the_environment(zone: Any, name: str) -> None:
    """Moments come back in the zone that the environment names."""
    zone(**{name: "Asia/Tokyo"})

    assert str(get_tz()) == "Asia/Tokyo"
    assert ms_to_datetime(0).utcoffset() == timedelta(hours=9)


@reads_zones
def test_zone_that_is_none(zone: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A zone that nobody knows is told and left out."""
    zone(ARQ_TIMEZONE="Nowhere/Atlantis", TIMEZONE="Asia/Tokyo")

    assert str(get_tz()) == "Asia/Tokyo"
    assert caplog.messages == ["unknown timezone: 'Nowhere/Atlantis'"]


def test_no_zone(zone: Any) -> None:
    """Without one there is none."""
    assert get_tz() is None


def test_truncate() -> None:
    """A text is cut to a length that counts the ellipsis."""
    assert DEFAULT_CURTAIL == 80
    assert truncate("x" * 80) == "x" * 80
    assert truncate("x" * 81) == "x" * 79 + "…"
    assert truncate("123456", 4) == "123…"


@pytest.mark.parametrize(
    ("args", "kwargs", "text"),
    [
        ((), {}, ""),
        ((1, "a"), {}, "1, 'a'"),
        ((), {"b": 2, "a": None}, "a=None, b=2"),
        ((1,), {"b": 2}, "1, b=2"),
        (("y" * 100,), {}, "'" + "y" * 78 + "…"),
    ],
)
def test_args_to_string(args: Any, kwargs: Any, text: str) -> None:
    """Arguments are shown as they are called, names in order."""
    assert args_to_string(args, kwargs) == text


def test_import_string() -> None:
    """A dotted path is imported; a wrong one is told."""
    assert import_string("os.path.join") is os.path.join
    with pytest.raises(ImportError, match=r'^"nodots" doesn\'t look like a module path$'):
        import_string("nodots")
    with pytest.raises(ImportError, match=r'^Module "os.path" does not define a "nope" attribute$'):
        import_string("os.path.nope")


async def test_poll() -> None:
    """Ticks tell the seconds since the start."""
    ticks = []
    async for tick in poll(0.01):
        ticks.append(tick)
        if len(ticks) == 3:
            break

    assert ticks[0] < 0.01 <= ticks[1] < ticks[2]


def test_weekdays() -> None:
    """The names of the days."""
    assert WEEKDAYS == ("mon", "tues", "wed", "thurs", "fri", "sat", "sun")


@pytest.mark.parametrize(("verbose", "level"), [(True, "DEBUG"), (False, "INFO")])
def test_log_config(verbose: bool, level: str) -> None:
    """The configuration is named after the package, whose logger it shows."""
    name = arq.__name__
    standard = f"{name}.standard"

    assert default_log_config(verbose) == {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {
            standard: {"level": level, "class": "logging.StreamHandler", "formatter": standard},
        },
        "formatters": {standard: {"format": "%(asctime)s: %(message)s", "datefmt": "%H:%M:%S"}},
        "loggers": {name: {"handlers": [standard], "level": level}},
    }
