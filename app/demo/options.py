"""What the person asked for, and the settings that follow from it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from app.demo.errors import CannotStartError

CHECKOUT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The demo's options, paths absolute.

    Attributes:
        once: end when the jobs have ended, instead of running until Ctrl-C.
        mailbox: a folder of .eml files, an mbox file or a Maildir; None is that of the settings.
        data_dir: where everything is kept; None is that of the settings, else `.arqlite` in the checkout.
        json_file: where the summary goes for programs.
        transactions_file: where the CSV goes.
        port: where the API listens; None is 8000, or the next port that is free.
        timeout: seconds the jobs may take together.
    """

    once: bool = False
    mailbox: Path | None = None
    data_dir: Path | None = None
    json_file: Path | None = None
    transactions_file: Path | None = None
    port: int | None = None
    timeout: float = 600.0


def configure(options: Options) -> None:
    """Configure this process as its children will be: by the environment and the checkout's `.env`.

    Has to come before `app.core.config` is imported.
    """
    os.chdir(CHECKOUT)
    if options.mailbox is not None:
        os.environ["MAILBOX_PATH"] = str(options.mailbox)
    if options.data_dir is not None:
        os.environ["DATA_DIR"] = str(options.data_dir)


def must_be_usable(mailbox: Path, options: Options) -> None:
    """Find out before anything is started what would fail after minutes of work.

    Raises:
        CannotStartError: the mailbox is not there or not readable, or a file could not be written.
    """
    if not mailbox.exists():
        raise CannotStartError(
            f"there is no mailbox at {mailbox}. Give a folder of .eml files, an mbox file or a Maildir."
        )
    if not os.access(mailbox, os.R_OK | (os.X_OK if mailbox.is_dir() else 0)):
        raise CannotStartError(f"the mailbox {mailbox} may not be read by this user")
    for file in (options.json_file, options.transactions_file):
        if file is not None and file.is_dir():
            raise CannotStartError(f"{file} is a folder, not a file that could be written")
        if file is not None and not os.access(file.parent, os.W_OK | os.X_OK):
            raise CannotStartError(f"{file} cannot be written: {file.parent} is missing or not writable")
