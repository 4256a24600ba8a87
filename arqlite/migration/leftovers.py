"""What was looked at and left in arq's queue: not read again at every look, for there may be a lot of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .convert import Left

_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 60.0
# Such a job may be free the next moment.
_PASSING = ("running", "aborted")


@dataclass(frozen=True, slots=True)
class _Leftover:
    score: float
    pause_s: float
    next_look: float


class Leftovers:
    """Tells which jobs of a queue are worth a look. One that was left is looked at again when its score
    has changed, and else after a pause, which doubles each time up to a minute: its body may have expired.
    """

    def __init__(self) -> None:
        self._known: dict[str, _Leftover] = {}
        self._kept: dict[str, _Leftover] = {}

    def __len__(self) -> int:
        return len(self._known)

    def begin(self) -> None:
        """A walk through the queue begins."""
        self._kept = {}

    def worth_a_look(self, jobs: Sequence[tuple[bytes, float]], now: float) -> list[bytes]:
        """Take those of these jobs (key and score) that are new, changed, or whose pause is over."""
        found = []
        for key, score in jobs:
            job_id = _text(key)
            known = self._known.get(job_id)
            if known is not None and known.score == score and now < known.next_look:
                self._kept[job_id] = known
            else:
                found.append(key)
        return found

    def leave(self, left: Iterable[Left], jobs: Iterable[tuple[bytes, float]], now: float) -> None:
        """Remember what was left, of the jobs that were looked at."""
        scores = {_text(key): score for key, score in jobs}
        for one in left:
            score = scores.get(one.job_id)
            if score is None or one.hold in _PASSING:
                continue
            known = self._known.get(one.job_id)
            pause_s = _FIRST_PAUSE_S
            if known is not None and known.score == score:
                pause_s = min(2 * known.pause_s, _LONGEST_PAUSE_S)
            self._kept[one.job_id] = _Leftover(score, pause_s, now + pause_s)

    def end(self) -> None:
        """The walk is over: what was not met is in the queue no more."""
        self._known, self._kept = self._kept, {}


def _text(key: bytes) -> str:
    return key.decode(errors="backslashreplace")
