"""What the tests of monitoring share: whatever a test attaches is gone after it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from arqlite.model import tracing
from arqlite.telemetry import core


@pytest.fixture(autouse=True)
def nobody_left() -> Iterator[None]:
    """Forget every handler and tracer that a test attached; each ought to have gone by itself."""
    before = core._attached
    yield
    left = core._attached.keys() - before.keys(), tracing.tracers
    core._replace(before)
    tracing._replace({})
    assert left == (set(), ())
