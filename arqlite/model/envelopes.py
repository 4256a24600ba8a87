"""arq's functions that write and read the envelopes of jobs and results: each one dict of one-letter keys."""

from __future__ import annotations

import logging
from typing import Any

from pydantic_core import from_json, to_json

from ..errors import DeserializationError
from ..typing import Deserializer, Serializer
from ..utils import ms_to_datetime
from .codec import UNSERIALIZABLE, Codec, job_def
from .failures import describe, rebuild
from .records import JobDef, JobResult

logger = logging.getLogger("arqlite.jobs")


def serialize_job(
    function_name: str,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    job_try: int | None,
    enqueue_time_ms: int,
    *,
    serializer: Serializer | None = None,
) -> bytes:
    """Write a job's envelope (arq's function)."""
    return Codec(serializer).encode_job(function_name, args, kwargs, job_try, enqueue_time_ms)


def serialize_result(
    function: str,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    job_try: int | None,
    enqueue_time_ms: int,
    success: bool,
    result: Any,
    start_ms: int,
    finished_ms: int,
    ref: str,
    queue_name: str,
    job_id: str,
    *,
    serializer: Serializer | None = None,
) -> bytes | None:
    """Write a result's envelope as one dict (arq's function).

    A result that cannot be written is told in words, as a failure; None when not even that can be written.
    """
    envelope: dict[str, Any] = {"t": job_try, "f": function, "a": args, "k": kwargs, "et": enqueue_time_ms}
    envelope |= {"s": success, "st": start_ms, "ft": finished_ms, "q": queue_name, "id": job_id}
    write = serializer or to_json
    if serializer is None and isinstance(result, BaseException):
        envelope["e"] = describe(result)
    else:
        envelope["r"] = result
    try:
        return write(envelope)
    except Exception:
        logger.warning("error serializing result of %s", ref, exc_info=True)
    try:
        return write(envelope | {"r": UNSERIALIZABLE, "s": False})
    except Exception:
        logger.critical("error serializing result of %s even after replacing result", ref, exc_info=True)
        return None


def deserialize_job(r: bytes, *, deserializer: Deserializer | None = None) -> JobDef:
    """Read a job's envelope (arq's function); the id is not part of it."""
    return job_def(Codec(deserializer=deserializer).decode_job(r), None, None, None)


def deserialize_job_raw(
    r: bytes, *, deserializer: Deserializer | None = None
) -> tuple[str, tuple[Any, ...], dict[str, Any], int | None, int]:
    """Read a job's envelope as (function, args, kwargs, job_try, enqueue ms) (arq's function)."""
    envelope = Codec(deserializer=deserializer).decode_job(r)
    args = tuple(envelope.get("a") or ())
    return envelope["f"], args, envelope.get("k") or {}, envelope.get("t"), envelope["et"]


def deserialize_result(r: bytes, *, deserializer: Deserializer | None = None) -> JobResult:
    """Read what `serialize_result` wrote (arq's function)."""
    try:
        envelope = (deserializer or from_json)(r)
        return JobResult(
            envelope["f"], tuple(envelope["a"]), envelope["k"], envelope["t"], ms_to_datetime(envelope["et"]),
            None, envelope.get("id", "<unknown>"), success=envelope["s"],
            result=rebuild(envelope["e"]) if "e" in envelope else envelope["r"],
            start_time=ms_to_datetime(envelope["st"]), finish_time=ms_to_datetime(envelope["ft"]),
            queue_name=envelope.get("q", "<unknown>"),
        )  # fmt: skip
    except Exception as error:
        raise DeserializationError("unable to deserialize job result") from error
