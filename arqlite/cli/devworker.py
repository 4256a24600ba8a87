"""The worker of `arqlite dev`: a child on a leash, which lets its jobs end."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from signal import Signals
from typing import TYPE_CHECKING, Any

from .leash import Leash
from .worker import Mistake, told_in_words

if TYPE_CHECKING:
    from ..fleet import Fleet

logger = logging.getLogger("arqlite.worker")

PATIENCE_S = 25
"""How long jobs may take to end where the settings do not say."""


def work(settings: Sequence[Any], leash: Leash) -> None:
    """Run the workers of settings until the leash or a signal tells them to end."""
    from ..fleet import create_fleet
    from ..worker import run_in_own_loop

    with told_in_words(lambda: True, told=Mistake):
        fleet = create_fleet(settings)
    for worker, said in zip(fleet.workers, settings, strict=True):
        if option_of(said, "job_completion_wait") is None:
            worker.options.job_completion_wait = PATIENCE_S
    _tell_what_is_finished(fleet)
    with told_in_words(lambda: fleet.failed is not None and not fleet.failed.has_reached_redis):
        run_in_own_loop(leash.run(fleet), fleet.workers)


def option_of(settings: Any, name: str) -> Any:
    """What settings say of an option; None if nothing."""
    return settings.get(name) if isinstance(settings, dict) else getattr(settings, name, None)


def _tell_what_is_finished(fleet: Fleet) -> None:
    """Have it told how many jobs are waited for."""
    # One word for all, when the first of them is told.
    has_spoken = False

    def speak(signum: Signals) -> None:
        nonlocal has_spoken
        count = sum(len(worker.tasks) for worker in fleet.workers)
        if count and not has_spoken:
            has_spoken = True
            seconds = max(worker.options.job_completion_wait for worker in fleet.workers)
            again = ", press again to stop now" if signum is Signals.SIGINT else ""
            jobs = "1 job" if count == 1 else f"{count} jobs"
            logger.info("finishing %s (%g s)%s", jobs, seconds, again)

    for worker in fleet.workers:
        worker.on_stop = speak
