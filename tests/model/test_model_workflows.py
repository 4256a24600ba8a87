"""Workflows as plans: names, dependencies, what is refused, and how compositions become steps."""

from __future__ import annotations

from typing import Any

import pytest

from arqlite.errors import ConfigurationError, InvalidArguments
from arqlite.model.calls import call
from arqlite.model.compositions import chain, group
from arqlite.model.placeholders import PREVIOUS, placeholders_in
from arqlite.model.unique import Unique
from arqlite.model.workflows import MOST_STEPS, Composition, Step, Workflow


async def number(ctx: Any, n: int) -> int:
    return n


async def nothing(ctx: Any) -> int:
    return 0


async def total(ctx: Any, numbers: list[int], start: int = 0) -> int:
    return sum(numbers)


def shape(flow: Workflow) -> dict[str, set[str]]:
    """Tell by name what each step waits for."""
    plan = [step for step in flow.plan() if not step.undoes]
    return {step.name: {plan[number - 1].name for number in step.needs} for step in plan}


def test_results_and_after_make_dependencies() -> None:
    """A step waits for those whose results it takes, wherever among its arguments, and for those it names."""
    flow = Workflow("w")
    a = flow.add("a", call(number, 1))
    b = flow.add("b", call(number, a.result))
    flow.add("c", call(total, [b.result, 1], start=a.result))
    flow.add("d", call("f", {"deep": [(a.result,)]}), after=[b, "e"])
    flow.add("e", call(nothing), after="a")

    assert shape(flow) == {"a": set(), "b": {"a"}, "c": {"a", "b"}, "d": {"a", "b", "e"}, "e": {"a"}}


def test_plan_tells_numbers() -> None:
    """Steps are numbered as they were added, compensations last; who waits for whom is told both ways."""
    flow = Workflow("w")
    a = flow.add("a", call(number, 1), compensate=call(number, PREVIOUS))
    flow.add("b", call(nothing), after=[a], even_if_failed=True)

    first, second, undo = flow.plan()

    assert (first.number, first.needs, first.dependents, first.undo, first.undoes) == (1, (), (2,), 3, 0)
    assert (second.number, second.needs, second.dependents, second.even_if_failed) == (2, (1,), (), True)
    assert (undo.number, undo.name, undo.undo, undo.undoes) == (3, "a", 0, 1)
    assert (first.is_needed, second.is_needed) == (True, False)


def test_compensation_function_takes_the_result() -> None:
    """A function as a compensation is called with what its step gave."""
    flow = Workflow("w")
    step = flow.add("a", call(number, 1), compensate=number)

    assert step.compensation is not None
    [placeholder] = placeholders_in(step.compensation.args)
    assert repr(placeholder) == "the result of step 'a'"


@pytest.mark.parametrize(
    ("build", "complaint"),
    [
        (lambda flow: None, "workflow 'w' has no steps"),
        (lambda flow: [flow.add("a", call(nothing)) for _ in range(2)], "two steps 'a'"),
        (lambda flow: flow.add("a", call(nothing), after=["b"]), "'a' waits for 'b', and there are only a"),
        (lambda flow: flow.add("a", call(nothing), after=["a"]), "wait for each other: a -> a"),
        (
            lambda flow: [flow.add(one, call(nothing), after=[other]) for one, other in ("ab", "bc", "cb")],
            "wait for each other: b -> c -> b",
        ),
        (lambda flow: flow.add("", call(nothing)), "the name of a step must be a printable text"),
        (lambda flow: flow.add("a\n", call(nothing)), "the name of a step must be a printable text"),
        (lambda flow: flow.add("a", nothing), "step 'a' is what arqlite.call makes"),
        (lambda flow: flow.add("a", call(nothing), after=[3]), "after takes steps and names of steps, got 3"),
        (lambda flow: flow.add("a", call(nothing), after=3), "after takes steps and names of steps, got 3"),
        (lambda flow: flow.add("a", call(number, PREVIOUS)), "nothing comes before it"),
        (
            lambda flow: flow.add("a", call(number, Workflow("v").add("x", call(nothing)).result)),
            "step 'x' is of workflow 'v', not of 'w'",
        ),
        (
            lambda flow: flow.add("a", call(nothing), after=[Workflow("v").add("x", call(nothing))]),
            "step 'x' is of workflow 'v', not of 'w'",
        ),
        (lambda flow: flow.add("a", call(nothing).options(job_id="x")), "cannot have the option job_id"),
        (lambda flow: flow.add("a", call(nothing).options(expires=5)), "cannot have the option expires"),
        (lambda flow: flow.add("a", call(nothing).options(unique=Unique())), "cannot have the option unique"),
        (lambda flow: flow.include("a", call(nothing)), "include takes what chain"),
        (
            lambda flow: [flow.add(f"s{n}", call("f")) for n in range(MOST_STEPS + 1)],
            f"has {MOST_STEPS + 1} steps, compensations included; {MOST_STEPS} is the most",
        ),
    ],
)
def test_what_cannot_work_is_refused_in_words(build: Any, complaint: str) -> None:
    """Nothing of a workflow that cannot work is enqueued, and the words say what is wrong."""
    flow = Workflow("w")

    def made() -> None:
        build(flow)
        flow.plan()

    with pytest.raises(ConfigurationError) as caught:
        made()

    assert complaint in str(caught.value)


@pytest.mark.parametrize("name", ["", None, "x" * 201, "a\0"])
def test_names_of_workflows_are_checked(name: Any) -> None:
    with pytest.raises(ConfigurationError, match="the name of a workflow must be"):
        Workflow(name)


def test_keep_is_a_span() -> None:
    """A workflow is known for a day after its end, for as long as it says, or for ever."""
    assert Workflow("w").keep_ms == 86_400_000
    assert Workflow("w", keep=0).keep_ms == 0
    assert Workflow("w", keep=float("inf")).keep_ms == -1
    with pytest.raises(ConfigurationError, match="keep must be at least 0 seconds"):
        Workflow("w", keep=-1)


def test_placeholders_pass_any_annotation() -> None:
    """A result that is not there yet fits any annotation; other arguments are checked as always."""
    step = Workflow("w").add("a", call(nothing))

    call(number, step.result)
    call(total, [step.result, 1])
    with pytest.raises(InvalidArguments, match="start"):
        call(total, [step.result], start="x")
    with pytest.raises(InvalidArguments, match="missing"):
        call(number)


def test_chain_takes_results_along() -> None:
    """A function in a chain takes what is before it; a call as written only waits for it."""
    flow = chain(call(number, 1), number, call(nothing), call(total, [PREVIOUS]), name="c").workflow()

    assert flow.name == "c"
    assert shape(flow) == {
        "number": set(), "number-2": {"number"}, "nothing": {"number-2"}, "total": {"nothing"},
    }  # fmt: skip
    assert [len(list(placeholders_in(step.call.args))) for step in flow.steps] == [0, 1, 0, 1]


def test_group_without_callback_gives_a_list() -> None:
    """What follows a group takes the results of all in it."""
    flow = chain(nothing, group([number, number]), total).workflow()

    assert shape(flow)["total"] == {"number", "number-2"}
    assert len(list(placeholders_in(flow.steps[-1].call.args))) == 2


@pytest.mark.parametrize(
    ("build", "complaint"),
    [
        (lambda: chain(), r"chain\(\) needs at least one job"),
        (lambda: group([]), r"group\(\) needs at least one job"),
        (lambda: group(call(nothing)), r"group\(\) takes a list of jobs"),
        (lambda: group("f"), r"group\(\) takes a list of jobs"),
        (lambda: chain(call(number, PREVIOUS)).workflow(), "takes PREVIOUS, and nothing comes before it"),
        (lambda: chain(3).workflow(), "a job is made of a function"),
    ],
)
def test_compositions_that_cannot_work_are_refused(build: Any, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        build()


def test_first_function_of_a_chain_takes_nothing() -> None:
    """A function with nothing before it is called without arguments, and that is checked."""
    with pytest.raises(InvalidArguments, match="missing"):
        chain(number).workflow()


def test_composition_is_a_part_with_names() -> None:
    """What is included is named after its part, and waits for what the part waits for."""
    flow = Workflow("w")
    first = flow.add("first", call(nothing))
    part = flow.include("part", chain(nothing, group([number, number])), after=[first])
    last: Step[int] = flow.add("last", call(total, part.result), after=[part])

    assert shape(flow) == {
        "first": set(), "part.nothing": {"first"}, "part.number": {"part.nothing"},
        "part.number-2": {"part.nothing"}, "last": {"part.number", "part.number-2"},
    }  # fmt: skip
    assert (repr(last), repr(flow)) == ("<step 'last' of 'w'>", "<workflow 'w' of 5 steps>")


def test_names_of_many_namesakes_are_found_at_once() -> None:
    """A name for one more step is looked for a bounded number of times, however many have that name."""

    class Counted(dict[str, Step[Any]]):
        looks = 0

        def __contains__(self, name: object) -> bool:
            Counted.looks += 1
            return super().__contains__(name)

    flow = Workflow("w")
    flow.add("part.number-3", call(number, 3))
    flow._steps = Counted(flow._steps)

    flow.include("part", group([call(number, n) for n in range(200)]))

    names = [step.name for step in flow.steps]
    assert names[:5] == ["part.number-3", "part.number", "part.number-2", "part.number-4", "part.number-5"]
    assert len(names) == 201
    assert Counted.looks < 5 * 200


def test_a_composition_of_ones_own_says_how_it_joins() -> None:
    """The base class joins nothing by itself."""
    with pytest.raises(NotImplementedError):
        Composition().join(Workflow("w"), "", None, ())
