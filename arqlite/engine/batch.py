"""Group commit for callers: what is asked in one turn of the event loop travels in one round trip."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from .protocol import Holder, NewJob, Peek
from .redis import RedisEngine

# So many looks of one client may be under way: each takes a connection, and more would not be faster.
TRIPS = 4

Question = TypeVar("Question")
Answer = TypeVar("Answer")


class Gathering(Generic[Question, Answer]):
    """Gathers questions that are asked at the same moment; each caller gets its own answer.

    Args:
        ask_all: asks them all, and returns the answers in their order.
        trips: how many round trips may be under way at once; what is asked meanwhile goes with the next.
    """

    def __init__(
        self, ask_all: Callable[[list[Question]], Awaitable[Sequence[Answer]]], trips: int | None = None
    ) -> None:
        self._ask_all = ask_all
        self._trips = trips
        self._questions: list[Question] = []
        self._answers: list[asyncio.Future[Answer]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._flushes: set[asyncio.Task[None]] = set()

    async def ask(self, question: Question) -> Answer:
        """Ask one question, together with whoever asks in the same turn of the loop."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            # A loop that was closed took its callers with it.
            self._loop, self._questions, self._answers = loop, [], []
            self._flushes.clear()
        if not self._questions:
            loop.call_soon(self._start_flush)
        answer: asyncio.Future[Answer] = loop.create_future()
        self._questions.append(question)
        self._answers.append(answer)
        return await answer

    def _start_flush(self) -> None:
        if self._trips is not None and len(self._flushes) >= self._trips:
            return  # the next trip to end takes them along
        questions, answers = self._questions, self._answers
        self._questions, self._answers = [], []
        if questions:
            task = asyncio.get_running_loop().create_task(self._flush(questions, answers))
            self._flushes.add(task)
            task.add_done_callback(self._landed)

    def _landed(self, task: asyncio.Task[None]) -> None:
        self._flushes.discard(task)
        if self._questions and self._trips is not None:
            self._start_flush()

    async def _flush(self, questions: list[Question], answers: list[asyncio.Future[Answer]]) -> None:
        try:
            told = await self._ask_all(questions)
        except BaseException as error:
            for answer in answers:
                if not answer.done():
                    answer.set_exception(error)
            if not isinstance(error, Exception):
                raise
            return
        for answer, value in zip(answers, told, strict=True):
            if not answer.done():
                answer.set_result(value)


class EnqueueBatch:
    """Gathers jobs that are enqueued at the same moment.

    Args:
        engine: the queue.
    """

    def __init__(self, engine: RedisEngine) -> None:
        self.engine = engine
        self._jobs: Gathering[NewJob, Holder | None] = Gathering(self._enqueue_all)

    async def enqueue(self, job: NewJob) -> bool:
        """Enqueue a job; False when it was refused."""
        return await self.offer(job) is None

    async def offer(self, job: NewJob) -> Holder | None:
        """Enqueue a job; tells which job has its id or its lock if it was refused, else None."""
        return await self._jobs.ask(job)

    async def _enqueue_all(self, jobs: list[NewJob]) -> list[Holder | None]:
        refused = await self.engine.enqueue(jobs)
        if not refused:
            return [None] * len(jobs)
        return [refused.holder(place, job) for place, job in enumerate(jobs)]


class LookBatch:
    """Gathers looks at jobs: a thousand callers who await a result need one connection.

    Args:
        engine: the queue.
    """

    def __init__(self, engine: RedisEngine) -> None:
        self._looks: Gathering[str, Peek] = Gathering(engine.peek_many, TRIPS)

    async def peek(self, job_id: str) -> Peek:
        """See `Engine.peek`."""
        return await self._looks.ask(job_id)
