"""What a worker does before its first job and after its last."""

from __future__ import annotations

from typing import Any

from app.core import database
from app.services.account_service import create_demo_account


async def startup(ctx: dict[str, Any]) -> None:
    """Make sure that the tables are there: a worker may well be the first to start."""
    await database.create_tables()
    await create_demo_account()


async def shutdown(ctx: dict[str, Any]) -> None:
    """Give the database's connections back."""
    await database.engine.dispose()
