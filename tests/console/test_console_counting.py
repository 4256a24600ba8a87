"""How many jobs are meant."""

from __future__ import annotations

import pytest
from inspector_toys import enqueue, enqueue_everywhere
from query_toys import mixed, row
from reading_toys import away_ledger, fill, settings

from arqlite import ArqRedis
from arqlite.console import Console, Tally
from arqlite.console import counting as counting_module
from arqlite.console.counting import added, matched
from arqlite.ledger import Ledger
from arqlite.model.query import Query
from arqlite.model.states import FINAL_STATES, JobState


async def test_states_of_a_queue_without_a_ledger_are_counted(arq_redis: ArqRedis) -> None:
    """Each state has its number, and all together have theirs."""
    await enqueue_everywhere(arq_redis)

    counts = await Console([arq_redis]).counts()

    assert counts == {str(state): Tally(1) for state in JobState} | {"all": Tally(8)}


async def test_words_are_counted_in_redis(arq_redis: ArqRedis) -> None:
    """A query is counted by state, whatever it says of states; and as one number by what it says."""
    await enqueue_everywhere(arq_redis)
    console = Console([arq_redis])

    counts = await console.counts(Query.parse("id:a*,e* state:completed"))

    assert {state: tally.value for state, tally in counts.items() if tally.value} == {
        "available": 1, "executing": 1, "all": 2,
    }  # fmt: skip
    assert await console.count(Query.parse("id:a*,e* state:available")) == Tally(1)
    assert await console.count(Query.parse("state:available,completed")) == Tally(2)
    assert await console.count(Query.parse("-state:available")) == Tally(7)
    assert await console.count(Query()) == Tally(8)


async def test_open_jobs_are_counted_in_redis_and_ended_ones_in_the_ledger(
    ledger: Ledger, arq_redis: ArqRedis
) -> None:
    """What is open is as Redis has it now, and what has ended is as long as rows stay."""
    await fill(ledger, mixed(70))
    await arq_redis.options(job_id="one", queue="main").enqueue("toy")
    console = Console([settings(arq_redis, ledger, queue_name="main")])

    counts = await console.counts()

    rows = [one for one in mixed(70) if one["queue"] == "main"]
    ended = {str(state): sum(one["state"] == state for one in rows) for state in FINAL_STATES}
    assert {state: counts[state].value for state in ended} == ended
    assert counts["available"] == Tally(1)
    assert counts["scheduled"] == Tally(0)


async def test_words_are_counted_in_the_ledger(ledger: Ledger, fake: ArqRedis) -> None:
    """A query of rows is counted by state in one look, and as one number."""
    rows = [one for one in mixed(70) if one["queue"] == "main"]
    await fill(ledger, mixed(70))
    console = Console([settings(fake, ledger, queue_name="main")])

    counts = await console.counts(Query.parse("function:*_3"))
    failed = await console.count(Query.parse("function:*_3 status:FAILED"))

    meant = [one for one in rows if one["function"] == "function_3"]
    assert {state: counts[str(state)].value for state in JobState} == {
        state: sum(one["state"] == state for one in meant) for state in JobState
    }
    assert failed == Tally(sum(one["status"] == "FAILED" for one in meant))


async def test_count_of_what_cannot_be_is_none(ledger: Ledger, fake: ArqRedis) -> None:
    """A query that means no row is not asked."""
    console = Console([settings(fake, ledger, queue_name="main")])

    assert await console.count(Query.parse("state:completed status:FAILED tag:a")) == Tally(0)


async def test_counting_stops(fake: ArqRedis, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where many jobs would have to be looked at, it is told that there are at least so many."""
    from arqlite.console import livelist

    monkeypatch.setattr(livelist, "IN_ORDER", 5)
    monkeypatch.setattr(livelist, "PAGE", 5)
    monkeypatch.setattr(counting_module, "MOST_LOOKED_AT", 10)
    for number in range(30):
        await enqueue(fake, f"job-{number:02}", delay=3600)

    counted = await Console([fake]).count(Query.parse("function:toy state:scheduled"))

    assert counted.precision == "at least"
    assert 0 < counted.value < 30


async def test_numbers_beside_a_list_keep_nobody_waiting(
    fake: ArqRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has to be looked at one by one is counted for a moment, one part of it at least."""
    from arqlite.console import livelist

    monkeypatch.setattr(livelist, "IN_ORDER", 5)
    monkeypatch.setattr(livelist, "PAGE", 5)
    monkeypatch.setattr(counting_module, "PATIENCE_S", 0.0)
    for number in range(30):
        await enqueue(fake, f"job-{number:02}", delay=3600)
    console = Console([fake])

    counts = await console.counts(Query.parse("function:toy"))
    number = await console.count(Query.parse("function:toy"))

    assert counts["scheduled"].precision == "at least"
    assert 0 < counts["scheduled"].value < 30
    assert number == Tally(30)


async def test_ledger_that_is_away_is_counted_as_unknown(arq_redis: ArqRedis) -> None:
    """What has ended is not known without the ledger, and what is open is."""
    await enqueue(arq_redis, "one")
    console = Console([settings(arq_redis, away_ledger())])

    counts = await console.counts()

    assert counts["available"] == Tally(1)
    assert counts["completed"] == Tally(0, "at least")
    assert counts["all"].precision == "at least"
    await console.aclose()


async def test_rows_of_open_jobs_are_counted_while_redis_is_away(ledger: Ledger) -> None:
    """Without Redis the rows tell how many jobs are open."""
    await fill(ledger, [row("one", JobState.AVAILABLE), row("two", JobState.DISCARDED)])

    counts = await Console([settings(None, ledger, queue_name="main")]).counts()

    assert (counts["available"].value, counts["discarded"].value) == (1, 1)


def test_sum_is_as_exact_as_its_least_exact_part() -> None:
    """A sum with a guess in it is a guess."""
    assert added([Tally(1), Tally(2)]) == Tally(3)
    assert added([Tally(1), Tally(2, "at least")]) == Tally(3, "at least")
    assert added([Tally(1, "about"), Tally(2, "at least")]) == Tally(3, "about")
    assert added([]) == Tally(0)


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ("function:toy", 8),
        ("function:toy status:SUCCESS", 1),
        ("function:toy -state:completed,discarded", 6),
        ("function:toy state:incomplete -state:executing", 4),
        ("function:toy state:completed status:FAILED", 0),
    ],
)
async def test_those_that_match_are_counted_by_all_that_is_said_of_states(
    fake: ArqRedis, line: str, count: int
) -> None:
    """Of the numbers by state those that a query means make its number, whatever words say so."""
    await enqueue_everywhere(fake)
    query, console = Query.parse(line), Console([fake])

    assert matched(await console.counts(query), query) == Tally(count) == await console.count(query)
