"""A processor for structlog that has each event name its job.

structlog.configure(processors=[add_job, structlog.processors.JSONRenderer()])
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from ..logs import line_fields

__all__ = ("add_job",)


def add_job(logger: Any, method_name: str, event_dict: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Add `job_id`, `queue`, `function`, `attempt`, `trace_id` and `span_id`, as far as they are known.

    What the event says itself stays. structlog need not be installed for this to be imported.
    """
    for name, value in line_fields().items():
        event_dict.setdefault(name, value)
    return event_dict
