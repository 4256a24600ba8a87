"""Runs in a worker of arqlite what producers still enqueue with arq."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from redis.exceptions import RedisError

from ..connections import RedisSettings, create_pool
from ..constants import default_queue_name
from ..engine import RedisEngine
from ..errors import ConfigurationError
from ..model import checks
from ..model.codec import Codec
from ..model.states import JobState
from ..service import Host, Ticker
from ..telemetry import JobStopped, attach, detach
from ..typing import Deserializer, SecondsTimedelta, Serializer
from ..utils import timestamp_ms
from .answers import Answers
from .convert import Converter
from .leftovers import Leftovers
from .mover import Mover, Step
from .source import ArqQueue
from .wire import Reader

logger = logging.getLogger("arqlite.migration")

_PAGE = 200
# Names alone are small.
_NAMES = 1000
# A walk past very many jobs that stay in arq's queue takes a tenth of the worker's time, not all of it.
_REST_PER_WALK = 9.0
_REVIEW_EVERY_S = 30.0
_CANCELLED_KEEP_MS = 3_600_000
_TROUBLE = (RedisError, OSError, EOFError, TimeoutError)


class ArqBridge(Ticker):
    """Takes jobs that arq's producers enqueue over into the worker's queue, while the worker runs.

    Put it into `WorkerSettings.services`. Jobs are looked for every `interval` seconds; those that the
    worker's functions or serializer cannot take stay in arq's queue, and a warning says why. It loads
    pickles, as arq does: whoever can write to that Redis can run code here.

    Args:
        queue: arq's queue.
        redis_settings: where it is; the worker's own Redis and database by default.
        deserializer: how arq's producers write jobs; None is arq's default, pickle.
        serializer: how they read results; None is pickle. Needed with a `deserializer` and `write_back`.
        interval: seconds or timedelta between two looks.
        write_back: whether a job stays in arq's queue, under a lock, until it has ended here, and its
            result goes where arq keeps results. `Job.result`, `status`, `info`, `abort` and the refusal
            of ids in use work on for arq's producers. Off, a job leaves arq as soon as it is taken.

    Raises:
        ConfigurationError: an argument cannot work.
    """

    def __init__(
        self,
        queue: str = default_queue_name,
        *,
        redis_settings: RedisSettings | None = None,
        deserializer: Deserializer | None = None,
        serializer: Serializer | None = None,
        interval: SecondsTimedelta = 0.5,
        write_back: bool = True,
    ) -> None:
        checks.instance("queue", queue, str, "a text")
        if redis_settings is not None:
            checks.instance("redis_settings", redis_settings, RedisSettings, "RedisSettings")
        if write_back and (deserializer is None) != (serializer is None):
            missing = "deserializer" if deserializer is None else "serializer"
            raise ConfigurationError(f"a bridge that writes results back needs a {missing}, too")
        super().__init__(checks.time_limit("interval", interval), at_once=True)
        self.queue = queue
        self._redis_settings = redis_settings
        self._deserializer = deserializer
        self._serializer = serializer
        self._write_back = write_back
        self._host: Host | None = None
        self._own_client: Any = None
        self._mover: Mover | None = None
        self._answers: Answers | None = None
        self._reviewed_at = float("-inf")
        self._next_walk = 0.0
        self._leftovers = Leftovers()
        self._is_away = False
        self._told: set[tuple[str, str]] = set()

    def join(self, host: Host) -> None:
        """Hear which worker the bridge works for."""
        self._host = host

    async def start(self) -> None:
        """Begin to look.

        Raises:
            ConfigurationError: it is no worker's service.
            redis.exceptions.ConnectionError: arq's Redis cannot be reached.
        """
        if self._task is not None:
            return
        if self._host is None:
            raise ConfigurationError("an ArqBridge works in a worker: put it into WorkerSettings.services")
        if self._redis_settings is not None:
            self._own_client = await create_pool(self._redis_settings)
        self._wire(self._host, self._own_client or self._host.pool)
        await super().start()

    async def stop(self) -> None:
        """Deliver what has ended, and end."""
        await super().stop()
        detach(self._handler_id)
        try:
            if self._answers is not None:
                await self._answers.deliver()
        except _TROUBLE as error:
            logger.warning("%s: results are left for the next worker (%s)", self.name, error)
        finally:
            client, self._own_client = self._own_client, None
            if client is not None:
                await client.aclose(close_connection_pool=True)

    async def tick(self) -> None:
        """Take what is new, and give back what has ended; trouble with Redis is told once."""
        try:
            await self._duty()
        except _TROUBLE as error:
            if not self._is_away:
                logger.warning("%s: Redis is out of reach (%s), trying again", self.name, error)
            self._is_away = True
        else:
            if self._is_away:
                logger.info("%s: Redis is back", self.name)
            self._is_away = False

    @property
    def _handler_id(self) -> str:
        return f"arqlite-bridge-{id(self)}"

    def _wire(self, host: Host, client: Any) -> None:
        codec = Codec(host.job_serializer, host.job_deserializer)
        reader = Reader(self._deserializer, other=host.job_deserializer)
        source = ArqQueue(client, self.queue)
        engine = RedisEngine(host.pool, host.queue)
        converter = Converter(codec, reader, host.functions)
        self._mover = Mover(source, engine, converter, "hold" if self._write_back else "take")
        if self._write_back:
            self._answers = Answers(source, engine, codec, reader, self._serializer)
            attach(self._handler_id, [JobStopped], self._answers.hear)

    async def _duty(self) -> None:
        mover, answers = self._mover, self._answers
        assert mover is not None  # noqa: S101 (start made it)
        now = asyncio.get_running_loop().time()
        if now - self._reviewed_at >= _REVIEW_EVERY_S:
            self._reviewed_at = now
            try:
                await mover.finish_staged()
            except ConfigurationError as error:  # for a person to settle; new jobs need not wait for that
                logger.error("%s: %s", self.name, error)  # noqa: TRY400 (the message says it all)
            if answers is not None:
                await answers.review()
        await self._take(mover)
        if answers is not None:
            await answers.deliver()

    async def _take(self, mover: Mover) -> None:
        loop = asyncio.get_running_loop()
        if loop.time() < self._next_walk:
            return
        offset = count = 0
        walked_s = 0.0
        self._leftovers.begin()
        while True:
            began = loop.time()
            jobs = await mover.source.scored_page(offset, _NAMES)
            keys = self._leftovers.worth_a_look(jobs, began)
            walked_s += loop.time() - began
            if not jobs:
                break
            offset += len(jobs) - len(keys)
            for start in range(0, len(keys), _PAGE):
                step = await mover.move(keys[start : start + _PAGE])
                for left in step.left:
                    if left.hold == "aborted" and self._answers is not None:
                        await self._cancel(mover, self._answers, left.job_id)
                self._leftovers.leave(step.left, jobs, loop.time())
                count += len(step.moved)
                self._tell(step)
                offset += len(step.left) + step.changed
        self._leftovers.end()
        self._next_walk = loop.time() + _REST_PER_WALK * walked_s if self._leftovers else 0.0
        if count:
            logger.info("took %d jobs over from arq's queue %s", count, self.queue)

    async def _cancel(self, mover: Mover, answers: Answers, job_id: str) -> None:
        """Cancel a held job: a producer of arq pulled it to the front to have it aborted."""
        codec = Codec(self._host.job_serializer if self._host else None)
        now_ms = timestamp_ms()
        body = codec.encode_end(JobState.CANCELLED, asyncio.CancelledError(), 0, now_ms, now_ms, b"")
        answer = await mover.engine.cancel(job_id, body, _CANCELLED_KEEP_MS)
        await mover.source.hold_again(job_id)
        if answer == "cancelled":
            await answers.release_cancelled(job_id)

    def _tell(self, step: Step) -> None:
        for move in step.duplicates:
            logger.warning("job %s of arq is refused: arqlite has its id already", move.waiting.job_id)
        for move in step.moved:
            if move.changes and (move.function, "") not in self._told:
                self._told.add((move.function, ""))
                logger.warning(
                    "arguments of %s change through JSON: %s", move.function, ", ".join(sorted(move.changes))
                )
        for left in step.left:
            if left.hold not in ("running", "aborted") and (left.function, left.reason) not in self._told:
                self._told.add((left.function, left.reason))
                logger.warning("job %s:%s stays in arq's queue: %s", left.job_id, left.function, left.reason)
