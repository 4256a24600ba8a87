"""E-mail after the commit: `python after_commit.py`."""

import asyncio
import mailbox
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from arqlite import ArqRedis, Job, RedisSettings, create_pool, cron, task
from arqlite.embedded import EmbeddedServer
from arqlite.worker import create_worker

REDIS = RedisSettings.from_dsn(os.environ.get("REDIS_URL") or EmbeddedServer.ensure().url())


class Orders:
    """The table of orders, in a SQLite file: who ordered, when, and whether the mail went out."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self.open() as db:
            db.execute(
                "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer, "
                "at DEFAULT (unixepoch()), confirmed DEFAULT FALSE)"
            )

    @contextmanager
    def open(self) -> Iterator[sqlite3.Connection]:
        with (
            closing(sqlite3.connect(self.path, timeout=10)) as db,
            db,
        ):  # leaves with a commit, or rolled back
            yield db

    def write(self, customer: str) -> int:
        with self.open() as db:
            if "@" not in customer:
                raise ValueError(f"{customer} is no address")
            written = db.execute("INSERT INTO orders (customer) VALUES (?)", (customer,))
        assert written.lastrowid is not None
        return written.lastrowid

    def customer(self, order: int) -> tuple[str, bool]:
        with self.open() as db:
            customer, confirmed = db.execute(
                "SELECT customer, confirmed FROM orders WHERE id = ?", (order,)
            ).fetchone()
        return customer, bool(confirmed)

    def confirm(self, order: int) -> None:
        with self.open() as db:
            db.execute("UPDATE orders SET confirmed = TRUE WHERE id = ?", (order,))

    def unconfirmed(self, older_than_s: int) -> list[int]:
        with self.open() as db:
            rows = db.execute(
                "SELECT id FROM orders WHERE NOT confirmed AND at <= unixepoch() - ? ORDER BY id",
                (older_than_s,),
            ).fetchall()
        return [order for (order,) in rows]


@task(queue="mail", max_attempts=10, timeout=60)
def send_confirmation(ctx: dict[str, Any], order: int) -> str:
    orders: Orders = ctx["orders"]
    customer, confirmed = orders.customer(order)
    if confirmed:
        return "confirmed before"
    mail = EmailMessage()
    mail["To"], mail["Subject"] = customer, f"Order {order}"
    mail["Message-ID"] = f"<order-{order}@shop.example>"
    mail.set_content("Thank you for your order.")
    ctx["outgoing"].add(mail)  # your mail server
    orders.confirm(order)
    return f"told {customer}"


async def enqueue_confirmation(pool: ArqRedis, order: int) -> Job[str]:
    return await pool.options(job_id=f"confirm-{order}").enqueue(send_confirmation, order)


async def place_order(pool: ArqRedis, orders: Orders, customer: str) -> int:
    order = orders.write(customer)  # committed when it returns
    await enqueue_confirmation(pool, order)
    return order


async def sweep(ctx: dict[str, Any]) -> int:
    """Enqueue what was committed and never enqueued; what waits already is met by its id."""
    orders: Orders = ctx["orders"]
    left = await asyncio.to_thread(orders.unconfirmed, ctx["patience_s"])
    jobs = [await enqueue_confirmation(ctx["redis"], order) for order in left]
    return sum(not job.conflict for job in jobs)


class WorkerSettings:
    functions = [send_confirmation]
    cron_jobs = [cron(sweep, crontab="* * * * *", keep_result=60)]
    queue_name = "mail"
    redis_settings = REDIS
    ctx = {"patience_s": 60}
    log_results = False


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        orders = Orders(Path(folder) / "orders.db")
        outgoing = mailbox.Maildir(f"{folder}/outgoing")
        pool = await create_pool(REDIS)

        first = await place_order(pool, orders, "ada@example.org")
        again = await enqueue_confirmation(pool, first)
        print("repeated:", again.conflict)
        try:
            await place_order(pool, orders, "nobody")
        except ValueError as error:
            print("rolled back:", error)
        orders.write("bob@example.org")  # and here the power went out
        worker = create_worker(
            WorkerSettings,
            burst=True,
            ctx={"orders": orders, "outgoing": outgoing, "patience_s": 0},
        )
        await worker.async_run()
        print("sent:", sorted(mail["To"] for mail in outgoing))

        swept = await sweep({"redis": pool, "orders": orders, "patience_s": 0})
        print("swept:", swept, "and again:", await sweep({"redis": pool, "orders": orders, "patience_s": 0}))
        await worker.async_run()
        print("sent:", sorted(mail["To"] for mail in outgoing))
        await worker.close()
        await pool.aclose()


if __name__ == "__main__":
    asyncio.run(main())
