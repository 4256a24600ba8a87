"""How long runs took and waited, as a few counts from which percentiles can be told. Pure functions.

Times in ms are counted in buckets, four for each doubling: a percentile is told to within an eighth. Counts
of any two times can be added up. The counts of a time are kept as a JSON object, bucket to count.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

SPANS: Final = (5, 60)
"""Minutes that are counted together: the short ones for the last hours, the long ones for days."""

_EXACT = 4


def bucket_of(ms: int) -> int:
    """Which bucket a time is counted in: the times below 4 ms have one each."""
    if ms < _EXACT:
        return max(ms, 0)
    length = ms.bit_length()
    return 4 * (length - 2) + (ms >> (length - 3) & 3)


def middle_of(bucket: int) -> float:
    """The middle of the times that a bucket counts."""
    if bucket < _EXACT:
        return float(bucket)
    length, quarter = bucket // 4 + 2, bucket % 4
    width: int = 1 << (length - 3)
    return (4 + quarter) * width + (width - 1) / 2


def percentiles(counts: Mapping[int, int]) -> tuple[float, float, float]:
    """The times in ms that half of the runs, 95 % and 99 % of them did not exceed; zero without runs."""
    return _share(counts, 0.5), _share(counts, 0.95), _share(counts, 0.99)


def _share(counts: Mapping[int, int], share: float) -> float:
    left = share * sum(counts.values())
    for bucket in sorted(counts):
        left -= counts[bucket]
        if left <= 0:
            return middle_of(bucket)
    return 0.0


def as_text(counts: Mapping[int, int]) -> str:
    """Counts as they are kept."""
    return json.dumps({str(bucket): count for bucket, count in counts.items()}, separators=(",", ":"))


def added_up(texts: Iterable[str]) -> Counter[int]:
    """Counts of several times together."""
    total: Counter[int] = Counter()
    for text in texts:
        for bucket, count in json.loads(text).items():
            total[int(bucket)] += count
    return total
