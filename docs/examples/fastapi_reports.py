"""An API that accepts work and tells of it: `python fastapi_reports.py`, or `uvicorn fastapi_reports:app`."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx
from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from arqlite import ArqRedis, RedisSettings, task
from arqlite.embedded import EmbeddedServer
from arqlite.fastapi import JobRef, Jobs, Refer, jobs, jobs_router, lifespan
from arqlite.ledger import Ledger, configure_sqlite

REDIS = RedisSettings.from_dsn(os.environ.get("REDIS_URL") or EmbeddedServer.ensure().url())

engine = configure_sqlite(create_async_engine(f"sqlite+aiosqlite:///{tempfile.mkdtemp()}/reports.db"))
new_session = async_sessionmaker(engine, expire_on_commit=False)


@task(max_attempts=5, timeout=300)
async def build_report(ctx: dict[str, Any], month: str) -> str:
    for page in range(1, 4):
        await ctx["progress"](page, 3, f"page {page}")
    return f"report of {month}"


@task(queue="mail")
async def send_mail(ctx: dict[str, Any], address: str) -> None: ...


class WorkerSettings:
    functions = [build_report]
    redis_settings = REDIS
    ledger = Ledger(engine)


class MailSettings:
    functions = [send_mail]
    queue_name = "mail"
    redis_settings = REDIS
    ledger = WorkerSettings.ledger


async def own_lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    await engine.dispose()


def current_user(name: str = "ada") -> str:
    if name == "nobody":
        raise HTTPException(401)
    return name


app = FastAPI(lifespan=lifespan(WorkerSettings, MailSettings, embed_worker=True, compose=own_lifespan))
app.include_router(jobs_router(prefix="/jobs", dependencies=[Depends(current_user)]))


@app.post("/reports", status_code=202)
async def create_report(month: str, jobs: Jobs, refer: Refer) -> JobRef:
    return refer(await jobs.enqueue(build_report, month))


Mail = Annotated[ArqRedis, Depends(jobs("mail"))]


@app.post("/invitations", status_code=202)
async def invite(address: str, mail: Mail, refer: Refer) -> JobRef:
    return refer(await mail.enqueue(send_mail, address))


async def a_session() -> AsyncIterator[AsyncSession]:
    async with new_session() as session:
        yield session


@app.post("/subscriptions", status_code=202)
async def subscribe(
    month: str, jobs: Jobs, refer: Refer, session: Annotated[AsyncSession, Depends(a_session)]
) -> JobRef:
    async with session.begin():  # what else is written here is committed with the job, or neither is
        job = await jobs.options(session=session).enqueue(build_report, month)
    return refer(job)


def write_log(line: str) -> None: ...


@app.post("/before")
async def before(line: str, background: BackgroundTasks) -> None:
    background.add_task(write_log, line)  # gone if this process ends first; tried once; nobody sees it fail


@task(max_attempts=5)
def write_log_job(ctx: dict[str, Any], line: str) -> None:
    write_log(line)


WorkerSettings.functions.append(write_log_job)


@app.post("/after", status_code=202)
async def after(line: str, jobs: Jobs, refer: Refer) -> JobRef:
    return refer(await jobs.enqueue(write_log_job, line))


async def main() -> None:
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://reports.test")
    async with app.router.lifespan_context(app), client:
        accepted = await client.post("/reports?month=May")
        ref = accepted.json()
        print(accepted.status_code, accepted.headers["Location"] == f"/jobs/{ref['job_id']}")
        events = (await client.get(ref["events_url"])).text.split("\n\n")
        print([event.partition("\n")[0] for event in events if event.startswith("event")][-1])
        told = (await client.get(ref["status_url"])).json()
        print(told["state"], told["result"], told["progress"]["fraction"])
        print((await client.delete(ref["status_url"])).status_code)
        print((await client.get(ref["status_url"] + "?name=nobody")).status_code)
        mail = (await client.post("/invitations?address=eve@example.org")).json()
        print(mail["status_url"].partition("?")[2])
        for path in ("/subscriptions?month=June", "/after?line=done"):
            ref = (await client.post(path)).json()
            await client.get(ref["events_url"])
            print((await client.get(ref["status_url"])).json()["state"])


if __name__ == "__main__":
    asyncio.run(main())
