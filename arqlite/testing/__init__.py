"""What tests of your jobs need: run one, look at what was enqueued, run a queue empty, move the clock.

Needs the extra `testing`: `pip install "arqlite[testing]"`. The fixtures are those of the pytest plugin that
comes with it, `arqlite.testing.plugin`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .building import BuiltJob, build_job
    from .clock import Clock
    from .crontime import CronTime, cron_time
    from .draining import DrainCounts, drain_queue
    from .enqueued import all_enqueued, assert_enqueued, refute_enqueued
    from .inline import InlineJob
    from .matching import ANY
    from .modes import testing_mode
    from .performing import perform_job
    from .rows import Ledger

__all__ = (
    "ANY",
    "BuiltJob",
    "Clock",
    "CronTime",
    "DrainCounts",
    "InlineJob",
    "Ledger",
    "all_enqueued",
    "assert_enqueued",
    "build_job",
    "cron_time",
    "drain_queue",
    "perform_job",
    "refute_enqueued",
    "testing_mode",
)

_HOMES = {
    "building": ("BuiltJob", "build_job"),
    "clock": ("Clock",),
    "crontime": ("CronTime", "cron_time"),
    "draining": ("DrainCounts", "drain_queue"),
    "enqueued": ("all_enqueued", "assert_enqueued", "refute_enqueued"),
    "inline": ("InlineJob",),
    "matching": ("ANY",),
    "modes": ("testing_mode",),
    "performing": ("perform_job",),
    "rows": ("Ledger",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import a name when it is asked for: pytest loads the plugin, and so this, in every run."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
