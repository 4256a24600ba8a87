"""Group commit for producers: the jobs of one turn of the event loop travel in one script."""

from __future__ import annotations

import asyncio

from .protocol import NewJob
from .redis import RedisEngine


class EnqueueBatch:
    """Gathers jobs that are enqueued at the same moment; each caller gets its own answer.

    Args:
        engine: the queue.
    """

    def __init__(self, engine: RedisEngine) -> None:
        self.engine = engine
        self._jobs: list[NewJob] = []
        self._answers: list[asyncio.Future[bool]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._flushes: set[asyncio.Task[None]] = set()

    async def enqueue(self, job: NewJob) -> bool:
        """Enqueue a job; False when its id is in use."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            # A loop that was closed took its callers with it.
            self._loop, self._jobs, self._answers = loop, [], []
        if not self._jobs:
            loop.call_soon(self._start_flush)
        answer: asyncio.Future[bool] = loop.create_future()
        self._jobs.append(job)
        self._answers.append(answer)
        return await answer

    def _start_flush(self) -> None:
        jobs, answers = self._jobs, self._answers
        self._jobs, self._answers = [], []
        if jobs:
            task = asyncio.get_running_loop().create_task(self._flush(jobs, answers))
            self._flushes.add(task)
            task.add_done_callback(self._flushes.discard)

    async def _flush(self, jobs: list[NewJob], answers: list[asyncio.Future[bool]]) -> None:
        try:
            refused = await self.engine.enqueue(jobs)
        except BaseException as error:
            for answer in answers:
                if not answer.done():
                    answer.set_exception(error)
            if not isinstance(error, Exception):
                raise
            return
        for place, answer in enumerate(answers):
            if not answer.done():
                answer.set_result(place not in refused)
