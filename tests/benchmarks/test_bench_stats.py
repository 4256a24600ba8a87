from __future__ import annotations

import pytest

from benchmarks.stats import Spread, percentile, ratio, spread


def test_spread_is_median_and_range():
    """A figure is summed up by its median and the range of its rounds."""
    assert spread([3.0, 1.0, 10.0]) == Spread(3.0, 1.0, 10.0)


@pytest.mark.parametrize(("share", "expected"), [(0.0, 1), (0.5, 50), (0.99, 99), (1.0, 100)])
def test_percentile_is_a_measured_value(share, expected):
    """A percentile is a value that was measured, never one in between."""
    values = list(range(100, 0, -1))

    assert percentile(values, share) == expected


def test_ratio_divides_round_by_round():
    """Rates of one round are compared with each other, so that a slow phase of the machine cancels out."""
    assert ratio([100.0, 50.0, 90.0], [10.0, 5.0, 10.0]) == Spread(10.0, 9.0, 10.0)
