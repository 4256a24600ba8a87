"""The dashboard of real queues: with a ledger, workers that ran, and people who see a part of it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest
from console_now_toys import join
from guard_toys import SAME_ORIGIN, browser
from reading_toys import fake_pool
from sqlalchemy.ext.asyncio import create_async_engine
from sqlite_threads import sqlite_threads_end  # noqa: F401 (a fixture)
from starlette.applications import Starlette
from starlette.requests import Request

from arqlite import ArqRedis, Inspector, Worker, func
from arqlite.dashboard import ADMIN, Access, create_dashboard, running
from arqlite.dashboard.api import OPERATIONS
from arqlite.dashboard.paths import API
from arqlite.jobs import Job, JobStatus
from arqlite.ledger import Ledger, configure_sqlite

HIDDEN = ("salaries", "pay_salary", "salary-", "boss", "bonus", "Overpaid")
PAGES = [
    "/",
    "/jobs",
    "/errors",
    "/queues",
    "/queues/mail",
    "/crons",
    "/workers",
    "/metrics",
    "/system",
    "/audit",
]


async def send_mail(ctx: Any, to: str) -> str:
    return f"sent to {to}"


async def pay_salary(ctx: Any, bonus: int) -> None:
    raise RuntimeError("Overpaid")


class Two:
    """Two queues that share a Redis and a ledger, each with jobs that ran and jobs that wait."""

    def __init__(self, pool: ArqRedis, ledger: Ledger) -> None:
        self.pool = pool
        self.settings = [
            {"functions": [func(function)], "queue_name": name, "redis_pool": pool, "ledger": ledger}
            for name, function in (("mail", send_mail), ("salaries", pay_salary))
        ]

    async def fill(self) -> None:
        for number in range(3):
            await self.pool.enqueue_job("send_mail", "ada", _job_id=f"mail-{number}", _queue_name="mail")
            await self.pool.enqueue_job("pay_salary", 5, _job_id=f"salary-{number}", _queue_name="salaries")
        for settings in self.settings:
            worker = Worker(**settings, burst=True, handle_signals=False)  # type: ignore[arg-type]
            await worker.main()
            await worker.close()
        await self.pool.enqueue_job("send_mail", "bob", _job_id="mail-w", _queue_name="mail", _defer_by=600)
        await self.pool.enqueue_job("pay_salary", 7, _job_id="salary-w", _queue_name="salaries")
        inspector = Inspector(self.pool, by="boss")
        await inspector.pause_queue("salaries")


def by_cookie(request: Request) -> Access | None:
    user = request.cookies.get("user")
    if user == "ada":
        return Access("ada", can=ADMIN.can)
    return Access("bob", can=ADMIN.can, queues=("mail",)) if user == "bob" else None


@pytest.fixture
async def two(tmp_path: Path) -> AsyncIterator[Two]:
    engine = configure_sqlite(create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'jobs.db'}"))
    ledger = Ledger(engine)
    await ledger.upgrade()
    pool = fake_pool(ledger=ledger)
    made = Two(pool, ledger)
    await made.fill()
    yield made
    await pool.aclose(close_connection_pool=True)
    await engine.dispose()


@pytest.fixture
async def app(two: Two) -> AsyncIterator[Starlette]:
    made = create_dashboard(two.settings, auth=by_cookie)
    async with running(made):
        yield made


def person(app: Starlette, name: str) -> httpx.AsyncClient:
    return browser(app, Cookie=f"user={name}", **SAME_ORIGIN)


async def test_all_is_shown_to_those_who_see_all(app: Starlette) -> None:
    """With real queues and a ledger each page and each question of the API has an answer."""
    async with person(app, "ada") as client:
        pages = {path: (await client.get(path)).status_code for path in PAGES}
        answers = {
            one.path: (await client.get(API + one.path)).status_code
            for one in OPERATIONS
            if one.method == "GET" and "{" not in one.path
        }
        job = await client.get("/jobs/salaries/salary-0")

    assert set(pages.values()) == {200}, pages
    assert set(answers.values()) == {200}, answers
    assert "Overpaid" in job.text


@pytest.mark.parametrize(
    "path",
    [
        *PAGES,
        *(API + one.path for one in OPERATIONS if one.method == "GET"),
        *(f"{API}/suggest?word={word}" for word in ("queue", "function", "by", "tag", "error", "node")),
        f"{API}/errors?since=7d",
        f"{API}/metrics?since=7d",
        f"{API}/jobs?q=state:discarded",
    ],
)
async def test_hidden_queue_leaves_no_trace(app: Starlette, path: str) -> None:
    """Who sees one queue finds no name, function, job, error or person of another on any page."""
    asked = path.format(key="mail", queue="mail", id="mail-0")
    async with person(app, "bob") as client:
        answer = await client.get(asked)

    assert answer.status_code == 200
    assert [word for word in HIDDEN if word in answer.text] == []


@pytest.mark.parametrize(
    "path",
    [
        "/queues/salaries",
        "/jobs/salaries/salary-0",
        f"{API}/queues/salaries",
        f"{API}/queues/salaries/scale",
        f"{API}/jobs/salaries/salary-0",
        f"{API}/jobs/mail/salary-0",
        f"{API}/errors?queue=salaries",
        f"{API}/metrics?queue=salaries",
        f"{API}/audit?queue=salaries",
    ],
)
async def test_hidden_queue_is_not_found(app: Starlette, path: str) -> None:
    """What is asked of a hidden queue by name is answered as for one that there is not."""
    async with person(app, "bob") as client:
        answer = await client.get(path)
        other = await client.get(path.replace("salaries", "nothing").replace("salary-0", "nothing"))

    assert (answer.status_code, other.status_code) == (404, 404)


@pytest.mark.parametrize("question", ["queue:salaries", "function:pay_*", "id:salary-w", "state:available"])
async def test_hidden_jobs_are_not_reached_by_questions(app: Starlette, two: Two, question: str) -> None:
    """However jobs are asked for: those of a hidden queue are not listed, counted or deleted."""
    async with person(app, "bob") as client:
        listed = await client.get(f"{API}/jobs", params={"q": question})
        counted = await client.get(f"{API}/jobs/count", params={"q": question})
        done = await client.post(f"{API}/jobs/delete", json={"q": question, "confirm": "delete"})

    told = [answer.json() for answer in (listed, counted, done) if answer.status_code == 200]
    assert {answer.status_code for answer in (listed, counted, done)} <= {200, 422}
    assert "salary" not in listed.text
    # Of the queue that is seen, one job is scheduled and none is available.
    assert all(one.get("available", {}).get("value", 0) == 0 for one in told)
    matched = [one.get("matched", 0) for one in told]
    assert {one["value"] if isinstance(one, dict) else one for one in matched} <= {0}
    assert all(one.get("done", 0) == 0 for one in told)
    assert await Job("salary-w", two.pool, _queue_name="salaries").status() is JobStatus.queued


@pytest.mark.parametrize("word", ["", "arg", "args", "meta", "arg.to", "arg.", "meta.tenant"])
async def test_names_of_arguments_are_not_suggested(two: Two, word: str) -> None:
    """Who does not see arguments is not even told what they are called."""
    access = Access("eve", shows_arguments=False)
    app = create_dashboard(two.settings, auth=lambda _: access)
    async with running(app), browser(app) as client:
        told = (await client.get(f"{API}/suggest", params={"word": word, "start": ""})).json()

    assert [one for one in told if one.startswith(("arg.", "meta.", "to", "ada"))] == []


async def test_functions_of_a_seen_queue_are_suggested(app: Starlette) -> None:
    """Who sees one queue is told the functions of that one."""
    async with person(app, "bob") as client:
        told = (await client.get(f"{API}/suggest", params={"word": "function", "start": "s"})).json()

    assert told == ["send_mail"]


async def test_job_is_retried_and_cancelled(app: Starlette, two: Two) -> None:
    """From a form to the queue: a failed job is available again, a waiting one is cancelled."""
    async with person(app, "ada") as client:
        retried = await client.post("/jobs/salaries/salary-0/retry")
        cancelled = await client.post("/jobs/mail/mail-w/cancel")
        states = {
            job: (await client.get(f"{API}/jobs/{job}")).json()["line"]["state"]
            for job in ("salaries/salary-0", "mail/mail-w", "mail/mail-0")
        }

    assert (retried.status_code, cancelled.status_code) == (303, 303)
    assert states == {
        "salaries/salary-0": "available",
        "mail/mail-w": "cancelled",
        "mail/mail-0": "completed",
    }


@pytest.mark.parametrize(
    ("not_aborted", "runs_on", "rest"),
    [
        (["send_mail"], 1, ". It runs on: a worker with allow_abort_jobs=False cancels only tasks"),
        ([], 0, "."),
    ],
    ids=["default", "aborts"],
)
async def test_running_job_is_not_told_as_cancelled(
    app: Starlette, two: Two, not_aborted: list[str], runs_on: int, rest: str
) -> None:
    """Of a job that runs it is said that its worker was asked, and that it runs on where that is known."""
    await two.pool.enqueue_job("send_mail", "ada", _job_id="mail-r", _queue_name="mail")
    engine = await join(two.pool, "s", "mail", not_aborted=not_aborted)
    await engine.turn("s", 1, {}, ())

    async with person(app, "ada") as client:
        one = await client.post(f"{API}/jobs/mail/mail-r/cancel")
        many = await client.post(f"{API}/jobs/cancel", json={"q": "queue:mail state:executing"})

    assert (one.status_code, many.status_code) == (200, 200)
    for told in (one.json(), many.json()):
        counts = [told[name] for name in ("matched", "done", "asked", "runs_on")]
        assert counts == [1, 0, 1, runs_on]
        assert told["text"].startswith(f"Asked the worker of job mail-r, which runs, to cancel it{rest}")
    await engine.close()


async def test_secret_arguments_are_not_told(two: Two, eventually: Callable[..., Awaitable[Any]]) -> None:
    """What is redacted is redacted on pages and in JSON."""
    await two.pool.enqueue_job("send_mail", "ada", _job_id="secret-1", _queue_name="mail", password="hunter2")
    app = create_dashboard(two.settings, auth=by_cookie)
    async with running(app), person(app, "ada") as client:

        async def is_listed() -> bool:
            return "secret-1" in (await client.get(f"{API}/jobs")).text

        await eventually(is_listed)  # its row is written a moment later
        texts = [
            (await client.get(path)).text
            for path in ("/jobs", "/jobs/mail/secret-1", f"{API}/jobs", f"{API}/jobs/mail/secret-1")
        ]

    assert [text for text in texts if "hunter2" in text] == []
    assert [text for text in texts if "secret-1" not in text] == []


async def test_job_that_was_deleted_leaves_its_row_and_that_is_said(app: Starlette) -> None:
    """A job is deleted from Redis: its row stays, and who deletes it once more hears that that is all."""
    async with person(app, "ada") as client:
        page = (await client.get("/jobs/mail/mail-0")).text
        done = await client.post(f"{API}/jobs/mail/mail-0/delete")
        again = await client.post(f"{API}/jobs/mail/mail-0/delete")
        still = await client.get("/jobs/mail/mail-0")

    assert 'title="From Redis; its row stays until it is pruned"' in page
    assert done.json()["text"] == "Deleted job mail-0 from Redis; its row stays until it is pruned."
    assert (again.status_code, still.status_code) == (409, 200)
    assert "only its row is left" in again.json()["error"]["message"]
    assert 'title="From Redis' not in still.text


@pytest.mark.parametrize(("verb", "job_id"), [("cancel", "mail-0"), ("cancel", "salary-0")])
async def test_job_in_another_state_is_there(app: Starlette, verb: str, job_id: str) -> None:
    """A job that is in no state for it is not said to be none: that is a conflict, with the reason."""
    queue = "mail" if job_id.startswith("mail") else "salaries"
    async with person(app, "ada") as client:
        answer = await client.post(f"{API}/jobs/{queue}/{job_id}/{verb}")

    assert answer.status_code == 409
    assert f"in no state in which one can {verb} it" in answer.json()["error"]["message"]


async def test_rows_of_many_deleted_jobs_stay_and_that_is_said(app: Starlette) -> None:
    """What is said of many deleted jobs tells that their rows stay, too."""
    body = {"q": "queue:mail state:completed", "confirm": "delete"}
    async with person(app, "ada") as client:
        done = (await client.post(f"{API}/jobs/delete", json=body)).json()

    assert done["done"] == 3
    assert done["text"] == "Deleted 3 jobs. Rows in a ledger stay until they are pruned."


async def test_retry_of_a_group_is_of_its_jobs(app: Starlette) -> None:
    """On the page of errors the count, the link and the button of a line mean the same jobs."""
    async with person(app, "ada") as client:
        page = (await client.get("/errors?queue=salaries")).text
        [told] = re.findall(r'name="q" value="([^"]*)"', page)
        [link] = re.findall(r'<td class="wide"><a href="([^"]*)"', page)
        listed = (await client.get(unescape(link))).text
        done = await client.post(f"{API}/jobs/retry", json={"q": unescape(told)})
        ready = (await client.get(f"{API}/jobs", params={"q": "state:available"})).json()

    assert '<td class="n">3</td>' in page
    assert sorted(re.findall(r'id="job-salaries/([^"]+)"', listed)) == ["salary-0", "salary-1", "salary-2"]
    assert (done.json()["matched"], done.json()["done"]) == (3, 3)
    assert {one["id"] for one in ready["jobs"]} == {"salary-0", "salary-1", "salary-2", "salary-w"}
