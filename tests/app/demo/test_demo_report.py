"""The summary: on the screen and as data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from app.demo.client import Accepted
from app.demo.following import FollowedJob
from app.demo.report import SHOWN_TRANSACTIONS, SHOWN_UNREADABLE, report, short
from app.demo.server import without_password
from app.demo.summary import Places, Summary

MakeConsole = Callable[..., Console]

FETCHED = {"fetched_count": 3, "saved_count": 2, "unreadable_count": 0, "unreadable": []}
READ = {"processed_count": 2, "transaction_count": 1, "failed_count": 0}


def test_everything_that_happened_is_told(make_console: MakeConsole, tmp_path: Path) -> None:
    """Jobs with state, duration and counts, e-mails, transactions, and where to look."""
    said = _said(make_console, _summary(tmp_path))

    assert "✔  EMAIL_FETCH       email queue  SUCCESS   0.41 s  3 fetched, 2 saved" in said
    assert "2 new e-mails saved. 1 message is a copy or known from an earlier run." in said
    assert "1 transaction in this mailbox:" in said
    assert "2026-03-02  Café [bold]" in said
    assert "http://127.0.0.1:8000/docs" in said
    assert "logs/api.log" in said


def test_second_run_says_that_nothing_is_new(make_console: MakeConsole, tmp_path: Path) -> None:
    """A run that saves no e-mail says so, and why; transactions of earlier runs are told as such."""
    summary = _summary(tmp_path, fetched={**FETCHED, "saved_count": 0}, read={**READ, "transaction_count": 0})

    said = _said(make_console, summary)

    assert "0 new e-mails saved: an earlier run saved all that can be read in this mailbox." in said
    assert "1 transaction in this mailbox, 0 of them new:" in said


def test_unreadable_messages_are_named_with_reason(make_console: MakeConsole, tmp_path: Path) -> None:
    """Messages that could not be read are named, the first of them, and the others are counted."""
    bad = [{"source": f"{n}.eml", "reason": "it is empty"} for n in range(SHOWN_UNREADABLE + 3)]
    fetched = {**FETCHED, "unreadable_count": len(bad), "unreadable": bad}

    said = _said(make_console, _summary(tmp_path, fetched=fetched))

    assert "13 messages could not be read:" in said
    assert "mail/0.eml  it is empty" in said
    assert "… and 3 more: --json FILE names them" in said


def test_mailbox_without_messages_is_told_as_such(make_console: MakeConsole, tmp_path: Path) -> None:
    """A folder without a message is asked about, not praised."""
    fetched = {**FETCHED, "fetched_count": 0, "saved_count": 0}

    said = _said(make_console, _summary(tmp_path, fetched=fetched, transactions=[]))

    # Where the line is broken depends on how long the folder's name is.
    assert f"No messages in {tmp_path / 'mail'}: is it a folder of .eml files" in " ".join(said.split())


def test_table_of_transactions_stays_short(make_console: MakeConsole, tmp_path: Path) -> None:
    """Of many transactions the latest are shown, and the way to all of them."""
    many = [_transaction(date=f"2026-01-{day:02}") for day in range(1, 31)]

    said = _said(make_console, _summary(tmp_path, transactions=many))

    assert "2026-01-30" in said
    assert "2026-01-18" not in said
    assert f"… and {30 - SHOWN_TRANSACTIONS} more: --transactions FILE writes them all" in said


def test_narrow_terminal_cuts_words_but_no_figures(make_console: MakeConsole, tmp_path: Path) -> None:
    """Where the table does not fit, dates, amounts and currencies stay whole."""
    long_names = {"merchant": "A merchant with a long name", "sources": ["a-message-with-a-long-name.eml"]}
    summary = _summary(tmp_path, transactions=[_transaction(amount="123456.78", **long_names)])

    said = _said(make_console, summary, width=70)

    [row] = [line for line in said.splitlines() if "2026-03-02" in line]
    assert "123456.78  EUR" in row
    assert "…" in row


def test_failed_job_tells_why_and_nothing_more(make_console: MakeConsole, tmp_path: Path) -> None:
    """After a failed fetch its error is told, no counts, and the run is no success."""
    error = {"type": "ProviderError", "message": "no mailbox"}
    jobs = [_job("EMAIL_FETCH", {"status": "FAILED", "duration_ms": 3, "error_payload": error})]
    summary = _summary(tmp_path, jobs=jobs)

    said = _said(make_console, summary)

    assert "✘  EMAIL_FETCH  email queue  FAILED     3 ms  ProviderError: no mailbox" in said
    assert "e-mails saved" not in said
    assert summary.ok is False


@pytest.mark.parametrize("left_out", ["EMAIL_FETCH", "EMAIL_EXTRACTION"])
def test_run_without_both_jobs_is_no_success(tmp_path: Path, left_out: str) -> None:
    """A run in which the extraction never came to be did not succeed."""
    summary = _summary(tmp_path)
    kept = [job for job in summary.jobs if job.title != left_out]

    assert summary.ok is True
    assert _summary(tmp_path, jobs=kept).ok is False


def test_paths_are_told_as_they_would_be_typed(tmp_path: Path) -> None:
    """Paths below the person's folder or home are short, others are whole."""
    assert short(tmp_path / "a" / "b", tmp_path) == "a/b"
    assert short(Path.home() / "mail", tmp_path) == "~/mail"
    assert short(Path("/srv/mail"), tmp_path) == "/srv/mail"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://ada:secret@host:6379/1", "redis://ada:***@host:6379/1"),
        ("redis://:secret@host", "redis://:***@host"),
        ("redis://host:6379", "redis://host:6379"),
        ("sqlite+aiosqlite:////tmp/app.db", "sqlite+aiosqlite:////tmp/app.db"),
    ],
)
def test_passwords_are_never_shown(url: str, shown: str) -> None:
    """A URL on the screen has no password in it, and is otherwise as it was."""
    assert without_password(url) == shown


def _said(make_console: MakeConsole, summary: Summary, width: int = 120) -> str:
    console = make_console(width=width)
    report(console, summary, stays=False, cwd=summary.mailbox.parent)
    return str(console.file.getvalue())  # type: ignore[attr-defined]  # the fixture's file is a StringIO


def _summary(folder: Path, **changes: Any) -> Summary:
    mailbox = folder / "mail"
    mailbox.mkdir(exist_ok=True)
    fetched, read = changes.pop("fetched", FETCHED), changes.pop("read", READ)
    values = {
        "mailbox": mailbox,
        "jobs": [
            _job("EMAIL_FETCH", {"status": "SUCCESS", "duration_ms": 412, "output_payload": fetched}),
            _job("EMAIL_EXTRACTION", {"status": "SUCCESS", "duration_ms": 600, "output_payload": read}),
        ],
        "transactions": [_transaction()],
        "places": Places(
            api="http://127.0.0.1:8000",
            data_dir=folder / "data",
            database=f"sqlite+aiosqlite:///{folder / 'data' / 'app.db'}",
            redis="unix:///valkey.sock?db=0",
            logs={"API": folder / "data" / "logs" / "api.log"},
        ),
        "seconds": 3.4,
    }
    return Summary(**{**values, **changes})


def _job(title: str, seen: dict[str, Any]) -> FollowedJob:
    return FollowedJob(title=title, queue="email", accepted=Accepted("1", "/1"), seen=seen)


def _transaction(**changes: Any) -> dict[str, Any]:
    told = {
        "sources": ["1.eml"],
        "amount": "5",
        "currency": "EUR",
        "merchant": "Café [bold]",
        "date": "2026-03-02",
        "direction": "debit",
        "category": "food",
    }
    return {**told, **changes}
