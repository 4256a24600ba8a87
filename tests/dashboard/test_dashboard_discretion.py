"""What somebody sees who must not see all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from guard_toys import Console, browser, dashboard
from query_toys import row
from reading_toys import fake, fill, settings  # noqa: F401 (a fixture)
from sqlalchemy.ext.asyncio import create_async_engine
from sqlite_threads import sqlite_threads_end  # noqa: F401 (a fixture)
from starlette.applications import Starlette

from arqlite import ArqRedis
from arqlite.console import AuditLine, AuditPage
from arqlite.dashboard import ADMIN, Access, running
from arqlite.ledger import Ledger, configure_sqlite

API = "/api/v1"
SEES_ONE = Access("bob", can=ADMIN.can, queues=["seen"])


@pytest.fixture
async def rows(tmp_path: Path) -> AsyncIterator[Ledger]:
    """A ledger with jobs of two queues that enqueued one another."""
    ledger = Ledger(configure_sqlite(create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'jobs.db'}")))
    await ledger.upgrade()
    await fill(
        ledger,
        [
            row("first", queue="seen", parent="payroll-1"),
            row("second", queue="seen", parent="first"),
            row("third", queue="hidden", parent="first"),
            row("payroll-1", queue="hidden"),
            row("payroll-2", queue="hidden"),
        ],
    )
    yield ledger
    await ledger.engine.dispose()


def shown_to(access: Access, rows: Ledger, pool: ArqRedis) -> Starlette:
    targets = [settings(pool, rows, queue_name=name) for name in ("seen", "hidden")]
    return dashboard(targets, auth=lambda _: access)


async def told(app: Starlette, path: str) -> Any:
    async with running(app), browser(app) as client:
        return (await client.get(API + path)).json()


@pytest.mark.parametrize(
    ("access", "parents", "children"),
    [(SEES_ONE, ("", "first"), ["second"]), (ADMIN, ("payroll-1", "first"), ["second", "third"])],
    ids=["one", "all"],
)
async def test_jobs_of_other_queues_are_not_named_as_relatives(
    access: Access,
    parents: tuple[str, str],
    children: list[str],
    rows: Ledger,
    fake: ArqRedis,  # noqa: F811
) -> None:
    """A job of a queue that is not seen is named neither as a parent nor as a child of one that is."""
    app = shown_to(access, rows, fake)

    first, second = await told(app, "/jobs/seen/first"), await told(app, "/jobs/seen/second")
    listed = await told(app, "/jobs?q=queue:seen")

    assert (first["line"]["parent"], second["line"]["parent"]) == parents
    assert sorted(first["children"]) == children
    assert {line["id"]: line["parent"] for line in listed["jobs"]} == dict(
        zip(("first", "second"), parents, strict=True)
    )


async def test_parents_of_other_queues_are_not_suggested(rows: Ledger, fake: ArqRedis) -> None:  # noqa: F811
    """Completion names no job of a queue that is not seen."""
    asked = "/suggest?word=parent&start="

    assert await told(shown_to(SEES_ONE, rows, fake), asked) == ["first"]
    assert "payroll-1" in await told(shown_to(ADMIN, rows, fake), asked)


@pytest.mark.parametrize(("access", "count"), [(SEES_ONE, 2), (ADMIN, 5)], ids=["one", "all"])
async def test_rows_of_other_queues_are_not_counted(
    access: Access,
    count: int,
    rows: Ledger,
    fake: ArqRedis,  # noqa: F811
) -> None:
    """How many rows a ledger has is told of the queues that are seen."""
    [ledger] = (await told(shown_to(access, rows, fake), "/system"))["ledgers"]

    assert ledger["rows"]["value"] == count


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ("arg.card:4111 state:discarded", "state:discarded (not shown)"),
        ("-meta.tenant:4111 arg.card:4111", "(not shown)"),
        ("queue:mail error:4111", "queue:mail (not shown)"),
        ("queue:mail id:a,b", "queue:mail id:a,b"),
        ("no:query 4111", "(not shown)"),
        (["4111"], "(not shown)"),
    ],
)
async def test_audit_tells_no_arguments_that_others_searched_for(asked: Any, shown: str) -> None:
    """What an admin searched for by its arguments is not read by those who do not see arguments."""

    class Audited(Console):
        async def audit(self, **options: Any) -> AuditPage:
            detail = {"query": asked, "matched": 4, "node": "web-1", "other": "4111"}
            line = AuditLine(at=self.now, queue="mail", action="jobs.delete", actor="ada", detail=detail)
            return AuditPage([line, replace(line, detail=None)], None)

    app = dashboard(Audited(), auth=lambda _: Access("kim", shows_arguments=False))

    page = await told(app, "/audit")

    first, second = (line["detail"] for line in page["lines"])
    assert first == {"query": shown, "matched": 4, "node": "web-1", "other": "(not shown)"}
    assert second is None
    assert "4111" not in str(page)
