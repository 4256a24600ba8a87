"""What is to be acknowledged: ends and returns, gathered until the next turn carries them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from ..engine import Ended, Failure, Returned
from ..engine.redis import TURN_LIMIT


@dataclass(slots=True)
class Batch:
    """What one turn carries.

    Attributes:
        ended: ms a result is kept -> the jobs that ended.
        returned: the jobs that go back to the queue.
        failures: what is to be kept of attempts that failed, of some of these jobs.
        resent: whether an earlier turn may have delivered it already.
    """

    ended: dict[int, Ended] = field(default_factory=dict)
    returned: list[Returned] = field(default_factory=list)
    failures: dict[str, Failure] = field(default_factory=dict)
    resent: bool = False

    def __bool__(self) -> bool:
        return bool(self.ended or self.returned)

    def job_ids(self) -> Iterator[str]:
        """Name every job in it."""
        for ended in self.ended.values():
            yield from ended.job_ids
        for returned in self.returned:
            yield returned.job_id


class Acker:
    """Gathers the fates of jobs; nothing is written before the producer's next turn."""

    def __init__(self) -> None:
        self._batch = Batch()
        self._size = 0
        self._waiting: Batch | None = None

    def __bool__(self) -> bool:
        return self._size > 0 or self._waiting is not None

    @property
    def held(self) -> Collection[str]:
        """The jobs whose ends are not to be delivered yet; of this acker none."""
        return ()

    @property
    def is_shut(self) -> bool:
        """Whether nothing more may be begun before ends are delivered."""
        return False

    def end(self, job_id: str, keep_ms: int, body: bytes) -> None:
        """A job ended."""
        ended = self._batch.ended.get(keep_ms)
        if ended is None:
            self._batch.ended[keep_ms] = ended = Ended([], [])
        ended.job_ids.append(job_id)
        ended.bodies.append(body)
        self._size += 1

    def give_back(self, returned: Returned) -> None:
        """A job goes back to the queue."""
        self._batch.returned.append(returned)
        self._size += 1

    def fail(self, failure: Failure) -> None:
        """An attempt failed, whose job ends or goes back in the same breath."""
        self._batch.failures[failure.job_id] = failure

    def take(self) -> Batch:
        """Hand over what there is, at most as much as one turn may carry."""
        if self._waiting is not None:
            batch, self._waiting = self._waiting, None
            return batch
        if self._size > TURN_LIMIT:
            return self._take_part()
        batch, self._batch, self._size = self._batch, Batch(), 0
        return batch

    def put_back(self, batch: Batch) -> None:
        """The turn failed, perhaps after it was done: its batch goes again, alone, as it was."""
        if batch:
            batch.resent = True
            self._waiting = batch

    def clear(self) -> None:
        """Forget everything: the session is dead and its acks would be refused."""
        self._batch, self._size, self._waiting = Batch(), 0, None

    def drop(self, job_ids: Collection[str]) -> None:
        """Jobs are others' by now; Redis refuses their ends."""

    async def comes_through(self) -> None:
        """Wait until one of those that are held may be delivered."""

    async def close(self) -> None:
        """Whoever gathers ends is through."""

    def _take_part(self) -> Batch:
        part, room = Batch(), TURN_LIMIT
        for keep_ms, ended in list(self._batch.ended.items()):
            part.ended[keep_ms] = Ended(ended.job_ids[:room], ended.bodies[:room])
            taken = len(part.ended[keep_ms].job_ids)
            del ended.job_ids[:taken], ended.bodies[:taken]
            if not ended.job_ids:
                del self._batch.ended[keep_ms]
            room -= taken
            if room == 0:
                break
        part.returned, self._batch.returned = self._batch.returned[:room], self._batch.returned[room:]
        failures = self._batch.failures
        for job_id in part.job_ids():
            self._size -= 1
            if job_id in failures:
                part.failures[job_id] = failures.pop(job_id)
        return part
