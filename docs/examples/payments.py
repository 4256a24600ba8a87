"""Payments that charge once, whatever happens: `python payments.py`."""

import asyncio
import os
import signal
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from arqlite import Discard, RedisSettings, Snooze, create_pool, register_exception, task, telemetry
from arqlite.embedded import EmbeddedServer
from arqlite.worker import create_worker, run_worker

REDIS = RedisSettings.from_dsn(os.environ.get("REDIS_URL") or EmbeddedServer.ensure().url())
DATABASE = Path("payments.db")
PAUSE_S = 0.05  # 5 in an application


class AlreadyCharged(Exception):
    """The gateway has seen this key before."""


@register_exception  # so that `result()` raises it as itself
class Declined(Exception):
    """The bank says no."""


@contextmanager
def database() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(DATABASE, timeout=10)) as db, db:  # commits, or rolls back
        yield db


class Gateway:
    """Stands in for a payment service; like a real one, it charges each idempotency key once."""

    def charge(self, key: str, cents: int, card: str) -> None:
        if card == "empty":
            raise Declined("no money")
        if card == "unreachable":
            raise ConnectionError("no answer")
        with database() as db:
            try:
                db.execute("INSERT INTO charges VALUES (?, ?)", (key, cents))
            except sqlite3.IntegrityError:
                raise AlreadyCharged(key) from None
        mishap = take_mishap(key)
        if mishap == "answer lost":
            raise ConnectionError("the answer got lost")
        if mishap == "power cut":
            os.kill(os.getpid(), signal.SIGKILL)


def take_mishap(key: str) -> str | None:
    with database() as db:
        row = db.execute("DELETE FROM mishaps WHERE key = ? RETURNING what", (key,)).fetchone()
    return row[0] if row else None


class Payments:
    """The table of payments; whoever changes a status says which one it has seen."""

    def status(self, payment: int) -> tuple[str, str | None] | None:
        with database() as db:
            row: tuple[str, str | None] | None = db.execute(
                "SELECT status, handler FROM payments WHERE id = ?", (payment,)
            ).fetchone()
        return row

    def amount(self, payment: int) -> tuple[int, str]:
        with database() as db:
            cents, card = db.execute("SELECT cents, card FROM payments WHERE id = ?", (payment,)).fetchone()
        return cents, card

    def begin(self, payment: int, job_id: str) -> bool:
        with database() as db:
            changed = db.execute(
                "UPDATE payments SET status = 'processing', handler = ? WHERE id = ? AND status = 'pending'",
                (job_id, payment),
            )
        return changed.rowcount == 1

    def complete(self, payment: int, job_id: str) -> None:
        with database() as db:
            db.execute(
                "UPDATE payments SET status = 'completed' "
                "WHERE id = ? AND status = 'processing' AND handler = ?",
                (payment, job_id),
            )

    def give_up(self, job_id: str, status: str) -> None:
        with database() as db:
            db.execute(
                "UPDATE payments SET status = ? WHERE status = 'processing' AND handler = ?", (status, job_id)
            )


payments, gateway = Payments(), Gateway()


def close(job: Any, error: BaseException) -> None:
    """Let nobody wait for a job that is no more."""
    payments.give_up(job.job_id, "failed" if isinstance(error, Declined) else "unclear")


@task(queue="payments", max_attempts=3, timeout=30, backoff=PAUSE_S, discard_on=Declined, on_discard=close)
def pay(ctx: dict[str, Any], payment: int) -> str:
    job_id = ctx["job_id"]
    if not payments.begin(payment, job_id):
        match payments.status(payment):
            case None:
                raise Discard(f"there is no payment {payment}")
            case ("completed", _):
                return "was paid before"
            case ("processing", handler) if handler != job_id:
                raise Snooze(PAUSE_S)  # another job is at it: look again later
            case ("processing", _):
                pass  # an earlier run of this job did not get to its end
            case (status, _):
                raise Discard(f"payment {payment} is {status}")
    cents, card = payments.amount(payment)
    try:
        gateway.charge(f"payment-{payment}", cents, card)
        outcome = "paid"
    except AlreadyCharged:
        outcome = "paid, as the gateway knew"
    payments.complete(payment, job_id)
    return outcome


class WorkerSettings:
    functions = [pay]
    queue_name = "payments"
    redis_settings = REDIS
    lease = 2  # so that the example is short
    log_results = False


def prepare() -> None:
    DATABASE.unlink(missing_ok=True)
    with database() as db:
        db.executescript("""
            CREATE TABLE payments (id INTEGER PRIMARY KEY, cents, card, status DEFAULT 'pending', handler);
            CREATE TABLE charges (key PRIMARY KEY, cents);
            CREATE TABLE mishaps (key PRIMARY KEY, what);
            INSERT INTO payments (id, cents, card)
                VALUES (1, 500, 'good'), (2, 700, 'good'), (3, 900, 'good'), (4, 100, 'empty'),
                    (6, 200, 'unreachable');
            INSERT INTO payments (id, cents, card, status, handler)
                VALUES (5, 300, 'good', 'processing', 'somebody');
            INSERT INTO mishaps VALUES ('payment-2', 'answer lost'), ('payment-3', 'power cut');
        """)


async def work() -> None:
    worker = create_worker(WorkerSettings, burst=True)
    await worker.async_run()
    await worker.close()


async def release_when_seen() -> None:
    """Complete payment 5 by the hands of its other handler, once a job has looked at it."""
    snoozed = asyncio.Event()

    def notice(event: telemetry.JobStopped) -> None:
        if event.state == "snoozed":
            snoozed.set()

    with telemetry.attached("job.stop", notice):
        await snoozed.wait()
    payments.complete(5, "somebody")


async def main() -> None:
    prepare()
    pool = await create_pool(REDIS, default_queue_name="payments")

    cut = await pool.enqueue(pay, 3)
    killed = await asyncio.create_subprocess_exec(sys.executable, __file__, "worker")
    print("the worker was killed:", await killed.wait() == -signal.SIGKILL)

    once, twice = await pool.enqueue(pay, 1), await pool.enqueue(pay, 1)
    lost = await pool.enqueue(pay, 2)
    declined = await pool.enqueue(pay, 4)
    unclear = await pool.enqueue(pay, 6)
    other = await pool.enqueue(pay, 5)
    await asyncio.gather(work(), release_when_seen())

    print("twice:", sorted([await once.result(), await twice.result()]))
    print("answer lost:", await lost.result(), "after", (await lost.errors())[0].type)
    print("killed:", await cut.result())
    print("another one at it:", await other.result())
    for name, job, payment in (("declined", declined, 4), ("no answer", unclear, 6)):
        try:
            await job.result()
        except (Declined, ConnectionError):
            status, _ = payments.status(payment) or ("unknown", None)
            print(f"{name}: {status} after {len(await job.errors())} attempts")
    with database() as db:
        print("charges:", db.execute("SELECT key, cents FROM charges ORDER BY key").fetchall())
    await pool.aclose()


if __name__ == "__main__":
    if sys.argv[1:] == ["worker"]:
        run_worker(WorkerSettings)
    else:
        asyncio.run(main())
