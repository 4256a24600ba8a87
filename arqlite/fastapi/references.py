"""The answer to a request that made a job: its id, and where to ask for it."""

from __future__ import annotations

from typing import Annotated, Any, Final
from urllib.parse import quote, urlencode

from fastapi import Depends, Request, Response
from pydantic import BaseModel
from starlette.routing import NoMatchFound

from ..errors import ConfigurationError
from ..jobs import Job
from .queues import queues_of

STATUS_ROUTE: Final = "arqlite_job"
EVENTS_ROUTE: Final = "arqlite_job_events"


class JobRef(BaseModel):
    """A job that was accepted.

    Attributes:
        job_id, queue: which it is.
        status_url: the path where its state and its result are told.
        events_url: the path where they are told as they change, as server-sent events.
    """

    job_id: str
    queue: str
    status_url: str
    events_url: str

    @classmethod
    def of(cls, job: Job[Any], request: Request, response: Response | None = None) -> JobRef:
        """Refer to a job, by the routes of `jobs_router`.

        Args:
            job: what `enqueue` gave.
            request: the request that made it.
            response: its response, which gets the header `Location`; None where you answer otherwise.

        Raises:
            ConfigurationError: the application has no `jobs_router`, its lifespan does not know the queue, or
                the job's id has a slash.
        """
        queues = queues_of(request)
        key = queues.named(job.queue_name)
        if key is None:
            raise ConfigurationError(
                f"job {job.job_id} went to queue {job.queue_name!r}, and the application's lifespan has none "
                "of this name: give it the settings of that queue, too"
            )
        # The first queue is looked at first, and needs no word.
        query = "" if key == next(iter(queues.pools)) else f"?{urlencode({'queue': key})}"
        ref = cls(
            job_id=job.job_id,
            queue=job.queue_name,
            status_url=_path(request, STATUS_ROUTE, job.job_id) + query,
            events_url=_path(request, EVENTS_ROUTE, job.job_id) + query,
        )
        if response is not None:
            response.headers["Location"] = ref.status_url
        return ref


class Referrer:
    """Refers to jobs in answer to one request; ask for it as `refer: Refer`."""

    def __init__(self, request: Request, response: Response) -> None:
        self._request = request
        self._response = response

    def __call__(self, job: Job[Any]) -> JobRef:
        """Refer to a job, with the header `Location`; see `JobRef.of`."""
        return JobRef.of(job, self._request, self._response)


Refer = Annotated[Referrer, Depends(Referrer)]
"""A function that makes the `JobRef` of a job, for the signature of a route."""


def _path(request: Request, route: str, job_id: str) -> str:
    if "/" in job_id:  # a server takes %2F for one, too
        raise ConfigurationError(f"the job id {job_id!r} has a slash, so no path can lead to the job")
    try:
        return request.url_for(route, job_id=quote(job_id, safe="")).path
    except NoMatchFound as error:
        raise ConfigurationError(
            "a JobRef needs the routes that tell of jobs: app.include_router(arqlite.fastapi.jobs_router())"
        ) from error
