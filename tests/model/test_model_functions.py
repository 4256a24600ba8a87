"""What a worker can run."""

from __future__ import annotations

import asyncio
import functools
from datetime import timedelta
from typing import Any

import pytest

from arqlite.errors import ConfigurationError
from arqlite.model.functions import Function, by_name, func, is_coroutine_function


async def job(ctx: dict[Any, Any], a: int = 0) -> int:
    return a


async def other(ctx: dict[Any, Any]) -> None: ...


def plain(ctx: dict[Any, Any]) -> None: ...


class Callable:
    async def __call__(self, ctx: dict[Any, Any]) -> None: ...

    async def method(self, ctx: dict[Any, Any]) -> None: ...


def test_name_is_the_qualname() -> None:
    """A function is named by its qualified name, and has no limits of its own."""
    assert func(job) == Function("job", job, None, None, None, None)
    assert func(Callable().method).name == "Callable.method"


def test_dotted_path_is_imported_and_is_the_name() -> None:
    """A dotted path is imported, and jobs name the function by it."""
    made = func("asyncio.sleep")

    assert (made.name, made.coroutine) == ("asyncio.sleep", asyncio.sleep)


def test_options() -> None:
    """Limits are given in seconds or as timedeltas."""
    made = func(
        job, name="n", keep_result=timedelta(minutes=1), timeout=2, keep_result_forever=True, max_tries=3
    )

    assert made == Function("n", job, 2, 60.0, True, 3)


def test_timeout_may_be_infinite() -> None:
    """A function may have no limit where its worker has one."""
    assert func(job, timeout=float("inf")).timeout_s == float("inf")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"timeout": -1}, "timeout must be more than 0 seconds, got -1"),
        ({"timeout": "x"}, "timeout must be a number of seconds or a timedelta, got 'x'"),
        ({"max_tries": 0}, "max_tries must be a whole number of at least 1, got 0"),
        ({"keep_result": -5}, "keep_result must be at least 0 seconds, got -5"),
    ],
)
def test_limits_that_cannot_work_are_refused(options: dict[str, Any], text: str) -> None:
    """A limit that cannot work is refused where it is written, not where the job runs."""
    with pytest.raises(ConfigurationError, match=text):
        func(job, **options)


def test_function_is_returned_as_it_is() -> None:
    """A `Function` keeps its options, as in arq."""
    made = func(job, timeout=3)

    assert func(made, timeout=9) is made


@pytest.mark.parametrize("target", [3, None, Callable, "asyncio.Queue"])
def test_no_function(target: Any) -> None:
    """Anything that is no function is refused with arq's text."""
    with pytest.raises(RuntimeError, match="is not a coroutine function"):
        func(target, name="n")


def generator(ctx: dict[Any, Any]) -> Any:
    yield


async def async_generator(ctx: dict[Any, Any]) -> Any:
    yield


@pytest.mark.parametrize("target", [generator, async_generator])
def test_generators_are_no_jobs(target: Any) -> None:
    """A generator would be made and never run, so it is refused."""
    with pytest.raises(RuntimeError, match="is not a coroutine function, but a generator"):
        func(target)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("nowhere", '"nowhere" doesn\'t look like a module path'),
        ("asyncio.nothing", 'Module "asyncio" does not define a "nothing" attribute'),
    ],
)
def test_path_that_leads_nowhere(path: str, text: str) -> None:
    """A wrong path is refused with arq's text."""
    with pytest.raises(ImportError, match=f"^{text}$"):
        func(path)


@pytest.mark.parametrize(
    "target",
    [job, Callable(), Callable().method, functools.partial(job, {}), functools.partial(Callable().method)],
)
def test_coroutine_functions(target: Any) -> None:
    """Methods, partials and objects with an `async __call__` can be run."""
    assert is_coroutine_function(target)


def test_table_by_name() -> None:
    """Functions are found by name; the same one twice is no conflict."""
    table = by_name([func(job), func(other), func(job)])

    assert list(table) == ["job", "other"]


def test_two_functions_of_one_name() -> None:
    """Two functions of one name are refused: jobs could not tell them apart."""
    with pytest.raises(ConfigurationError, match='two functions are named "job"'):
        by_name([func(job), func(other, name="job")])
