"""The demo's files for programs."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from app.demo.export import COLUMNS, place, write_transactions

MAIL = b"From: a@shop.example\nSubject: hello\n\nYou paid EUR 5.00.\n"


def test_every_message_has_a_row(tmp_path: Path) -> None:
    """Each message of the mailbox has a row under its folder's name, transaction or not, and no other has."""
    mailbox = _mailbox(tmp_path, "1.eml", "2.eml", "3.eml")
    told = [_transaction("2.eml", amount="5"), _transaction("gone.eml", amount="7")]

    count = write_transactions(tmp_path / "out.csv", mailbox, told)

    rows = _read(tmp_path / "out.csv")
    assert count == 3
    assert [(row["file"], row["is_transaction"]) for row in rows] == [
        ("eml/1.eml", "0"),
        ("eml/2.eml", "1"),
        ("eml/3.eml", "0"),
    ]
    assert tuple(rows[0]) == COLUMNS
    assert rows[0]["amount"] == ""
    assert rows[1] == {
        "file": "eml/2.eml",
        "is_transaction": "1",
        "amount": "5.00",
        "currency": "EUR",
        "merchant": 'Smith, "Sons"',
        "date": "2026-03-02",
    }


def test_copies_have_rows_of_their_own(tmp_path: Path) -> None:
    """A message that lies in the mailbox twice is a transaction in both places."""
    mailbox = _mailbox(tmp_path, "1.eml", "2.eml")
    told = _transaction("1.eml", amount="5") | {"sources": ["1.eml", "2.eml"]}

    write_transactions(tmp_path / "out.csv", mailbox, [told])

    assert [row["is_transaction"] for row in _read(tmp_path / "out.csv")] == ["1", "1"]


def test_what_is_not_known_is_empty(tmp_path: Path) -> None:
    """A transaction of which only the fact is known has empty cells."""
    mailbox = _mailbox(tmp_path, "1.eml")
    told = _transaction("1.eml", amount=None) | {"currency": None, "merchant": None, "date": None}

    write_transactions(tmp_path / "out.csv", mailbox, [told])

    assert (tmp_path / "out.csv").read_text().splitlines()[1] == "eml/1.eml,1,,,,"


def test_message_in_mbox_file_is_placed_in_its_folder(tmp_path: Path) -> None:
    """Messages have the same name whether the mbox file or its folder was given."""
    file = tmp_path / "mbox" / "old.mbox"
    file.parent.mkdir()
    file.write_bytes(b"From a@b Mon Jan  5 10:00:00 2026\n" + MAIL)

    assert place(file, "old.mbox#1") == place(file.parent, "old.mbox#1") == "mbox/old.mbox#1"


def _mailbox(folder: Path, *names: str) -> Path:
    mailbox = folder / "eml"
    mailbox.mkdir()
    for name in names:
        (mailbox / name).write_bytes(MAIL)
    return mailbox


def _transaction(source: str, amount: str | None) -> dict[str, Any]:
    return {
        "sources": [source],
        "amount": amount,
        "currency": "EUR",
        "merchant": 'Smith, "Sons"',
        "date": "2026-03-02",
    }


def _read(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))
