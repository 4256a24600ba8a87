"""Failures by what they have in common."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from inspector_toys import enqueue_everywhere
from query_toys import row
from reading_toys import all_jobs, away_ledger, fill, ids, settings

from arqlite import ArqRedis, Worker, task
from arqlite.console import Console
from arqlite.console import failures as failures_module
from arqlite.errors import ConfigurationError
from arqlite.ledger import Ledger
from arqlite.model.query import Query
from arqlite.model.states import JobState

TRACE = 'Traceback:\n  File "/srv/shop/app/mail.py", line {line}, in send\n    raise Broken\napp.Broken: x'


def failed(job_id: str, minutes_ago: float, line: int = 1, **values: Any) -> dict[str, Any]:
    at = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    state = values.pop("state", JobState.DISCARDED)
    trace = TRACE.format(line=line)
    error = values.pop("error", {"type": "app.Broken", "message": f"user {job_id}", "traceback": trace})
    times = {"created_at": at, "updated_at": at, "finished_at": at if state.is_final else None}
    return row(job_id, state) | times | {"error_payload": error} | values


async def breaking(ctx: dict[Any, Any], number: int) -> None:
    """Fail for good."""
    raise ValueError(f"number {number}")


@task(max_attempts=5)
async def wavering(ctx: dict[Any, Any]) -> None:
    """Fail, and be tried again in a while."""
    raise KeyError("later")


async def test_failures_of_rows_are_grouped(ledger: Ledger, fake: ArqRedis) -> None:
    """Rows that failed at one place are one group, with how many, when, and the newest of them."""
    rows = [failed(f"job-{n}", minutes_ago=n + 1) for n in range(5)]
    rows += [failed("open", 30, state=JobState.RETRYABLE), failed("other", 3, function="resend")]
    rows += [failed("old", 60 * 25), failed("fine", 1, state=JobState.COMPLETED, error=None)]
    await fill(ledger, rows)

    found = await Console([settings(fake, ledger, queue_name="main")]).errors()

    first, second = found.groups
    assert (found.looked_at, found.are_all) == (7, True)
    assert (first.count, first.sample, first.function, first.is_open) == (6, "job-0", "work", True)
    assert (first.error_type, first.message, first.place) == (
        "app.Broken",
        "user job-#",
        "shop.app.mail:1 in send",
    )
    assert first.ids == ["job-0", "job-1", "job-2", "job-3", "job-4", "open"]
    assert (sum(first.recent), first.recent[-1], len(first.recent)) == (6, 6, 24)
    assert first.first_at < first.last_at
    assert (second.count, second.sample, second.is_open) == (1, "other", False)


async def test_time_and_queue_may_be_said(ledger: Ledger, fake: ArqRedis) -> None:
    """Failures are asked for since a time, and of one queue."""
    await fill(ledger, [failed("new", 1), failed("old", 300), failed("mail", 1, queue="mail")])
    console = Console([settings(fake, ledger, queue_name=name) for name in ("main", "mail")])

    since = datetime.now(UTC) - timedelta(hours=1)
    found = await console.errors(since=since, queue="main")

    assert [group.ids for group in found.groups] == [["new"]]
    with pytest.raises(ConfigurationError, match="did you mean 'mail'"):
        await console.errors(queue="mial")
    with pytest.raises(ConfigurationError, match="time zone"):
        await console.errors(since=datetime(2026, 1, 1))  # noqa: DTZ001 (that is what is refused)


async def test_so_many_failures_are_looked_at(
    ledger: Ledger, fake: ArqRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of more failures than are looked at, the newest are told, and that these are not all."""
    await fill(ledger, [failed(f"job-{n}", minutes_ago=n + 1) for n in range(9)])

    found = await failures_module.error_groups(
        Console([settings(fake, ledger, queue_name="main")])._links, most=4
    )

    assert (found.looked_at, found.are_all) == (4, False)
    assert found.groups[0].ids == [f"job-{n}" for n in range(4)]


async def test_failures_of_redis_are_grouped(arq_redis: ArqRedis) -> None:
    """Without a ledger, what Redis keeps of failed jobs tells, those that are tried again among them."""
    for number in range(3):
        await arq_redis.options(job_id=f"job-{number}").enqueue("breaking", number)
    await arq_redis.options(job_id="job-3").enqueue(wavering)
    worker = Worker(
        [breaking, wavering], redis_pool=arq_redis, burst=True, max_burst_jobs=4, handle_signals=False
    )
    await worker.main()
    await worker.close()

    found = await Console([arq_redis]).errors()

    groups = {group.error_type: group for group in found.groups}
    assert sorted(groups["ValueError"].ids) == ["job-0", "job-1", "job-2"]
    assert groups["ValueError"].message == "number #"
    assert groups["ValueError"].place.endswith("in breaking")
    assert (groups["KeyError"].ids, groups["KeyError"].is_open) == (["job-3"], True)
    assert found.are_all


async def test_live_failures_stand_in_for_a_ledger_that_is_away(arq_redis: ArqRedis) -> None:
    """When the database is away, Redis tells of failures, and it is said why these are not all."""
    await enqueue_everywhere(arq_redis)
    console = Console([settings(arq_redis, away_ledger())])

    found = await console.errors(since=datetime(2020, 1, 1, tzinfo=UTC))

    assert "discarded" in [one for group in found.groups for one in group.ids]
    assert [one.code for one in found.troubles] == ["ledger-away"]
    assert not found.are_all
    await console.aclose()


@pytest.mark.parametrize("error", ["just a text", ["a", "list"], {"type": None}, {}])
async def test_error_of_any_form_is_told(ledger: Ledger, fake: ArqRedis, error: Any) -> None:
    """What an application wrote into its rows by itself breaks no page."""
    await fill(ledger, [failed("one", 1, error=error)])

    found = await Console([settings(fake, ledger, queue_name="main")]).errors()

    assert [group.sample for group in found.groups] == ["one"]


async def test_word_for_a_group_means_its_jobs(ledger: Ledger, fake: ArqRedis) -> None:
    """A list, the numbers and what is done mean the jobs of the group, and none with a similar error."""
    similar = {
        "type": "app.Broken",
        "message": "app.Broken elsewhere",
        "traceback": TRACE.format(line=9),
    }
    other = {"type": "app.NotBroken", "message": "app.Broken", "traceback": ""}
    rows = [failed(f"job-{n}", minutes_ago=n + 1) for n in range(3)]
    rows += [failed("open", 30, state=JobState.RETRYABLE), failed("old", 60 * 30)]
    rows += [failed("similar", 2, function="resend", error=similar), failed("other", 2, error=other)]
    # It was enqueued long before the time that is looked at, and failed within it.
    rows += [failed("late", 5, created_at=datetime.now(UTC) - timedelta(days=40))]
    # Another queue has a job of this id.
    rows += [failed("job-0", 1, queue="mail", error=other)]
    await fill(ledger, rows)
    console = Console([settings(fake, ledger, queue_name=name) for name in ("main", "mail")])
    group = (await console.errors()).groups[0]
    line = f"group:{group.fingerprint} failed:{group.first_at.isoformat()}"

    listed = await all_jobs(console, line)
    query = Query.parse(line)

    assert (
        sorted(one.id for one in listed) == sorted(group.ids) == ["job-0", "job-1", "job-2", "late", "open"]
    )
    assert {one.queue for one in listed} == {"main"}
    assert (await console.count(query)).value == group.count
    counts = await console.counts(query)
    assert {state: one.value for state, one in counts.items() if one.value} == {
        "discarded": 4, "retryable": 1, "all": 5,
    }  # fmt: skip
    assert (await console.retry(query)).matched == 4  # (of what is to be tried Redis knows nothing here)
    assert sorted(await ids(console, f"group:{group.fingerprint} failed:2d")) == sorted([*group.ids, "old"])
    assert await ids(console, f"group:{group.fingerprint} failed:30s") == []
    assert (await console.count(Query.parse("group:0123456789abcdef"))).value == 0
    assert (await console.cancel(Query.parse("group:0123456789abcdef"))).matched == 0


async def test_group_of_redis_is_retried_and_nothing_else(arq_redis: ArqRedis) -> None:
    """Without a ledger, too, a group is what failed alike: what failed otherwise is left alone."""
    await arq_redis.options(job_id="job-0").enqueue("breaking", 0)
    await arq_redis.options(job_id="job-1").enqueue(wavering)
    worker = Worker(
        [breaking, wavering], redis_pool=arq_redis, burst=True, max_burst_jobs=2, handle_signals=False
    )
    await worker.main()
    await worker.close()
    console = Console([arq_redis])
    groups = {group.error_type: group for group in (await console.errors()).groups}

    done = await console.retry(Query.parse(f"group:{groups['KeyError'].fingerprint}"))

    assert (done.matched, done.done) == (1, 1)
    assert await ids(console, "state:available") == ["job-1"]
    assert await ids(console, "state:discarded") == ["job-0"]


async def test_job_that_is_named_like_a_pattern_takes_no_others_into_a_group(
    ledger: Ledger, fake: ArqRedis
) -> None:
    """A failed job whose id is a star is left out of its group: as a word it would mean all jobs."""
    await fill(ledger, [failed("*", 1), failed("one", 1), failed("fine", 1, state=JobState.COMPLETED)])
    console = Console([settings(fake, ledger, queue_name="main")])
    [group] = (await console.errors()).groups

    assert await ids(console, f"group:{group.fingerprint}") == ["one"]


async def test_group_that_is_known_in_part_is_told(
    ledger: Ledger, fake: ArqRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where more failed than is looked at, the list says so, and what was done is not called all."""
    monkeypatch.setattr(failures_module, "MOST_FAILURES", 4)
    await fill(ledger, [failed(f"job-{n}", minutes_ago=n + 1) for n in range(9)])
    console = Console([settings(fake, ledger, queue_name="main")])
    [group] = (await console.errors()).groups
    query = Query.parse(f"group:{group.fingerprint}")

    page = await console.jobs(query)
    done = await console.retry(query)

    assert [one.code for one in page.troubles] == ["group-in-part"]
    assert (len(page.jobs), done.matched, done.is_all) == (4, 4, False)


async def test_time_of_a_group_needs_the_group(fake: ArqRedis) -> None:
    """A time of failures without a group says nothing, and is refused with what says something."""
    with pytest.raises(ConfigurationError, match="group:"):
        await Console([fake]).jobs(Query.parse("failed:1h"))
