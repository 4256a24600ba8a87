"""arq's functions that write and read envelopes."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime
from typing import Any

import pytest

from arqlite.errors import DeserializationError
from arqlite.model.envelopes import (
    deserialize_job,
    deserialize_job_raw,
    deserialize_result,
    serialize_job,
    serialize_result,
)
from arqlite.model.records import JobDef

ENQUEUED = 1_700_000_000_123
MOMENT = datetime(2023, 11, 14, 22, 13, 20, 123_000, tzinfo=UTC)


class Unwritable:
    """What no serializer can write."""

    def __reduce__(self) -> Any:
        raise TypeError("not me")


def test_functions_of_arq_round_trip() -> None:
    """arq's `serialize_*` and `deserialize_*` read what they wrote."""
    job = serialize_job("add", (1,), {"b": 2}, None, ENQUEUED)
    assert deserialize_job_raw(job) == ("add", (1,), {"b": 2}, None, ENQUEUED)
    assert deserialize_job(job) == JobDef("add", (1,), {"b": 2}, None, MOMENT, None, None)

    end = serialize_result("add", (1,), {}, 1, ENQUEUED, True, 3, 5, 9, "ref", "q", "j1")
    assert end is not None
    result = deserialize_result(end)
    assert (result.result, result.success, result.queue_name, result.job_id) == (3, True, "q", "j1")


def test_functions_of_arq_with_an_own_serializer() -> None:
    """arq's functions take a serializer."""
    job = serialize_job("add", (1,), {}, 2, 5, serializer=pickle.dumps)

    assert pickle.loads(job) == {"t": 2, "f": "add", "a": (1,), "k": {}, "et": 5}
    assert deserialize_job(job, deserializer=pickle.loads).job_try == 2


def test_result_that_cannot_be_written(caplog: pytest.LogCaptureFixture) -> None:
    """A result that the serializer refuses becomes a failure in words; when it refuses those, too, None."""
    times = 5, 9, "ref", "q", "j1"

    told = serialize_result("add", (), {}, 1, 5, True, Unwritable(), *times)
    refused = serialize_result("add", (Unwritable(),), {}, 1, 5, True, 3, *times, serializer=pickle.dumps)

    assert told is not None
    ended = deserialize_result(told)
    assert (ended.success, ended.result) == (False, "unable to serialize result")
    assert refused is None
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING", "CRITICAL"]


def test_failure_by_the_functions_of_arq() -> None:
    """A failure written by arq's function comes back as its exception."""
    end = serialize_result("add", (), {}, 1, ENQUEUED, False, KeyError("k"), 5, 9, "ref", "q", "j1")

    assert end is not None
    assert repr(deserialize_result(end).result) == "KeyError('k')"


def test_broken_result_by_the_functions_of_arq() -> None:
    """arq's reader refuses broken bytes with arq's error."""
    with pytest.raises(DeserializationError, match="unable to deserialize job result"):
        deserialize_result(b"\xff")
