"""The systems that keep a row for each job: arqlite with its ledger, and queues that live in PostgreSQL."""

from __future__ import annotations

from .queues import left_of_arqlite
from .system import Fact, Rows, System
from .wire import Wire

BEHIND = "arqlite pg"
STRICT = "arqlite pg strict"
BEHIND_SQLITE = "arqlite sqlite"
STRICT_SQLITE = "arqlite sqlite strict"
PGQUEUER = ("pgqueuer", "pgqueuer unbounded")

DRAIN = "ledger"
ACCEPT = "accept"


def _none(_wire: Wire) -> int:
    return 0


_OURS = Rows(
    final=(
        Fact("open rows", "SELECT count(*) FROM arqlite_jobs WHERE status IN ('QUEUED', 'RUNNING')"),
        Fact("final rows", "SELECT count(*) FROM arqlite_jobs WHERE finished_at IS NOT NULL", per_job=True),
        Fact(
            "ended attempts",
            "SELECT count(*) FROM arqlite_attempts WHERE finished_at IS NOT NULL",
            per_job=True,
        ),
    ),
    sound=(
        Fact("successful rows", "SELECT count(*) FROM arqlite_jobs WHERE status = 'SUCCESS'", per_job=True),
        Fact("second attempts", "SELECT count(*) FROM arqlite_attempts WHERE attempt <> 1"),
        Fact("rows with a second attempt", "SELECT count(*) FROM arqlite_jobs WHERE attempt <> 1"),
        Fact(
            "attempts without a row",
            "SELECT count(*) FROM arqlite_attempts AS a LEFT JOIN arqlite_jobs AS j"
            " ON j.id = a.job_id AND j.queue = a.queue WHERE j.id IS NULL",
        ),
        Fact("runs in the roll-ups", "SELECT coalesce(sum(count), 0) FROM arqlite_minutes", per_job=True),
    ),
)

_PGQUEUER = Rows(
    final=(
        Fact("open rows", "SELECT count(*) FROM pgqueuer"),
        Fact("log", "SELECT count(*) FROM pgqueuer_log WHERE status = 'successful'", per_job=True),
    )
)
_OBAN = Rows(
    final=(Fact("completed jobs", "SELECT count(*) FROM oban_jobs WHERE state = 'completed'", per_job=True),)
)
_PROCRASTINATE = Rows(
    final=(
        Fact(
            "succeeded jobs",
            "SELECT count(*) FROM procrastinate_jobs WHERE status = 'succeeded'",
            per_job=True,
        ),
    )
)


def _ours(name: str, database: str, setup: str, rate: int, *measures: str, **options: float) -> System:
    driver = {"sqlite": "aiosqlite", "postgresql": "asyncpg"}.get(database, "psycopg")
    return System(
        name,
        "arqlite_ledger",
        (),
        ("sqlalchemy", driver),
        rate,
        left_of_arqlite,
        None,
        setup,
        measures=frozenset(measures),
        options=options,
        database=database,
        rows=_OURS,
    )


def _peer(
    name: str,
    adapter: str,
    installs: tuple[str, ...],
    rate: int,
    rows: Rows,
    setup: str,
    *,
    measures: tuple[str, ...] = (DRAIN, ACCEPT),
    python: tuple[int, int] = (3, 11),
    **options: float,
) -> System:
    return System(
        name,
        adapter,
        (*installs, "uvloop>=0.21"),
        (adapter, "asyncpg" if adapter == "pgqueuer" else "psycopg", "uvloop"),
        rate,
        _none,
        None,
        setup,
        measures=frozenset(measures),
        options=options,
        database="postgresql",
        rows=rows,
        python=python,
    )


LEDGERS: tuple[System, ...] = (
    _ours(BEHIND, "postgresql", "rows a few ms behind, asyncpg; jobs accepted with their row", 20_000, DRAIN),
    _ours("arqlite pg psycopg", "postgresql+psycopg", "the same with psycopg", 15_000, DRAIN),
    _ours(
        "arqlite pg rowless",
        "postgresql",
        "the same, but the worker opens the rows",
        15_000,
        DRAIN,
        rowless=1,
    ),
    _ours(
        STRICT,
        "postgresql",
        "a row is committed before a job is accepted, its outcome before Redis forgets it",
        15_000,
        DRAIN,
        ACCEPT,
        strict=1,
    ),
    _ours(
        "arqlite pg session",
        "postgresql",
        "enqueued in the caller's transactions: one job in each, in bulk a thousand",
        0,
        ACCEPT,
        session=1,
    ),
    _ours(BEHIND_SQLITE, "sqlite", "rows a few ms behind, in a file on the same disk", 20_000, DRAIN),
    _ours(STRICT_SQLITE, "sqlite", "strict, as on PostgreSQL", 15_000, DRAIN, ACCEPT, strict=1),
    _ours(
        "arqlite sqlite session",
        "sqlite",
        "in the caller's transactions, as on PostgreSQL",
        0,
        ACCEPT,
        session=1,
    ),
    _peer(
        PGQUEUER[0],
        "pgqueuer",
        ("pgqueuer[asyncpg]>=1",),
        7_000,
        _PGQUEUER,
        "asyncpg, at most 100 jobs at once, the largest batch that it allows with them (50), autovac applied",
    ),
    _peer(
        PGQUEUER[1],
        "pgqueuer",
        ("pgqueuer[asyncpg]>=1",),
        9_000,
        _PGQUEUER,
        "its best: no bound on what runs at once, batches of 1,000",
        measures=(DRAIN,),
        batch=1000,
        uncapped=1,
    ),
    _peer(
        "oban",
        "oban",
        ("oban>=0.7",),
        3_000,
        _OBAN,
        "queue limit 100, the pool it makes itself",
        python=(3, 12),
    ),
    _peer(
        "procrastinate",
        "procrastinate",
        ("procrastinate>=3", "psycopg[binary,pool]"),
        300,
        _PROCRASTINATE,
        "psycopg, concurrency 100, jobs kept",
    ),
)
