"""`jobs_router`: look at a job, follow it, cancel it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request, Response, status
from fastapi.params import Depends

from ..connections import ArqRedis
from ..errors import ConfigurationError
from ..inspector import Inspector
from ..jobs import Job
from ..model import checks
from ..utils import truncate
from .queues import OpenQueues, queues_of
from .references import EVENTS_ROUTE, STATUS_ROUTE
from .status import JobProgress, JobStatusOut, status_of
from .streaming import EventStream, StreamCap, event

_Queue = Annotated[str | None, Query(description="the queue's name; without it all are looked through")]
# Messages tell of what is new; between them a stream looks seldom, for there may be many of them.
_LOOK_S = 5.0
_TOO_MANY: dict[int | str, dict[str, Any]] = {503: {"description": "Too many are followed; see Retry-After."}}
_NONE_SUCH: dict[int | str, dict[str, Any]] = {404: {"description": "There is no such job."}}


def jobs_router(
    prefix: str = "/jobs",
    *,
    dependencies: Sequence[Depends] = (),
    shows_errors: bool = True,
    allow_cancel: bool | None = None,
    max_streams: int = 200,
) -> APIRouter:
    """Make routes that tell of jobs, for `app.include_router`.

    `GET /{id}` tells a job's state, progress and result, `GET /{id}/events` the same as it changes, as
    server-sent events until the job has ended. Who knows an id may ask: ids are no secrets, so say in
    `dependencies` who may. Where that is said, `DELETE /{id}` cancels it.

    Args:
        prefix: where they are.
        dependencies: what each of them asks first: `[Depends(current_user)]`.
        shows_errors: whether they tell what a job failed with.
        allow_cancel: whether there is `DELETE /{id}`. Default: only with `dependencies`; say True where those
            of the application or of `include_router` ask.
        max_streams: how many streams of events may be open at once in a process; more get 503.
    """
    cap = StreamCap(checks.count("max_streams", max_streams, 1))
    router = APIRouter(prefix=prefix, tags=["jobs"], dependencies=list(dependencies))

    async def find(request: Request, job_id: str, queue: str | None) -> tuple[ArqRedis, JobStatusOut]:
        for pool in _pools(queues_of(request), queue) if _may_be_one(job_id) else ():
            found = await status_of(pool, job_id, shows_errors=shows_errors)
            if found is not None:
                return pool, found
        raise HTTPException(
            status.HTTP_404_NOT_FOUND, f"there is no job {truncate(job_id)!r}, or it is not kept"
        )

    @router.get("/{job_id}", name=STATUS_ROUTE, responses=_NONE_SUCH)
    async def job_status(request: Request, job_id: str, queue: _Queue = None) -> JobStatusOut:
        """Where a job is, how far it is, and what it gave."""
        _, found = await find(request, job_id, queue)
        return found

    @router.get(
        "/{job_id}/events",
        name=EVENTS_ROUTE,
        response_class=Response,
        responses=_NONE_SUCH | _TOO_MANY | {200: {"content": {"text/event-stream": {}}}},
    )
    async def job_events(request: Request, job_id: str, queue: _Queue = None) -> Response:
        """A job as it goes on: the event `status` first, then each `progress`, and `end` with its result."""
        pool, found = await find(request, job_id, queue)
        return EventStream(events(pool, found, shows_errors=shows_errors), cap=cap)

    if not (bool(dependencies) if allow_cancel is None else allow_cancel):
        return router

    @router.delete(
        "/{job_id}",
        status_code=status.HTTP_202_ACCEPTED,
        responses=_NONE_SUCH | {409: {"description": "It has ended already."}},
    )
    async def cancel_job(request: Request, job_id: str, queue: _Queue = None) -> JobStatusOut:
        """Cancel a job: at once while it waits; where it runs its worker is asked to. 409 if it has ended."""
        pool, found = await find(request, job_id, queue)
        if not await _cancel(pool, job_id):
            _, found = await find(request, job_id, queue)
            said = f"job {job_id!r} has ended" + ("" if found.state is None else f": it is {found.state}")
            raise HTTPException(status.HTTP_409_CONFLICT, said)
        return await status_of(pool, job_id, shows_errors=shows_errors) or found

    return router


def _may_be_one(job_id: str) -> bool:
    """Whether a job can have this id: of any other one there is nothing to look for."""
    try:
        checks.job_id(job_id)
    except ConfigurationError:
        return False
    return True


def _pools(queues: OpenQueues, queue: str | None) -> Iterator[ArqRedis]:
    if queue is None:
        yield from queues.pools.values()
    elif (key := queues.named(queue)) is not None:
        yield queues.pools[key]


async def _cancel(pool: ArqRedis, job_id: str) -> bool:
    if await Inspector(pool).cancel_job(job_id):
        return True
    # It may have been committed with a transaction and not be in Redis yet, where an inspector looks.
    return pool.ledger is not None and await Job(job_id, pool).abort(timeout=0)


async def events(pool: ArqRedis, first: JobStatusOut, *, shows_errors: bool) -> AsyncIterator[bytes]:
    """Tell of a job from its state of now, `first`, until its end, as server-sent events."""
    yield event("status", first.model_dump_json())
    if not first.has_ended:
        async for progress in Job(first.job_id, pool).follow_progress(poll_delay=_LOOK_S):
            yield event("progress", JobProgress.of(progress).model_dump_json())
    last = await status_of(pool, first.job_id, shows_errors=shows_errors)
    gone = JobStatusOut(job_id=first.job_id, queue=first.queue, function=first.function)
    yield event("end", (last or gone).model_dump_json())
