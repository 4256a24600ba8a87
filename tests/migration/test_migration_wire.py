"""Reading what arq writes."""

from __future__ import annotations

import asyncio
import json
import pickle
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from migration_toys import arq_body, arq_result

from arqlite.errors import DeserializationError, JobExecutionFailed
from arqlite.migration.wire import NeedsClass, Reader, function_in_pickle


class Own:
    """A class of an application."""


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_function_is_found_without_loading(protocol: int) -> None:
    """The function's name is read out of a pickle of any protocol, whatever its arguments are."""
    body = arq_body("send", "f", Own(), f="f", write=lambda envelope: pickle.dumps(envelope, protocol))

    assert function_in_pickle(body) == "send"


@pytest.mark.parametrize("body", [b"", b"\x80\x04N.", b"\x80\x04\x8c\x01f.", b"nonsense", b"\x80\x04\xff."])
def test_function_that_hides(body: bytes) -> None:
    """What is no job's pickle has no function, and is no error."""
    assert function_in_pickle(body) is None


def test_cautious_reader_reads_plain_values() -> None:
    """A dry run looks into pickles of plain values and of the standard library's."""
    values = [{1, 2}, b"x", datetime.now(UTC), Decimal("1.5"), uuid4(), Path("a"), 1j]

    job = Reader(cautious=True).job(arq_body("send", *values))

    assert list(job.args) == values


def test_cautious_reader_reads_failures() -> None:
    """A dry run looks into results of failed jobs: built-in exceptions and arq's own."""
    for error in (ValueError("x"), TimeoutError(), asyncio.CancelledError()):
        assert type(Reader(cautious=True).result(arq_result("a", error, success=False))["r"]) is type(error)

    pickled = b"\x80\x02carq.worker\nJobExecutionFailed\nX\x01\x00\x00\x00x\x85R."
    assert Reader(cautious=True)._load(pickled) == JobExecutionFailed("x")


@pytest.mark.parametrize("value", [Own(), Own, print, eval, getattr])
def test_cautious_reader_loads_nothing_else(value: Any) -> None:
    """A dry run names the class that it would have to load, and loads it not."""
    with pytest.raises(NeedsClass, match=r"Own|print|eval|getattr"):
        Reader(cautious=True).job(arq_body("send", value))


def test_own_deserializer_leaves_pickles_alone() -> None:
    """With a deserializer of the application no pickle is loaded, whatever the bytes look like."""
    with pytest.raises(DeserializationError):
        Reader(json.loads).job(arq_body("send"))


def test_other_deserializer_reads_what_is_no_pickle() -> None:
    """Without a named deserializer the new settings' one reads what is no pickle."""
    body = arq_body("send", 1, write=lambda envelope: json.dumps(envelope).encode())

    job = Reader(other=json.loads).job(body)

    assert (job.function, job.args) == ("send", (1,))


@pytest.mark.parametrize(
    "change",
    [
        lambda envelope: envelope.pop("f"),
        lambda envelope: envelope.update(f=5),
        lambda envelope: envelope.update(t="one"),
        lambda envelope: envelope.update(k=[]),
        lambda envelope: envelope.update(k={1: 2}),
        lambda envelope: envelope.update(a=5),
        lambda envelope: envelope.update(et="now"),
    ],
)
def test_odd_envelope_is_refused(change: Callable[[dict[str, Any]], Any]) -> None:
    """A dict that is no job is refused with a reason."""
    envelope = pickle.loads(arq_body("send"))
    change(envelope)

    with pytest.raises(DeserializationError, match=r"\w+Error: "):
        Reader().job(pickle.dumps(envelope))


def test_classes_that_only_arq_has_need_arq() -> None:
    """A class of arq that arqlite has not is looked for in arq itself."""
    body = b"\x80\x02carq.worker\nno_such_thing\nq\x00."

    with pytest.raises(DeserializationError, match="No module named 'arq'"):
        Reader().job(body)


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("name", ["f", "t", "a", "send"])
def test_name_that_a_pickle_does_not_write_twice(name: str, protocol: int) -> None:
    """A function called like a key of the envelope stands in the pickle as a reference to that key."""
    # Interned, as names in code are: pickle writes one object once.
    body = pickle.dumps({"t": None, "f": sys.intern(name), "a": ("x",), "k": {}, "et": 1}, protocol)

    assert function_in_pickle(body) == name
