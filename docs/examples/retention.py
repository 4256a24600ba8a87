"""The page of the ledger's tables as a program: `python retention.py`."""

import asyncio
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from arqlite import Inspector, RedisSettings, create_pool
from arqlite.ledger import (
    JobRow,
    Ledger,
    LedgerStatus,
    Retention,
    include_object,
    render_item,
    utc_now,
)

ledger = Ledger(
    "sqlite:///ledger.db",
    upgrade=False,  # the deployment does it
    keep=Retention(
        success=timedelta(days=7),
        failed=timedelta(days=365),
        queues={"mail": {"success": timedelta(days=1)}},
        functions={"heartbeat": 3600, "charge": None},
        max_rows=5_000_000,
    ),
)


async def deploy() -> None:
    await ledger.upgrade()  # what `arqlite db upgrade` does
    await ledger.check()  # raises LedgerError, in words, if a worker of this version could not start


def configure(context: Any, connection: Any, metadata: Any) -> None:
    """In `migrations/env.py` of the application."""
    context.configure(
        connection=connection,
        target_metadata=metadata,
        include_object=include_object,
        render_item=render_item,
    )


async def take_a_break(settings: RedisSettings) -> None:
    pool = await create_pool(settings, ledger=ledger)
    await Inspector(pool, by="ada").pause_queue("mail")
    await pool.aclose()  # writes what waits
    for entry in (await ledger.audit(queue="mail")).items:
        print(entry.at, entry.actor, entry.action)  # ... ada queue.pause


async def add(job_id: str, function: str, days: int) -> None:
    """Write a row such as workers write, of a job that ended so many days ago."""
    async with ledger.sessions.begin() as db:
        db.add(
            JobRow(
                id=job_id,
                queue="mail",
                job_type=function,
                function=function,
                status=LedgerStatus.SUCCESS,
                finished_at=utc_now() - timedelta(days=days),
            )
        )


async def main() -> None:
    await deploy()
    await add("invoice-1", "charge", days=900)
    await add("welcome-1", "send", days=2)
    await add("welcome-2", "send", days=0)
    print("pruned", (await ledger.prune())["jobs"])
    async with ledger.sessions() as db:
        print("left", *(await db.execute(select(JobRow.id).order_by(JobRow.id))).scalars())
    await ledger.aclose()


if __name__ == "__main__":
    asyncio.run(main())
