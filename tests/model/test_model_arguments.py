"""Arguments and results, made to fit what a function's annotations say."""

from __future__ import annotations

import functools
import gc
import inspect
import weakref
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID

import pytest
from pydantic import BaseModel, BeforeValidator
from pydantic_core import from_json, to_json

from arqlite.errors import InvalidArguments
from arqlite.model.arguments import Signature, signature_of, unfit

Ctx = dict[Any, Any]


class Colour(Enum):
    RED = "red"


class Level(IntEnum):
    HIGH = 3


@dataclass
class Point:
    x: int
    y: int


class Place(NamedTuple):
    street: str
    number: int


class Order(BaseModel):
    id: UUID
    price: Decimal
    at: datetime


class Opaque:
    """A class that pydantic knows nothing of."""


ORDER = Order(id=UUID(int=7), price=Decimal("1.50"), at=datetime(2026, 1, 2, tzinfo=UTC))


def taking(annotation: Any) -> Callable[..., Any]:
    async def function(ctx, value): ...  # type: ignore[no-untyped-def]

    function.__annotations__["value"] = annotation
    return function


def fitted(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return Signature(function).fit(args, kwargs)


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (datetime, datetime(2026, 3, 4, 5, 6, 7, 890, tzinfo=UTC)),
        (date, date(2026, 3, 4)),
        (timedelta, timedelta(days=2, seconds=3)),
        (UUID, UUID(int=5)),
        (Decimal, Decimal("0.10")),
        (Path, Path("/tmp/x")),
        (Colour, Colour.RED),
        (Level, Level.HIGH),
        (Point, Point(1, 2)),
        (Place, Place("High", 7)),
        (Order, ORDER),
        (bytes, b"text"),
        (set[int], {1, 2}),
        (tuple[int, str], (1, "a")),
        (dict[int, Decimal], {1: Decimal("2.5")}),
        (list[Point], [Point(1, 2)]),
        (datetime | None, datetime(2026, 1, 1, tzinfo=UTC)),
        (Literal["a"], "a"),
        (float, 1.5),
        (int, 5),
        (str, "x"),
    ],
)
def test_value_that_went_through_json_is_itself_again(annotation: Any, value: Any) -> None:
    """What JSON made a text, a number, a list or a dict of is what the annotation says again."""
    travelled = from_json(to_json([value]))

    args, _, problems = fitted(taking(annotation), *travelled)

    assert problems == []
    assert args[0] == value
    assert type(args[0]) is type(value)


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (Any, "2026-01-01"),
        (object, [1]),
        ("Unknown", {"a": 1}),
        ("no such thing at all", 1),
        (int | str, "5"),
    ],
)
def test_annotation_that_says_nothing_changes_nothing(annotation: Any, value: Any) -> None:
    """No annotation, one that cannot be found at run time, and one that fits leave the value alone."""
    args, _, problems = fitted(taking(annotation), value)

    assert (list(args), problems) == ([value], [])


@pytest.mark.parametrize(
    ("annotation", "value", "reason"),
    [
        (int, "secret", "Input should be a valid integer, unable to parse string as an integer (got str)"),
        (str, 5, "Input should be a valid string (got int)"),
        (Point, {"x": 1}, "y: Field required (got dict)"),
        (Order, {}, "id: Field required (got dict, and 2 more)"),
        (
            list[int],
            [1, "b"],
            "1: Input should be a valid integer, unable to parse string as an integer (got list)",
        ),
        (Opaque, "x", "Input should be an instance of Opaque (got str)"),
    ],
)
def test_value_that_does_not_fit_is_left_and_told(annotation: Any, value: Any, reason: str) -> None:
    """What does not fit comes back as it was, with the parameter and the reason, but not the value."""
    args, _, problems = fitted(taking(annotation), value)

    assert args[0] is value
    assert problems == [("value", reason)]
    assert "secret" not in str(unfit("f", problems))


def test_instances_of_unknown_classes_fit() -> None:
    """An object of a class without a schema fits, as pickle may bring it."""
    thing = Opaque()

    args, _, problems = fitted(taking(Opaque), thing)

    assert (args[0], problems) == (thing, [])


def test_every_kind_of_parameter_is_fitted() -> None:
    """Positional, named, further positional and further named arguments are made to fit."""

    async def function(ctx: Ctx, a: int, /, b: Decimal, *rest: Colour, c: date, **more: UUID) -> None: ...

    args, kwargs, problems = fitted(function, "1", "2.5", "red", c="2026-01-01", d=str(UUID(int=1)))

    assert problems == []
    assert args == [1, Decimal("2.5"), Colour.RED]
    assert kwargs == {"c": date(2026, 1, 1), "d": UUID(int=1)}


def test_ctx_is_no_argument() -> None:
    """The first parameter is `ctx`, whatever it is annotated with; `self` is none at all."""

    class Host:
        async def method(self, ctx: int, a: Decimal) -> None: ...

        async def __call__(self, ctx: int, a: Decimal) -> None: ...

    async def function(ctx: int, a: Decimal, after: str) -> None: ...

    for target in (Host().method, Host(), functools.partial(function, after="x")):
        assert fitted(target, "1.5")[0] == [Decimal("1.5")]


def test_decorated_function_takes_what_its_wrapper_says() -> None:
    """What a wrapper hands on may be anything: annotations behind it mean nothing, unless it says so."""

    async def function(ctx: Ctx, db: object, at: datetime) -> datetime: ...  # type: ignore[empty-body]

    @functools.wraps(function)
    async def injecting(ctx: Ctx, *args: Any, **kwargs: Any) -> Any:
        return await function(ctx, object(), *args, **kwargs)

    assert Signature(injecting).is_bare
    signature_of(injecting).check("function", (1_700_000_000,), {})

    injecting.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in ("ctx",)]
        + [inspect.Parameter("at", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation="Decimal")]
    )
    assert fitted(injecting, "1.5")[0] == [Decimal("1.5")]


def test_methods_of_many_objects_are_read_once() -> None:
    """Each request may have an object of its own: its method is known already, and the object is not kept."""

    class Host:
        async def method(self, ctx: Ctx, a: Decimal) -> None: ...

    host = Host()
    gone = weakref.ref(host)

    known = signature_of(host.method)
    assert signature_of(Host().method) is known
    assert known.fit(["1.5"], {})[0] == [Decimal("1.5")]
    del host
    gc.collect()
    assert gone() is None


def test_default_none_may_be_given() -> None:
    """`x: int = None` takes None, as it does when nothing is given."""

    async def function(ctx: Ctx, x: int = None) -> None: ...  # type: ignore[assignment]  # noqa: RUF013 (as users write it)

    assert fitted(function, None) == ([None], {}, [])
    assert fitted(function, "5")[0] == [5]


@pytest.mark.parametrize("annotation", [Iterable[int], Iterator[int], Iterable[int] | None, Generator[int]])
def test_list_for_an_iterable_stays_a_list(annotation: Any) -> None:
    """pydantic would make something of it that can be read only once."""
    value = [1, 2, 3]

    assert fitted(taking(annotation), value)[0][0] is value


def test_annotation_that_cannot_be_compared_says_nothing() -> None:
    """An annotation may be any object, also one whose `==` raises."""

    class Odd:
        def __eq__(self, other: object) -> bool:
            raise RuntimeError("odd")

        def __hash__(self) -> int:
            return 1

    assert fitted(taking(Odd()), 5) == ((5,), {}, [])


@pytest.mark.parametrize("target", [taking(Any), print, lambda ctx, a: a])
def test_function_without_annotations_is_bare(target: Any) -> None:
    """A function that says nothing of its arguments costs nothing."""
    args = ("1",)

    signature = Signature(target)

    assert signature.is_bare
    assert signature.fit(args, {})[0] is args


@pytest.mark.parametrize(
    ("args", "kwargs", "text"),
    [
        ((), {}, "missing a required argument: 'a'"),
        ((1, 2, 3), {"c": 1}, "too many positional arguments"),
        ((1,), {"c": 1, "d": 1}, "got an unexpected keyword argument 'd'"),
        ((1,), {}, "missing a required"),
        (("x",), {"c": 1}, "a: Input should be a valid integer"),
        ((1,), {"c": "x"}, "c: Input should be a valid integer"),
    ],
)
def test_call_that_cannot_be_made_is_refused(args: Any, kwargs: Any, text: str) -> None:
    """A missing, an unknown and an unfit argument are each named."""

    async def add(ctx: Ctx, a: int, b: int = 0, *, c: int) -> None: ...

    with pytest.raises(InvalidArguments) as caught:
        signature_of(add).check("add", args, kwargs)

    assert isinstance(caught.value, TypeError)
    assert caught.value.function == "add"
    assert str(caught.value).startswith("add(): ")
    assert text in str(caught.value)


def test_all_problems_are_told_at_once() -> None:
    """Two arguments that do not fit are told in one error."""

    async def add(ctx: Ctx, a: int, b: int) -> None: ...

    with pytest.raises(InvalidArguments, match=r"add\(\): a: .*; b: .*"):
        signature_of(add).check("add", ("x", "y"), {})


def test_good_calls_are_accepted() -> None:
    """Defaults, names and further arguments are honoured."""

    async def add(ctx: Ctx, a: int, b: int = 0, *rest: int, **more: int) -> None: ...

    for args, kwargs in (((1,), {}), ((1, 2, 3), {}), ((), {"a": 1}), ((1,), {"z": 5})):
        signature_of(add).check("add", args, kwargs)


def test_result_fits_the_return_annotation() -> None:
    """A result that went through JSON is what the function says it gives; another is left and told."""

    async def when(ctx: Ctx) -> datetime: ...  # type: ignore[empty-body]

    signature = signature_of(when)

    assert signature.fit_result("2026-01-01T00:00:00Z") == (datetime(2026, 1, 1, tzinfo=UTC), [])
    value, problems = signature.fit_result("never")
    assert value == "never"
    assert problems[0].parameter == "result"


def test_signature_is_read_once() -> None:
    """Reading a signature costs, so each function is read once; objects without a hash are read anew."""

    class Unhashable:
        __hash__ = None  # type: ignore[assignment]

        async def __call__(self, ctx: Ctx, a: int) -> None: ...

    async def function(ctx: Ctx, a: int) -> None: ...

    assert signature_of(function) is signature_of(function)
    assert signature_of(Unhashable()).fit(["1"], {})[0] == [1]


def test_validator_that_raises_anything_is_told() -> None:
    """A user's own validator may raise what it likes: the argument does not fit, and nothing else breaks."""

    def broken(value: Any) -> Any:
        raise ZeroDivisionError("odd")

    _, _, problems = fitted(taking(Annotated[int, BeforeValidator(broken)]), 5)

    assert problems == [("value", "ZeroDivisionError (got int)")]


async def without_ctx(a: int) -> None: ...


def test_a_forgotten_ctx_is_told() -> None:
    """Who forgot `ctx` is told what his first parameter is taken for."""
    signature = signature_of(without_ctx)

    with pytest.raises(InvalidArguments, match=r"too many positional .* is 'a' meant to be it\?"):
        signature.check("without_ctx", (7,), {})
