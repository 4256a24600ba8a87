"""Steps as bytes: gaps for results, and nothing of the user's taken for one."""

from __future__ import annotations

import json
import pickle
from collections import namedtuple
from typing import Any

import pytest

from arqlite.errors import DeserializationError, SerializationError
from arqlite.model.calls import PLAIN, call
from arqlite.model.codec import Codec
from arqlite.model.flowcode import encode_step, read_plan, read_result
from arqlite.model.placeholders import replaced
from arqlite.model.states import JobState
from arqlite.model.workflows import Workflow

Pair = namedtuple("Pair", "one two")


def stored(codec: Codec, *args: Any, **kwargs: Any) -> tuple[bytes, bytes]:
    """Write a step with these arguments, in which `...` is the result of another one."""
    flow = Workflow("w")
    one = flow.add("one", call("f"))
    args = tuple(one.result if arg is ... else arg for arg in args)
    flow.add("two", call("g", *args, **kwargs))
    step = flow.plan()[1]
    written = encode_step(codec, step, "id", PLAIN._replace(priority=3), 5, {"one": 1, "two": 2}, g=["t"])
    return written.record, written.template


def assembled(template: bytes, end: bytes) -> bytes:
    """Put an end in, as the script does."""
    head, _, rest = template.partition(b"\n")
    job = b""
    while head:
        kind, digits = head[:1], head[1:].split(b"L")[0].split(b"V")[0].split(b"E")[0]
        head = head[1 + len(digits) :]
        if kind == b"L":
            job, rest = job + rest[: int(digits)], rest[int(digits) :]
        elif kind == b"V":
            job += end[end.index(b'"r":') + 4 : -1]
        else:
            job += b"%08x%b" % (len(end), end)
    return job


def end_of(codec: Codec, value: Any) -> bytes:
    body = codec.encode_end(JobState.COMPLETED, value, 1, 2, 3, b"")
    return body[9 : 9 + int(body[1:9], 16)]


def test_json_has_gaps() -> None:
    """The job is shown with a mark, and made whole with the very bytes of the result."""
    codec = Codec()

    record, template = stored(codec, ..., "x", {"$arqlite": "result", "of": "mine"})

    assert record[:2] == b"Q\3"
    shown = codec.decode_job(record[2:])
    assert shown["a"][:2] == [{"$arqlite": "result", "of": "one"}, "x"]
    whole = codec.decode_job(assembled(template, end_of(codec, {"deep": '"r":"'}))[2:])
    assert whole == {
        "f": "g", "et": 5, "a": [{"deep": '"r":"'}, "x", {"$arqlite": "result", "of": "mine"}], "g": ["t"],
    }  # fmt: skip


@pytest.mark.parametrize("args", [(), (1, "x"), ([{"a": None}],)])
def test_step_without_results_is_a_plain_job(args: tuple[Any, ...]) -> None:
    """What takes no result needs no template."""
    record, template = stored(Codec(), *args)

    assert template == b""
    assert tuple(Codec().decode_job(record[2:]).get("a", ())) == args


def test_own_serializer_reads_its_results() -> None:
    """With a serializer of the user's own the results go before the job, and its reader puts them in."""
    codec = Codec(pickle.dumps, pickle.loads)

    record, template = stored(codec, ..., [{"$arqlite": "result", "at": "x"}, Pair(1, 2)])

    assert codec.decode_job(record[2:])["f"] == "g"
    whole = codec.decode_job(assembled(template, end_of(codec, {1, 2}))[2:])
    assert whole["a"] == ({1, 2}, [{"$arqlite": "result", "at": "x"}, Pair(1, 2)])


def test_damaged_bundle_is_told() -> None:
    """A job whose results were cut off is no job."""
    codec = Codec(pickle.dumps, pickle.loads)
    _, template = stored(codec, ...)
    whole = assembled(template, end_of(codec, 1))[2:]

    for cut in (30, 60, len(whole) - 5):
        with pytest.raises(DeserializationError):
            codec.decode_job(whole[:cut])
    with pytest.raises(DeserializationError):
        Codec(json.dumps, lambda blob: [1]).decode_job(whole)  # type: ignore[arg-type, return-value]


def test_unwritable_argument_is_told() -> None:
    with pytest.raises(SerializationError, match="unable to serialize job"):
        stored(Codec(), ..., object())


def test_plan_is_read_back() -> None:
    """Names and functions may hold what they like, also what the plan is written with."""
    flow = Workflow("w")
    first = flow.add("a {b} ü", call("path\nof.f"), compensate=call("undo"))
    flow.add("b", call("f"), after=[first])
    flow.add("c", call("f"), after=[first], even_if_failed=True)
    steps = flow.plan()

    plans = [read_plan(encode_step(Codec(), step, f"id{step.number}", PLAIN, 5, {}).plan) for step in steps]

    assert plans[0] == ("id1", "", 4, (2, 3), "a {b} ü", "path\nof.f")
    assert (plans[2].flags, plans[3].flags, plans[3].undo) == ("e", "c", 1)


def test_ends_are_read() -> None:
    """What a workflow keeps of a step is its value or its error, whoever wrote it."""
    codec = Codec(pickle.dumps, pickle.loads)

    assert read_result(b"S" + end_of(codec, {1}), codec) == {1}
    told = read_result(
        b'C{"s":false,"t":0,"e":{"type":"arqlite.errors.Cancel","message":"m","args":["m"]}}', codec
    )
    assert str(told) == "m"
    with pytest.raises(DeserializationError, match="result of a step"):
        read_result(b"S", codec)


def test_replacing_leaves_the_rest_alone() -> None:
    """Where nothing is to be put in, the very same objects stay."""
    value = [Pair(1, {"x": (2,)})]

    assert replaced(value, lambda _: None) is value
