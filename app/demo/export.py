"""The demo's files for programs: the summary as JSON, the messages' transactions as CSV."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from app.demo.words import money
from app.services.providers.mailbox_files import read_mailbox

COLUMNS = ("file", "is_transaction", "amount", "currency", "merchant", "date")


def write_json(file: Path, summary: Mapping[str, Any]) -> None:
    """Write the summary."""
    file.write_text(json.dumps(summary, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def write_transactions(file: Path, mailbox: Path, transactions: Iterable[Mapping[str, Any]]) -> int:
    """Write a row for every message that lies in the mailbox now, and return how many there are.

    Messages that are no transaction, or that nobody could read, have `is_transaction` 0 and nothing else.
    """
    told = {source: transaction for transaction in transactions for source in transaction["sources"]}
    rows = [_row(mailbox, item.source, told.get(item.source)) for item in read_mailbox(mailbox)]
    with file.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.DictWriter(opened, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return len(rows)


def place(mailbox: Path, source: str) -> str:
    """A message, after its folder: `eml/1.eml` in the mailbox `eml`, `mbox/a#3` in the file `mbox/a`."""
    folder = mailbox if mailbox.is_dir() else mailbox.parent
    return f"{folder.name}/{source}" if folder.name else source


def _row(mailbox: Path, source: str, transaction: Mapping[str, Any] | None) -> dict[str, str]:
    file = place(mailbox, source)
    if transaction is None:
        return {"file": file, "is_transaction": "0"}
    currency = transaction["currency"]
    return {
        "file": file,
        "is_transaction": "1",
        "amount": money(amount_of(transaction), currency),
        "currency": currency or "",
        "merchant": transaction["merchant"] or "",
        "date": transaction["date"] or "",
    }


def amount_of(transaction: Mapping[str, Any]) -> Decimal | None:
    """A transaction's amount as the API tells it: a decimal number in a string, or nothing."""
    amount = transaction["amount"]
    return None if amount is None else Decimal(amount)
