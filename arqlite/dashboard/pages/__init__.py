"""The pages: what is seen, made on the server, and readable without a script."""

from __future__ import annotations

from typing import Final

from starlette.routing import Route

from ..assets import static
from .answering import answered
from .audit import audit
from .crons import crons
from .errors import errors
from .job import job
from .jobs import jobs
from .metrics import metrics
from .overview import overview
from .queues import queue, queues
from .rendering import confirmation, problem, render
from .shared import shared
from .system import system
from .workers import workers

__all__ = ("ROUTES", "confirmation", "problem", "render", "static")

ROUTES: Final = (
    Route("/", answered(shared(overview)), methods=["GET"], name="overview"),
    Route("/jobs", answered(shared(jobs)), methods=["GET"], name="jobs"),
    Route("/jobs/{queue}/{id}", answered(shared(job)), methods=["GET"], name="job"),
    Route("/errors", answered(shared(errors)), methods=["GET"], name="errors"),
    Route("/queues", answered(shared(queues)), methods=["GET"], name="queues"),
    Route("/queues/{key}", answered(shared(queue)), methods=["GET"], name="queue"),
    Route("/crons", answered(shared(crons)), methods=["GET"], name="crons"),
    Route("/workers", answered(shared(workers)), methods=["GET"], name="workers"),
    Route("/metrics", answered(shared(metrics)), methods=["GET"], name="metrics"),
    Route("/system", answered(shared(system)), methods=["GET"], name="system"),
    Route("/audit", answered(shared(audit)), methods=["GET"], name="audit"),
)
"""All of them; what they show is what the access of a request lets it see."""
