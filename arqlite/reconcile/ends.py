"""How a job ended, from Redis to its row and from its row to Redis. Pure functions."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from ..errors import DeserializationError
from ..ledger.payloads import describe_error, jsonable_or_text
from ..ledger.store.comparing import KnownOutcome, KnownRow, SettledRow, ms_of
from ..model.codec import Codec, blob_behind_end, blob_of, state_of_record
from ..model.failures import rebuild
from ..model.states import LEDGER_STATUS, Cause, JobState, LedgerStatus
from ..utils import ms_to_datetime
from .rules import NO_JOB, Job

_STATES = {
    LedgerStatus.SUCCESS: JobState.COMPLETED,
    LedgerStatus.FAILED: JobState.DISCARDED,
    LedgerStatus.CANCELLED: JobState.CANCELLED,
}


def job_of(record: bytes, codec: Codec) -> Job:
    """Tell which job a record is of; what cannot be read is None."""
    if record[:1] == b"Q":
        return Job(_enqueued_ms(blob_of(record), codec))
    if record[:1] != b"R":
        return NO_JOB
    enqueued_ms = _enqueued_ms(blob_behind_end(record), codec)
    try:
        ended, _ = codec.decode_end(record)
    except DeserializationError:
        return Job(enqueued_ms)
    return Job(enqueued_ms, ended["ft"])


def settled_row(row: KnownRow, record: bytes, codec: Codec, now_ms: int) -> SettledRow:
    """Tell what a row is to say of a job that ended so in Redis."""
    state = state_of_record(record)
    attempt, started_ms, finished_ms = row.attempt, None, now_ms
    value: Any = None
    try:
        ended, value = codec.decode_end(record)
        attempt = max(attempt, ended.get("t") or 0)
        started_ms, finished_ms = ended["st"] or None, ended["ft"]
    except DeserializationError as error:  # what a job that was deleted by hand leaves has no body at all
        value = asyncio.CancelledError() if state is JobState.CANCELLED else error
    is_good = state is JobState.COMPLETED
    return SettledRow(
        row,
        LEDGER_STATUS[state],
        None if is_good else _cause_of(state, value),
        jsonable_or_text(value) if is_good and value is not None else None,
        None if is_good or not isinstance(value, BaseException) else describe_error(value),
        attempt,
        None if started_ms is None else ms_to_datetime(started_ms),
        ms_to_datetime(finished_ms),
    )


def body_of(outcome: KnownOutcome, codec: Codec) -> bytes:
    """Write an end that the ledger knows as the queue stores ends, without the job."""
    finished_ms = ms_of(outcome.finished_at) or 0
    started_ms = ms_of(outcome.started_at) or finished_ms
    value: Any = outcome.output
    if outcome.status is LedgerStatus.CANCELLED:
        value = asyncio.CancelledError()
    elif outcome.status is LedgerStatus.FAILED:
        error = outcome.error if isinstance(outcome.error, dict) else {}
        told = {"type": error.get("type") or "JobExecutionFailed", "message": error.get("message") or ""}
        value = rebuild(told)
    return codec.encode_end(_STATES[outcome.status], value, outcome.attempt, started_ms, finished_ms, b"")


def _cause_of(state: JobState, value: Any) -> Cause:
    if state is JobState.CANCELLED:
        return Cause.CANCELLED
    return Cause.TIMEOUT if isinstance(value, TimeoutError) else Cause.ERROR


def _enqueued_ms(blob: bytes, codec: Codec) -> int | None:
    """Read it out of an encoded job, or of the little that is left of one that is only remembered."""
    try:
        enqueued_ms = codec.decode_job(blob)["et"]
    except DeserializationError:
        try:
            enqueued_ms = json.loads(blob)["et"]
        except (ValueError, TypeError, KeyError):
            return None
    return enqueued_ms if isinstance(enqueued_ms, int) else None
