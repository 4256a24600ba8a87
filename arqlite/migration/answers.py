"""Results for producers that still await them where arq puts them."""

from __future__ import annotations

import asyncio
import logging
import pickle
from dataclasses import dataclass
from typing import Any

from redis.exceptions import RedisError

from ..engine import RedisEngine
from ..errors import DeserializationError
from ..model.codec import UNSERIALIZABLE, Codec
from ..model.failures import message_of
from ..model.records import JobResult
from ..telemetry import JobStopped
from ..typing import Serializer
from ..utils import timestamp_ms, to_unix_ms
from .source import ArqQueue
from .wire import UNKNOWN_FUNCTION, ArqJob, NeedsClass, Reader

logger = logging.getLogger("arqlite.migration")

_FOREVER_MS = 9_999_999_999_999
_PAGE = 500
# What is heard of beyond that, while Redis is away, is found by the next look through all held jobs.
_MOST_HEARD = 10_000
_FINAL = ("completed", "discarded", "cancelled")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ended: its function, which try it was, when it began and ended, and what it gave."""

    function: str
    job_try: int
    start_ms: int
    finish_ms: int
    success: bool
    value: Any


class Answers:
    """Ends jobs that are held in arq's queue once they have ended in arqlite, with their results.

    Args:
        source: arq's queue.
        engine: arqlite's queue.
        codec: how arqlite's queue is written.
        reader: how arq's queue is read.
        serializer: how arq's producers read results; None is pickle.
    """

    def __init__(
        self,
        source: ArqQueue,
        engine: RedisEngine,
        codec: Codec,
        reader: Reader,
        serializer: Serializer | None = None,
    ) -> None:
        self._source = source
        self._engine = engine
        self._codec = codec
        self._reader = reader
        self._serializer = serializer or pickle.dumps
        self._heard: dict[str, Outcome] = {}
        self._told: set[str] = set()

    def hear(self, event: JobStopped) -> None:
        """Note the end of a job; most are not held, which is found out later."""
        if event.queue != self._engine.queue or event.state not in _FINAL:
            return
        if len(self._heard) < _MOST_HEARD:
            start_ms = event.at_ms - event.duration_ms
            success = event.state == "completed"
            value = event.result if success else event.error
            self._heard[event.job_id] = Outcome(
                event.function, event.attempt, start_ms, event.at_ms, success, value
            )

    async def deliver(self) -> None:
        """Release those of the jobs heard of that are held, and whose end is stored."""
        heard, self._heard = self._heard, {}
        if not heard:
            return
        try:
            # A job is held before it can end: as long as none is, all that was heard is arqlite's own.
            if not await self._source.held_size():
                return
            held = await self._source.which_are_held(list(heard))
            await self._release(held, heard)
        except (RedisError, OSError):
            self._heard = heard | self._heard
            raise

    async def review(self) -> None:
        """Go through all held jobs: a worker without a bridge may have ended them, or a dead one."""
        offset = 0
        while keys := await self._source.held(offset, _PAGE):
            offset += len(keys) - await self._release([key.decode() for key in keys], {})

    async def release_cancelled(self, job_id: str) -> None:
        """Release a job whose abort one of arq's producers asked for."""
        now_ms = timestamp_ms()
        outcome = Outcome(UNKNOWN_FUNCTION, 0, now_ms, now_ms, False, asyncio.CancelledError())
        await self._release([job_id], {job_id: outcome})

    async def _over(self, held: list[str]) -> dict[str, int]:
        """Tell which jobs are over, and until when their ends are kept."""
        over = await self._not_pending(held)
        unknown = [job_id for job_id, until in over.items() if until < 0]
        if unknown:
            # One that is unknown has left no result, or has not arrived yet: what is staged now, and what
            # arrived before that was looked at, is still to come.
            on_its_way = await self._source.staged_ids()
            arrived = await self._engine.ends(unknown)
            for job_id, until in zip(unknown, arrived, strict=True):
                if job_id in on_its_way or until >= 0:
                    del over[job_id]
        return over

    async def _not_pending(self, held: list[str]) -> dict[str, int]:
        untils = await self._engine.ends(held)
        return {job_id: until for job_id, until in zip(held, untils, strict=True) if until != 0}

    async def _release(self, held: list[str], heard: dict[str, Outcome]) -> int:
        over = await self._over(held)
        for job_id in held:
            if job_id not in over and job_id in heard:
                self._heard.setdefault(job_id, heard[job_id])  # its end is still on its way
        results = []
        for job_id, body in zip(over, await self._source.bodies(list(over)), strict=True):
            keep_ms = _keep_ms(over[job_id])
            outcome = heard.get(job_id)
            if outcome is None and keep_ms != 0:
                outcome = await self._stored(job_id)
            is_kept = outcome is not None and keep_ms != 0
            result = self._result(job_id, body, outcome) if is_kept and outcome else b""
            results.append((job_id, result, keep_ms))
        return await self._source.release(results)

    async def _stored(self, job_id: str) -> Outcome | None:
        peek = await self._engine.peek(job_id)
        if peek.home != "finished":
            return None
        try:
            ended = self._codec.decode_record(peek.record, job_id, self._engine.queue)
        except DeserializationError as error:
            now_ms = timestamp_ms()
            return Outcome(UNKNOWN_FUNCTION, 0, now_ms, now_ms, False, error)
        assert isinstance(ended, JobResult)  # noqa: S101 (a finished record decodes to nothing else)
        return Outcome(
            ended.function, ended.job_try or 1, to_unix_ms(ended.start_time), to_unix_ms(ended.finish_time),
            ended.success, ended.result,
        )  # fmt: skip

    def _result(self, job_id: str, body: bytes | None, outcome: Outcome) -> bytes:
        """Write a result; nothing if it cannot be written, for the job must not be held for ever."""
        try:
            return self._written(job_id, body, outcome)
        except Exception as error:  # noqa: BLE001 (the serializer is the application's)
            if outcome.function not in self._told:
                self._told.add(outcome.function)
                logger.error(  # noqa: TRY400 (the message says it all)
                    "job %s:%s ends in arq's queue without a result, and so will others of this function: "
                    "the bridge's serializer cannot write it (%r)",
                    job_id, outcome.function, error,
                )  # fmt: skip
            return b""

    def _written(self, job_id: str, body: bytes | None, outcome: Outcome) -> bytes:
        job = self._job(body, outcome)
        envelope = {
            "t": outcome.job_try, "f": job.function, "a": job.args, "k": job.kwargs, "et": job.enqueue_ms,
            "s": outcome.success, "r": outcome.value if outcome.success else _for_arq(outcome.value),
            "st": outcome.start_ms, "ft": outcome.finish_ms, "q": self._source.queue, "id": job_id,
        }  # fmt: skip
        try:
            return self._serializer(envelope)
        except Exception:  # noqa: BLE001 (arq tells it in these words)
            return self._serializer({**envelope, "s": False, "r": UNSERIALIZABLE})

    def _job(self, body: bytes | None, outcome: Outcome) -> ArqJob:
        try:
            if body is not None:
                return self._reader.job(body)
        except (DeserializationError, NeedsClass):
            pass  # it was readable when it was taken; the result is what matters now
        return ArqJob(outcome.function, (), {}, None, 0)


def _keep_ms(until_ms: int) -> int:
    if until_ms < 0:
        return 0
    return -1 if until_ms >= _FOREVER_MS else max(until_ms - timestamp_ms(), 1)


def _for_arq(error: Any) -> Any:
    """Give an exception in a class that a program without arqlite can load."""
    if isinstance(error, BaseException) and type(error).__module__.split(".")[0] == "arqlite":
        return RuntimeError(message_of(error))
    return error
