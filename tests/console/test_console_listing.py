"""Pages of jobs: of ledgers, of queues without one, and of both together."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from inspector_toys import enqueue, enqueue_everywhere
from query_toys import mixed, row
from reading_toys import all_jobs, away_ledger, fake_pool, fill, ids, settings

from arqlite import ArqRedis
from arqlite.console import Console
from arqlite.console import livelist as lists
from arqlite.errors import ConfigurationError
from arqlite.ledger import Ledger
from arqlite.model.query import Query
from arqlite.model.states import JobState

STATES = [str(state) for state in JobState]


async def test_queue_without_a_ledger_is_listed_from_redis(arq_redis: ArqRedis) -> None:
    """Jobs in every state are shown, each with the state it has now."""
    await enqueue_everywhere(arq_redis)

    jobs = await all_jobs(Console([arq_redis]), limit=3)

    assert {job.id: str(job.state) for job in jobs} == {state: state for state in STATES}
    assert all(job.source == "redis" and job.queue == "arq:queue" for job in jobs)
    assert [job.enqueued_at for job in jobs] == sorted((job.enqueued_at for job in jobs), reverse=True)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("state:executing", ["executing"]),
        ("state:incomplete -state:available,suspended", ["executing", "retryable", "scheduled"]),
        ("status:SUCCESS,FAILED", ["completed", "discarded"]),
        ("status:QUEUED state:retryable", ["retryable"]),
        ("state:completed status:FAILED", []),
        ("function:toy state:available", ["available"]),
        ("function:t* -id:*d", ["available", "executing", "retryable"]),
        ("function:other", []),
        ("avail", ["available"]),
        ("-avail -id:s*,c* -state:executing,retryable", ["discarded"]),
        ("TOY state:available", ["available"]),
        ("id:available,executing", ["available", "executing"]),
        ("id:nobody", []),
        ("worker:s", ["executing"]),
        ("error:BROKEN", ["cancelled", "discarded"]),
        ("error:fault state:discarded", ["discarded"]),
        ("attempt:>2", ["cancelled", "completed", "discarded"]),
        ("attempt:1 state:executing", ["executing"]),
        ("cause:TIMEOUT", []),
        ("-cause:TIMEOUT", []),
        ("since:1h state:available", ["available"]),
        ("until:1h", []),
        ("since:2026-01-01 until:2025-01-01", []),
    ],
)
async def test_words_mean_jobs_of_redis(arq_redis: ArqRedis, line: str, expected: list[str]) -> None:
    """Each word of the grammar means the jobs that it says."""
    await enqueue_everywhere(arq_redis)

    assert sorted(await ids(Console([arq_redis]), line)) == sorted(expected)


async def test_arguments_tags_and_more_are_found_in_redis(arq_redis: ArqRedis) -> None:
    """What was enqueued with a job can be asked for, at any depth, and by position of known functions."""
    await enqueue(
        arq_redis, "one", 7, tags=["VIP"], meta={"tenant": "ACME Ltd"}, priority=3, triggered_by="ada"
    )
    await arq_redis.options(job_id="two").enqueue("toy", mail={"to": {"id": 7}}, flag=True)
    console = Console([settings(arq_redis)])

    found = {
        line: sorted(await ids(console, line))
        for line in (
            "arg.user_id:7", "arg.mail.to.id:7", "arg.flag:true", "arg.flag:false", "tag:vip", "-tag:vip",
            'meta.tenant:"ACME Ltd"', "meta.tenant:other", "priority:3", "priority:<3", "by:ada", "by:a*",
        )
    }  # fmt: skip

    assert found == {
        "arg.user_id:7": ["one"], "arg.mail.to.id:7": ["two"], "arg.flag:true": ["two"], "arg.flag:false": [],
        "tag:vip": ["one"], "-tag:vip": ["two"], 'meta.tenant:"ACME Ltd"': ["one"], "meta.tenant:other": [],
        "priority:3": ["one"], "priority:<3": ["two"], "by:ada": ["one"], "by:a*": ["one"],
    }  # fmt: skip


async def test_word_that_only_a_ledger_knows_is_told(fake: ArqRedis) -> None:
    """Who asks a queue without a ledger for a cause hears why there is nothing."""
    await enqueue(fake, "one")

    page = await Console([fake]).jobs(Query.parse("cause:timeout"))

    assert page.jobs == []
    assert [(one.code, one.queue) for one in page.troubles] == [("word-means-nothing", "arq:queue")]


@pytest.mark.parametrize(
    "line", ["", "state:available", "state:scheduled", "state:incomplete", "function:toy"]
)
async def test_large_queue_is_read_in_parts(
    arq_redis: ArqRedis, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a queue with many jobs each is listed once, however the pages lie across its parts."""
    monkeypatch.setattr(lists, "IN_ORDER", 5)
    monkeypatch.setattr(lists, "PAGE", 8)
    for number in range(30):
        await enqueue(arq_redis, f"now-{number:02}")
        await enqueue(arq_redis, f"later-{number:02}", delay=3600)
    start = {"state:available": "now", "state:scheduled": "later"}.get(line, "")

    found = await ids(Console([arq_redis]), line, limit=7)

    every = [f"{kind}-{number:02}" for kind in ("now", "later") for number in range(30)]
    assert sorted(found) == sorted(one for one in every if one.startswith(start))


async def test_cut_look_goes_on_from_where_it_ended(fake: ArqRedis, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that found nothing within its looks has a cursor, and what is behind it is found with that."""
    monkeypatch.setattr(lists, "IN_ORDER", 5)
    monkeypatch.setattr(lists, "PAGE", 4)
    for number in range(20):
        await enqueue(fake, f"later-{number:02}", delay=3600)
    monkeypatch.setattr(lists, "LOOKS", 8)
    console = Console([fake])

    first = await console.jobs(Query.parse("state:scheduled later-19"), limit=5)
    found = await ids(console, "state:scheduled later-19", limit=5)

    assert (list(first.jobs), first.next is not None) == ([], True)
    assert found == ["later-19"]


async def test_ledger_lists_the_newest_first_in_pages(ledger: Ledger, fake: ArqRedis) -> None:
    """Every row of the queues is listed once, and no row of a queue that the console does not have."""
    rows = mixed(100)
    await fill(ledger, rows)
    console = Console([settings(fake, ledger, queue_name="main"), settings(fake, ledger, queue_name="mail")])

    jobs = await all_jobs(console, limit=9)

    wanted = [one["id"] for one in rows if one["queue"] in ("main", "mail")]
    assert sorted(job.id for job in jobs) == sorted(wanted)
    moments = [job.enqueued_at for job in jobs]
    assert moments == sorted(moments, reverse=True)  # type: ignore[type-var]
    assert {job.source for job in jobs} == {"ledger"}


async def test_places_are_merged_by_time(ledger: Ledger, arq_redis: ArqRedis) -> None:
    """Jobs of queues with rows and of queues without stand in one list, the newest first, over all pages."""
    now = datetime.now(UTC)
    rows = [row(f"row-{n}", queue="main") | {"created_at": now + timedelta(minutes=n - 5)} for n in range(10)]
    await fill(ledger, rows)
    for number in range(5):
        await enqueue(arq_redis, f"live-{number}")
    console = Console(
        [settings(arq_redis, ledger, queue_name="main"), settings(arq_redis, queue_name="arq:queue")]
    )

    jobs = await all_jobs(console, limit=2)

    assert len(jobs) == len({job.id for job in jobs}) == 15
    moments = [job.enqueued_at for job in jobs]
    assert moments == sorted(moments, reverse=True)  # type: ignore[type-var]


async def test_live_jobs_stand_in_for_a_ledger_that_is_away(arq_redis: ArqRedis) -> None:
    """When the database is away, what Redis has is shown, and it is said why that is not all."""
    await enqueue(arq_redis, "one")
    console = Console([settings(arq_redis, away_ledger())])

    page = await console.jobs()

    assert [(job.id, job.source) for job in page.jobs] == [("one", "redis")]
    assert [(one.severity, one.code) for one in page.troubles] == [("error", "ledger-away")]
    await console.aclose()


async def test_ledger_without_tables_is_told_with_what_makes_them(
    arq_redis: ArqRedis, tmp_path: Path
) -> None:
    """A database that nobody has upgraded runs: starting it would change nothing."""
    await enqueue(arq_redis, "one")
    ledger = Ledger(f"sqlite:///{tmp_path / 'no.db'}", upgrade=False)
    console = Console([settings(arq_redis, ledger)])

    page = await console.jobs()
    figures = await console.figures()
    await console.aclose()

    assert [job.id for job in page.jobs] == ["one"]
    for told in (page, figures):
        [trouble] = told.troubles
        assert (trouble.code, trouble.fix) == ("ledger-migrations", "run `arqlite db upgrade`")
        assert "no.db cannot be used, its tables are missing or too old" in trouble.text


async def test_rows_are_shown_while_redis_is_away(ledger: Ledger) -> None:
    """History is read without Redis, and it is said that nothing runs."""
    await fill(ledger, [row("one")])
    console = Console([settings(None, ledger, queue_name="main")])

    page = await console.jobs()

    assert [job.id for job in page.jobs] == ["one"]
    assert [(one.code, one.queue) for one in page.troubles] == [("redis-away", "main")]


async def test_nothing_is_shown_while_all_is_away() -> None:
    """With both away the page is empty, and says of both why."""
    console = Console([settings(None, away_ledger(), queue_name="main")])

    page = await console.jobs()

    assert (list(page.jobs), page.next) == ([], None)
    assert {one.code for one in page.troubles} == {"ledger-away", "redis-away"}
    await console.aclose()


@pytest.mark.parametrize("after", ["x", "!!!", "W10", "eyJhIjoxfQ", "WyJqb2JzIix7Im5vIjoxfV0"])
async def test_text_that_is_no_cursor_is_refused(fake: ArqRedis, after: str) -> None:
    """A cursor that was cut, or is that of something else, is told so."""
    with pytest.raises(ConfigurationError, match="no cursor of this list"):
        await Console([fake]).jobs(after=after)


async def test_unknown_queue_is_refused_with_what_is_near(fake: ArqRedis) -> None:
    """A slip in the name of a queue is no empty list."""
    console = Console([settings(fake, queue_name="mail"), settings(fake, queue_name="default")])

    with pytest.raises(ConfigurationError, match="did you mean 'mail'"):
        await console.jobs(Query.parse("queue:mial"))
    with pytest.raises(ConfigurationError, match="there are mail, default"):
        await console.jobs(Query.parse("queue:x*"))


async def test_queue_is_chosen_by_its_name(fake: ArqRedis) -> None:
    """Queues are named, by a part of their names, or left out."""
    for queue in ("mail", "media", "default"):
        await fake.options(job_id=f"of-{queue}", queue=queue).enqueue("toy")
    console = Console([settings(fake, queue_name=name) for name in ("mail", "media", "default")])

    assert await ids(console, "queue:mail") == ["of-mail"]
    assert sorted(await ids(console, "queue:m*")) == ["of-mail", "of-media"]
    assert sorted(await ids(console, "-queue:mail")) == ["of-default", "of-media"]
    assert await ids(console, "queue:mail -queue:m*") == []


async def test_what_is_hidden_cannot_be_asked_for(fake: ArqRedis) -> None:
    """Nobody finds a password by asking for it until a job is found."""
    with pytest.raises(ConfigurationError, match="not shown"):
        await Console([fake]).jobs(Query.parse("arg.login.Password:hunter2"))


async def test_arguments_stand_on_one_line_without_secrets(fake: ArqRedis) -> None:
    """A list shows what a job is called with, and not what must not be seen."""
    await fake.options(job_id="one").enqueue(
        "toy", 7, note="a\nb", token="t0p", deep={"api_key": "x", "n": 1}
    )

    [job] = (await Console([fake]).jobs()).jobs

    assert job.arguments == "7, note='a\\nb', token='***', deep={'api_key': '***', 'n': 1}"


async def test_pool_on_two_servers_has_two_lists() -> None:
    """Queues of one name on two servers are two queues."""
    pools = [fake_pool(), fake_pool()]
    for number, pool in enumerate(pools):
        await enqueue(pool, f"job-{number}")
        pool.connection_pool.connection_kwargs["db"] = number

    console = Console(pools)

    assert len({job.queue for job in await all_jobs(console)}) == len(console.places)
    for pool in pools:
        await pool.aclose(close_connection_pool=True)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("state:available", ["due", "late", "ready"]),
        ("state:scheduled", ["later", "undated"]),
        ("state:retryable", ["again"]),
        ("state:scheduled,retryable", ["again", "later", "undated"]),
        ("state:available,scheduled", ["due", "late", "later", "ready", "undated"]),
        ("-state:available", ["again", "later", "undated"]),
        ("state:incomplete", ["again", "due", "late", "later", "ready", "undated"]),
        ("state:available function:other", []),
    ],
)
async def test_job_whose_time_has_come_is_available(
    ledger: Ledger, fake: ArqRedis, line: str, expected: list[str]
) -> None:
    """A row does not hear that its job has come due, as in a queue that is paused: lists and numbers do."""
    past, future = datetime.now(UTC) - timedelta(minutes=1), datetime.now(UTC) + timedelta(hours=1)
    for job_id, state, at in [
        ("ready", JobState.AVAILABLE, None),
        ("due", JobState.SCHEDULED, past),
        ("later", JobState.SCHEDULED, future),
        ("undated", JobState.SCHEDULED, None),
        ("late", JobState.RETRYABLE, past),
        ("again", JobState.RETRYABLE, future),
    ]:
        await fill(ledger, [row(job_id, state, scheduled_at=at, queue="main")])
    console = Console([settings(fake, ledger, queue_name="main")])

    jobs = await all_jobs(console, line)
    counts = await console.counts(Query.parse("function:work"))

    assert sorted(job.id for job in jobs) == expected
    assert {job.id for job in jobs if job.state is JobState.AVAILABLE} == {"ready", "due", "late"} & {
        *expected
    }
    assert {state: tally.value for state, tally in counts.items() if tally.value} == {
        "available": 3, "scheduled": 2, "retryable": 1, "all": 6,
    }  # fmt: skip
