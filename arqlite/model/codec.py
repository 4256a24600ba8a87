"""Jobs and results to bytes and back.

The envelope is arq's dict of one-letter keys, so that a user's own serializer (pickle, msgpack) meets
what it knows; by default it is JSON. A finished record holds the result's envelope and, unchanged,
the job's: nothing is encoded twice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

from pydantic_core import PydanticSerializationError, from_json, to_json

from ..errors import DeserializationError, SerializationError
from ..typing import Deserializer, Serializer
from ..utils import ms_to_datetime
from . import checks
from .failures import describe, message_of, rebuild
from .placeholders import BUNDLE, read_end, unbundled
from .records import JobDef, JobResult
from .states import COMPLETED, FINAL_STATES, STATE_LETTERS, JobState

_LETTERS = {state: STATE_LETTERS[state].encode() for state in FINAL_STATES}
_STATES = {letter: state for state, letter in _LETTERS.items()}
# 'R' and 13 digits of expiry stand before the body in a finished record, 'Q' and a priority before a job.
_FINISHED_HEAD, _QUEUED_HEAD = 14, 2
# Readers of JSON refuse longer ones: turning their digits into a number takes too long.
_LONGEST_NUMBER = 4300
_TOO_LONG_A_NUMBER = re.compile(rb"\d{4301}")
_COUNTERS = ("at", "cr", "sn", "du")
_PLAIN_KEYS = frozenset(("f", "a", "k", "t", "et"))
UNSERIALIZABLE = "unable to serialize result"
# The function and the time, without which an envelope is none.
_LEAST_KEYS = 2
_NUMBER, _TEXT, _LIST, _DICT = (int, type(None)), (str, type(None)), (list, tuple), (dict,)
_KINDS: dict[str, tuple[type, ...]] = {
    "a": _LIST, "k": _DICT,
    **dict.fromkeys(("t", "x", "at", "ma", "p"), _NUMBER),
    "g": (*_LIST, type(None)), "m": (*_DICT, type(None)),
    **dict.fromkeys(("by", "pa"), _TEXT),
}  # fmt: skip


class Codec:
    """One way to write jobs and results.

    Args:
        serializer: turns an envelope (a dict) into bytes; None is JSON.
        deserializer: turns those bytes into the dict.
    """

    __slots__ = ("deserializer", "serializer")

    def __init__(
        self, serializer: Serializer | None = None, deserializer: Deserializer | None = None
    ) -> None:
        self.serializer = serializer
        self.deserializer = deserializer

    def encode_job(
        self,
        function: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        job_try: int | None,
        enqueue_ms: int,
        **extras: Any,
    ) -> bytes:
        """Write a job.

        Args:
            function: the name to run it by.
            args: what to call it with.
            kwargs: what to call it with, by name.
            job_try: the number of its first start, if not 1.
            enqueue_ms: now, in ms since 1970.
            extras: what only some jobs have: `x` when it expires and `at` when it is due (ms since
                1970), `n` a nonce, `p` a priority, `ma` how often it may fail, `tm` how often its
                task said, `g` tags, `m` meta, `by` who asked for it, `pa` the id of the job that did,
                `tc` what tracers have it carry.

        Raises:
            SerializationError: an argument cannot be written.
        """
        try:
            if self.serializer is not None:
                return _bytes_of(
                    self.serializer(
                        {"t": job_try, "f": function, "a": args, "k": kwargs, "et": enqueue_ms, **extras}
                    )
                )
            envelope: dict[str, Any] = {"f": function, "et": enqueue_ms}
            if args:
                envelope["a"] = args
            if kwargs:
                envelope["k"] = kwargs
            if job_try is not None:
                envelope["t"] = job_try
            if extras:
                envelope |= extras
            written = to_json(envelope)
            if len(written) > _LONGEST_NUMBER and _TOO_LONG_A_NUMBER.search(written):
                raise ValueError(
                    f"there is a number of over {_LONGEST_NUMBER} digits, which cannot be read again"
                )
            return written
        except Exception as error:
            raise SerializationError(f'unable to serialize job "{function}"{_reason(error)}') from error

    def change_job(self, blob: bytes, changes: Mapping[str, Any]) -> bytes:
        """Write a job anew with some entries of its envelope changed; those that are None are left out.

        Raises:
            DeserializationError: these bytes are no job.
            SerializationError: an entry cannot be written.
        """
        envelope = {**self.decode_job(blob), **changes}
        extras = {
            key: value for key, value in envelope.items() if key not in _PLAIN_KEYS and value is not None
        }
        args, kwargs = envelope.get("a") or (), envelope.get("k") or {}
        return self.encode_job(envelope["f"], args, kwargs, envelope.get("t"), envelope["et"], **extras)

    def decode_job(self, blob: bytes) -> dict[str, Any]:
        """Read a job's envelope.

        Raises:
            DeserializationError: these bytes are none.
        """
        try:
            envelope = from_json(blob) if self.deserializer is None else self._foreign_envelope(blob)
            if not isinstance(envelope["f"], str) or not 0 <= envelope["et"] <= checks.LAST_MS:
                raise TypeError("the envelope names no function or no time")
            if len(envelope) > _LEAST_KEYS:
                _check_kinds(envelope)
        except Exception as error:
            raise DeserializationError("unable to deserialize job") from error
        return cast("dict[str, Any]", envelope)

    def encode_end(
        self,
        state: JobState,
        value: Any,
        job_try: int,
        start_ms: int,
        finish_ms: int,
        blob: bytes,
        job: Mapping[str, Any] | None = None,
        counters: Mapping[str, int] | None = None,
    ) -> bytes:
        """Write how a job ended.

        Args:
            state: its final state.
            value: its result, or the exception unless it completed.
            job_try: the number of its last start.
            start_ms: when that began, in ms since 1970.
            finish_ms: when that was over.
            blob: the job as it was enqueued, to stand behind its end.
            job: what else arq's envelope of a result tells; only a user's own serializer meets it.
            counters: what `model.memory.counters` tells of its runs; of most jobs nothing.

        Raises:
            SerializationError: the result cannot be written; `encode_unserializable` can.
        """
        if self.serializer is not None:
            told = {**(job or {}), **(counters or {})}
            result = self._encode_foreign(state, value, job_try, start_ms, finish_ms, told)
        elif state is COMPLETED:
            result = _plain_result(value, job_try, start_ms, finish_ms, counters)
        else:
            result = to_json(_failure(value, job_try, start_ms, finish_ms, counters or {}))
        # Enums hash in Python; the common case must not pay for a look-up.
        letter = b"S" if state is COMPLETED else _LETTERS[state]
        return b"%c%08x%b%b" % (letter, len(result), result, blob)

    def encode_unserializable(
        self,
        error: Exception,
        job_try: int,
        start_ms: int,
        finish_ms: int,
        blob: bytes,
        job: Mapping[str, Any] | None = None,
        counters: Mapping[str, int] | None = None,
    ) -> bytes:
        """Write that a job ended, but that its result could not be written and why."""
        reason = message_of(error)
        failure = SerializationError(
            reason if reason.startswith(UNSERIALIZABLE) else f"{UNSERIALIZABLE}: {reason}"
        )
        return self.encode_end(JobState.DISCARDED, failure, job_try, start_ms, finish_ms, blob, job, counters)

    def decode_record(
        self, record: bytes, job_id: str, queue: str, score: int | None = None, started: int | None = None
    ) -> JobDef | JobResult:
        """Read a whole record, of a job that ended or not.

        Args:
            record: as Redis holds it.
            job_id: the job's id.
            queue: the queue's name.
            score: when the job is due, in ms since 1970.
            started: how often it has been started.
        """
        if record[:1] == b"R":
            return self._decode_finished(record, job_id, queue)
        envelope = self.decode_job(record[_QUEUED_HEAD:])
        return job_def(envelope, job_id, score, started)

    def decode_listed(self, record: bytes, job_id: str, queue: str) -> JobDef | JobResult:
        """Read one record of many; a job that has not ended has the time it was meant to run as its score.

        A record that cannot be read, be it of another serializer, does not hide the others: it is shown
        with the function '<unknown>', an end among them with the reason as its result.
        """
        try:
            if record[:1] == b"R":
                return self._decode_finished(record, job_id, queue)
            envelope = self.decode_job(record[_QUEUED_HEAD:])
            return job_def(envelope, job_id, int(envelope.get("at") or envelope["et"]), None)
        except DeserializationError as error:
            job = _unknown_job(job_id)
            if record[:1] != b"R":
                return job
            return JobResult(
                **vars(job), success=False, result=error, start_time=job.enqueue_time,
                finish_time=job.enqueue_time, queue_name=queue,
            )  # fmt: skip

    def decode_end(self, record: bytes) -> tuple[dict[str, Any], Any]:
        """Read how a job ended: the envelope of that, and what it returned or the exception that ended it.

        Raises:
            DeserializationError: these bytes are none.
        """
        try:
            raw = record[_FINISHED_HEAD + 9 : _end_of_result(record)]
            ended = read_end(raw, self.deserializer)
            value = rebuild(ended["e"]) if "e" in ended else ended["r"]
            if not isinstance(ended["t"] or 0, int):
                raise TypeError("the envelope of the result tells no number of its start")
            ms_to_datetime(ended["st"]), ms_to_datetime(ended["ft"])
        except Exception as error:
            raise DeserializationError("unable to deserialize job result") from error
        return ended, value

    def _decode_finished(self, record: bytes, job_id: str, queue: str) -> JobResult:
        ended, value = self.decode_end(record)
        times = ms_to_datetime(ended["st"]), ms_to_datetime(ended["ft"])
        job = self._job_of_finished(blob_behind_end(record), job_id)
        return JobResult(
            job.function, job.args, job.kwargs, ended["t"], job.enqueue_time, None, job_id,
            success=ended["s"], result=value, start_time=times[0], finish_time=times[1], queue_name=queue,
        )  # fmt: skip

    def _job_of_finished(self, blob: bytes, job_id: str) -> JobDef:
        """Read the job behind a result; one that could never be read still has its result."""
        try:
            return job_def(self.decode_job(blob), job_id, None, None)
        except DeserializationError:
            return _unknown_job(job_id)

    def _foreign_envelope(self, blob: bytes) -> Any:
        assert self.deserializer is not None  # noqa: S101 (the caller asked)
        return unbundled(blob, self.deserializer) if blob.startswith(BUNDLE) else self.deserializer(blob)

    def _encode_foreign(
        self,
        state: JobState,
        value: Any,
        job_try: int,
        start_ms: int,
        finish_ms: int,
        job: Mapping[str, Any],
    ) -> bytes:
        assert self.serializer is not None  # noqa: S101 (the caller asked)
        success = state is COMPLETED
        envelope = {"t": job_try, **job, "s": success, "r": value, "st": start_ms, "ft": finish_ms}
        try:
            return _bytes_of(self.serializer(envelope))
        except Exception as error:
            if success:
                raise SerializationError(f"{UNSERIALIZABLE}{_reason(error)}") from error
        # Whatever it was that could not be written: the job stands behind its end.
        counters = {name: job[name] for name in _COUNTERS if name in job}
        failure = _failure(value, job_try, start_ms, finish_ms, counters)
        try:
            return _bytes_of(self.serializer({**envelope, "a": (), "k": {}, "r": UNSERIALIZABLE, **failure}))
        except Exception:  # noqa: BLE001 (a serializer that cannot even this must not keep the job from ending)
            return to_json(failure)


def _bytes_of(written: Any) -> bytes:
    """Take what a user's serializer gave; a text, as that of `json.dumps`, is as good as its bytes."""
    if isinstance(written, str):
        return written.encode()
    if not isinstance(written, bytes | bytearray | memoryview):
        raise TypeError(f"the serializer must give bytes, it gave {type(written).__name__}")
    return bytes(written)


def state_of_finished(body_letter: bytes) -> JobState:
    """Tell how a job ended from the letter at the head of its body."""
    return _STATES[body_letter]


def queued_record(priority: int, blob: bytes) -> bytes:
    """Put the head of a live record before an encoded job."""
    return b"Q" + bytes((priority,)) + blob


def blob_of(record: bytes) -> bytes:
    """Take the encoded job out of a live record."""
    return record[_QUEUED_HEAD:]


def blob_behind_end(record: bytes) -> bytes:
    """Take the encoded job out of a finished record."""
    return record[_end_of_result(record) :]


def with_blob(record: bytes, blob: bytes) -> bytes:
    """Put another encoded job behind the same end."""
    return record[: _end_of_result(record)] + blob


def state_of_record(record: bytes) -> JobState:
    """Tell how a job ended from its record."""
    return _STATES[record[_FINISHED_HEAD : _FINISHED_HEAD + 1]]


def _end_of_result(record: bytes) -> int:
    """Tell where in a finished record the job begins: behind a letter, 8 hex digits of size, the result."""
    return _FINISHED_HEAD + 9 + int(record[_FINISHED_HEAD + 1 : _FINISHED_HEAD + 9], 16)


def _failure(
    value: Any, job_try: int, start_ms: int, finish_ms: int, counters: Mapping[str, int]
) -> dict[str, Any]:
    return {"s": False, "t": job_try, "st": start_ms, "ft": finish_ms, **counters, "e": describe(value)}


def _plain_result(
    value: Any, job_try: int, start_ms: int, finish_ms: int, counters: Mapping[str, int] | None
) -> bytes:
    more = "".join([f'"{name}":{number},' for name, number in counters.items()]) if counters else ""
    head = f'{{"s":true,"t":{job_try},"st":{start_ms},"ft":{finish_ms},{more}"r":'
    if value is None:
        return (head + "null}").encode()
    try:
        written = to_json(value)
        if len(written) > _LONGEST_NUMBER and _TOO_LONG_A_NUMBER.search(written):
            raise ValueError(
                f"it holds a number of over {_LONGEST_NUMBER} digits, which cannot be read again"
            )
        return head.encode() + written + b"}"
    except (PydanticSerializationError, ValueError, TypeError, RecursionError) as error:
        raise SerializationError(
            f"{UNSERIALIZABLE}: {type(value).__name__} is not plain data ({message_of(error)})"
        ) from error


def _check_kinds(envelope: dict[str, Any]) -> None:
    for name, value in envelope.items():
        if name in _KINDS and not isinstance(value, _KINDS[name]):
            raise TypeError(f"{name!r} of the envelope is of the wrong kind: {type(value).__name__}")


def job_def(envelope: dict[str, Any], job_id: str | None, score: int | None, started: int | None) -> JobDef:
    """Make a job's definition of its envelope."""
    return JobDef(
        function=envelope["f"],
        args=tuple(envelope.get("a") or ()),
        kwargs=envelope.get("k") or {},
        job_try=envelope.get("t") if not started else (envelope.get("t") or 1) - 1 + started,
        enqueue_time=ms_to_datetime(envelope["et"]),
        score=score,
        job_id=job_id,
    )


def _unknown_job(job_id: str) -> JobDef:
    return JobDef("<unknown>", (), {}, None, ms_to_datetime(0), None, job_id)


def _reason(error: Exception) -> str:
    text = message_of(error)
    return f": {text}" if text else ""
