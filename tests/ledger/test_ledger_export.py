"""Rows as CSV and as JSON lines."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from query_toys import fill, mixed, row
from sqlalchemy.ext.asyncio import AsyncEngine

from arqlite.errors import ConfigurationError
from arqlite.ledger import Ledger
from arqlite.model.states import JobState


async def exported(ledger: Ledger, **asked: Any) -> str:
    """All pieces in one."""
    return "".join([piece async for piece in ledger.export(**asked)])


async def test_json_lines(ledger: Ledger) -> None:
    """Each row is an object on a line of its own, with its JSON as it is."""
    await fill(
        ledger, [row("a", JobState.DISCARDED, kwargs={"to": "ä\n"}, error_payload={"type": "E"}, record=b"Q")]
    )

    [line] = (await exported(ledger)).splitlines()

    told = json.loads(line)
    assert (told["id"], told["status"], told["created_at"]) == ("a", "FAILED", "2026-01-01T00:00:00Z")
    assert (told["kwargs"], told["error_payload"]) == ({"to": "ä\n"}, {"type": "E"})
    assert "record" not in told


async def test_csv(ledger: Ledger) -> None:
    """The first line has the names of the columns, and any reader of CSV gets the cells back."""
    await fill(ledger, [row("a", kwargs={"to": 'x,"y"\n'}, user_id=-7)])

    head, cells = csv.reader(io.StringIO(await exported(ledger, format="csv")))

    told = dict(zip(head, cells, strict=True))
    assert (told["id"], told["state"], told["user_id"], told["worker"]) == ("a", "completed", "-7", "")
    assert json.loads(told["kwargs"]) == {"to": 'x,"y"\n'}
    assert told["created_at"] == "2026-01-01T00:00:00+00:00"


@pytest.mark.parametrize("evil", ["=1+1", "+1", "-1", "@sum", "\tx", "\rx", "\n=x"])
async def test_csv_has_no_formulas(ledger: Ledger, evil: str) -> None:
    """A spreadsheet takes no cell for a formula."""
    await fill(ledger, [row("a", worker=evil, output_payload=evil, args=[])])
    asked = ["worker", "output_payload"]

    _, cells = csv.reader(io.StringIO(await exported(ledger, format="csv", columns=asked), newline=""))

    assert cells == [f"'{evil}", json.dumps(evil)]


HALF = "caf\udce9.csv"


@pytest.mark.parametrize("args", [[HALF], [{HALF: [1, HALF]}]])
async def test_no_row_fails_an_export(ledger: Ledger, args: list[Any]) -> None:
    """A row with half a character, of a file's name say, costs none of the others."""
    await fill(ledger, [row("a", args=args), row("b")])

    lines = (await exported(ledger)).splitlines()
    _, *cells = csv.reader(io.StringIO(await exported(ledger, format="csv", columns=["id", "args"])))

    told = {one["id"]: one["args"] for one in map(json.loads, lines)}
    assert told == {"a": args, "b": None}
    assert {name: json.loads(cell) if cell else None for name, cell in cells} == told


async def test_exported_numbers_are_json(engine: AsyncEngine, ledger: Ledger) -> None:
    """What an older version left in SQLite may be no JSON: it becomes null."""
    if engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL takes no NaN")
    await fill(ledger, [row("a", args=[float("nan"), 1])])

    assert '"args":[null,1]' in await exported(ledger)
    assert '"[null,1]"' in await exported(ledger, format="csv")


async def test_export_is_of_all_pages(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """All rows that are meant are written, in pieces of a page each, once each."""
    monkeypatch.setattr("arqlite.ledger.queries._EXPORTED_AT_ONCE", 10)
    rows = mixed(60)
    await fill(ledger, rows)

    pieces = [piece async for piece in ledger.export(queue="main", columns=["id"], format="csv")]

    expected = sorted(one["id"] for one in rows if one["queue"] == "main")
    assert pieces[0] == "id\r\n"
    assert max(piece.count("\r\n") for piece in pieces) == 10
    assert sorted("".join(pieces[1:]).split()) == expected


async def test_wrong_exports_are_refused(ledger: Ledger) -> None:
    """A column or a format that there is not is told before anything is written."""
    with pytest.raises(ConfigurationError, match="there is no column 'stauts'; did you mean 'status'"):
        await exported(ledger, columns=["stauts"])
    with pytest.raises(ConfigurationError, match="format must be csv or jsonl"):
        await exported(ledger, format="xml")
