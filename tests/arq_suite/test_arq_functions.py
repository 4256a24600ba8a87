"""What a worker can run, and the settings it is made of."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from arq import ArqRedis, Worker, cron, func
from arq.cron import CronJob
from arq.typing import WorkerSettingsBase
from arq.worker import FailedJobs, Function, JobExecutionFailed, create_worker, get_kwargs
from arq_toys import Ctx, add, enqueue, nothing


def test_func_of_a_coroutine_function() -> None:
    """The name is the function's; what is not said is None, that is the worker's."""
    function = func(add)

    assert isinstance(function, Function)
    assert (function.name, function.coroutine) == ("add", add)
    assert (function.timeout_s, function.keep_result_s) == (None, None)
    assert (function.keep_result_forever, function.max_tries) == (None, None)


def test_func_of_a_local_function() -> None:
    """The name is the qualified one."""

    async def local(ctx: Ctx) -> None: ...

    assert func(local).name == "test_func_of_a_local_function.<locals>.local"


def test_func_with_options() -> None:
    """Spans are seconds or timedeltas."""
    function = func(
        add,
        name="plus",
        keep_result=timedelta(minutes=1),
        timeout=5.5,
        keep_result_forever=False,
        max_tries=1,
    )

    assert (function.name, function.keep_result_s, function.timeout_s) == ("plus", 60, 5.5)
    assert (function.keep_result_forever, function.max_tries) == (False, 1)


def test_func_of_a_path() -> None:
    """A function may be named by its path, which is then its name."""
    function = func("arq_toys.add", max_tries=2)

    assert (function.name, function.coroutine, function.max_tries) == ("arq_toys.add", add, 2)
    assert func("arq_toys.add", name="plus").name == "plus"


def test_func_of_a_function() -> None:
    """What is a `Function` already is returned as it is."""
    function = func(add, name="plus")

    assert func(function, name="minus") is function
    assert function.name == "plus"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("nodots", '^"nodots" doesn\'t look like a module path$'),
        ("arq_toys.nope", '^Module "arq_toys" does not define a "nope" attribute$'),
    ],
)
def test_func_of_a_wrong_path(path: str, text: str) -> None:
    """A path that leads nowhere is told."""
    with pytest.raises(ImportError, match=text):
        func(path)


@pytest.mark.parametrize("thing", [123, {"a": 1}])
def test_func_of_something_else(thing: Any) -> None:
    """What cannot be called is no function."""
    with pytest.raises(RuntimeError, match=r"is not a"):
        func(thing)


def test_function_is_replaceable() -> None:
    """What is called may be replaced: integrations do that."""
    function = func(add)

    function.coroutine = nothing

    assert function.coroutine is nothing


class Plain:
    functions = (add,)
    max_jobs = 4
    queue_name = "mine"
    nobody_knows_this = 1


class Annotated(WorkerSettingsBase):
    functions = (add,)


def test_settings_of_a_class() -> None:
    """Attributes that a worker knows are taken, others left alone."""
    assert get_kwargs(Plain) == {"functions": (add,), "max_jobs": 4, "queue_name": "mine"}
    assert get_kwargs(Annotated)["functions"] == (add,)


def test_settings_of_a_dict() -> None:
    """A dict is as good as a class."""
    assert get_kwargs({"functions": [add], "nobody_knows_this": 1}) == {"functions": [add]}


async def test_arguments_win_over_settings(arq_redis: ArqRedis) -> None:
    """What is given by name wins."""
    worker = create_worker(Plain, queue_name="other", redis_pool=arq_redis, burst=True)

    assert isinstance(worker, Worker)
    assert (worker.queue_name, worker.burst, list(worker.functions)) == ("other", True, ["add"])


def test_errors_of_jobs_compare() -> None:
    """`JobExecutionFailed` compares by its arguments."""
    assert JobExecutionFailed("a") == JobExecutionFailed("a")
    assert JobExecutionFailed("a") != JobExecutionFailed("b")
    assert JobExecutionFailed("a") != RuntimeError("a")


def test_failed_jobs_without_results() -> None:
    """When no result was kept the number is told."""
    assert str(FailedJobs(2, [])) == "2 jobs failed:\n"
    assert FailedJobs(3, []).count == 3


async def test_functions_by_path(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A worker takes paths, too; jobs then name the function by its path."""
    job = await enqueue(arq_redis, "arq_toys.add", 1, 2)

    await make_worker("arq_toys.add").run_check()

    assert await job.result() == 3


def test_cron_job_is_replaceable() -> None:
    """What a cron job calls may be replaced, too."""
    job = cron(add)

    job.coroutine = nothing

    assert isinstance(job, CronJob)
    assert job.coroutine is nothing
