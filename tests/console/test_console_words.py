"""The words of a query, held against rows: each means the rows that it says, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from query_toys import START, minutes, mixed, row
from reading_toys import fill, ids, settings

from arqlite import ArqRedis
from arqlite.console import Console
from arqlite.ledger import Ledger
from arqlite.model.states import INCOMPLETE_STATES

ROWS = [one for one in mixed(120) if one["queue"] != "rare"]

WORDS: list[tuple[str, Callable[[dict[str, Any]], Any]]] = [
    ("", lambda r: True),
    ("state:scheduled", lambda r: r["state"] == "scheduled"),
    ("state:incomplete -state:available", lambda r: r["state"] in INCOMPLETE_STATES - {"available"}),
    ("-state:completed,discarded", lambda r: r["state"] not in ("completed", "discarded")),
    ("status:FAILED,SUCCESS", lambda r: r["status"] in ("FAILED", "SUCCESS")),
    ("-status:FAILED state:discarded", lambda r: False),
    ("cause:timeout", lambda r: r["cause"] == "TIMEOUT"),
    ("-cause:TIMEOUT state:discarded", lambda r: r["state"] == "discarded" and r["cause"] is None),
    ("queue:mail", lambda r: r["queue"] == "mail"),
    ("-queue:mail", lambda r: r["queue"] != "mail"),
    ("queue:m* -queue:main", lambda r: r["queue"] == "mail"),
    ("function:function_3", lambda r: r["function"] == "function_3"),
    ("function:*_3,function_4", lambda r: r["function"] in ("function_3", "function_4")),
    ("function:FUNCTION_*", lambda r: True),
    ("function:none_*", lambda r: False),
    ("-function:*_3", lambda r: r["function"] != "function_3"),
    ("function:function_3 -function:*_3", lambda r: False),
    ("tag:red", lambda r: "red" in (r["tags"] or ())),
    ("tag:red,a", lambda r: {"red", "a"} & set(r["tags"] or ())),
    ("tag:red tag:blue", lambda r: {"red", "blue"} <= set(r["tags"] or ())),
    ("-tag:RED", lambda r: "red" not in (r["tags"] or ())),
    ("worker:host:2", lambda r: r["worker"] == "host:2"),
    ("worker:*:2,host:1", lambda r: r["worker"] in ("host:1", "host:2")),
    ("-worker:host:2", lambda r: r["worker"] != "host:2"),
    ("node:host", lambda r: True),
    ("node:h*t -worker:*:1", lambda r: r["worker"] != "host:1"),
    ("-node:host", lambda r: False),
    ("node:other", lambda r: False),
    ('error:"50% of 12"', lambda r: "50% of 12" in (r["error_payload"] or {}).get("message", "")),
    ("error:äpfel", lambda r: False),  # only letters of ASCII have no case
    ("error:Äpfel", lambda r: r["error_payload"]),
    ("-error:Äpfel", lambda r: not r["error_payload"]),
    ("error:APFEL,pfel", lambda r: r["error_payload"]),
    ("priority:2", lambda r: r["priority"] == 2),
    ("priority:>0", lambda r: r["priority"] > 0),
    ("priority:1..2 -priority:2", lambda r: r["priority"] == 1),
    ("attempt:>2", lambda r: r["attempt"] > 2),
    ("attempt:0,3..4", lambda r: r["attempt"] in (0, 3, 4)),
    ("-attempt:<=3", lambda r: r["attempt"] > 3),
    ("since:2026-01-01T00:10", lambda r: r["created_at"] >= minutes(10)),
    ("until:2026-01-01T00:10", lambda r: r["created_at"] < minutes(10)),
    ("until:2026-01-01", lambda r: True),
    ("until:2025-12-31", lambda r: False),
    ("since:2026-01-02 until:2026-01-01", lambda r: False),
    ("id:job-0007,cron:0010", lambda r: r["id"] in ("job-0007", "cron:0010")),
    ("id:job-001*", lambda r: r["id"].startswith("job-001")),
    ("id:job-001*,cron:*", lambda r: r["id"].startswith(("job-001", "cron:"))),
    ("id:*7 -id:job-0007", lambda r: r["id"].endswith("7") and r["id"] != "job-0007"),
    ("parent:job-0006", lambda r: r["parent"] == "job-0006"),
    ("parent:*", lambda r: r["parent"]),
    ("-parent:*", lambda r: not r["parent"]),
    ("by:user:7,api", lambda r: r["triggered_by"] in ("user:7", "api")),
    ("by:user:*", lambda r: r["triggered_by"] == "user:7"),
    ("arg.n:7", lambda r: r["kwargs"]["n"] == 7),
    ("arg.user.id:4,5", lambda r: r["kwargs"]["user"]["id"] in (4, 5)),
    ("-arg.user.id:4", lambda r: r["kwargs"]["user"]["id"] != 4),
    ("arg.user.id:4 arg.n:4", lambda r: r["kwargs"]["n"] == 4),
    ("arg.user_id:4", lambda r: r["args"] == [4] and r["function"] == "function_1"),
    ("meta.trace:1,2", lambda r: r["meta"]["trace"] in (1, 2)),
    ("-meta.trace:1", lambda r: r["meta"]["trace"] != 1),
    ("meta.note:null,7", lambda r: False),
    ("job-001", lambda r: r["id"].startswith("job-001")),
    ("function_1", lambda r: r["function"] == "function_1"),
    ("nothing_like_it", lambda r: False),
    ("-function_1", lambda r: r["function"] != "function_1"),
    ("on_1,on_2", lambda r: r["function"] in ("function_1", "function_2")),
    ("job-00* *tion_2", lambda r: r["id"].startswith("job-00") and r["function"] == "function_2"),
    ("100%", lambda r: False),
    (
        "function:function_1 -state:completed priority:>0 tag:blue",
        lambda r: (
            r["function"] == "function_1"
            and r["state"] != "completed"
            and r["priority"] > 0
            and "blue" in (r["tags"] or ())
        ),
    ),
]


async def function_1(ctx: dict[Any, Any], user_id: int) -> None:
    """Do nothing."""


async def test_words_mean_the_rows_that_they_say(ledger: Ledger, fake: ArqRedis) -> None:
    """A word, or several of them, means the same rows in SQL as in Python; each row is listed once."""
    rows = [one | {"attempt": number % 6} for number, one in enumerate(ROWS)]
    await fill(ledger, rows)
    console = Console(
        [settings(fake, ledger, queue_name=name, functions=[function_1]) for name in ("main", "mail")]
    )

    for line, says in WORDS:
        found = await ids(console, line, limit=11)
        assert sorted(found) == sorted(one["id"] for one in rows if says(one)), line


async def test_list_of_ids_that_begin_so_has_pages(ledger: Ledger, fake: ArqRedis) -> None:
    """Ids that begin with a text come in their own order, and each once."""
    await fill(ledger, [row(f"job-{number:03}", at=-number) for number in range(30)])
    console = Console([settings(fake, ledger, queue_name="main")])

    assert await ids(console, "job-0", limit=7) == [f"job-{number:03}" for number in range(30)]


async def test_text_may_be_an_id_and_a_function(ledger: Ledger, fake: ArqRedis) -> None:
    """A word that ids begin with and functions have in their names means both."""
    await fill(ledger, [row("send-1"), row("other", function="resend-mail"), row("third")])
    console = Console([settings(fake, ledger, queue_name="main")])

    assert sorted(await ids(console, "send-")) == ["other", "send-1"]


@pytest.mark.parametrize("line", ["since:10m", "until:1h"])
async def test_times_may_be_told_by_how_long_ago_they_were(ledger: Ledger, fake: ArqRedis, line: str) -> None:
    """The last minutes are asked for without a look at the clock."""
    from datetime import UTC, datetime

    now = datetime.now(UTC)
    await fill(ledger, [row("old", at=0), row("new") | {"created_at": now - timedelta(minutes=1)}])
    console = Console([settings(fake, ledger, queue_name="main")])

    assert await ids(console, line) == (["new"] if line == "since:10m" else ["old"])
    assert now > START
