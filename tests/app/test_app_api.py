"""The API, as its callers see it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from worker_ledger_toys import Switch

from app.core import database, queue
from app.core.database import AsyncSessionLocal
from app.main import app
from app.models import ConnectedAccount, Job
from app.services import health_service
from app.services.task_service import TaskService
from arqlite import ArqRedis, Worker
from arqlite.fastapi import open_queues
from arqlite.inspector import Inspector
from arqlite.ledger import LedgerStatus, store

Api = httpx.AsyncClient
Work = Callable[..., Worker]
MAIL = b"From: a@shop.example\nSubject: hello\nDate: Sun, 29 Mar 2026 23:30:00 -0500\n\nYou paid EUR 5.00.\n"


async def detail(api: Api, job_id: str) -> dict[str, Any]:
    answer = await api.get(f"/api/v1/jobs/{job_id}")
    assert answer.status_code == 200
    return dict(answer.json())


async def audited() -> list[tuple[str, str, str | None]]:
    """What was done by hand, and by whom."""
    async with AsyncSessionLocal() as db:
        return [(entry.action, entry.actor, entry.job_id) for entry in await store.audit_page(db)]


async def test_trigger_says_where_to_ask(api: Api, pools: ArqRedis, account: ConnectedAccount) -> None:
    """A trigger answers 202 with the job's id and where its status is, and the job waits there."""
    answer = await api.post("/api/v1/jobs/trigger/fetch?provider=mailbox&limit=20&user_id=1")

    assert answer.status_code == 202
    body = answer.json()
    assert answer.headers["location"] == body["status_url"] == f"/api/v1/jobs/{body['job_id']}"
    waiting = (await api.get(body["status_url"])).json()
    assert (waiting["status"], waiting["job_type"]) == ("QUEUED", "EMAIL_FETCH")
    assert waiting["input_payload"]["limit"] == 20


async def test_fetch_and_extract_through_the_api(
    api: Api, pools: ArqRedis, work: Work, account: ConnectedAccount, mailbox: Any
) -> None:
    """From two requests to e-mails, transactions and two rows that say SUCCESS."""
    mailbox("1.eml", MAIL)
    mailbox("empty.eml", b"")
    await api.post("/api/v1/jobs/trigger/fetch")
    await work().main()
    await api.post("/api/v1/jobs/trigger/extract?batch_size=5")
    await work().main()

    jobs = (await api.get("/api/v1/jobs")).json()["items"]
    assert [(job["job_type"], job["status"]) for job in jobs] == [
        ("EMAIL_EXTRACTION", "SUCCESS"),
        ("EMAIL_FETCH", "SUCCESS"),
    ]
    assert all(job["duration_ms"] >= 0 for job in jobs)
    [email] = (await api.get("/api/v1/emails")).json()["items"]
    assert (email["subject"], email["sources"], email["extraction_status"]) == ("hello", ["1.eml"], "DONE")
    [unreadable] = (await api.get("/api/v1/emails/unreadable")).json()["items"]
    assert (unreadable["source"], unreadable["unreadable_reason"]) == ("empty.eml", "the message is empty")
    [transaction] = (await api.get("/api/v1/transactions?user_id=1")).json()["items"]
    assert (transaction["amount"], transaction["currency"], transaction["sources"]) == (
        "5.00",
        "EUR",
        ["1.eml"],
    )


@pytest.mark.parametrize(
    ("request_", "status", "words"),
    [
        ("trigger/fetch?provider=pigeon", 422, "unknown e-mail provider 'pigeon'; known are: mailbox"),
        ("trigger/fetch?limit=0", 422, "greater than or equal to 1"),
        ("trigger/fetch?limit=many", 422, "valid integer"),
        ("trigger/extract?batch_size=100000", 422, "less than or equal to"),
        ("trigger/fetch?account_id=99", 404, "user 1 has no mailbox account 99"),
        ("trigger/fetch?user_id=99", 404, "user 99 has no mailbox account"),
        ("trigger/email?user_id=99", 404, "there is no user 99"),
        ("nothing/cancel", 404, "there is no job nothing"),
        ("nothing/retry", 404, "there is no job nothing"),
    ],
)
async def test_mistakes_are_told_in_words(
    api: Api,
    pools: ArqRedis,
    account: ConnectedAccount,
    db: AsyncSession,
    request_: str,
    status: int,
    words: str,
) -> None:
    """A request that cannot be served says why, and writes no row."""
    answer = await api.post(f"/api/v1/jobs/{request_}")

    assert answer.status_code == status
    assert words in str(answer.json()["detail"])
    assert await store.page(db, Job) == []


async def test_unknown_job_is_404(api: Api) -> None:
    """A job that is not there is told in words."""
    answer = await api.get("/api/v1/jobs/nothing")
    assert (answer.status_code, answer.json()) == (404, {"detail": "there is no job nothing"})


async def test_another_users_account_is_404(api: Api, pools: ArqRedis, account: ConnectedAccount) -> None:
    """An account is found under its own user only."""
    answer = await api.post(f"/api/v1/jobs/trigger/fetch?user_id=2&account_id={account.id}")
    assert answer.status_code == 404


async def test_trigger_while_redis_is_away_is_202(
    api: Api, no_redis: ArqRedis, account: ConnectedAccount
) -> None:
    """The job is accepted all the same, and waits in the ledger."""
    answer = await api.post("/api/v1/jobs/trigger/fetch")

    assert answer.status_code == 202
    [job] = (await api.get("/api/v1/jobs")).json()["items"]
    assert (job["id"], job["status"]) == (answer.json()["job_id"], "QUEUED")


async def test_trigger_while_the_database_is_away_is_503(
    api: Api, pools: ArqRedis, engine: AsyncEngine, tmp_path: Path
) -> None:
    """Nothing is accepted that has no row."""
    # What a URI leads to is not compared with the ledger's file.
    away = create_async_engine(f"sqlite+aiosqlite:///file:{tmp_path / 'no' / 'such.db'}?uri=true")
    database.AsyncSessionLocal.configure(bind=away)
    try:
        answer = await api.post("/api/v1/jobs/trigger/sample")
    finally:
        database.AsyncSessionLocal.configure(bind=engine)
        await away.dispose()

    assert (answer.status_code, answer.json()["detail"]) == (503, "the database is away: OperationalError")
    assert await pools.queue_depth() == 0


async def test_jobs_are_listed_page_by_page(api: Api, pools: ArqRedis) -> None:
    """The cursor leads through all jobs, newest first, and ends."""
    accepted = [(await api.post("/api/v1/jobs/trigger/sample")).json()["job_id"] for _ in range(5)]

    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        answer = await api.get("/api/v1/jobs", params={"limit": 2} | ({"cursor": cursor} if cursor else {}))
        page = answer.json()
        seen += [job["id"] for job in page["items"]]
        cursor = page["next"]
    assert seen == accepted[::-1]


async def test_jobs_are_filtered(api: Api, pools: ArqRedis, work: Work) -> None:
    """Status and type choose what is listed."""
    await api.post("/api/v1/jobs/trigger/sample")
    await work().main()
    await api.post("/api/v1/jobs/trigger/extract")

    async def listed(query: str) -> list[str]:
        return [job["job_type"] for job in (await api.get(f"/api/v1/jobs?{query}")).json()["items"]]

    assert await listed("status=QUEUED") == ["EMAIL_EXTRACTION"]
    assert await listed("job_type=SAMPLE") == ["SAMPLE"]
    assert await listed("status=QUEUED&job_type=SAMPLE") == []
    assert await listed("state=completed") == ["SAMPLE"]
    assert await listed("function=run_email_extraction") == ["EMAIL_EXTRACTION"]
    assert await listed("queue=arq:queue&triggered_by=api") == ["EMAIL_EXTRACTION", "SAMPLE"]
    assert await listed("queue=elsewhere") == []
    assert await listed("tag=urgent") == []
    assert await listed("user_id=1") == []


async def test_figures_are_told(api: Api, pools: ArqRedis, work: Work) -> None:
    """What is open is counted, and what ended is told by queue and function, without looking at the jobs."""
    await api.post("/api/v1/jobs/trigger/sample")
    await work().main()
    await api.post("/api/v1/jobs/trigger/extract")

    stats = (await api.get("/api/v1/jobs/stats?by=queue&by=function")).json()

    assert (stats["open"]["available"], stats["open_is_exact"]) == (1, True)
    assert stats["oldest_waiting"] is not None
    [ended] = stats["ended"]
    assert (ended["function"], ended["total"], ended["counts"]) == ("sample_task", 1, {"completed": 1})


@pytest.mark.parametrize(
    "question", ["stats?since=2026-01-01", "stats?since=2020-01-01T00:00:00Z&per=minute", "?queue="]
)
async def test_question_that_means_nothing_is_422(api: Api, question: str) -> None:
    """What cannot be answered is refused in words."""
    answer = await api.get(f"/api/v1/jobs/{question}" if question[0] != "?" else f"/api/v1/jobs{question}")
    assert answer.status_code == 422


@pytest.mark.parametrize("cursor", ["abc", "AAAA", "MjAyNi0wMS0wMSB4"])
async def test_foreign_cursor_is_422(api: Api, cursor: str) -> None:
    """A cursor that this list did not give out is refused in words."""
    answer = await api.get("/api/v1/jobs", params={"cursor": cursor})
    assert answer.status_code == 422
    assert "cursor" in answer.json()["detail"]


async def test_waiting_job_is_cancelled(api: Api, pools: ArqRedis, work: Work) -> None:
    """A job that waits is CANCELLED at once, and no worker runs it."""
    job_id = (await api.post("/api/v1/jobs/trigger/sample")).json()["job_id"]

    answer = await api.post(f"/api/v1/jobs/{job_id}/cancel")
    await work().main()

    assert (answer.status_code, answer.json()["status"]) == (200, "CANCELLED")
    after = await detail(api, job_id)
    assert (after["status"], after["cause"], after["attempt"]) == ("CANCELLED", "CANCELLED", 0)
    assert await audited() == [("job.cancel", "api", job_id)]


async def test_running_job_is_cancelled(
    api: Api, pools: ArqRedis, work: Work, account: ConnectedAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that runs is stopped, and its row says CANCELLED."""
    from app.jobs import EmailFetchJob

    entered = asyncio.Event()

    async def run(_self: EmailFetchJob) -> Any:
        entered.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(EmailFetchJob, "run", run)
    job_id = (await api.post("/api/v1/jobs/trigger/fetch")).json()["job_id"]
    working = asyncio.create_task(work().main())
    async with asyncio.timeout(10):
        await entered.wait()

        answer = await api.post(f"/api/v1/jobs/{job_id}/cancel")
        await working

    assert (answer.status_code, answer.json()["status"]) == (200, "CANCELLED")
    assert await audited() == [("job.cancel", "api", job_id)]


async def test_waiting_job_is_cancelled_while_redis_is_away(api: Api, no_redis: ArqRedis) -> None:
    """What waits is cancelled by its row, which the relay and the workers look at."""
    job_id = (await api.post("/api/v1/jobs/trigger/sample")).json()["job_id"]

    answer = await api.post(f"/api/v1/jobs/{job_id}/cancel")

    assert (answer.status_code, answer.json()["status"]) == (200, "CANCELLED")


async def test_ended_job_is_not_cancelled(api: Api, pools: ArqRedis, work: Work) -> None:
    """A job that has ended is a conflict, told in words."""
    job_id = (await api.post("/api/v1/jobs/trigger/sample")).json()["job_id"]
    await work().main()

    answer = await api.post(f"/api/v1/jobs/{job_id}/cancel")

    assert answer.status_code == 409
    assert "is SUCCESS and cannot be cancelled" in answer.json()["detail"]


async def test_failed_job_is_tried_again(
    api: Api, pools: ArqRedis, work: Work, account: ConnectedAccount, mailbox: Any, db: AsyncSession
) -> None:
    """A failed job runs again under a new id, with the same arguments; the old row stays."""
    path, account.credentials = account.credentials, {"path": "/no/such/mailbox"}
    await db.commit()
    job_id = (await api.post("/api/v1/jobs/trigger/fetch?limit=7")).json()["job_id"]
    await work().main()
    account.credentials = path
    await db.commit()

    again = (await api.post(f"/api/v1/jobs/{job_id}/retry")).json()["job_id"]
    await work().main()

    old, new = await detail(api, job_id), await detail(api, again)
    assert (old["status"], new["status"], new["triggered_by"]) == ("FAILED", "SUCCESS", f"retry:{job_id}")
    assert new["input_payload"] == old["input_payload"]
    assert await audited() == [("job.retry", "api", job_id)]


async def test_job_tells_its_attempts(api: Api, pools: ArqRedis, work: Work) -> None:
    """The detail of a job names each start, who ran it and how it ended."""
    failing = (await api.post("/api/v1/jobs/trigger/fetch")).status_code
    job = await TaskService.enqueue_email_fetch(user_id=42)
    await work().main()

    after = await detail(api, job.job_id)
    assert failing == 404
    assert (after["status"], after["state"], after["cause"]) == ("FAILED", "discarded", "ERROR")
    [attempt] = after["attempts"]
    assert (attempt["attempt"], attempt["state"], attempt["cause"]) == (1, "discarded", "ERROR")
    assert attempt["worker"] == after["worker"]
    assert attempt["error"]["type"] == "NotFoundError"
    began, ended = map(datetime.fromisoformat, (attempt["started_at"], attempt["finished_at"]))
    assert began <= ended


async def test_job_with_a_secret_is_not_tried_again(api: Api, pools: ArqRedis) -> None:
    """The ledger does not hold a password, so such a job cannot be made again from its row."""
    async with AsyncSessionLocal.begin() as session:
        await store.insert_queued(
            session, Job, job_id="otp", job_type="SEND_OTP_EMAIL", function="send_otp_email", queue="email"
        )
        await store.cancel_queued(session, Job, "otp")

    answer = await api.post("/api/v1/jobs/otp/retry")

    assert answer.status_code == 409
    assert "secrets" in answer.json()["detail"]


async def test_accounts_hide_their_credentials(api: Api, account: ConnectedAccount) -> None:
    """The list of accounts shows which they are, and nothing that opens them."""
    [shown] = (await api.get("/api/v1/accounts?user_id=1")).json()
    assert (shown["provider"], "credentials" in shown) == ("mailbox", False)


async def test_health_without_workers_is_degraded(api: Api, pools: ArqRedis) -> None:
    """Jobs are taken and nobody runs them: 503, and the answer says which worker is missing."""
    answer = await api.get("/health")

    body = answer.json()
    assert (answer.status_code, body["status"]) == (503, "degraded")
    assert body["checks"]["redis_email"]["ok"]
    assert "no worker" in body["checks"]["worker_email"]["detail"]


async def test_health_with_workers_is_ok(api: Api, pools: ArqRedis, work: Work, eventually: Any) -> None:
    """With a worker on every queue all is well."""
    worker = work(burst=False)
    working = asyncio.create_task(worker.main())

    async def is_well() -> bool:
        return (await api.get("/health")).status_code == 200

    await eventually(is_well)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)


async def test_health_tells_how_far_rows_are_behind(api: Api, pools: ArqRedis) -> None:
    """Whoever looks at the health sees whether the ledger can be believed, whatever it answers."""
    engine = pools.queue(pools.default_queue_name).engine

    await engine.watch("a worker", 1_500)
    behind = (await api.get("/health")).json()["checks"]["ledger"]
    await engine.watch("a worker", 90_000)
    far_behind = (await api.get("/health")).json()

    assert behind == {"ok": True, "detail": "base 1.5 s behind; email 1.5 s behind"}
    assert not far_behind["checks"]["ledger"]["ok"]
    assert far_behind["status"] == "degraded"


async def test_health_without_its_database_is_down(api: Api, pools: ArqRedis, engine: AsyncEngine) -> None:
    """The application takes no jobs without its database, and says so at once."""
    switch = Switch(engine)
    switch.is_off = True

    body = (await api.get("/health")).json()

    assert (body["status"], body["checks"]["database"]["ok"]) == ("down", False)
    assert "the database is stopped" in body["checks"]["database"]["detail"]


async def test_health_without_redis_is_down(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the queues the application is down, and still alive."""
    monkeypatch.setattr(queue, "email_pool", None)

    answer = await api.get("/health")

    assert (answer.status_code, answer.json()["status"]) == (503, "down")
    assert (await api.get("/health/live")).status_code == 200


async def test_health_does_not_wait_for_ever(
    api: Api, pools: ArqRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A check that gets no answer is told as such, within its bound."""

    class Silent:
        async def ping(self) -> None:
            await asyncio.Event().wait()

    monkeypatch.setattr(queue, "email_pool", Silent())
    monkeypatch.setattr(health_service, "CHECK_TIMEOUT_S", 0.05)

    async with asyncio.timeout(5):
        body = (await api.get("/health")).json()

    assert (body["status"], body["checks"]["redis_email"]["detail"]) == ("down", "no answer within 0.05 s")


async def test_documents_of_the_api_are_there(api: Api) -> None:
    """The API describes itself."""
    paths = (await api.get("/openapi.json")).json()["paths"]
    assert {"/health", "/api/v1/jobs", "/api/v1/jobs/{job_id}", "/api/v1/jobs/trigger/fetch"} <= set(paths)


async def test_statuses_are_the_ledgers() -> None:
    """The API speaks of the ledger's five states."""
    assert [str(status) for status in LedgerStatus] == ["QUEUED", "RUNNING", "SUCCESS", "FAILED", "CANCELLED"]


async def test_job_is_followed_live(api: Api, pools: ArqRedis) -> None:
    """While the application runs, a job's live routes tell of it, as events, too."""
    async with open_queues(app, pools):
        job_id = (await api.post("/api/v1/jobs/trigger/sample")).json()["job_id"]
        told = (await api.get(f"/api/v1/live/{job_id}")).json()
        refused = await api.delete(f"/api/v1/live/{job_id}")
        await Inspector(pools).cancel_job(job_id)
        events = (await api.get(f"/api/v1/live/{job_id}/events")).text

    assert (told["function"], told["state"]) == ("sample_task", "available")
    assert refused.status_code == 405  # nobody says who may
    assert "event: end" in events
