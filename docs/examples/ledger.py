"""The ledger's page as a program: `python ledger.py`."""

import asyncio

from sqlalchemy import select
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase

from arqlite import ledger
from arqlite.ledger import JobRowMixin, Ledger, configure_sqlite, create_missing_tables

engine = configure_sqlite(create_async_engine("sqlite+aiosqlite:///ledger.db", hide_parameters=True))
AsyncSessionLocal = async_sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    pass


class Job(JobRowMixin, Base):
    __tablename__ = "jobs"


class JobRunner(ledger.JobRunner[Job]):
    row_model = Job


class Import(ledger.BaseJob[Job]):
    async def run(self) -> dict[str, int]:
        # The work, with self.db, self.input_payload and self.job_record at hand.
        return {"imported": 3}


async def run_import(ctx, user_id: int):
    async with AsyncSessionLocal() as db:
        return await JobRunner(db).run_job(Import, "IMPORT", {"user_id": user_id}, user_id=user_id)


class WorkerSettings:
    functions = [run_import]
    ledger = Ledger(engine, row_model=Job)


async def main() -> None:
    await create_missing_tables(engine, Base.metadata)
    await run_import({}, user_id=1)
    async with AsyncSessionLocal() as db:
        for job in (await db.execute(select(Job))).scalars():
            print(job.job_type, job.status, job.output_payload)
    await engine.dispose()


if __name__ == "__main__":
    asyncio.run(main())
