"""Log lines that name their job, for formatters and loggers of other kinds."""

from __future__ import annotations

import logging

from ..logs import line_fields

FIELDS = ("job_id", "queue", "function", "attempt", "trace_id", "span_id")
"""What a line may say of its job; `trace_id` and `span_id` where OpenTelemetry or Sentry follows it."""


class JobFilter(logging.Filter):
    """Gives each record `job_id`, `queue`, `function`, `attempt`, `trace_id` and `span_id`; holds none back.

    For handlers: `handler.addFilter(JobFilter())`. What is not known is "-", so that any format may name
    all of them; what a record's `extra` says stays.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Give a record what is known of its job."""
        known = line_fields()
        for name in FIELDS:
            record.__dict__.setdefault(name, known.get(name, "-"))
        return True
