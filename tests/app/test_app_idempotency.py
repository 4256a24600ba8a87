"""Requests that are repeated: the header `Idempotency-Key`."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import ConnectedAccount, Job
from arqlite import ArqRedis
from arqlite.ledger import store

Api = httpx.AsyncClient
FETCH = "/api/v1/jobs/trigger/fetch?limit=5"


async def ask(api: Api, path: str = FETCH, key: str = "request-1") -> httpx.Response:
    return await api.post(path, headers={"Idempotency-Key": key})


async def test_repeated_request_is_the_same_job(
    api: Api, pools: ArqRedis, account: ConnectedAccount, db: AsyncSession
) -> None:
    """The same request under the same key gives the same job, and says that it is a repetition."""
    first, again = await ask(api), await ask(api)

    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json() == first.json()
    assert again.headers["location"] == first.headers["location"]
    assert ("idempotency-replayed" in first.headers, again.headers["idempotency-replayed"]) == (False, "true")
    assert len(await store.page(db, Job)) == 1
    assert await pools.queue_depth() == 1


async def test_another_request_under_the_key_is_422(
    api: Api, pools: ArqRedis, account: ConnectedAccount, db: AsyncSession
) -> None:
    """A key belongs to one request: another one is refused in words, and makes no job."""
    await ask(api)

    for other in ("/api/v1/jobs/trigger/fetch?limit=6", "/api/v1/jobs/trigger/sample"):
        answer = await ask(api, other)
        assert answer.status_code == 422
        assert "'request-1' was used for another request" in answer.json()["detail"]
    assert len(await store.page(db, Job)) == 1


@pytest.mark.parametrize("engine", ["sqlite", "postgres"], indirect=True)
async def test_twenty_requests_at_once_make_one_job(
    api: Api, pools: ArqRedis, account: ConnectedAccount, db: AsyncSession
) -> None:
    """However many come at the same moment, and again after Redis was emptied: one job."""
    answers = await asyncio.gather(*(ask(api) for _ in range(20)))
    await pools.flushall()
    later = await ask(api)

    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["job_id"] for answer in (*answers, later)}) == 1
    assert ["idempotency-replayed" in answer.headers for answer in answers].count(False) == 1
    assert len(await store.page(db, Job)) == 1


async def test_repetition_after_the_end_tells_it(
    api: Api, pools: ArqRedis, work: Any, account: ConnectedAccount
) -> None:
    """A repetition that comes when the job has ended says how."""
    await ask(api, "/api/v1/jobs/trigger/sample")
    await work().main()

    assert (await ask(api, "/api/v1/jobs/trigger/sample")).json()["status"] == "SUCCESS"


async def test_retry_is_repeated_once(api: Api, pools: ArqRedis, db: AsyncSession) -> None:
    """Trying a job again is such a request, too."""
    job_id = (await api.post("/api/v1/jobs/trigger/sample")).json()["job_id"]
    await api.post(f"/api/v1/jobs/{job_id}/cancel")

    first, again = (
        await ask(api, f"/api/v1/jobs/{job_id}/retry"),
        await ask(api, f"/api/v1/jobs/{job_id}/retry"),
    )

    assert first.json()["job_id"] == again.json()["job_id"] != job_id
    assert len(await store.page(db, Job)) == 2


async def test_refused_request_leaves_its_key_free(
    api: Api, pools: ArqRedis, account: ConnectedAccount
) -> None:
    """A mistake that is mended may come under the same key."""
    assert (await ask(api, "/api/v1/jobs/trigger/fetch?account_id=99")).status_code == 404
    assert (await ask(api)).status_code == 202


@pytest.mark.parametrize("key", ["x" * 201, "two words", ""])
async def test_impossible_key_is_422(api: Api, pools: ArqRedis, db: AsyncSession, key: str) -> None:
    """A key that is too long, empty or of other characters is refused before anything happens."""
    answer = await ask(api, "/api/v1/jobs/trigger/sample", key)

    assert answer.status_code == 422
    assert await store.page(db, Job) == []


async def test_key_is_documented(api: Api) -> None:
    """Every request that makes a job tells of the header in the API's description."""
    paths = (await api.get("/openapi.json")).json()["paths"]
    for path in ("trigger/fetch", "trigger/extract", "trigger/sample", "trigger/email", "{job_id}/retry"):
        parameters = paths[f"/api/v1/jobs/{path}"]["post"]["parameters"]
        [header] = [each for each in parameters if each["in"] == "header"]
        assert header["name"] == "Idempotency-Key"
        assert "24 hours" in header["description"]
