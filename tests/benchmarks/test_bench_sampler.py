from __future__ import annotations

import time

from benchmarks.sampler import Sampler


def test_sampler_names_the_busy_function():
    """Time is charged to the function that spends it."""
    sampler = Sampler()
    busy_until = time.process_time() + 2

    def work() -> None:
        while not sampler.samples and time.process_time() < busy_until:
            sum(range(100))

    sampler.start()
    work()
    samples = sampler.stop()

    assert any(name.endswith("work") for name in samples)
