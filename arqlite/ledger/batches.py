"""What is written in one transaction, and in which order. Pure functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from operator import itemgetter

from .changes import COMPLETED, FUNCTION_LENGTH, End, Told, Values, in_full
from .spreads import SPANS, as_text, bucket_of


@dataclass(slots=True)
class Batch:
    """What is written in one transaction.

    Attributes:
        ends: jobs that ended well, in the order of ids. Most probably there are rows of them that need but
            few changes. They come before the layers.
        layers: jobs and attempts, in lists that are to be written one after the other. A list has an id only
            once, for one statement can move a row once; and it is in the order of ids, for two writers must
            lock their rows in the same order.
        minutes: by minute, queue, function and state: count, ms run, ms waited, and the longest of both.
        spreads: by minute, queue and function: how many ran for how long, and waited for how long, by bucket;
            the minute is the first of the shortest of `spreads.SPANS`.
    """

    ends: list[End] = field(default_factory=list)
    layers: list[list[tuple[Values, Values | None]]] = field(default_factory=list)
    minutes: dict[Values, list[int]] = field(default_factory=dict)
    spreads: dict[Values, tuple[dict[int, int], dict[int, int]]] = field(default_factory=dict)

    def minute_rows(self) -> list[Values]:
        """Rows of `MINUTE_COLUMNS`, in their order."""
        return [(*key, *sums) for key, sums in sorted(self.minutes.items())]

    def spread_rows(self) -> list[Values]:
        """Rows of `SPREAD_COLUMNS`, in their order."""
        rows: dict[Values, tuple[Counter[int], Counter[int]]] = {}
        for (minute, queue, function), counted in self.spreads.items():
            for span in SPANS:
                key = minute - minute % span, span, queue, function
                for sums, counts in zip(rows.setdefault(key, (Counter(), Counter())), counted, strict=True):
                    sums.update(counts)
        return [(*key, as_text(ran), as_text(waited)) for key, (ran, waited) in sorted(rows.items())]

    def with_ends(self, ends: Iterable[End]) -> Batch:
        """The same layers, of which the first has these ends as well, and no ends apart."""
        first, *others = self.layers or [[]]
        first = [*first, *(in_full(end)[:2] for end in ends)]
        return Batch([], [sorted(first, key=itemgetter(0)), *others], self.minutes, self.spreads)


def batch_of(told: Iterable[Told]) -> Batch:
    """Put what was told in the order in which it is written."""
    batch = Batch()
    heights: dict[Values, int] = {}
    ends = batch.ends
    for one in told:
        key = one[0][:2]
        if len(one) == 2 and key not in heights:
            heights[key] = 1  # (an end that finds no such row goes into the first layer)
            ends.append(one)
            continue
        job, attempt, tally = in_full(one)
        if tally is not None:
            _count(batch, *tally, has_run=attempt is not None)
        # Rows of one id, of an earlier and a later run or job, come to lie on each other.
        height = heights.get(key, 0)
        heights[key] = height + 1
        while len(batch.layers) <= height:
            batch.layers.append([])
        batch.layers[height].append((job, attempt))
    _count_ends(batch)
    # By the id, and among equal ones by the queue; text by text, which is sooner compared than tuples are.
    for place in (1, 0):
        ends.sort(key=lambda end: end[0][place])
    for rows in batch.layers:
        rows.sort(key=itemgetter(0))
    return batch


def _count_ends(batch: Batch) -> None:
    """Count ends together that were alike, as many are."""
    alike = Counter(
        [(more[6], end[1], more[0][:FUNCTION_LENGTH], more[7], more[8]) for end, more in batch.ends]
    )
    for (minute, queue, function, ran, waited), times in alike.items():
        _count(batch, minute, queue, function, COMPLETED, ran, waited, times=times)


def _count(
    batch: Batch,
    minute: int,
    queue: str,
    function: str,
    state: str,
    ran: int,
    waited: int,
    *,
    has_run: bool = True,
    times: int = 1,
) -> None:
    sums = batch.minutes.setdefault((minute, queue, function, state), [0, 0, 0, 0, 0])
    sums[0] += times
    sums[1] += times * ran
    sums[2] += times * waited
    sums[3] = max(sums[3], ran)
    sums[4] = max(sums[4], waited)
    if not has_run:
        return
    key = minute - minute % SPANS[0], queue, function
    for counts, ms in zip(batch.spreads.setdefault(key, ({}, {})), (ran, waited), strict=True):
        bucket = bucket_of(ms)
        counts[bucket] = counts.get(bucket, 0) + times
