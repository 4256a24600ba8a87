"""Calls and options: what a job is made of, checked before anything is sent."""

from __future__ import annotations

import functools
import inspect
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from arqlite import call, func
from arqlite import task as make_task
from arqlite.errors import ConfigurationError, InvalidArguments
from arqlite.model.arguments import lacks_ctx, signature_of
from arqlite.model.calls import PLAIN, Options, checked, merged, options_of_arq, slip_of_arq
from arqlite.model.context import running_job
from arqlite.model.options import told_of_askers


async def add(ctx: dict[Any, Any], a: int, b: int = 0) -> int:
    return a + b


class Host:
    async def method(self, ctx: dict[Any, Any], a: int) -> None: ...

    @classmethod
    async def for_all(cls, ctx: dict[Any, Any]) -> None: ...


class Bare:
    async def method(self) -> None: ...


@pytest.mark.parametrize(
    ("task", "name"),
    [
        (add, "add"),
        (Host().method, "Host.method"),
        (func(add, name="plus"), "plus"),
        ("anything", "anything"),
        (func(functools.partial(add, b=5), name="add_five"), "add_five"),
    ],
)
def test_call_names_its_function(task: Any, name: str) -> None:
    """A function goes by its qualified name, one made by `func` by that, a name as it is."""
    made = call(task, 1)

    assert (made.function, made.args, made.kwargs, made.made_with) == (name, (1,), {}, None)


def test_call_is_checked_where_it_is_written() -> None:
    """A call that the function cannot take is refused at once; a name cannot be checked."""
    with pytest.raises(InvalidArguments, match=r"add\(\): a: Input should be a valid integer"):
        call(add, "x")  # type: ignore[call-overload]
    with pytest.raises(InvalidArguments, match=r"plus\(\): missing a required argument: 'a'"):
        call(func(add, name="plus"))  # type: ignore[call-overload]
    assert call("add", "x", c=1).kwargs == {"c": 1}


@pytest.mark.parametrize("task", [add, "add"])
def test_options_of_arq_are_refused(task: Any) -> None:
    """Who comes from `enqueue_job` is told where its options are, whether the function is at hand or not."""
    with pytest.raises(
        InvalidArguments, match=r"_job_id is an option of enqueue_job; say pool.options\(job_id="
    ):
        call(task, 1, _job_id="x")


def test_function_may_have_what_arq_takes_for_an_option() -> None:
    """A parameter of that name is the function's."""

    async def odd(ctx: dict[Any, Any], _expires: int) -> None: ...

    assert call(odd, _expires=5).kwargs == {"_expires": 5}


@pytest.mark.parametrize("task", [5, None, dict])
def test_what_is_no_function_is_refused(task: Any) -> None:
    """A job is made of a function or a name."""
    with pytest.raises(ConfigurationError, match="a job is made of a function, what func"):
        call(task)


async def noctx() -> None: ...


def handed_on(*args: Any, **kwargs: Any) -> Any:
    return add(*args, **kwargs)


@functools.wraps(noctx)
async def wrapping(ctx: dict[Any, Any]) -> None:
    await noctx()


def lying(*args: Any) -> None: ...


lying.__signature__ = inspect.signature(noctx)  # type: ignore[attr-defined]


class Callable_:
    async def __call__(self, ctx: dict[Any, Any]) -> None: ...


@pytest.mark.parametrize(
    "task", [noctx, func(noctx, name="n"), Bare().method], ids=["bare", "func", "method"]
)
def test_function_without_ctx_is_refused(task: Any) -> None:
    """Each of its jobs would end with a TypeError: it is told where it is enqueued."""
    with pytest.raises(ConfigurationError, match=r"has no parameter for ctx: .* as in \w+\(ctx, \.\.\.\)"):
        call(task)


@pytest.mark.parametrize(
    "task",
    [
        handed_on, wrapping, lying, Host().method, Host().for_all, func(Callable_(), name="c"),
        func(functools.partial(add, b=5), name="p"), func(lambda ctx: None, name="l"),
    ],
)  # fmt: skip
def test_what_may_take_ctx_is_no_mistake(task: Any) -> None:
    """Only what certainly takes no `ctx` is refused."""
    assert not signature_of(func(task).coroutine).lacks_ctx
    assert not lacks_ctx(func(task).coroutine)


@pytest.mark.parametrize("task", ["", lambda ctx: None])
def test_job_needs_a_name(task: Any) -> None:
    """No worker knows an empty name, or which lambda is meant."""
    with pytest.raises(ConfigurationError, match="name"):
        call(task)


@pytest.mark.parametrize("target", [add, func(add, max_tries=3)])
def test_attempts_of_a_bare_function_are_refused(target: Any) -> None:
    """A failure of a bare function is final: to say how often it may fail would do nothing."""
    attempts = checked(max_attempts=5)
    with pytest.raises(
        ConfigurationError, match=r"add is a bare function.*write @task, or func\(..., max_tries"
    ):
        call(target, 1).settled(attempts)
    with pytest.raises(ConfigurationError, match="max_attempts is for tasks"):
        call(target, 1).options(max_attempts=5).settled(PLAIN)

    for other in (call(make_task(add), 1), call("add", 1)):
        assert other.settled(attempts).max_attempts == 5


def test_function_without_a_name_needs_one() -> None:
    """A partial has no name that a worker could know it by."""
    with pytest.raises(ConfigurationError, match=r"give it one with func\(..., name=...\)"):
        call(functools.partial(add, b=5), 1)


def test_options_are_checked_and_plain() -> None:
    """Spans may be timedeltas, moments are ms since 1970; what is not said stays the default."""
    at = datetime(2026, 1, 2, tzinfo=UTC)

    assert checked() == PLAIN
    assert checked(delay=timedelta(minutes=5)).delay_ms == 300_000
    assert checked(delay=-1, priority=0, max_attempts=1) == Options(
        delay_ms=-1000, priority=0, max_attempts=1
    )
    assert checked(delay=timedelta(seconds=1.5), priority=9, expires=60) == Options(
        delay_ms=1500, priority=9, expires_ms=60_000
    )
    assert checked(at=at, queue="q", job_id="x", first_try=2) == Options(
        at_ms=int(at.timestamp() * 1000), queue="q", job_id="x", first_try=2
    )


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"delay": 1, "at": datetime(2026, 1, 1, tzinfo=UTC)}, "use either delay or at or neither"),
        ({"delay": "5"}, "delay must be a number of seconds or a timedelta, got '5'"),
        ({"at": 5}, "at must be a datetime, got 5"),
        ({"priority": 10}, r"priority must be 0 \(first\) to 9 \(last\), got 10"),
        ({"priority": -1}, "priority must be a whole number of at least 0, got -1"),
        ({"priority": 1.5}, "priority must be a whole number"),
        ({"queue": 5}, "queue must be a text, got 5"),
        ({"job_id": ""}, "a job id must have at least one and at most 512 characters"),
        ({"job_id": "a\0b"}, "none of them NUL"),
        ({"job_id": "\ud800"}, "a job id must be valid Unicode"),
        ({"expires": 0}, "expires must be more than 0 seconds, got 0"),
        ({"delay": 60, "expires": 30}, "a job that waits 60 and expires after 30 would never run"),
        ({"first_try": 0}, "first_try must be a whole number of at least 1, got 0"),
        ({"dely": 5}, "there is no option 'dely' of a job, did you mean 'delay'; there are delay, at, queue"),
        ({"schedule_in": 5}, "there is no option 'schedule_in' of a job, did you mean 'delay'"),
        ({"scheduled_at": 5}, "there is no option 'scheduled_at' of a job, did you mean 'at'"),
        ({"_defer_by": 5}, "there is no option '_defer_by' of a job, did you mean 'delay'"),
        ({"max_tries": 5}, "there is no option 'max_tries' of a job, did you mean 'max_attempts'"),
        ({"xyz": 5}, "there is no option 'xyz' of a job; there are"),
        ({"delay": True}, "delay must be a number of seconds or a timedelta, got True"),
        ({"max_attempts": 0}, "max_attempts must be a whole number of at least 1, got 0"),
        ({"max_attempts": -1}, "max_attempts must be a whole number of at least 1, got -1"),
        ({"priority": "high"}, "priority must be a whole number of at least 0, got 'high'"),
        (
            {"unique": []},
            r"unique must be a Unique, a dict of its options, True \(for ever\) or False, got \[\]",
        ),
        ({"unique": {}}, r"unique has no options, {}; say True, or some of period, fields"),
        ({"unique": {"perod": 5}}, "unique has no option 'perod'; there are period, fields, keys"),
        ({"unique": {"period": 0}}, "the period of Unique must be more than 0 seconds, got 0"),
    ],
)
def test_options_that_cannot_work_are_refused(options: dict[str, Any], text: str) -> None:
    """An option that cannot work is refused where it is written, by its name."""
    with pytest.raises(ConfigurationError, match=text):
        checked(**options)


def test_own_options_win() -> None:
    """A call's own options win over those of all; what it does not say is taken from them."""
    common = Options(delay_ms=5, queue="q", priority=3)

    assert merged(Options(priority=1), common) == Options(delay_ms=5, queue="q", priority=1)
    assert merged(Options(at_ms=9), common) == Options(at_ms=9, queue="q", priority=3)
    assert call(add, 1).options(delay=2).made_with == Options(delay_ms=2000)


def test_own_options_win_when_they_say_what_is_usual() -> None:
    """Priority 0 and no delay may be asked for where all others have something else."""
    common = checked(delay=5, priority=9)

    assert merged(checked(delay=0, priority=0), common) == Options(delay_ms=0, priority=0)


@pytest.mark.parametrize("task", [add, "total"])
def test_what_can_be_read_only_once_is_kept(task: Any) -> None:
    """A generator is read before it is checked, and sent as what it gave."""

    async def total(ctx: dict[Any, Any], numbers: list[int]) -> int:
        return sum(numbers)

    made = call(total if task is add else task, map(int, "123"))

    assert made.args == ([1, 2, 3],)


def test_zero_is_none_for_arq() -> None:
    """arq takes 0 and an empty text for options as if they were not given."""
    assert options_of_arq("", None, None, 0, 0, None) == PLAIN


def test_repr_shows_no_argument() -> None:
    """A call may hold what belongs in no log."""
    assert repr(call(add, 1)) == "<call of add>"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("_deferby", "did you mean _defer_by?"),
        ("_jobid", "did you mean _job_id?"),
        ("_queue", "did you mean _queue_name?"),
        ("_delay", "did you mean _defer_by?"),
        ("_priority", "say pool.options(priority=...).enqueue(...)"),
        ("_unique", "say pool.options(unique=...).enqueue(...)"),
        ("_max_tries", "say pool.options(max_attempts=...).enqueue(...)"),
        ("_private", ""),
        ("__name", ""),
        ("priority", ""),
    ],
)
def test_slips_in_options_of_arq(name: str, told: str) -> None:
    """An argument that looks like an option of `enqueue_job` is told with the one that is meant."""
    assert slip_of_arq(name) == told


def test_queue_without_a_name() -> None:
    """An empty queue is a slip; the pool's default is None."""
    with pytest.raises(ConfigurationError, match="queue must not be empty; None is the pool's default"):
        checked(queue="")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"session": 5}, "session must be an AsyncSession"),
        ({"session": dict}, "that makes them"),
        ({"ledger": "later"}, 'ledger of a job is "behind" or "strict"'),
        ({"row": [1]}, "row must be a dict"),
        ({"row": {1: 2}}, "row must be a dict"),
        ({"triggered_by": 5}, "triggered_by must be a text"),
        ({"triggered_by": ""}, "triggered_by must be a text"),
        ({"parent": 5}, "a job id must be a string"),
        ({"parent_id": "x"}, "did you mean 'parent'"),
    ],
)
def test_bad_options_of_rows_are_refused(options: dict[str, Any], complaint: str) -> None:
    """What only a ledger can do is checked when it is said."""
    with pytest.raises(ConfigurationError, match=complaint):
        checked(**options)


def test_envelope_tells_who_asked() -> None:
    """A name and a job that asked are told; inside a job it is that one, unless another is named."""

    class Running:
        job_id = "p"

    assert told_of_askers(PLAIN) == {}
    before = running_job.set(Running())  # type: ignore[arg-type]
    assert told_of_askers(checked(triggered_by="ada")) == {"by": "ada", "pa": "p"}
    assert told_of_askers(checked(parent="q")) == {"pa": "q"}
    running_job.reset(before)
