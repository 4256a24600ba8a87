"""`@task`: what it makes of a function, and what it refuses."""

from __future__ import annotations

import copy
import functools
import inspect
import pickle
import sys
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from arqlite import Task, Unique, exponential, func, task
from arqlite.errors import ConfigurationError, InvalidArguments
from arqlite.model.calls import PLAIN, call
from arqlite.model.functions import is_coroutine_function
from arqlite.model.tasks import elsewhere, rules_of


@task
async def plain(ctx: Any, a: int, b: int = 2) -> int:
    """Add two numbers."""
    return a + b


@task(
    name="mail.send", queue="mail", max_attempts=5, priority=3, timeout=timedelta(minutes=1),
    backoff=[1, 60], unique=Unique(period=60), tags=["Billing ", "billing"], meta={"team": "a"},
    retry_on=(OSError, ValueError), discard_on=KeyError, on_discard=print, keep_result=5,
    keep_result_forever=False, max_jobs=2, strict_arguments=True,
)  # fmt: skip
async def full(ctx: Any) -> None: ...


@task(cpu=True)
def heavy(ctx: Any, n: int) -> int:
    return n


async def bare(ctx: Any) -> None: ...


def test_defaults() -> None:
    """A task without options has 20 attempts, priority 0, no timeout, and Oban's back-off."""
    assert isinstance(plain, Task)
    assert (plain.name, plain.max_attempts, plain.priority) == ("plain", 20, 0)
    assert (plain.timeout_s, plain.backoff, plain.queue, plain.unique) == (None, None, None, None)
    assert (plain.retry_on, plain.discard_on, plain.tags, plain.meta) == (None, (), (), {})


def test_options() -> None:
    """What is said of a task is kept in its plain form."""
    assert (full.name, full.queue, full.max_attempts, full.priority) == ("mail.send", "mail", 5, 3)
    assert (full.timeout_s, full.backoff, full.unique) == (60, (1, 60), Unique(period=60))
    assert (full.tags, full.meta) == (("billing",), {"team": "a"})
    assert (full.retry_on, full.discard_on, full.on_discard) == ((OSError, ValueError), (KeyError,), print)
    assert (full.keep_result_s, full.keep_result_forever) == (5, False)
    assert (full.max_jobs, full.strict_arguments, heavy.cpu) == (2, True, True)


async def test_call_is_a_call() -> None:
    """A task that is called runs its function."""
    assert await plain(None, 1, b=3) == 4
    assert heavy(None, 5) == 5


def test_task_looks_like_its_function() -> None:
    """Name, docstring and signature are those of the function, which is at hand."""
    assert (plain.__name__, plain.__doc__) == ("plain", "Add two numbers.")  # type: ignore[attr-defined]
    assert plain.__wrapped__ is plain.coroutine  # type: ignore[attr-defined]
    assert list(inspect.signature(plain).parameters) == ["ctx", "a", "b"]
    assert is_coroutine_function(plain)
    assert not is_coroutine_function(heavy)


def test_task_is_found_by_its_name() -> None:
    """A task is pickled and copied as a function is: by where its module has it."""
    assert pickle.loads(pickle.dumps(plain)) is plain
    assert copy.deepcopy(plain) is plain


def test_task_of_a_partial() -> None:
    """What has no name of its own needs one; then it is a task like others."""
    partial = functools.partial(bare)
    with pytest.raises(ConfigurationError, match="has no name of its own"):
        task(partial)

    assert task(name="partial")(partial).name == "partial"


def test_func_gives_a_task_back() -> None:
    """`func` leaves a task as it is, also when it was named by its path."""
    assert func(plain) is plain
    assert func(f"{__name__}.plain") is plain
    assert sys.modules[__name__].plain is plain  # type: ignore[attr-defined]


def test_call_takes_the_defaults_of_its_task() -> None:
    """A job of a task has the task's queue, priority, tags and meta, unless it has its own."""
    settled = call(full).options(priority=1).settled(PLAIN)

    assert (settled.queue, settled.priority, settled.tags) == ("mail", 1, ("billing",))
    assert settled.meta == {"team": "a"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max_attempt": 3}, "no option 'max_attempt' of a task; did you mean 'max_attempts'?"),
        ({"retries_on": 3}, "did you mean 'retry_on'?"),
        ({"zzz": 3}, "no option 'zzz' of a task; there are name, queue, max_attempts"),
        ({"queue": ""}, "queue must be a text that is not empty, got ''"),
        ({"queue": 5}, "queue must be a text"),
        ({"name": " "}, "name must be a text"),
        ({"max_attempts": 0}, "max_attempts must be a whole number of at least 1, got 0"),
        ({"max_attempts": -1}, "max_attempts must be"),
        ({"max_attempts": True}, "max_attempts must be"),
        ({"max_attempts": None}, "max_attempts must be"),
        ({"priority": -1}, "priority must be a whole number of at least 0, got -1"),
        ({"priority": 10}, r"priority must be 0 \(first\) to 9 \(last\), got 10"),
        ({"priority": 11}, r"priority must be 0 \(first\) to 9 \(last\), got 11"),
        ({"priority": "high"}, "priority must be a whole number"),
        ({"timeout": 0}, "timeout must be more than 0 seconds"),
        ({"timeout": "5s"}, "timeout must be a number of seconds"),
        ({"backoff": "soon"}, "backoff must be seconds"),
        ({"backoff": bare}, "backoff must be a plain function"),
        ({"unique": 5}, r"unique must be a Unique, a dict of its options, True \(for ever\) or False, got 5"),
        ({"tags": "x"}, "tags must be a list of texts, got 'x'"),
        ({"meta": ["a"]}, "meta must be a dict"),
        ({"retry_on": "ValueError"}, "retry_on must be an exception class or several of them"),
        ({"discard_on": [int]}, "discard_on must be an exception class"),
        ({"discard_on": ValueError("x")}, "discard_on must be an exception class"),
        ({"on_discard": 5}, "on_discard must be a function, got 5"),
        ({"keep_result": -1}, "keep_result must be at least 0 seconds"),
        ({"keep_result_forever": "yes"}, "keep_result_forever must be True or False"),
        ({"max_jobs": 0}, "max_jobs must be a whole number of at least 1"),
        ({"strict_arguments": 1}, "strict_arguments must be True or False"),
        ({"cpu": 1}, "cpu must be True or False"),
        ({"cpu": True}, "cpu=True is for plain functions"),
    ],
)
def test_options_that_cannot_work(options: dict[str, Any], words: str) -> None:
    """An option that is unknown or cannot work is refused where the task is defined, in words."""
    with pytest.raises(ConfigurationError, match=words):
        task(**options)(bare)


@pytest.mark.parametrize(
    ("options", "field", "value"),
    [
        ({"priority": 0}, "priority", 0),
        ({"priority": 9}, "priority", 9),
        ({"max_attempts": 1}, "max_attempts", 1),
        ({"timeout": float("inf")}, "timeout_s", float("inf")),
        ({"unique": True}, "unique", Unique(period=float("inf"))),
        ({"unique": False}, "unique", None),
        ({"backoff": exponential}, "backoff", exponential),
        ({"retry_on": None}, "retry_on", None),
        ({"queue": None}, "queue", None),
    ],
)
def test_options_that_work(options: dict[str, Any], field: str, value: Any) -> None:
    """The ends of each range, and what stands for nothing, are taken."""
    assert getattr(task(**options)(bare), field) == value


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (plain, "is a job function already"),
        (5, "@task takes a function, got 5"),
        ("mod.send", "@task takes a function"),
        (int, "@task takes a function"),
    ],
)
def test_what_is_no_function(given: Any, words: str) -> None:
    """Only a function can be made a task."""
    with pytest.raises(ConfigurationError, match=words):
        task(given)


def test_generators_would_never_run() -> None:
    """A generator is refused: calling it runs nothing."""

    def generator(ctx: Any) -> Any:
        yield 1

    with pytest.raises(ConfigurationError, match="is a generator"):
        task(generator)


def test_rules_in_words() -> None:
    """One line tells which functions run by whose rules; without tasks there is nothing to tell."""
    assert rules_of([func(bare)]) == ""
    assert rules_of([func(bare), plain, full]) == (
        "1 function by arq's rules (only Retry is): bare; "
        "2 tasks by Oban's rules (what fails is tried again): plain (20 attempts), mail.send (5 attempts)"
    )
    assert rules_of([plain]) == "1 task by Oban's rules (what fails is tried again): plain (20 attempts)"


def test_unique_keys_that_name_no_argument() -> None:
    """The function is at hand, so keys that name none of its arguments are refused at once."""
    with pytest.raises(ConfigurationError, match=r"no argument 'acount', .* did you mean 'account'"):

        @task(unique=Unique(keys=["acount"]))
        async def charge(ctx: Any, account: int) -> None: ...


def test_unique_keys_leave_annotations_alone() -> None:
    """What an annotation names may be defined later."""

    @task(unique=Unique(keys=["user.id"]))
    async def greet(ctx: Any, user: Later) -> None: ...  # type: ignore[name-defined]  # noqa: F821

    @dataclass
    class Known:
        id: int

    globals()["Later"] = Known
    with pytest.raises(InvalidArguments, match="user"):
        call(greet, user={"id": "x"})


def test_tasks_that_enqueue_elsewhere() -> None:
    """A worker can tell which of its tasks send their jobs to queues that it does not serve."""
    assert elsewhere([plain, full, func(bare)], "arq:queue") == (
        "this worker serves arq:queue; the jobs of 1 task go elsewhere, where they need a worker of"
        " their own: mail.send (mail)"
    )
    assert elsewhere([plain, full], "mail") == ""


def test_a_task_takes_ctx() -> None:
    """A function that has no parameter for ctx could never run."""
    with pytest.raises(ConfigurationError, match="has no parameter for ctx"):

        @task
        async def tick() -> None: ...

    with pytest.raises(ConfigurationError, match="has no parameter for ctx"):

        @task(max_attempts=2)
        async def tock(*, a: int) -> None: ...

    assert task(lambda *args: None).name.endswith("<lambda>")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"backoff": lambda: 3}, "backoff is called with the failed job alone"),
        ({"backoff": lambda a, b: 3}, "backoff is called with the failed job alone"),
        ({"on_discard": lambda: None}, "on_discard is called with the job and its last error"),
        ({"meta": {"a": object()}}, "meta must be plain data, and JSON cannot write it"),
        (
            {"unique": Unique(replace=["tags"], on_conflict="ignore")},
            "unique has replace=.* and on_conflict='ignore' never replaces",
        ),
    ],
)
def test_what_could_never_work_is_refused(options: dict[str, Any], text: str) -> None:
    """What would fail only when it is needed is refused where it is written."""
    with pytest.raises(ConfigurationError, match=text):
        task(**options)


def test_func_leaves_a_task_its_rules() -> None:
    """What `func` would say of a task would go unheard, so it is refused; a task alone is what it is."""
    assert func(plain) is plain
    with pytest.raises(ConfigurationError, match=r"say max_attempts=\.\.\. at @task, got max_tries=7"):
        func(plain, max_tries=7)
    with pytest.raises(ConfigurationError, match=r"say timeout=\.\.\. at @task, got timeout=0.05"):
        func(plain, timeout=0.05)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("limit", "no option 'limit' of a task; did you mean 'max_jobs'"),
        ("global_limit", "no option 'global_limit' of a task; say so in the settings of the queue's workers"),
        ("keep_completed", "did you mean 'keep_result'"),
        ("max_tries", "did you mean 'max_attempts'"),
    ],
)
def test_words_of_others(name: str, text: str) -> None:
    """A word that others have for an option, or that is one of queues, is told with what to say instead."""
    options: dict[str, Any] = {name: 3}
    with pytest.raises(ConfigurationError, match=text):
        task(**options)
