"""Limits as users write them, as the queue keeps them, and the lanes that partitioned ones make."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest

from arqlite.errors import ConfigurationError
from arqlite.model import limits
from arqlite.model.limits import GlobalLimit, Partition, RateLimit


@pytest.mark.parametrize(
    "limit", [GlobalLimit(3), GlobalLimit(1, "args.a"), GlobalLimit(2, ["meta.x", "function"])]
)
def test_global_limit_is_read_as_it_was_written(limit: GlobalLimit) -> None:
    """What the queue keeps is the same limit again."""
    assert limits.decode_global(limit.encode()) == limit


@pytest.mark.parametrize(
    "limit", [RateLimit(3, 1), RateLimit(50, timedelta(minutes=1)), RateLimit(1, 0.5, ["args.a b"[:6]])]
)
def test_rate_limit_is_read_as_it_was_written(limit: RateLimit) -> None:
    """What the queue keeps is the same limit again, its period in seconds."""
    assert limits.decode_rate(limit.encode()) == limit


def test_no_limit_is_none() -> None:
    """Neither no text nor the sign of no limit is one."""
    assert [limits.decode_global(text) for text in (None, "", "-")] == [None, None, None]
    assert [limits.decode_rate(text) for text in (None, "", "-")] == [None, None, None]


def test_short_forms_are_taken() -> None:
    """A number is a global limit, a pair a rate."""
    assert limits.global_limit(3) == GlobalLimit(3)
    assert limits.rate_limit((5, timedelta(seconds=2))) == RateLimit(5, 2.0)
    assert (limits.global_limit(None), limits.rate_limit(None)) == (None, None)


@pytest.mark.parametrize("value", [0, -1, True, 1.5, "3", (1, 2), 10**10])
def test_global_limits_that_cannot_work(value: Any) -> None:
    """What is no number of jobs is refused by its name."""
    with pytest.raises(ConfigurationError, match="global_limit must be"):
        limits.global_limit(value)


@pytest.mark.parametrize(
    "value", [5, (5,), (0, 1), (5, 0), (5, -1), (5, 500 * 86400), (5, "1"), (1, 2, 3), (5, True)]
)
def test_rate_limits_that_cannot_work(value: Any) -> None:
    """What is no pair of a number and a period is refused by its name."""
    with pytest.raises(ConfigurationError, match="rate_limit must be"):
        limits.rate_limit(value)


@pytest.mark.parametrize(
    "fields", ["tenant", "args.", "args..a", "kwargs.a", "", [], ["args.a", "args.a"], 3, [3], "args.a b"]
)
def test_fields_that_cannot_be(fields: Any) -> None:
    """A field that is neither the function nor in the arguments or the meta is refused."""
    with pytest.raises(ConfigurationError, match="partition_by of global_limit must"):
        GlobalLimit(1, fields)


def test_two_limits_must_agree() -> None:
    """Limits may be partitioned by the same fields, or one of them not at all."""
    limits.must_agree(GlobalLimit(1, "args.a"), RateLimit(1, 1, ["args.a"]))
    limits.must_agree(GlobalLimit(1), RateLimit(1, 1, "args.a"))
    limits.must_agree(None, RateLimit(1, 1, "args.a"))
    with pytest.raises(ConfigurationError, match="same fields"):
        limits.must_agree(GlobalLimit(1, "args.a"), RateLimit(1, 1, "args.b"))


def lane(fields: tuple[str, ...], args: Any = None, meta: Any = None) -> str:
    return Partition(2, fields).lane_of("f", lambda: args or {}, meta or {})


@pytest.mark.parametrize(
    ("fields", "args", "expected"),
    [
        (("args.t",), {"t": "acme"}, '2:["acme"]'),
        (("args.t",), {"u": 1}, "2:[null]"),
        (("args.t.x",), {"t": {"x": 5, "y": 6}}, "2:[5]"),
        (("args.t.1",), {"t": [4, 5]}, "2:[5]"),
        (("args.t.x",), {"t": "text"}, "2:[null]"),
        (("function", "args.t"), {"t": 1}, '2:["f",1]'),
        (("args",), {"b": 1, "a": 2}, '2:[{"a":2,"b":1}]'),
        (("args.t",), {"t": uuid.UUID(int=1)}, '2:["00000000-0000-0000-0000-000000000001"]'),
        (("meta.t",), {}, '2:["m"]'),
    ],
)
def test_lane_is_named_by_the_values(fields: tuple[str, ...], args: Any, expected: str) -> None:
    """Jobs with the same values share a lane, whatever their order or class."""
    assert lane(fields, args, {"t": "m"}) == expected


def test_long_lanes_are_hashed() -> None:
    """A long value makes a short name, and no other value the same one."""
    one, other = (lane(("args.t",), {"t": "x" * 500 + end}) for end in "ab")

    assert len(one) == len(other) == 2 + 64
    assert one != other


@pytest.mark.parametrize("value", [object(), "\ud800", float("nan"), b"\xff"])
def test_any_value_has_a_lane(value: Any) -> None:
    """A value that cannot be written as JSON has a lane all the same."""
    assert lane(("args.t",), {"t": value}).startswith("2:")


async def charge(ctx: Any, tenant: str) -> None: ...
async def sync(ctx: Any, *, account: int) -> None: ...
async def anything(ctx: Any, **kwargs: Any) -> None: ...


def test_partitions_that_no_function_has() -> None:
    """An argument that no function of a worker has would put all jobs under one limit: it is told."""
    per_tenant = GlobalLimit(1, partition_by="args.tennant")
    rate = RateLimit(1, 60, partition_by=["args.account", "meta.x", "args"])
    functions = {"charge": charge, "sync": sync}

    [told] = limits.doubts(per_tenant, rate, functions)

    assert told == (
        "partition_by of global_limit: no function of this worker has an argument tennant, so all its jobs"
        " share one limit; did you mean 'tenant'?"
    )
    assert limits.doubts(per_tenant, None, {**functions, "anything": anything}) == []
    assert limits.doubts(None, None, functions) == []
