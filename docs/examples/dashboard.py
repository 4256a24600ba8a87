"""The dashboard in an application: for people by password, programs by token, and staff by their session."""

import os
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount

from arqlite import RedisSettings
from arqlite.dashboard import (
    ADMIN,
    OPERATOR,
    READ_ONLY,
    Access,
    basic_auth,
    bearer,
    create_dashboard,
    first_of,
    running,
)
from arqlite.embedded import EmbeddedServer

# Your own Redis or Valkey, or without one a real Valkey that is started for you.
URL = os.environ.get("REDIS_URL") or EmbeddedServer.ensure().url()
PASSWORD = os.environ["OPS_PASSWORD"]
TOKEN = os.environ["OPS_TOKEN"]

STAFF = {"s3ss10n-of-ada": ("ada", "owner"), "s3ss10n-of-bob": ("bob", "billing")}


async def send(ctx, address: str) -> None: ...


class WorkerSettings:
    functions = [send]
    queue_name = "mail"
    redis_settings = RedisSettings.from_dsn(URL)


class BillingSettings:
    functions = [send]
    queue_name = "billing"
    redis_settings = RedisSettings.from_dsn(URL)


async def by_session(request: Request) -> Access | Response | None:
    user, team = STAFF.get(request.cookies.get("session", ""), ("", ""))
    if not user:
        return RedirectResponse("/login", 303)
    if team == "owner":
        return Access(user, can=ADMIN.can)
    if team == "billing":
        return Access(user, can=OPERATOR.can, queues=["billing"], shows_arguments=False)
    return None  # for everybody else there is nothing here


ops = create_dashboard(
    [WorkerSettings, BillingSettings],
    auth=first_of(bearer(TOKEN, READ_ONLY), basic_auth("ada", PASSWORD)),
)
staff = create_dashboard([WorkerSettings, BillingSettings], auth=by_session, title="Staff")


@asynccontextmanager
async def lifespan(app: Starlette):
    async with running(ops), running(staff):
        yield


app = Starlette(routes=[Mount("/ops/jobs", ops), Mount("/staff/jobs", staff)], lifespan=lifespan)
