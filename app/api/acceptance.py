"""Requests that make a job, and may be repeated: under one `Idempotency-Key` they make one."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Annotated, Any

from fastapi import Depends, Header, Request, Response

from app.api.dependencies import Database
from app.models import Job
from app.schemas.jobs import JobAccepted
from app.services import job_service
from arqlite.jobs import Job as QueueJob
from arqlite.ledger import KEY_LENGTH, Claim, LedgerStatus, claim, fingerprint, store

REPLAYED = "Idempotency-Replayed"

_Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=KEY_LENGTH,
        pattern="^[!-~]+$",
        description=(
            "A name of your own for this request, e.g. a UUID. Repeated within 24 hours, the same request "
            f"under the same key gives the same job, with the header `{REPLAYED}: true`; another request "
            "under it is refused with 422."
        ),
    ),
]


class Acceptance:
    """Answers a request that makes a job, and commits it."""

    def __init__(self, request: Request, response: Response, db: Database, key: _Key = None) -> None:
        self._request = request
        self._response = response
        self._db = db
        self._key = key

    async def of(self, enqueued: Awaitable[QueueJob[Any]]) -> JobAccepted:
        """Commit a job that is enqueued in the request's session, or tell which job a repetition is about.

        The key is claimed after the job was enqueued, for then nothing but the commit comes between, and who
        waits for the key does not wait for Redis. The job of a repetition goes with the rollback.

        Raises:
            IdempotencyConflict: the key was used for another request.
        """
        job_id = (await enqueued).job_id
        claimed = await self._claimed(self._key, job_id) if self._key is not None else None
        if claimed is None or not claimed.is_replay:
            await self._db.commit()
            return self._told(job_id, LedgerStatus.QUEUED)
        await self._db.rollback()
        self._response.headers[REPLAYED] = "true"
        row = await store.find(self._db, Job, claimed.job_id, claimed.queue)
        return self._told(claimed.job_id, LedgerStatus.QUEUED if row is None else row.status)

    async def _claimed(self, key: str, job_id: str) -> Claim:
        row = await job_service.find(self._db, job_id)
        asked = fingerprint(
            self._request.method,
            self._request.url.path,
            self._request.query_params.multi_items(),
            await self._request.body(),
        )
        return await claim(self._db, key, asked, queue=row.queue, job_id=job_id)

    def _told(self, job_id: str, status: LedgerStatus) -> JobAccepted:
        url = self._request.app.url_path_for("job_detail", job_id=job_id)
        self._response.headers["Location"] = url
        return JobAccepted(job_id=job_id, status=status, status_url=url)


Accepted = Annotated[Acceptance, Depends(Acceptance)]
