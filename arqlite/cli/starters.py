"""The files that `arqlite init` writes."""

from __future__ import annotations

from typing import Final

_JOBS: Final = """\
@task(max_attempts=5, backoff=[10, 60, 600])
async def greet(ctx: dict[str, Any], name: str) -> str:
    await ctx["progress"](1, 2, "looking for words")
    return f"hello, {name}"


@task(max_attempts=5, backoff=[10, 60, 600])
async def charge(ctx: dict[str, Any], amount: int) -> str:
    if ctx["job_try"] == 1:
        raise ConnectionError("the bank is busy")  # tried again after 10 s, then after a minute
    return f"charged {amount}"


class WorkerSettings:
    # Redis is the one of `arqlite dev`, else that of ARQLITE_REDIS_URL.
    functions = [greet, charge]
"""

TASKS: Final = f'''\
"""Background jobs. `arqlite dev tasks.WorkerSettings` runs them."""

from typing import Any

from arqlite import task


{_JOBS}'''

APP: Final = f'''\
"""An API and its jobs: `arqlite dev app.WorkerSettings` runs the jobs, `uvicorn app:app` the API."""

from typing import Any

from fastapi import FastAPI

from arqlite import task
from arqlite.fastapi import JobRef, Jobs, Refer, jobs_router, lifespan


{_JOBS}

app = FastAPI(lifespan=lifespan(WorkerSettings))
# GET /jobs/{{id}} and /jobs/{{id}}/events; with dependencies=[...] that ask who it is, DELETE /jobs/{{id}}.
app.include_router(jobs_router())


@app.post("/charges", status_code=202)
async def create_charge(amount: int, jobs: Jobs, refer: Refer) -> JobRef:
    return refer(await jobs.enqueue(charge, amount))
'''

_TEST: Final = '''\
"""The jobs, run as a worker runs them, without a worker and without Redis: `pytest`."""

import asyncio

import pytest
from {module} import charge, greet

from arqlite.testing import perform_job


def test_greeting():
    assert asyncio.run(perform_job(greet, "Ada")) == "hello, Ada"


def test_charge_is_tried_again():
    with pytest.raises(ConnectionError):
        asyncio.run(perform_job(charge, 5, attempt=1))

    assert asyncio.run(perform_job(charge, 5, attempt=2)) == "charged 5"
'''


def default_settings(path: str) -> str:
    """The text of a project's pyproject.toml, which has its commands find their settings."""
    return f'[tool.arqlite]\nsettings = ["{path}"]\n'


def files(*, for_fastapi: bool) -> dict[str, str]:
    """The names and texts of a new project's files."""
    module, text = ("app", APP) if for_fastapi else ("tasks", TASKS)
    return {f"{module}.py": text, f"test_{module}.py": _TEST.format(module=module)}
