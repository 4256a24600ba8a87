"""Lists of jobs: which rows a condition means, and their pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from query_toys import fill, ids_of, minutes, mixed, row
from sqlalchemy import text

from arqlite import func
from arqlite.errors import ConfigurationError, LedgerError, LedgerTooSlow
from arqlite.inspector import JobFilter
from arqlite.ledger import AttemptRow, JobRow, Ledger, LedgerFilter, LedgerStatus, store
from arqlite.ledger.answers import Count
from arqlite.ledger.reading import reading
from arqlite.ledger.store import listing
from arqlite.model.states import JobState

CONDITIONS: list[tuple[dict[str, Any], Callable[[dict[str, Any]], bool]]] = [
    ({}, lambda r: True),
    ({"status": "QUEUED"}, lambda r: r["status"] == "QUEUED"),
    ({"status": ["SUCCESS", "FAILED"]}, lambda r: r["status"] in ("SUCCESS", "FAILED")),
    ({"state": "scheduled"}, lambda r: r["state"] == "scheduled"),
    ({"state": ["retryable", "discarded"]}, lambda r: r["state"] in ("retryable", "discarded")),
    ({"state": "incomplete"}, lambda r: not JobState(r["state"]).is_final),
    ({"status": "QUEUED", "state": ["available", "completed"]}, lambda r: r["state"] == "available"),
    ({"cause": "TIMEOUT"}, lambda r: r["cause"] == "TIMEOUT"),
    ({"queue": "rare"}, lambda r: r["queue"] == "rare"),
    ({"queue": ["rare", "mail"]}, lambda r: r["queue"] != "main"),
    ({"function": "function_3"}, lambda r: r["function"] == "function_3"),
    ({"function": ["function_3", "function_4"]}, lambda r: r["function"] in ("function_3", "function_4")),
    ({"job_type": "REPORT"}, lambda r: r["job_type"] == "REPORT"),
    ({"job_type": ["REPORT", "function_1"]}, lambda r: r["job_type"] in ("REPORT", "function_1")),
    ({"tags": "red"}, lambda r: "red" in (r["tags"] or ())),
    ({"tags": "blue"}, lambda r: "blue" in (r["tags"] or ())),
    ({"tags": ["blue", "a"]}, lambda r: {"blue", "a"} <= set(r["tags"] or ())),
    ({"user_id": 6}, lambda r: r["user_id"] == 6),
    ({"user_id": [6, 0]}, lambda r: r["user_id"] in (6, 0)),
    ({"parent": "job-0006"}, lambda r: r["parent"] == "job-0006"),
    ({"triggered_by": "user:7"}, lambda r: r["triggered_by"] == "user:7"),
    ({"triggered_by": ["user:7", "system"]}, lambda r: r["triggered_by"] in ("user:7", "system")),
    ({"worker": "host:2"}, lambda r: r["worker"] == "host:2"),
    ({"priority": 2}, lambda r: r["priority"] == 2),
    ({"kwargs": {"user": {"id": 4}}}, lambda r: r["kwargs"]["user"]["id"] == 4),
    ({"meta": [{"trace": 1}, {"trace": 2}]}, lambda r: r["meta"]["trace"] in (1, 2)),
    ({"args": (4,)}, lambda r: r["args"] == [4]),
    ({"error": "50% OF 12"}, lambda r: "50% of 12" in (r["error_payload"] or {}).get("message", "")),
    ({"error": "Äpfel"}, lambda r: r["error_payload"] is not None),
    ({"error": "_0% of"}, lambda r: False),
    (
        {"created_from": minutes(10), "created_to": minutes(20)},
        lambda r: minutes(10) <= r["created_at"] < minutes(20),
    ),
    ({"finished_from": minutes(30)}, lambda r: r["finished_at"] and r["finished_at"] >= minutes(30)),
    ({"finished_to": minutes(30)}, lambda r: r["finished_at"] and r["finished_at"] < minutes(30)),
    ({"ids": ["job-0007", "cron:0010", "none"]}, lambda r: r["id"] in ("job-0007", "cron:0010")),
    (
        {"function": "function_1", "status": "FAILED", "queue": "main"},
        lambda r: (r["function"], r["status"], r["queue"]) == ("function_1", "FAILED", "main"),
    ),
]  # fmt: skip


@pytest.fixture
async def rows(ledger: Ledger) -> list[dict[str, Any]]:
    """Many rows in the ledger, the newest first."""
    made = mixed(126)
    await fill(ledger, made)
    return sorted(made, key=lambda one: (one["created_at"], one["id"]), reverse=True)


async def test_conditions_mean_the_right_rows(ledger: Ledger, rows: list[dict[str, Any]]) -> None:
    """Each condition gives all rows that it means and no other, once each and the newest first."""
    for conditions, means in CONDITIONS:
        expected = [one["id"] for one in rows if means(one)]

        assert await ids_of(ledger, **conditions) == expected, conditions
        assert await ids_of(ledger, limit=20, **conditions) == expected, conditions
        assert (await ledger.count(**conditions)).value == len(expected), conditions


@pytest.mark.parametrize("engine", ["psycopg"], indirect=True)
async def test_the_other_driver_is_asked_alike(ledger: Ledger, rows: list[dict[str, Any]]) -> None:
    """PostgreSQL's other driver takes the same questions."""
    for conditions, means in CONDITIONS:
        expected = [one["id"] for one in rows if means(one)]

        assert await ids_of(ledger, **conditions) == expected, conditions
    assert (await ledger.stats(per="hour")).open[JobState.AVAILABLE] == 18
    assert (await ledger.audit()).items == []
    with pytest.raises(LedgerTooSlow):
        async with reading(ledger.sessions, 0.05) as db:
            await db.execute(text("SELECT pg_sleep(60)"))


async def test_pages_go_on_where_looking_ended(
    ledger: Ledger, rows: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page looks at so many rows and no more; whoever goes on finds the rest, and nothing twice."""
    monkeypatch.setattr(listing, "LOOKS", (10, 25))
    first = await ledger.jobs(worker="nobody")

    assert (list(first.items), first.next is None) == ([], False)
    for conditions, means in CONDITIONS:
        expected = [one["id"] for one in rows if means(one)]
        assert await ids_of(ledger, limit=8, **conditions) == expected, conditions


async def test_prefixes_come_in_the_order_of_ids(ledger: Ledger, rows: list[dict[str, Any]]) -> None:
    """Ids that begin in some way come in their own order, whatever characters they have."""
    persian = "cron:\N{OLD PERSIAN SIGN A}"
    await fill(ledger, [row("cron%"), row("cron_"), row("croz"), row(persian)])

    found = await ids_of(ledger, id_prefix="cron:", limit=4)

    assert found == sorted(one["id"] for one in [*rows, row(persian)] if one["id"].startswith("cron:"))
    assert await ids_of(ledger, id_prefix="cron%") == ["cron%"]
    assert await ids_of(ledger, id_prefix="cron:", status="FAILED") == sorted(
        one["id"] for one in rows if one["id"].startswith("cron:") and one["status"] == "FAILED"
    )


async def test_same_id_in_two_queues(ledger: Ledger) -> None:
    """Rows of one id and one moment are two rows on two pages, and a job is asked for with its queue then."""
    await fill(ledger, [row("one", queue="a"), row("one", queue="b")])

    first = await ledger.jobs(limit=1)
    second = await ledger.jobs(limit=1, after=first.next)

    assert [one.queue for one in (*first.items, *second.items)] == ["b", "a"]
    assert second.next is None
    with pytest.raises(LedgerError, match="queues a, b"):
        await ledger.job("one")
    story = await ledger.job("one", queue="a")
    assert story is not None
    assert story.row.queue == "a"


async def test_rows_that_come_meanwhile_shift_no_page(ledger: Ledger, rows: list[dict[str, Any]]) -> None:
    """A row that is written between two pages makes no other one appear twice or not at all."""
    first = await ledger.jobs(limit=10)
    await fill(ledger, [row("new", at=10_000)])

    second = await ledger.jobs(limit=10, after=first.next)

    assert [one.id for one in (*first.items, *second.items)] == [one["id"] for one in rows[:20]]


async def test_last_page_says_so(ledger: Ledger) -> None:
    """A page that ends with the last row has no cursor, also if it is full."""
    await fill(ledger, [row("a"), row("b")])

    assert (await ledger.jobs(limit=2)).next is None
    assert (await ledger.jobs(limit=2, status="FAILED")).items == []


async def test_filters_can_be_handed_in(ledger: Ledger, rows: list[dict[str, Any]]) -> None:
    """A filter that was made before, or that the inspector uses, says the same as conditions."""
    failed = [one["id"] for one in rows if one["state"] == "discarded"]

    assert [
        one.id for one in (await ledger.jobs(LedgerFilter.of(status="FAILED"), limit=500)).items
    ] == failed
    assert [one.id for one in (await ledger.jobs(JobFilter.of(state="discarded"), limit=500)).items] == failed


async def test_arguments_are_found_by_name_wherever_they_were_given(ledger: Ledger) -> None:
    """With the function itself at hand, an argument by position is found by its name, too."""

    async def work(ctx: dict[str, Any], to: str, times: int = 1) -> None: ...

    send = func(work, name="send")
    await fill(
        ledger,
        [
            row("by-name", function="send", args=[], kwargs={"to": "ada", "times": 2}),
            row("by-place", function="send", args=["ada", 2], kwargs={}),
            row("other", function="send", args=["eve", 2], kwargs={}),
            row("one-dict", function="other", args=[{"to": "ada"}], kwargs={}),
        ],
    )

    assert await ids_of(ledger, function=send, args={"to": "ada", "times": 2}) == ["by-place", "by-name"]
    assert await ids_of(ledger, args={"to": "ada"}) == ["one-dict", "by-name"]


async def test_long_tags_are_found(ledger: Ledger) -> None:
    """Of a tag only the beginning is in the index; the rest is compared all the same."""
    long = "x" * 5_000
    await fill(
        ledger, [row("a", tags=[long + "1"]), row("b", tags=["t", long + "2"]), row("c", tags=["x" * 100])]
    )

    assert await ids_of(ledger, tags=long + "1") == ["a"]
    assert await ids_of(ledger, tags=long + "2") == ["b"]
    assert await ids_of(ledger, tags="x" * 100) == ["c"]


async def test_zero_characters_break_no_question(ledger: Ledger) -> None:
    """Rows with a U+0000 in their JSON, which PostgreSQL cannot read, are written and passed by."""
    await fill(
        ledger,
        [row("nul", tags=["a\0"], kwargs={"a": "\0", "b": 1}), row("plain", tags=["a"], kwargs={"b": 1})],
    )

    assert set(await ids_of(ledger, kwargs={"b": 1})) - {"nul"} == {"plain"}
    assert set(await ids_of(ledger, tags="a")) - {"nul"} == {"plain"}
    assert await ids_of(ledger, kwargs={"a": "x\0"}) == []


async def test_own_rows_are_listed(ledger: Ledger) -> None:
    """A ledger of another class than the library's gives rows of that class, by tags, too."""
    from ledger_toys import Row

    own = Ledger(ledger.engine, row_model=Row)
    async with own.sessions.begin() as db:
        db.add(Row(**row("own", tags=["red"])))

    [found] = (await own.jobs(tags="red")).items

    assert isinstance(found, Row)


async def test_injection_is_text(ledger: Ledger, rows: list[dict[str, Any]]) -> None:
    """What is asked for is never SQL."""
    evil = "x'; DROP TABLE arqlite_jobs; --"

    assert await ids_of(ledger, queue=evil, worker=evil, id_prefix=evil, error=evil, tags=evil) == []
    assert await ids_of(ledger, kwargs={evil: evil, '"': {"$": 1}}) == []
    assert len(await ids_of(ledger)) == len(rows)


async def test_jobs_come_with_their_attempts(ledger: Ledger) -> None:
    """A job is told with its attempts, the first one first; one that nobody knows is None."""
    await fill(ledger, [row("a")])
    async with ledger.sessions.begin() as db:
        for attempt in (2, 1):
            db.add(AttemptRow(job_id="a", queue="main", attempt=attempt, state="completed"))
        db.add(AttemptRow(job_id="a", queue="other", attempt=1, state="lost"))

    story = await ledger.job("a")

    assert story is not None
    assert story.row.status is LedgerStatus.SUCCESS
    assert [one.attempt for one in story.attempts] == [1, 2]
    assert [one.state for one in await ledger.attempts("a", queue="other")] == ["lost"]
    assert await ledger.job("b") is None


@pytest.mark.parametrize("cursor", ["", "x", "!!!", "bnVsbA", "W10", "1", "ä", "WyJpZCIsMSwiYSIsImIiXQ"])
async def test_wrong_cursors_are_refused(ledger: Ledger, cursor: str) -> None:
    """What is no cursor of the list is told so, and asks the database nothing."""
    with pytest.raises(ConfigurationError, match="no cursor of this list"):
        await ledger.jobs(after=cursor)


@pytest.mark.parametrize("limit", [0, -1, 1.5, None, True])
async def test_wrong_limits_are_refused(ledger: Ledger, limit: Any) -> None:
    """A page has at least one row."""
    with pytest.raises(ConfigurationError, match="limit"):
        await ledger.jobs(limit=limit)


@pytest.mark.parametrize("engine", ["sqlite", "postgres", "psycopg"], indirect=True)
async def test_counts_stop(
    ledger: Ledger, rows: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond so many rows nobody counts: PostgreSQL guesses, SQLite says how many there are at least."""
    monkeypatch.setattr("arqlite.ledger.queries.MOST_COUNTED", 100)
    if ledger.engine.dialect.name == "postgresql":
        async with ledger.sessions.begin() as db:
            await db.execute(text("ANALYZE arqlite_jobs"))

    count = await ledger.count()

    if ledger.engine.dialect.name == "postgresql":
        assert (count.precision, str(count)) == ("about", "~126")
    else:
        assert (count.precision, str(count)) == ("at least", "100+")
    assert str(await ledger.count(queue="rare")) == "8"


async def test_states_of_few_rows_are_counted(ledger: Ledger, rows: list[dict[str, Any]]) -> None:
    """Of so many rows as may be looked at each state has its number."""
    counted = await ledger.count_by_state(queue="main")

    assert counted == {
        state: Count(sum(one["queue"] == "main" and one["state"] == state for one in rows))
        for state in JobState
    }


async def test_states_of_many_rows_are_guessed_where_there_are_statistics(ledger: Ledger) -> None:
    """PostgreSQL knows about how many rows are in which state; with a tag only of those it looked at."""
    states = [JobState.COMPLETED, JobState.COMPLETED, JobState.COMPLETED, JobState.DISCARDED]
    await fill(ledger, [row(f"{n}", states[n % 4], at=n, tags=["red"]) for n in range(400)])
    if is_guessing := ledger.engine.dialect.name == "postgresql":
        async with ledger.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            await connection.execute(text("ANALYZE arqlite_jobs"))

    guessed = await ledger.count_by_state(queue="main", most=100)
    looked_at = await ledger.count_by_state(tags="red", most=100)

    assert looked_at[JobState.COMPLETED] == Count(75, "at least")
    if is_guessing:
        assert guessed[JobState.COMPLETED].precision == "about"
        assert 250 <= guessed[JobState.COMPLETED].value <= 350
        assert 50 <= guessed[JobState.DISCARDED].value <= 150
    else:
        assert guessed == looked_at


async def test_old_pages_are_whole(
    ledger: Ledger, rows: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`store.page` looks on until its page is full."""
    monkeypatch.setattr(listing, "LOOKS", (10, 25))
    expected = [one["id"] for one in rows if one["job_type"] == "REPORT" and one["status"] == "FAILED"]
    async with ledger.sessions() as db:
        found = await store.page(db, JobRow, job_type="REPORT", status=LedgerStatus.FAILED, limit=2)
        rest = await store.page(
            db,
            JobRow,
            job_type="REPORT",
            status=LedgerStatus.FAILED,
            before=(found[-1].created_at, found[-1].id),
        )

    assert [one.id for one in (*found, *rest)] == expected
    assert len(found) == 2


async def test_ids_with_rows_are_told_of_one_queue(ledger: Ledger) -> None:
    """Of any number of ids those are told that have rows in the queue, and none that another queue has."""
    await fill(ledger, [row(f"job-{number}", queue="main") for number in range(1_200)])
    await fill(ledger, [row("elsewhere", queue="mail")])

    found = await ledger.ids_with_rows(
        ["nobody", "elsewhere", *(f"job-{number}" for number in range(1_300))], queue="main"
    )

    assert found == {f"job-{number}" for number in range(1_200)}
    assert await ledger.ids_with_rows([], queue="main") == set()
