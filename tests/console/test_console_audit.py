"""What was done by hand, and what words may be."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from inspector_toys import enqueue
from query_toys import mixed
from reading_toys import away_ledger, fill, settings

from arqlite import ArqRedis
from arqlite.console import Console
from arqlite.errors import ConfigurationError
from arqlite.ledger import AuditEntry, Ledger, store

Eventually = Callable[..., Awaitable[Any]]
NOW = datetime(2026, 11, 26, tzinfo=UTC)


async def note(ledger: Ledger, count: int, queue: str = "main", actor: str = "ada") -> None:
    async with ledger.sessions.begin() as db:
        entries = [AuditEntry(f"did.{n}", queue, actor, at=NOW + timedelta(minutes=n)) for n in range(count)]
        await store.audit(db, entries)


async def test_audit_is_read_in_pages(ledger: Ledger, fake: ArqRedis) -> None:
    """What was done is told, the newest first, each entry once, of one queue or by one person."""
    await note(ledger, 7)
    await note(ledger, 2, actor="bob")
    console = Console([settings(fake, ledger, queue_name="main")])

    told: list[str] = []
    after: str | None = None
    while True:
        page = await console.audit(actor="ada", after=after, limit=3)
        told += [line.action for line in page.lines]
        after = page.next
        if after is None:
            break

    assert told == [f"did.{n}" for n in reversed(range(7))]
    assert [line.actor for line in (await console.audit(actor="bob")).lines] == ["bob", "bob"]
    assert len((await console.audit(queue="main")).lines) == 9


async def test_audits_of_several_ledgers_are_merged(ledger: Ledger, fake: ArqRedis, tmp_path: Path) -> None:
    """Entries of two databases stand in one list by time, over all pages."""
    other = Ledger(f"sqlite:///{tmp_path / 'other.db'}")
    await other.upgrade()
    await note(ledger, 4)
    await note(other, 4, queue="mail")
    console = Console([settings(fake, ledger, queue_name="main"), settings(fake, other, queue_name="mail")])

    lines = []
    after: str | None = None
    while True:
        page = await console.audit(after=after, limit=3)
        lines += page.lines
        after = page.next
        if after is None:
            break

    assert len(lines) == len({(line.queue, line.action) for line in lines}) == 8
    assert [line.at for line in lines] == sorted((line.at for line in lines), reverse=True)
    assert {line.action for line in (await console.audit(queue="mail")).lines} == {
        f"did.{n}" for n in range(4)
    }
    await console.aclose()


async def test_audit_of_a_ledger_that_is_away_says_so(fake: ArqRedis) -> None:
    """An empty audit tells why it is empty; without a ledger there is none."""
    console = Console([settings(fake, away_ledger())])

    page = await console.audit()

    assert (list(page.lines), page.next) == ([], None)
    assert [one.code for one in page.troubles] == ["ledger-away"]
    assert (await Console([fake]).audit()).lines == []
    await console.aclose()


async def test_ledger_is_shown_without_its_password(fake: ArqRedis) -> None:
    """A password in the query of a ledger's URL is told neither with what is away nor by the checkup."""
    ledger = Ledger("postgresql://127.0.0.1:1/jobs?user=ada&password=hunter2")
    async with Console([settings(fake, ledger)]) as console:
        page = await console.audit()
        system = await console.system()

    shown = "postgresql+asyncpg://127.0.0.1:1/jobs?password=***&user=ada"
    assert [shown in one.text for one in page.troubles] == [True]
    assert [one.url for one in system.ledgers] == [shown]
    assert "hunter2" not in repr((page, system))


@pytest.mark.parametrize("after", ["W10", "WyJqb2JzIix7Im5vIjoxfV0", "WyJqb2JzIix7ImxlZGdlcjowIjoieCJ9XQ"])
async def test_text_that_is_no_cursor_is_refused(ledger: Ledger, fake: ArqRedis, after: str) -> None:
    """A cursor of something else is told so."""
    with pytest.raises(ConfigurationError, match="no cursor of this list"):
        await Console([settings(fake, ledger)]).audit(after=after)


async def test_values_of_words_are_suggested_from_rows(ledger: Ledger, fake: ArqRedis) -> None:
    """What begins as was typed comes first; what is fixed is not looked for."""
    await fill(ledger, mixed(60))
    console = Console([settings(fake, ledger, queue_name=name) for name in ("main", "mail")])

    assert await console.suggest("state", "re") == ["retryable"]
    assert (await console.suggest("state", "d"))[0] == "discarded"
    assert await console.suggest("queue", "ma") == ["main", "mail"]
    assert await console.suggest("function", "function_") == [f"function_{n}" for n in range(5)]
    assert await console.suggest("function", "to") == ["toy"]
    assert await console.suggest("tag", "b") == ["b", "blue"]
    assert await console.suggest("node", "") == ["host"]
    assert await console.suggest("by", "user") == ["user:7"]
    assert await console.suggest("error", "") == ["E"]
    assert await console.suggest("arg", "user.") == ["user.id"]
    assert "3" in await console.suggest("arg.user.id", "3")
    assert await console.suggest("", "stat") == ["state", "status"]
    assert "meta.trace" in await console.suggest("", "meta.")
    assert len(await console.suggest("id", "")) == 20
    assert await console.suggest("nonsense", "") == []


async def test_values_of_words_are_suggested_from_redis(arq_redis: ArqRedis) -> None:
    """Without a ledger, jobs in Redis tell; what is not shown is not suggested."""
    await arq_redis.options(job_id="one", tags=["vip"], meta={"tenant": "ACME"}).enqueue(
        "toy", 7, login={"password": "x", "name": "ann"}, urgent=True
    )
    await enqueue(arq_redis, "two")
    console = Console([settings(arq_redis)])

    assert await console.suggest("tag", "") == ["vip"]
    assert await console.suggest("function", "to") == ["toy"]
    assert await console.suggest("arg", "") == ["login.name", "urgent", "user_id"]
    assert await console.suggest("arg.login.password", "") == []
    assert await console.suggest("arg.urgent", "") == ["true"]
    assert await console.suggest("arg.user_id", "") == ["7"]
    assert await console.suggest("meta.tenant", "ac") == ["ACME"]


async def test_nothing_is_suggested_while_all_is_away() -> None:
    """Completion is no reason to fail."""
    console = Console([settings(None, away_ledger())])

    assert await console.suggest("tag", "") == []
    assert await console.suggest("state", "sus") == ["suspended"]
    await console.aclose()
