"""``python -m benchmarks.ledger_rows``: fill a ledger with rows as years of work leave them behind.

Skewed as real ones are: few functions and queues make most of the rows, some values are on twenty rows,
one function is out of use for long, the newest jobs are open, and some have failed.
"""

from __future__ import annotations

import argparse
import asyncio
import time

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from arqlite.ledger import JobRow, Ledger

CHUNK = 250_000
DAYS = 90
RARE = 20
"""How many rows have the rare values."""


def main() -> None:
    """Read the command line and fill the ledger."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--url", required=True, help="the database, e.g. postgresql://postgres@127.0.0.1/jobs"
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument(
        "--attempts",
        action="store_true",
        help="a row for each job's last attempt, and the counts per minute, too",
    )
    options = parser.parse_args()
    asyncio.run(fill(options.url, options.rows, with_attempts=options.attempts))


async def fill(url: str, rows: int, *, with_attempts: bool = False) -> None:
    """Create the tables and write so many rows; refuses a ledger that has some."""
    ledger = Ledger(url)
    try:
        await ledger.upgrade()
        async with ledger.engine.connect() as connection:
            if await connection.scalar(
                select(func.count()).select_from(select(JobRow.id).limit(1).subquery())
            ):
                raise SystemExit("this ledger has rows already")
            await _fill(connection, rows, with_attempts)
    finally:
        await ledger.aclose()


async def _fill(connection: AsyncConnection, rows: int, with_attempts: bool) -> None:
    began = time.perf_counter()
    indexes = sorted(JobRow.__table__.indexes, key=lambda index: str(index.name))
    for index in indexes:
        await connection.run_sync(index.drop)
    statement = text(_jobs(_Postgresql if connection.dialect.name == "postgresql" else _Sqlite))
    for first in range(1, rows + 1, CHUNK):
        numbers = {"first": first, "last": min(first + CHUNK - 1, rows), "rows": rows}
        await connection.execute(statement, numbers)
        await connection.commit()
        _tell(f"{numbers['last']:,} rows", began)
    if with_attempts:
        await connection.execute(text(_ATTEMPTS))
        await connection.commit()
        _tell("their attempts", began)
        is_postgresql = connection.dialect.name == "postgresql"
        await connection.execute(text(_minutes(_Postgresql if is_postgresql else _Sqlite)))
        await connection.commit()
        _tell("their counts per minute", began)
    for index in indexes:
        await connection.run_sync(index.create)
        await connection.commit()
        _tell(str(index.name), began)
    await connection.commit()
    await connection.execution_options(isolation_level="AUTOCOMMIT")
    await connection.execute(text("VACUUM ANALYZE" if connection.dialect.name == "postgresql" else "ANALYZE"))
    _tell("statistics", began)


def _tell(what: str, began: float) -> None:
    print(f"{time.perf_counter() - began:7.1f} s  {what}", flush=True)


class _Postgresql:
    """What the two databases say differently."""

    numbers = "generate_series(CAST(:first AS BIGINT), CAST(:last AS BIGINT)) AS numbers(n)"
    job_id = "md5(CAST(n AS TEXT))"
    record = "convert_to('Q0{}', 'UTF8')"
    whole = "CAST(floor({}) AS BIGINT)"
    json = "CAST({} AS JSON)"
    before = f"now() - make_interval(secs => (:rows - n) * {DAYS * 86_400}.0 / :rows + {{}} / 1000.0)"
    minute = "CAST(extract(epoch FROM {}) AS BIGINT) / 60"


class _Sqlite(_Postgresql):
    numbers = """(WITH RECURSIVE counted(n) AS (
        SELECT :first UNION ALL SELECT n + 1 FROM counted WHERE n < :last
    ) SELECT n FROM counted) AS numbers"""
    job_id = "lower(hex(randomblob(16)))"
    record = "CAST('Q0{}' AS BLOB)"
    whole = "CAST({} AS INTEGER)"
    json = "{}"
    before = (
        "strftime('%Y-%m-%d %H:%M:%f000', 'now', "
        f"printf('%+.3f seconds', -((:rows - n) * {DAYS * 86_400}.0 / :rows + {{}} / 1000.0)))"
    )
    minute = "CAST(strftime('%s', {}) AS INTEGER) / 60"


def _jobs(words: type[_Postgresql]) -> str:
    """The statement that writes a chunk of rows; what looks like chance is made of `n` and a prime."""

    def chance(prime: int) -> str:
        return f"((n * {prime} % 4294967291) / 4294967291.0)"

    def pick(count: int, prime: int) -> str:
        """One of so many, the first ones by far the most often."""
        drawn = chance(prime)
        return words.whole.format(f"{count} * {drawn} * {drawn} * {drawn}")

    def word(prefix: str, number: str) -> str:
        return f"'{prefix}' || CAST({number} AS TEXT)"

    is_rare = f"n % (:rows / {RARE}) = 0"
    status = f"""CASE
        WHEN n > :rows * 0.9999 THEN CASE WHEN {chance(2654435761)} < 0.1 THEN 'RUNNING' ELSE 'QUEUED' END
        WHEN {chance(2246822519)} < 0.002 THEN 'QUEUED'
        WHEN {chance(3266489917)} < 0.03 THEN 'FAILED'
        WHEN {chance(3266489917)} < 0.035 THEN 'CANCELLED'
        ELSE 'SUCCESS' END"""
    tag = f"CASE WHEN {is_rare} THEN 'rare' ELSE {word('tag-', pick(1000, 1597334677))} END"
    json = words.json.format
    args = json("'[' || CAST(n AS TEXT) || ']'")
    kwargs = json("""'{"user_id": ' || CAST(n % 99991 AS TEXT) || ', "kind": "daily"}'""")
    tags = json(
        f"""CASE WHEN {chance(668265263)} < 0.3
            THEN '["' || tag || '", "plan-' || CAST(n % 3 AS TEXT) || '"]' END"""
    )
    failure = (
        '{"type": "ValueError", "message": "no luck", "traceback": "' + "  File jobs.py, line 1; " * 20 + '"}'
    )
    error = json(f"CASE status WHEN 'FAILED' THEN '{failure}' END")
    output = json("""CASE status WHEN 'SUCCESS' THEN '{"done": true}' END""")
    return f"""
        INSERT INTO arqlite_jobs (
            id, queue, job_type, function, status, state, cause, args, kwargs, tags, priority, error_payload,
            output_payload, triggered_by, user_id, parent, attempt, worker, enqueued_at, created_at,
            queued_at, started_at, finished_at, updated_at, pushed_at, record
        )
        SELECT
            {words.job_id}, queue, function, function, status,
            CASE status WHEN 'SUCCESS' THEN 'completed' WHEN 'FAILED' THEN 'discarded'
                WHEN 'CANCELLED' THEN 'cancelled' WHEN 'RUNNING' THEN 'executing'
                ELSE CASE n % 4 WHEN 0 THEN 'scheduled' WHEN 1 THEN 'retryable' ELSE 'available' END END,
            CASE status WHEN 'CANCELLED' THEN 'CANCELLED' WHEN 'FAILED' THEN
                CASE WHEN n % 50 = 0 THEN 'LOST' WHEN n % 5 = 0 THEN 'TIMEOUT' ELSE 'ERROR' END END,
            {args}, {kwargs}, {tags}, 0, {error}, {output},
            CASE WHEN {chance(374761393)} < 0.1 THEN 'api' WHEN {chance(374761393)} < 0.12
                THEN {word("user:", "n % 5000")} ELSE 'queue' END,
            CASE WHEN {chance(3432918353)} < 0.5 THEN {pick(100_000, 461845907)} END,
            CASE WHEN {chance(1274126177)} < 0.1 THEN {word("parent-", "n / 20")} END,
            1, {word("host:", "n % 12")},
            created, created, created,
            CASE status WHEN 'QUEUED' THEN NULL ELSE created END,
            CASE WHEN status NOT IN ('QUEUED', 'RUNNING') THEN finished END,
            finished, finished,
            CASE WHEN status IN ('QUEUED', 'RUNNING') THEN {words.record} END
        FROM (
            SELECT n, {status} AS status, {tag} AS tag,
                CASE WHEN {is_rare} THEN 'rare' WHEN n < :rows / 3 AND n % 7 = 0 THEN 'queue-old'
                    ELSE {word("queue-", pick(8, 2654435789))} END AS queue,
                CASE WHEN {is_rare} THEN 'rare' WHEN n < :rows / 3 AND n % 9 = 0 THEN 'function_old'
                    ELSE {word("function_", pick(60, 2246822507))} END AS function,
                {words.before.format(0)} AS created,
                {words.before.format(-250)} AS finished
            FROM {words.numbers}
        ) AS made
    """


def _minutes(words: type[_Postgresql]) -> str:
    """The statement that counts them, as a ledger does while jobs end; each ran 250 ms and never waited."""
    return f"""
        INSERT INTO arqlite_minutes (
            minute, queue, function, state, count, run_ms, wait_ms, longest_run_ms, longest_wait_ms
        )
        SELECT {words.minute.format("finished_at")} AS minute, queue, function, state,
            count(*), 250 * count(*), 0, 250, 0
        FROM arqlite_jobs WHERE finished_at IS NOT NULL GROUP BY 1, 2, 3, 4 ORDER BY 1
    """


_ATTEMPTS = """
    INSERT INTO arqlite_attempts (job_id, queue, attempt, worker, state, cause, started_at, finished_at)
    SELECT id, queue, attempt, worker, state, cause, started_at, finished_at
    FROM arqlite_jobs WHERE started_at IS NOT NULL
"""


if __name__ == "__main__":
    main()
