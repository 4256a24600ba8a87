"""Requests that may be repeated: `python idempotency.py`; as a server, `uvicorn idempotency:app`."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import httpx
from fastapi import FastAPI, Header, Request
from fastapi.responses import JSONResponse

from arqlite import ArqRedis, RedisSettings, create_pool, task
from arqlite.embedded import EmbeddedServer
from arqlite.errors import IdempotencyConflict, InvalidIdempotencyKey
from arqlite.ledger import Ledger, claim, fingerprint

ledger = Ledger("sqlite:///jobs.db")
REDIS = RedisSettings.from_dsn(os.environ.get("REDIS_URL") or EmbeddedServer.ensure().url())


@task
async def report(ctx: dict[str, Any], month: int) -> str:
    return f"the report of month {month}"


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    await ledger.upgrade()
    app.state.pool = await create_pool(REDIS, default_queue_name="reports", ledger=ledger)
    yield
    await app.state.pool.aclose()
    await ledger.aclose()


app = FastAPI(lifespan=lifespan)


@app.post("/reports", status_code=202)
async def make_report(
    request: Request, month: int, idempotency_key: Annotated[str, Header()]
) -> dict[str, Any]:
    pool: ArqRedis = request.app.state.pool
    asked = fingerprint(
        request.method, request.url.path, request.query_params.multi_items(), await request.body()
    )
    async with ledger.sessions() as db:
        job = await pool.options(session=db).enqueue(report, month)
        claimed = await claim(db, idempotency_key, asked, queue="reports", job_id=job.job_id)
        if claimed.is_replay:
            await db.rollback()  # the job that was just enqueued goes with it
        else:
            await db.commit()
    return {"job_id": claimed.job_id, "is_replay": claimed.is_replay}


@app.exception_handler(IdempotencyConflict)
@app.exception_handler(InvalidIdempotencyKey)
async def refuse(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, status_code=422)


async def main() -> None:
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")
    async with app.router.lifespan_context(app), client:

        async def ask(month: int, key: str) -> httpx.Response:
            return await client.post("/reports", params={"month": month}, headers={"Idempotency-Key": key})

        answers = [(await ask(3, "march")).json() for _ in range(3)]
        print("jobs:", len({answer["job_id"] for answer in answers}))
        print("repeated:", [answer["is_replay"] for answer in answers])
        print("another request:", (await ask(4, "march")).status_code)
        print("in the queue:", await app.state.pool.queue_depth())


if __name__ == "__main__":
    asyncio.run(main())
