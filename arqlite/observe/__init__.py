"""What monitoring wants of workers: Prometheus, OpenTelemetry, Sentry, and log lines that name their job.

Each stands behind an extra of its own, and is imported when it is first named.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .joblines import JobFilter

if TYPE_CHECKING:
    from .otel import OpenTelemetry as OpenTelemetry
    from .prometheus import Prometheus as Prometheus
    from .sentry import Sentry as Sentry

__all__ = ("JobFilter", "OpenTelemetry", "Prometheus", "Sentry")

_HOMES = {"OpenTelemetry": "otel", "Prometheus": "prometheus", "Sentry": "sentry"}


def __getattr__(name: str) -> Any:
    """Import what is asked for.

    Raises:
        MissingExtra: its packages are not installed.
    """
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
