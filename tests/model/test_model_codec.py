"""Jobs and results to bytes and back."""

from __future__ import annotations

import asyncio
import json
import pickle
import sys
from datetime import UTC, date, datetime
from typing import Any

import pytest

from arqlite.errors import DeserializationError, JobExecutionFailed, SerializationError
from arqlite.model.codec import (
    Codec,
    blob_of,
    queued_record,
    state_of_finished,
)
from arqlite.model.records import JobDef, JobResult
from arqlite.model.states import JobState

JSON = Codec()
PICKLE = Codec(pickle.dumps, pickle.loads)
BOTH = pytest.mark.parametrize("codec", [JSON, PICKLE], ids=["json", "pickle"])
ENQUEUED = 1_700_000_000_123
MOMENT = datetime(2023, 11, 14, 22, 13, 20, 123_000, tzinfo=UTC)


class Unwritable:
    """What no serializer can write."""

    def __reduce__(self) -> Any:
        raise TypeError("not me")


def finished(codec: Codec, state: JobState, value: Any, blob: bytes | None = None) -> JobResult:
    """Write an end as a worker does, put the script's head before it, and read it back."""
    blob = codec.encode_job("add", (1, 2), {"c": 3}, None, ENQUEUED) if blob is None else blob
    body = codec.encode_end(state, value, 2, ENQUEUED + 5, ENQUEUED + 9, blob)
    record = codec.decode_record(b"R9999999999999" + body, "j1", "q")
    assert isinstance(record, JobResult)
    return record


@BOTH
def test_job_round_trip(codec: Codec) -> None:
    """A job comes back as it was enqueued."""
    blob = codec.encode_job("add", (1, "zwei", None), {"c": [3.5]}, 4, ENQUEUED)

    record = codec.decode_record(queued_record(7, blob), "j1", "q", score=ENQUEUED)

    assert record == JobDef("add", (1, "zwei", None), {"c": [3.5]}, 4, MOMENT, ENQUEUED, "j1")
    assert blob_of(queued_record(7, blob)) == blob


@BOTH
def test_job_is_changed(codec: Codec) -> None:
    """Some entries are changed or taken away, and all others stay as they are."""
    blob = codec.encode_job("add", (1,), {"c": 3}, 2, ENQUEUED, p=5, g=["a"], n="x")

    changed = codec.decode_job(codec.change_job(blob, {"a": (), "k": {"d": 4}, "p": None, "ma": 7}))

    assert {key: value for key, value in changed.items() if value} == {
        "f": "add", "k": {"d": 4}, "t": 2, "et": ENQUEUED, "g": ["a"], "n": "x", "ma": 7,
    }  # fmt: skip


def test_json_envelope_is_readable_by_anyone() -> None:
    """The default is JSON with arq's letters; what a job does not have is left out."""
    plain = JSON.encode_job("add", (), {}, None, 5)
    full = JSON.encode_job("add", (1,), {"b": date(2024, 2, 29)}, 3, 5, x=9, at=7)

    assert json.loads(plain) == {"f": "add", "et": 5}
    assert json.loads(full) == {
        "f": "add",
        "et": 5,
        "a": [1],
        "k": {"b": "2024-02-29"},
        "t": 3,
        "x": 9,
        "at": 7,
    }


def test_own_serializer_meets_the_envelope_of_arq() -> None:
    """A serializer of the user's gets arq's dict, whole, in arq's order, with the arguments as they are."""
    seen: list[dict[str, Any]] = []
    codec = Codec(lambda envelope: seen.append(envelope) or b"bytes")  # type: ignore[func-returns-value]

    assert codec.encode_job("add", (1,), {"b": Unwritable}, None, 5) == b"bytes"
    assert list(seen[0].items()) == [
        ("t", None),
        ("f", "add"),
        ("a", (1,)),
        ("k", {"b": Unwritable}),
        ("et", 5),
    ]


@pytest.mark.parametrize(
    ("started", "given", "job_try"), [(0, None, None), (1, None, 1), (3, None, 3), (0, 4, 4), (2, 4, 5)]
)
def test_job_try_of_a_definition(started: int, given: int | None, job_try: int | None) -> None:
    """`job_try` counts the starts from the number that was given, and is None before the first."""
    blob = JSON.encode_job("add", (), {}, given, ENQUEUED)

    assert JSON.decode_record(queued_record(0, blob), "j1", "q", started=started).job_try == job_try


@BOTH
@pytest.mark.parametrize(
    "value", [None, 0, "text", [1, {"a": None}], {"deep": {"er": [1.5]}}, "ä\u2028\n\x00"]
)
def test_result_round_trip(codec: Codec, value: Any) -> None:
    """A result comes back with everything that is known of its job and its run."""
    result = finished(codec, JobState.COMPLETED, value)

    assert (result.success, result.result) == (True, value)
    assert (result.function, result.args, result.kwargs) == ("add", (1, 2), {"c": 3})
    assert (result.job_id, result.queue_name, result.job_try, result.score) == ("j1", "q", 2, None)
    assert result.enqueue_time == MOMENT
    assert (result.finish_time - result.start_time).total_seconds() == 0.004


@BOTH
@pytest.mark.parametrize(
    ("state", "letter"),
    [(JobState.COMPLETED, b"S"), (JobState.DISCARDED, b"F"), (JobState.CANCELLED, b"C")],
)
def test_letter_tells_the_end(codec: Codec, state: JobState, letter: bytes) -> None:
    """The first byte of a body tells how the job ended, whatever the serializer."""
    body = codec.encode_end(state, ValueError("x") if letter != b"S" else 1, 1, 0, 0, b"")

    assert body[:1] == letter
    assert state_of_finished(letter) is state


@BOTH
@pytest.mark.parametrize(
    ("state", "error"),
    [
        (JobState.DISCARDED, TypeError("boom", 3)),
        (JobState.DISCARDED, TimeoutError()),
        (JobState.CANCELLED, asyncio.CancelledError()),
        (JobState.DISCARDED, JobExecutionFailed("job expired")),
    ],
)
def test_failure_round_trip(codec: Codec, state: JobState, error: BaseException) -> None:
    """The exception that ended a job comes back as itself."""
    result = finished(codec, state, error)

    assert not result.success
    assert (type(result.result), result.result.args) == (type(error), error.args)


@BOTH
def test_unserializable_result_says_why(codec: Codec) -> None:
    """A result that cannot be written is refused in words that name the reason."""
    with pytest.raises(SerializationError, match="unable to serialize result: "):
        codec.encode_end(JobState.COMPLETED, Unwritable(), 1, 0, 0, b"")


def test_unserializable_result_names_the_class() -> None:
    """Whoever returned an object instead of data reads its class in the error."""
    with pytest.raises(SerializationError, match="Unwritable is not plain data"):
        JSON.encode_end(JobState.COMPLETED, Unwritable(), 1, 0, 0, b"")


@BOTH
def test_unserializable_result_is_stored_as_a_failure(codec: Codec) -> None:
    """In place of a result that cannot be written its reason is kept, and raised at the reader."""
    for error in (TypeError("not me"), SerializationError("unable to serialize result: not me")):
        body = codec.encode_unserializable(error, 1, 0, 0, b"")

        record = codec.decode_record(b"R9999999999999" + body, "j1", "q")

        assert isinstance(record, JobResult)
        assert not record.success
        assert type(record.result) is SerializationError
        assert str(record.result) == "unable to serialize result: not me"


def circular() -> list[Any]:
    circle: list[Any] = []
    circle.append(circle)
    return circle


def bottomless() -> list[Any]:
    value: list[Any] = []
    for _ in range(sys.getrecursionlimit() * 50):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value", ["\udcff", b"\xff\xfe", object(), circular(), bottomless(), {"a": {"b": object()}}]
)
def test_values_that_json_has_no_words_for(value: Any) -> None:
    """Lone surrogates, raw bytes, circles, bottomless lists and objects are refused, given or returned."""
    with pytest.raises(SerializationError, match="unable to serialize result"):
        JSON.encode_end(JobState.COMPLETED, value, 1, 0, 0, b"")
    with pytest.raises(SerializationError, match='unable to serialize job "add"'):
        JSON.encode_job("add", (value,), {}, None, 5)


@BOTH
def test_unserializable_argument_names_the_function(codec: Codec) -> None:
    """An argument that cannot be written is refused with arq's text and the reason."""
    with pytest.raises(SerializationError, match='unable to serialize job "send"'):
        codec.encode_job("send", (Unwritable(),), {}, None, 5)


class PickyError(Exception):
    """An exception that pickle cannot write."""

    def __reduce__(self) -> Any:
        raise TypeError("not me")


def test_unpicklable_exception_is_told_in_words() -> None:
    """A failure that the user's serializer cannot write is kept as text, with its class and message."""
    result = finished(PICKLE, JobState.DISCARDED, PickyError("lost"))

    assert result.result == JobExecutionFailed("test_model_codec.PickyError: lost")


@pytest.mark.parametrize("message", ["\ud800", "a\x00b", "text \udcff"])
def test_failure_with_an_unwritable_message(message: str) -> None:
    """An exception whose text is no valid Unicode still ends its job; its text is kept in escapes."""
    result = finished(JSON, JobState.DISCARDED, ValueError(message))

    assert not result.success
    assert isinstance(result.result, ValueError)


@BOTH
@pytest.mark.parametrize(
    "blob",
    [
        b"",
        b"\x00\xff garbage",
        b"[]",
        b"17",
        b"null",
        b'{"f": "add"}',
        b'{"f": 3, "et": 5}',
        b'{"f": "add", "et": "soon"}',
        b'{"f": "add", "et": -1}',
        b'{"f": "add", "et": 1000000000000000}',
        b'{"f": "add", "et": 5, "a": 3}',
        b'{"f": "add", "et": 5, "a": {"x": 1}}',
        b'{"f": "add", "et": 5, "k": [1]}',
        b'{"f": "add", "et": 5, "t": "one"}',
        b'{"f": "add", "et": 5, "x": "never"}',
        b'{"f": "add", "et": 5, "at": []}',
        b'{"f": "add", "et": 5',
    ],
)
def test_broken_bytes_are_no_job(codec: Codec, blob: bytes) -> None:
    """Bytes that are no job are refused by name, never passed on to fail where nobody expects it."""
    if codec is PICKLE and blob.startswith(b"{") and blob.endswith(b"}"):
        blob = pickle.dumps(json.loads(blob))

    with pytest.raises(DeserializationError, match="unable to deserialize job"):
        codec.decode_job(blob)


@BOTH
@pytest.mark.parametrize(
    "body", [b"S", b"S0000", b"Szzzzzzzz{}", b"S00000002{}", b"S00000003[1]", b"S00000064{"]
)
def test_broken_bytes_are_no_result(codec: Codec, body: bytes) -> None:
    """A finished record that cannot be read is refused with arq's text."""
    with pytest.raises(DeserializationError, match="unable to deserialize job result"):
        codec.decode_record(b"R9999999999999" + body, "j1", "q")


def test_result_outlives_its_unreadable_job() -> None:
    """The end of a job that could never be read is readable all the same."""
    result = finished(JSON, JobState.DISCARDED, JobExecutionFailed("unable to deserialize job"), b"\xff")

    assert (result.function, result.args) == ("<unknown>", ())
    assert result.result == JobExecutionFailed("unable to deserialize job")


def test_nothing_is_imported_by_a_name_from_redis() -> None:
    """A class name in a stored failure is text: its module is not imported, nothing of it is called."""
    ended = json.dumps(
        {"s": False, "t": 1, "st": 0, "ft": 0, "e": {"type": "antigravity.fly", "args": ["up"]}}
    )
    record = b"R9999999999999F" + b"%08x" % len(ended) + ended.encode()

    result = JSON.decode_record(record, "j1", "q")

    assert isinstance(result, JobResult)
    assert result.result == JobExecutionFailed("antigravity.fly")
    assert "antigravity" not in sys.modules
