"""What a checkup is told of queues: how they are now, and what their workers' settings say."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace
from datetime import timedelta
from typing import Any

from ..embedded import is_embedded
from ..inspector import Inspector
from ..model.functions import Function
from ..model.tasks import Task
from ..settings import WorkerOptions
from .facts import QueueFacts
from .links import Links, Silence
from .places import Place
from .queues import look, silent


async def queue_facts(links: Links, *, thorough: bool = False) -> list[QueueFacts]:
    """What is to be known of all queues, by key.

    Args:
        links: leads there.
        thorough: also what takes longer to find out: which functions wait, and what the settings say.
    """
    found = await asyncio.gather(*(_of_place(links, place, thorough=thorough) for place in links.places))
    return sorted(found, key=lambda facts: facts.state.key)


async def _of_place(links: Links, place: Place, *, thorough: bool) -> QueueFacts:
    facts = await links.ask(place, lambda inspector: _look(place, inspector, thorough=thorough))
    if isinstance(facts, Silence):
        path = place.server.rpartition("/")[0]
        facts = QueueFacts(state=silent(place, facts), is_embedded=path.startswith("/") and is_embedded(path))
    return _with_settings(facts, place) if thorough else facts


async def _look(place: Place, inspector: Inspector, *, thorough: bool) -> QueueFacts:
    return QueueFacts(
        state=await look(place, inspector),
        cron_jobs=await inspector.count_crons(place.queue),
        lag=await inspector.ledger_lag(place.queue) if place.ledger is not None else timedelta(),
        waiting_functions=await inspector.waiting_functions(place.queue) if thorough else (),
    )


def _with_settings(facts: QueueFacts, place: Place) -> QueueFacts:
    """Add what the settings of its workers say; those of a program that only enqueues say nothing of it."""
    if not (place.settings.get("functions") or place.settings.get("cron_jobs")):
        return facts
    try:
        options = WorkerOptions(**place.settings)
        functions = options.table()
    except (ValueError, RuntimeError, TypeError) as error:  # ConfigurationError is a ValueError, too
        return replace(facts, settings_fault=str(error))
    longest, name = max(
        (_timeout(function, options.job_timeout), name) for name, function in functions.items()
    )
    return replace(
        facts,
        completion_wait=options.job_completion_wait,
        longest_timeout=longest,
        longest_function=name,
    )


def _timeout(function: Function[Any, Any], of_worker: float | None) -> float:
    """How long a function may run, in seconds. The time limit of a worker is not for tasks."""
    if function.timeout_s is not None:
        return function.timeout_s
    if isinstance(function, Task):
        return math.inf
    return math.inf if of_worker is None else of_worker
