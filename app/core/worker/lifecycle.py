"""What a worker does before its first job and after its last."""

from __future__ import annotations

import logging
import logging.config
from typing import Any

from app.core import database
from app.services.account_service import create_demo_account
from arqlite.logs import default_log_config


async def startup(ctx: dict[str, Any]) -> None:
    """Make sure that the tables are there: a worker may well be the first to start."""
    show_log()
    await database.create_tables()
    await create_demo_account()


async def shutdown(ctx: dict[str, Any]) -> None:
    """Give the database's connections back."""
    await database.engine.dispose()


def show_log() -> None:
    """Show the worker's log where nobody set up logging: run as a script, it would be silent."""
    if not logging.getLogger("arqlite").handlers and not logging.getLogger().handlers:
        logging.config.dictConfig(default_log_config(verbose=False))
