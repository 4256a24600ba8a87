"""Exceptions as data, and back as far as it is safe."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from pydantic_core import to_json

from arqlite import errors
from arqlite.errors import ConfigurationError, JobExecutionFailed, Retry
from arqlite.model import failures
from arqlite.model.failures import describe, message_of, rebuild, register_exception


class HomeError(Exception):
    """An exception that nobody registered."""


class FussyError(Exception):
    """An exception whose `__init__` does not accept its own args."""

    def __init__(self, code: int, *, reason: str) -> None:
        super().__init__(f"{code}: {reason}")


class MuteError(Exception):
    """An exception that cannot be shown."""

    def __str__(self) -> str:
        raise ZeroDivisionError

    __repr__ = __str__


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Registrations of a test are forgotten after it."""
    monkeypatch.setattr(failures, "_known", dict(failures._known))


def stored(error: BaseException) -> dict[str, Any]:
    """What Redis gives back of an exception."""
    return json.loads(to_json(describe(error)))  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    "error",
    [
        ValueError("bad"),
        KeyError("k"),
        OSError(2, "no such file"),
        ZeroDivisionError(),
        TimeoutError(),
        asyncio.CancelledError(),
        JobExecutionFailed("max 5 retries exceeded"),
        errors.ResultNotFound("gone"),
        Retry(2),
    ],
)
def test_known_classes_come_back(error: BaseException) -> None:
    """Built-in exceptions and arqlite's own come back with their class, arguments and text."""
    back = rebuild(stored(error))

    assert (type(back), back.args, str(back)) == (type(error), error.args, str(error))


def test_unknown_class_is_told_in_words() -> None:
    """An exception of a class that was not registered comes back as text: its class and message."""
    assert rebuild(stored(HomeError("sweet"))) == JobExecutionFailed("test_model_failures.HomeError: sweet")


@pytest.mark.usefixtures("known")
def test_registered_class_comes_back() -> None:
    """A class that the application registered comes back as itself; the call returns it, as a decorator."""
    assert register_exception(HomeError) is HomeError

    back = rebuild(stored(HomeError("sweet", 7)))

    assert (type(back), back.args) == (HomeError, ("sweet", 7))


@pytest.mark.usefixtures("known")
def test_class_that_cannot_be_made_again() -> None:
    """A registered class whose `__init__` refuses its args is told in words and breaks no reader."""
    register_exception(FussyError)

    back = rebuild(stored(FussyError(3, reason="because")))

    assert back == JobExecutionFailed("test_model_failures.FussyError: 3: because")


@pytest.mark.parametrize("thing", [HomeError("instance"), int, "ValueError", None])
def test_only_exception_classes_are_registered(thing: Any) -> None:
    """Registering anything but an exception class is refused in words."""
    with pytest.raises(ConfigurationError, match="register_exception takes an exception class"):
        register_exception(thing)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (MuteError(), "<its message cannot be shown: ZeroDivisionError>"),
        (ValueError("x" * 50_000), "x" * 10_000),
        (ValueError(), ""),
    ],
)
def test_message_of_odd_exceptions(error: BaseException, text: str) -> None:
    """A message that cannot be shown or never ends is replaced or cut."""
    assert message_of(error) == text


@pytest.mark.parametrize(
    "error",
    [
        MuteError("args"),
        ValueError("x" * 50_000),
        ValueError(object(), {"a": 1}),
        ValueError([1] * 10),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad byte"),
        ExceptionGroup("two", [ValueError(1), KeyError(2)]),
        ValueError(float("nan"), 10**400),
        ValueError("\udcff"),
    ],
)
def test_odd_exceptions_can_be_stored(error: BaseException) -> None:
    """Whatever a job raises can be written, is small, and comes back as some exception."""
    assert len(to_json(describe(error))) < 25_000
    assert isinstance(rebuild(stored(error)), Exception)


@pytest.mark.parametrize(
    "description",
    [
        {},
        {"type": None},
        {"type": "builtins.print", "args": ["x"]},
        {"type": "builtins.ValueError", "args": 7},
    ],
)
def test_forged_descriptions_give_an_exception_at_most(description: dict[str, Any]) -> None:
    """Whatever stands in Redis, reading it calls nothing but the constructor of a known exception."""
    assert isinstance(rebuild(description), JobExecutionFailed)


@pytest.mark.parametrize("name", ["SystemExit", "KeyboardInterrupt", "GeneratorExit"])
def test_forged_description_ends_no_reader(name: str) -> None:
    """No text in Redis makes `Job.result()` raise what ends the reading process."""
    assert isinstance(rebuild({"type": f"builtins.{name}", "args": []}), Exception)
