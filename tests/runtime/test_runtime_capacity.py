"""How many more jobs of each function may start, by the worker's own account."""

from __future__ import annotations

from typing import Any

from arqlite.engine import Room
from arqlite.model.functions import Function, func
from arqlite.model.memory import NOTHING
from arqlite.runtime.capacity import Capacity
from arqlite.runtime.run import Run


async def job(ctx: Any) -> None: ...


def limited(name: str, max_jobs: int | None) -> Function:
    return func(job, name=name, max_jobs=max_jobs)


def cpu(name: str, max_jobs: int | None = None) -> Function:
    return Function(name, job, None, None, None, None, cpu=True, max_jobs=max_jobs)


def capacity(*functions: Function, max_jobs: int = 10, processes: int = 10) -> Capacity:
    return Capacity({function.name: function for function in functions}, max_jobs, processes)


def run(name: str) -> Run:
    return Run("j", name, limited(name, None), (), {}, b"", 1, NOTHING, 0, 0, "q", "w")


def admitted(capacity: Capacity, *names: str) -> list[bool]:
    return [capacity.admits(run(name)) for name in names]


def test_worker_without_limits_tells_nothing() -> None:
    """Without a limit and without holds a turn names no rooms, and only the queue's token is waited for."""
    plain = capacity(limited("f", None))

    assert (plain.has_limits, plain.rooms(), plain.holds_to_wait_for()) == (False, None, None)
    assert plain.admits(run("f"))


def test_limit_of_the_whole_worker_is_none() -> None:
    """A function that may have as many jobs as the worker has slots, or more, costs nothing."""
    assert not capacity(limited("f", 10), limited("g", 99), cpu("h"), processes=10).has_limits


def test_room_is_used_up_and_comes_back() -> None:
    """Jobs of a function are admitted up to its limit; each that is released, once or twice, makes room."""
    two = capacity(limited("f", 2), limited("g", None))
    first = run("f")

    assert two.admits(first)
    assert admitted(two, "f", "f", "g") == [True, False, True]
    two.release(first)
    two.release(first)
    assert admitted(two, "f", "f") == [True, False]


def test_cpu_functions_share_the_processes() -> None:
    """All cpu functions together have as many jobs as there are processes; one may have fewer of its own."""
    shared = capacity(cpu("f"), cpu("g", 1), limited("h", None), processes=3)

    assert admitted(shared, "g", "g", "f", "f", "f", "h") == [True, False, True, True, False, True]
    shared.hear([b"f", b"g"])
    assert shared.rooms() == [Room("f", 0, "cpu", 0), Room("g", 0, "cpu", 0)]


def test_release_makes_room_for_the_whole_pool() -> None:
    """When a cpu job ends, any cpu function may have its process."""
    shared = capacity(cpu("f"), cpu("g"), processes=1)
    first = run("f")
    shared.admits(first)
    shared.hear([b"g"])
    assert not shared.wants_more

    shared.release(first)

    assert shared.wants_more


def test_rooms_are_of_holds_that_are_there() -> None:
    """A turn is told of the holds the last one saw, and of those that this worker knows, room or not."""
    some = capacity(limited("f", 2), limited("g", 1))
    some.admits(run("g"))
    assert some.rooms() == []

    some.hear([b"f", b"g", b"nobody's"])

    assert some.rooms() == [Room("f", 2), Room("g", 0)]


def test_hold_of_a_function_without_limit_here() -> None:
    """What another worker put on hold is taken by one without a limit, and it listens from then on."""
    free = capacity(limited("f", None))

    free.hear([b"f"])
    assert free.rooms() == [Room("f", 10)]
    assert free.wants_more

    free.hear([])
    assert free.rooms() is None
    assert free.holds_to_wait_for() == ["f"]


def test_only_holds_with_room_are_waited_for() -> None:
    """An idle worker waits for the tokens of those holds that it has room for."""
    some = capacity(limited("f", 1), limited("g", 1))
    some.admits(run("g"))

    assert some.holds_to_wait_for() == ["f"]


def test_room_that_came_during_a_turn_is_for_the_held() -> None:
    """While older jobs are held, a younger one starts only in the room that the turn was told of."""
    one = capacity(limited("f", 2))
    first = run("f")
    assert admitted(one, "f") == [True]
    one.admits(first)
    one.hear([b"f"])
    one.rooms()

    one.release(first)
    one.hear([b"f"])

    assert admitted(one, "f") == [False]
    one.rooms()
    assert admitted(one, "f", "f") == [True, False]


def test_job_that_is_passed_over_had_its_turn() -> None:
    """A claimed job that does not start for other reasons lets no younger one pass those that are held."""
    one = capacity(limited("f", 1))
    one.hear([b"f"])
    one.rooms()

    one.pass_over("f")

    assert admitted(one, "f") == [False]


def test_reach_grows_while_all_must_be_held() -> None:
    """Through a long row of jobs without room the steps double, to a bound; the first start ends that."""
    some = capacity(limited("f", 1), limited("g", None))
    some.admits(run("f"))
    some.reach(1)

    steps = []
    for _ in range(9):
        steps.append(some.reach(1))
        admitted(some, *["f"] * steps[-1])
    assert steps == [1, 2, 4, 8, 16, 32, 64, 100, 100]

    some.reach(1)
    admitted(some, "f", "f", "g")
    assert some.reach(1) == 1
    admitted(some, "f", "f", "f")
    assert some.reach(0) == 0
