"""What the tests of telemetry share: whatever a test attaches is gone after it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from arqlite.telemetry import core


@pytest.fixture(autouse=True)
def nobody_left() -> Iterator[None]:
    """Forget every handler that a test attached."""
    before = core._attached
    yield
    core._replace(before)
