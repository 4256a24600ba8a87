"""An application of jobs, as a user would write it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Annotated, Any

import httpx
from fastapi import Depends, FastAPI, HTTPException

from arqlite import ArqRedis, task
from arqlite.fastapi import JobRef, Jobs, Refer, jobs, jobs_router, lifespan

Mail = Annotated[ArqRedis, Depends(jobs("mail"))]


@task
async def double(ctx: dict[str, Any], number: int) -> int:
    await ctx["progress"](1, 2, "halfway")
    return 2 * number


@task(max_attempts=1)
async def fail(ctx: dict[str, Any]) -> None:
    raise ValueError("no paper")


@dataclass
class Running:
    """An application that has started, its two pools and a client."""

    app: FastAPI
    pool: ArqRedis
    mail: ArqRedis
    client: httpx.AsyncClient


async def wait(ctx: dict[str, Any]) -> None:
    await asyncio.Event().wait()


FUNCTIONS = [double, fail, wait]


def someone(name: str = "ada") -> str:
    """Let everybody in but eve."""
    if name == "eve":
        raise HTTPException(403)
    return name


def application(*targets: Any, router: bool = True, **options: Any) -> FastAPI:
    """Make it, with these queues."""
    app = FastAPI(lifespan=lifespan(*targets, **options))
    if router:
        app.include_router(jobs_router(dependencies=[Depends(someone)]))

    @app.post("/doubles", status_code=202)
    async def create(number: int, jobs: Jobs, refer: Refer) -> JobRef:
        return refer(await jobs.enqueue(double, number))

    @app.post("/letters", status_code=202)
    async def create_letter(number: int, mail: Mail, refer: Refer) -> JobRef:
        return refer(await mail.enqueue(double, number))

    return app


def events_of(text: str) -> list[tuple[str, Any]]:
    """Read server-sent events."""
    found = []
    for block in text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines())
        if "event" in lines:
            found.append((lines["event"], json.loads(lines["data"])))
    return found
